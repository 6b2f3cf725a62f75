"""The systems: each fills masks of a request. They do not know each other."""
