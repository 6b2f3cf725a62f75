"""Blocks that the systems are built from."""
