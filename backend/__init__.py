"""Limber's inference: loads the models and answers requests, in a process of its own; never imports bpy."""

from __future__ import annotations

__version__ = "0.1.0"
PROTOCOL = 1
"""Version of the HTTP interface and of the first line on standard output."""
