"""Limber's inference: loads the models and answers requests, in a process of its own; never imports bpy."""

from __future__ import annotations

import os

# OpenMP's threads wait for each other by spinning. Beside anything else that is busy (Blender's own
# playback, a render) each wait then costs a time slice: 180 frames took 17 s instead of 0.1 s on two
# loaded cores. Read when torch is loaded, so it has to be said here, before that.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
PROTOCOL = 1
"""Version of the HTTP interface and of the first line on standard output."""
