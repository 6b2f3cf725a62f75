"""What is said about takes: from a table of captions, or written from the names of files and clips."""
