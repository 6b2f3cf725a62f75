"""A result on captured motion -> F-curve values: on the asked for bones, at the asked for frames, and such
that at every other whole frame the curves have the values they had.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from . import actions, channel_writer, pose_model, rigify_io
from .captured import Captured
from .keyframes import ChannelId, Channels, KeyedChannel, Keys, bone_path, read_records, split_path
from .motion.clip import Clip
from .motion.constraints import Mask
from .motion.contacts import runs
from .motion.rotations import Array
from .records import RECORD
from .scope import Scope


def channels_steps(obj: Any, captured: Captured, clip: Clip) -> Generator[float, None, tuple[Channels, Keys]]:
    """F-curve values and the keys that stay on the same curves, in steps of a few milliseconds.

    Args:
        obj: the armature object.
        captured: what was read from it.
        clip: a result on its bones, see :meth:`.captured.Captured.answers`.
    """
    scope = captured.scope
    control_rig = rigify_io.is_control_rig(obj, captured.bone_map)
    writer = (ControlRigWriter if control_rig else CapturedWriter)(obj, captured, clip)
    made = yield from writer.run()
    out: dict[ChannelId, tuple] = {}
    kept: dict[ChannelId, KeyedChannel] = {}
    curves = {(f.data_path, f.array_index): f for f in actions.fcurves(obj)}
    for (path, index), (_, values) in made.items():
        yield 1.0
        bone, prop = split_path(path) or ("", path)
        mask = scope.mask(bone, prop)
        if mask is None:
            continue
        owner: Any = obj.pose.bones[bone] if bone else obj
        live = float(getattr(owner, prop)[index])
        curve = curves.get((path, index))
        out[path, index] = with_edges(scope, mask, values[mask], curve, live)
        kept[path, index] = staying(scope, mask, bone, prop, index, curve)
    if control_rig:
        for path, frames, values, curve, name in _switches(obj, captured, curves):
            out[path, 0] = (frames, values, "CONSTANT")
            kept[path, 0] = staying(scope, name[1], name[0], path, 0, curve)
    return out, Keys(-np.inf, np.inf, kept)


def staying(scope: Scope, mask: Mask, bone: str, prop: str, index: int, curve: Any) -> KeyedChannel:
    """The keys of a curve that stay as they are."""
    records = read_records(curve) if curve is not None else np.zeros(0, RECORD)
    return KeyedChannel(bone, prop, index, records[~scope.removed(records["frame"], mask)])


def with_edges(scope: Scope, mask: Mask, values: Array, curve: Any, live: float) -> tuple[Array, Array]:
    """Frames and values of the asked for frames, and of those beside them that would change otherwise.

    A new key bends the curve as far as its neighbours. Between the last key before a filled run and the
    run, and after it likewise, every whole frame is given the value that it had; on a captured curve there
    is no frame between.

    Args:
        mask: ``(F,)`` the asked for frames; values: one for each of them.
        curve: the F-curve as it is; None: there is none, and the channel stands at ``live``.
    """
    frames = scope.frames[mask].astype(np.float64)
    if curve is None:
        keyed = np.empty(0)
    else:
        keyed = read_records(curve)["frame"].astype(np.float64)
    stay = keyed[~scope.removed(keyed, mask)]
    beside: list[np.ndarray] = []
    line = curve is not None and curve.extrapolation == "LINEAR"
    for first, end in runs(mask):
        start, stop = scope.first + first, scope.first + end - 1
        before, after = stay[stay < start], stay[stay > stop]
        # beyond the outermost key a curve is held, or goes straight on, which takes two keys to say
        low = np.floor(before[-1]) + 1 if len(before) else start - (2 if line else 1)
        high = np.ceil(after[0]) - 1 if len(after) else stop + (2 if line else 1)
        # before the motion's first frame and after its last, poses are held, and now the new ones are
        low, high = max(low, scope.motion[0]), min(high, scope.motion[1])
        beside += [np.arange(low, start), np.arange(stop + 1, high + 1)]
    extra = np.setdiff1d(np.concatenate(beside), frames) if beside else np.empty(0)
    if not len(extra):
        return frames, values
    was = np.full(len(extra), live) if curve is None else pose_model.sample(curve, extra)
    at, both = np.concatenate([frames, extra]), np.concatenate([values, was])
    order = np.argsort(at, kind="stable")
    return at[order], both[order]


def _switches(obj: Any, captured: Captured, curves: dict[ChannelId, Any]) -> list[tuple]:
    """Path, frames, values, curve and (bone, mask) of the switches that what is written needs."""
    scope, out = captured.scope, []
    roles = {bone: role for role, bones in captured.bone_map.bones.items() for bone in bones}
    values = pose_model.Curves(obj)
    for switch in rigify_io.switches(obj):
        masks = [mask for bone, mask in scope.bones.items() if roles[bone] in switch.roles]
        if not masks:
            continue
        mask = np.logical_or.reduce(masks)
        own = rigify_io.switch_value(obj, values, switch, scope.frames.astype(np.float64))
        if (own[mask] == switch.value).all():
            continue
        path = rigify_io.switch_path(switch)
        live = float(obj.pose.bones[switch.bone][switch.property])
        curve = curves.get((path, 0))
        wanted = np.full(int(mask.sum()), switch.value)
        out.append((path, *with_edges(scope, mask, wanted, curve, live), curve, (switch.bone, mask)))
    return out


class _Anchored(channel_writer.Writer):
    """Signs and Euler turns continue those of the frames beside what is asked for."""

    scope: Scope

    def _anchors(self, bone: str, prop: str) -> tuple[Array, Array]:
        owner = self.obj.pose.bones[bone] if bone else self.obj
        live = tuple(getattr(owner, prop))
        mask = self.scope.mask(bone, prop)
        if mask is None:
            return np.empty(0), np.empty((0, len(live)))
        near = mask.copy()
        near[1:] |= mask[:-1]
        near[:-1] |= mask[1:]
        at = self.scope.frames[near & ~mask].astype(np.float64)
        values = self.curves.values(bone_path(bone, prop), live, at)
        return at, np.broadcast_to(values, (len(at), len(live)))


class CapturedWriter(_Anchored):
    """For armatures whose mapped bones are what is seen."""

    def __init__(self, obj: Any, captured: Captured, clip: Clip) -> None:
        self.scope = captured.scope
        pelvis = captured.bone_map.bones["pelvis"][0] if captured.scope.carrier is not None else None
        super().__init__(obj, captured.bones, captured.scope.frames.astype(np.float64), clip, None, pelvis)


class ControlRigWriter(_Anchored, rigify_io.RigifyWriter):
    """For generated Rigify rigs: the bones that are not written keep the poses that are seen."""

    def __init__(self, obj: Any, captured: Captured, clip: Clip) -> None:
        self.scope = captured.scope
        pelvis = "torso" if captured.scope.carrier is not None else None
        frames = captured.scope.frames.astype(np.float64)
        channel_writer.Writer.__init__(self, obj, captured.bones, frames, clip, None, pelvis, also=("torso",))
        self.seen = rigify_io.seen_bone(obj, "torso")

    def follow(self, k: int) -> Array:
        """As it is seen, unless something above it is written, or a switch that is set lets go of it."""
        info, above = self.infos[k], self.infos[k].parent
        while above >= 0 and self.infos[above].name not in self.bones:
            above = self.infos[above].parent
        if above < 0 and not info.name.startswith(("MCH-ROT-", "MCH-upper_arm_parent", "MCH-thigh_parent")):
            return np.broadcast_to(self.present[:, k], (len(self.frames), 4, 4))
        return super().follow(k)
