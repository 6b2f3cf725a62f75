"""Names for parts of the body, as people say them on a command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .errors import InvalidRequestError
from .skeleton import JOINTS

_ARM = ("shoulder", "elbow", "wrist")
_LEG = ("hip", "knee", "ankle", "foot")


def _both(part: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{side}_{joint}" for side in ("left", "right") for joint in part)


PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{f"{side}_arm": tuple(f"{side}_{j}" for j in _ARM) for side in ("left", "right")},
        **{f"{side}_leg": tuple(f"{side}_{j}" for j in _LEG) for side in ("left", "right")},
        "arms": _both(_ARM),
        "legs": _both(_LEG),
        "spine": ("spine1", "spine2", "spine3"),
        "all": JOINTS,
    }
)
"""Part -> canonical joints."""


def joints(names: Iterable[str]) -> tuple[str, ...]:
    """Canonical joints of parts and joints, each once, in the skeleton's order.

    Raises:
        InvalidRequestError: a name that is neither.
    """
    found: set[str] = set()
    for name in names:
        if name not in PARTS and name not in JOINTS:
            raise InvalidRequestError(
                "joints", f"{name!r} is no joint", f"Use {', '.join((*PARTS, *JOINTS))}."
            )
        found.update(PARTS.get(name, (name,)))
    return tuple(joint for joint in JOINTS if joint in found)


def role(joint: str) -> str:
    """The role of a bone map that a canonical joint belongs to."""
    return "spine" if joint.startswith("spine") else joint
