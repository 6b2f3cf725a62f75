"""From folders of motion to one cache file: read, check, repair, split, quantise, report."""
