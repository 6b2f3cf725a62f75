"""A motion that came back through the canonical skeleton, laid exactly onto the poses it started from.

The canonical 22 joints cannot hold everything that a rig can (four spine bones, twist bones,
fingers), so a pose that goes there and back is close to itself, not equal. The difference at the
known frames is known; spread over the frames between, it joins the filled frames to the known
ones without a jump.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from . import rotations
from .clip import Clip
from .errors import InvalidRequestError
from .interpolation import neighbours


def anchor(clip: Clip, exact: Clip, known: ArrayLike) -> Clip:
    """``clip`` with the poses of ``exact`` where ``known``, and what that changes spread in between.

    Args:
        clip: F frames on any skeleton.
        exact: the same skeleton and length; only frames that are known are looked at.
        known: ``(F,)`` boolean, at least one true.

    Returns:
        Equal to ``exact`` at known frames, bit for bit. Between, the local rotation differences
        are slerped and the position differences lerped; beyond the ends they are held.

    Raises:
        InvalidRequestError: the clips disagree in length or joints, or nothing is known.
    """
    known = np.asarray(known, bool)
    if len(clip) != len(exact) or clip.skeleton.names != exact.skeleton.names or known.shape != (len(clip),):
        raise InvalidRequestError("clips", "length, joints and known frames have to agree")
    if not known.any():
        raise InvalidRequestError("known", "no frame is known")
    before, after, t = neighbours(known)
    turned = rotations.multiply(rotations.inverse(clip.rotations), exact.rotations)  # (F, J, 4)
    spread = rotations.slerp(turned[before], turned[after], np.broadcast_to(t[:, None], turned.shape[:2]))
    out = rotations.multiply(clip.rotations, spread)
    ours, theirs = clip.local_translations(), exact.local_translations()
    apart = theirs - ours
    moved = ours + apart[before] + (apart[after] - apart[before]) * t[:, None, None]
    out[known], moved[known] = exact.rotations[known], theirs[known]
    kept = clip.translations is not None or exact.translations is not None
    return replace(clip, rotations=out, root_positions=moved[:, 0], translations=moved if kept else None)
