"""A heading taken from a view: what a camera that looks so would walk along."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from mathutils import Euler  # noqa: E402

from blender_addon.operators import heading  # noqa: E402


@given(tilt=st.floats(math.radians(10), math.radians(170)), left=st.floats(-3.1, 3.1))
def test_into_the_view_however_it_is_tilted(tilt: float, left: float) -> None:
    seen = heading.seen(Euler((tilt, 0.0, left)).to_quaternion())  # left 0: from the front, along +Y
    assert math.cos(seen - (left + math.pi)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("left", [0.0, 1.0, -2.0])
def test_from_straight_above_the_upper_edge_is_ahead(left: float) -> None:
    assert math.cos(heading.seen(Euler((0.0, 0.0, left)).to_quaternion()) - (left + math.pi)) == pytest.approx(1)


def test_without_a_view_it_says_so(addon: None) -> None:
    operators = bpy.ops.limber
    assert not operators.heading_from_view.poll()
