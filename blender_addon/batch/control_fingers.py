"""Fingers of a generated Rigify rig: its finger controls, which hang on the hand one after the other.

The rig as retargeting sees it (:func:`..rigify_io.skeleton`) ends at the wrists. Here the finger controls
are hung below them; with the ``_master`` controls at rest, a control's channel is its rotation in the
bone before it, so nothing has to be evaluated.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import armature_io
from ..keyframes import ChannelId
from ..motion import fingers, rotations
from ..motion.clip import Clip
from ..motion.retarget import Rig
from ..motion.rotations import Array
from ..motion.skeleton import Skeleton
from ..whole_motion import Character
from .control_rig import rotation_values
from .convert import Converted


def channels(character: Character, made: Converted, rows: slice, clip: Clip) -> dict[ChannelId, Array]:
    """Rotations of the finger controls over some frames.

    Args:
        character: a generated rig.
        made: what is to be seen; its ``fingers`` are the source's.
        rows: the frames.
        clip: the same frames on ``character.rig``'s bones.
    """
    turns = {name: q[rows] for name, q in made.fingers.items() if name in character.bone_map.fingers}
    if not turns:
        return {}
    rig = with_fingers(character)
    s, names = rig.skeleton, rig.skeleton.names
    written = fingers.write(turns, rig, made.written.slice(rows.start, rows.stop))
    back = rotations.inverse(rig.axes)
    seen, _ = clip.forward()
    q = {k: seen[:, k] for k in range(len(character.rig.skeleton))}
    out: dict[ChannelId, Array] = {}
    for bone in sorted(written):
        q[bone] = rotations.multiply(rotations.multiply(back, written[bone]), rig.reference[bone])
        local = rotations.multiply(rotations.inverse(q[int(s.parents[bone])]), q[bone])
        out.update(rotation_values(character.obj.pose.bones[names[bone]],
                                   rotations.multiply(rotations.inverse(s.rest_rotations[bone]), local)))  # fmt: skip
    return out


def with_fingers(character: Character) -> Rig:
    """The rig with its finger controls below the wrists, at rest against the hands."""
    rig = character.rig
    s, chains = rig.skeleton, character.bone_map.fingers
    whole = armature_io.read_skeleton(
        character.obj, [b for bones in chains.values() for b in bones] + list(s.names)
    )
    rest_q, rest_p = whole.rest_global()
    names, parents = list(s.names), s.parents.tolist()
    turned, offsets, tips, reference = ([*x] for x in (s.rest_rotations, s.offsets, s.tips, rig.reference))
    for finger, bones in chains.items():
        at = rig.bones.last(f"{finger.split('_')[0]}_wrist")
        for bone in bones:
            k, up = whole.index(bone), whole.index(names[at])
            undo = rotations.inverse(rest_q[up])
            local = rotations.multiply(undo, rest_q[k])
            turned.append(local)
            offsets.append(rotations.rotate(undo, rest_p[k] - rest_p[up]))
            tips.append(whole.tips[k])
            reference.append(rotations.multiply(reference[at], local))
            names.append(bone)
            parents.append(at)
            at = len(names) - 1
    skeleton = Skeleton(tuple(names), np.array(parents), np.array(offsets), np.array(turned), np.array(tips))
    return replace(rig, skeleton=skeleton, reference=np.array(reference))
