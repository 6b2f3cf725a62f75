"""What there is to be drawn of results that wait for a decision: kept in memory, by armature object.

A run brings its figures along (:mod:`.motion.figures`); nothing is evaluated for drawing. A file that is opened, or
the add-on disabled, ends all of it; what undo takes away or brings back is asked of the review itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import actions, armature_io, pins, properties, selection
from .depsgraph import object_moves_by_depsgraph
from .keyframes import split_path
from .motion import rotations
from .motion.bone_maps import BoneMap
from .motion.figures import Figure
from .motion.rotations import Array

if TYPE_CHECKING:
    from .captured import Captured
    from .transfer import Answers, Collected

TRAILED = ("pelvis", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
"""Roles whose joints have trails where no bone is selected."""


@dataclass(frozen=True, eq=False)
class Shown:
    """The figures of one armature's results.

    Attributes:
        original: session number of the Action that the results were made from.
        models: one figure a variation.
        plain: plain interpolation, or the motion as it was; None where there is none.
        first: scene frame of the figures' first frame.
        start, end: scene frames of what was asked for and the frame on either side: no further do trails go.
        bone_map: which bone plays which role.
        placing: ``(4, 4)`` from canonical metres to the armature's space, where only the object's present place
            moves that; to the world where the object is animated itself.
        follows: whether it is the former.
        batches: what has been sent to the graphics card.
    """

    original: int
    models: tuple[Figure, ...]
    plain: Figure | None
    first: int
    start: int
    end: int
    bone_map: BoneMap
    placing: Array
    follows: bool
    batches: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """Scene frame of the figures' last frame."""
        return self.first + len(self.models[0]) - 1

    def matrix(self, obj: Any) -> Array:
        """From the figures' places to the world, as the object stands now. ``(4, 4)``."""
        return np.array(obj.matrix_world, np.float64) @ self.placing if self.follows else self.placing


_kept: dict[int, Shown] = {}
"""By the armature object's session number."""


def remember(obj: Any, read: Collected | Captured, answers: Answers) -> None:
    """Keep what a run has brought for ``obj``, in place of what there was."""
    state = properties.review(obj)
    if state.original is None or not answers.figures:
        return
    n = len(answers.clips)
    plain = answers.figures[n] if answers.plain is not None else None
    _kept[obj.session_uid] = _placed(obj, read, answers.figures[:n], plain, state.original.session_uid)


def so_far(obj: Any, read: Collected | Captured, figure: Figure) -> Shown:
    """What is to be drawn of a run that goes on; whoever asks for it keeps it, as long as it goes on."""
    return _placed(obj, read, (figure,), None, 0)


def _placed(
    obj: Any, read: Collected | Captured, models: tuple[Figure, ...], plain: Figure | None, original: int
) -> Shown:
    unit, follows = armature_io.unit_scale(), not _moves(obj)
    placing = _to_armature(obj, unit) if follows else _to_world(unit)
    there = read.first + len(models[0]) - 1
    start, end = max(read.first, read.plan.start - 1), min(read.last, read.plan.end + 1, there)
    return Shown(original, models, plain, read.first, start, end, read.bone_map, placing, follows)


def find(obj: Any) -> Shown | None:
    """What there is to be drawn of an armature's results; None: nothing waits, or nothing is known of it."""
    shown = _kept.get(obj.session_uid)
    if shown is None or not properties.under_review(obj):
        return None
    state = properties.review(obj)
    same = state.original is not None and state.original.session_uid == shown.original
    return shown if same and len(state.results) == len(shown.models) else None


def forget() -> None:
    """Keep nothing."""
    _kept.clear()


def model(obj: Any, shown: Shown) -> Figure:
    """The figure of the variation that is under review now."""
    return shown.models[min(properties.review(obj).current, len(shown.models) - 1)]


def trailed(obj: Any, shown: Shown) -> tuple[str, ...]:
    """Bones whose joints have trails: the selected ones in Pose Mode, else hips, hands and feet."""
    known, roles = shown.models[0].columns, shown.bone_map.bones
    chosen: dict[str, None] = {}
    for name in selection.selected_bones(obj) if obj.mode == "POSE" else ():
        if name not in known:  # another control of a part that has a joint
            joint = pins.joint_of(obj, shown.bone_map, name)
            name = roles.get("spine" if joint.startswith("spine") else joint, ("",))[0]
        if name in known:
            chosen[name] = None
    return tuple(chosen) or tuple(roles[role][0] for role in TRAILED if role in roles and roles[role][0] in known)


def _moves(obj: Any) -> bool:
    """Whether the object itself is at other places at other frames."""
    animated = any((split_path(curve.data_path) or "x")[0] == "" for curve in actions.fcurves(obj))
    return animated or object_moves_by_depsgraph(obj)


def _to_world(unit: float) -> Array:
    """Canonical metres (y up) to Blender's world (z up, its units). ``(4, 4)``."""
    out = np.eye(4)
    out[:3, :3] = rotations.to_matrix(rotations.inverse(armature_io.Y_UP)) / unit
    return out


def _to_armature(obj: Any, unit: float) -> Array:
    """Canonical metres to the armature's own space. ``(4, 4)``; a mirrored or uneven object's comes out so, too."""
    place = armature_io.Placement(np.array(obj.matrix_world, np.float64)[None], unit)
    out = np.eye(4)
    out[:3, :3] = rotations.to_matrix(rotations.inverse(place.rotation[0])) / place.scale[0]
    out[:3, 3] = place.back(np.zeros((1, 3)))[0]
    return out
