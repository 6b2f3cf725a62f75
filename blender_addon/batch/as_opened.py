"""A character as its file has it, for the next clip: writing an Action and playing it moves what it animates."""

from __future__ import annotations

from typing import Any

_PLACES = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")


class AsOpened:
    """The object's and its bones' own channels and numbers, remembered.

    Args:
        obj: the armature object, before anything is written to it.
    """

    def __init__(self, obj: Any) -> None:
        self._obj = obj
        self._places = {name: _channels(owner) for name, owner in _owners(obj)}
        self._numbers = {b.name: numbers for b in obj.pose.bones if (numbers := _numbers(b))}

    def restore(self) -> None:
        """Give them back; what an Action plays is set again when it is evaluated."""
        for name, owner in _owners(self._obj):
            for channel, values in self._places[name].items():
                if tuple(getattr(owner, channel)) != values:
                    setattr(owner, channel, values)
        for name, numbers in self._numbers.items():
            bone = self._obj.pose.bones[name]
            for key, value in numbers.items():
                if bone[key] != value:
                    bone[key] = value


def _owners(obj: Any) -> list[tuple[str, Any]]:
    return [("", obj), *((b.name, b) for b in obj.pose.bones)]


def _channels(owner: Any) -> dict[str, tuple[float, ...]]:
    return {channel: tuple(getattr(owner, channel)) for channel in _PLACES}


def _numbers(bone: Any) -> dict[str, float]:
    """Switches and sliders that rigs keep on bones."""
    return {key: bone[key] for key in bone.keys() if isinstance(bone[key], (int, float))}  # noqa: SIM118
