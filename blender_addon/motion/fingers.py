"""Fingers, where both characters have them: rotations against the hand from straight fingers.

Rest poses of hands differ as those of arms do (flat, relaxed, a fist), so every finger is straight
in its reference pose: along the arm in the T-pose, thumbs forward and outward.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import reference, rotations
from .clip import Clip
from .retarget import Rig, along
from .rotations import Array
from .skeleton import INDEX

STILL = np.radians(1.0)
"""A finger that turns less over a whole clip was not captured; the target's own stays."""
_THUMB = np.array([0.7, -0.1, 0.7])


def straight(rig: Rig) -> dict[str, tuple[tuple[int, ...], Array]]:
    """Finger -> bones and their global orientations when straight, in the T-pose. ``(n, 4)``."""
    s = rig.skeleton
    index = {name: i for i, name in enumerate(s.names)}
    out: dict[str, tuple[tuple[int, ...], Array]] = {}
    for finger, names in rig.bone_map.fingers.items():
        bones = tuple(index[n] for n in names if n in index)
        if not bones:
            continue
        sign = 1.0 if finger.startswith("left") else -1.0
        way = (_THUMB if finger.endswith("thumb") else np.array([1.0, 0.0, 0.0])) * (sign, 1.0, 1.0)
        q = np.array(rig.reference[list(bones)])
        for k, bone in enumerate(bones):
            tip = s.offsets[bones[k + 1]] if k + 1 < len(bones) else reference.end_of_bone(s, bone)
            q[k] = rotations.multiply(rotations.between(rotations.rotate(q[k], tip), way), q[k])
        out[finger] = (bones, q)
    return out


def read(clip: Clip, rig: Rig, canonical: Clip) -> dict[str, Array]:
    """Finger -> rotations against the hand ``(F, n, 4)``; fingers that never move are left out.

    Args:
        clip: on the rig's own bones.
        canonical: the same motion, of :func:`.retarget.to_canonical`.
    """
    found = straight(rig)
    if not found or not len(clip):
        return {}
    q, _ = clip.forward()
    hands = canonical.forward()[0]
    out = {}
    for finger, (bones, still) in found.items():
        moved = clip.rotations[:, list(bones)]
        if rotations.angle_between(moved, moved[:1]).max(initial=0) < STILL:
            continue
        turned = rotations.multiply(rotations.multiply(rig.axes, q[:, list(bones)]), rotations.inverse(still))
        hand = hands[:, INDEX[f"{finger.split('_')[0]}_wrist"]]
        out[finger] = rotations.multiply(rotations.inverse(hand)[:, None], turned)
    return out


def write(turns: Mapping[str, Array], rig: Rig, canonical: Clip) -> dict[int, Array]:
    """The target's finger bones and their global differences from its own reference pose.

    Chains of other lengths share the bend out by their joints.

    Args:
        turns: of :func:`read`.
        canonical: the motion with the target's proportions.
    """
    if not turns:
        return {}
    hands, out = canonical.forward()[0], {}
    for finger, (bones, still) in straight(rig).items():
        if finger not in turns:
            continue
        q = turns[finger]
        count = q.shape[1]
        if count != len(bones):
            hand = np.broadcast_to(rotations.IDENTITY, (len(q), 1, 4))
            knots = np.arange(count + 1) / count
            q = along(knots, np.arange(1, len(bones) + 1) / len(bones), np.concatenate([hand, q], 1))
        hand = hands[:, INDEX[f"{finger.split('_')[0]}_wrist"]]
        for k, bone in enumerate(bones):
            turned = rotations.multiply(rotations.multiply(hand, q[:, k]), still[k])
            out[bone] = rotations.multiply(turned, rotations.inverse(rig.reference[bone]))
    return out
