"""What turns a sample into a deliverable: exact keys, smooth seams, a body on the ground, feet that stand.

Numpy on clips; every step changes unknown values only, and the last one copies the known ones bit
for bit.
"""

from __future__ import annotations

from blender_addon.motion.clip import Clip
from blender_addon.motion.constraints import Request
from blender_addon.motion.interpolation import keep_known

from .feet import hold_feet
from .ground import put_on_ground
from .seams import smooth_seams


def finish(clip: Clip, request: Request, feet: bool = True) -> Clip:
    """Smooth seams, put generated motion on the ground, stand feet, copy what is known.

    Args:
        clip: a sample, of the request's length, rate and skeleton.
        request: what is known.
        feet: hold standing feet by two-bone IK on frames where the leg is not known.
    """
    clip = keep_known(clip, request)
    clip = smooth_seams(clip, request)
    if request.task == "text":
        clip = put_on_ground(clip, request)
    if feet:
        clip = hold_feet(clip, request)
    return keep_known(clip, request)
