"""Pins, paths and waypoints: the format, its errors, and what a request holds of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blender_addon.motion import controls, npz, polyline, rotations
from blender_addon.motion.clip import Clip, rest_clip
from blender_addon.motion.errors import FileFormatError, InvalidRequestError, LimberError
from blender_addon.motion.skeleton import INDEX, JOINTS
from tests.motion.strategies import random_clip, seeds

F, FPS = 40, 20.0
numbers = st.floats(-50, 50, width=32)
points = st.tuples(numbers, numbers, numbers)


def load(first: int = 0, bones: dict[str, str] | None = None, **entries: Any) -> controls.Controls:
    return controls.load(json.dumps(entries), FPS, F, first, bones)


def pin(
    joint: str = "left_wrist", frames: Any = 5, position: Any = (0.1, 1.2, 0.3), **more: Any
) -> dict[str, Any]:
    return {"joint": joint, "frames": frames, "position": position, **more}


def standing() -> Clip:
    return rest_clip(F, FPS)


# -- what comes out as it was said ----------------------------------------------------------------------


@given(joint=st.sampled_from(JOINTS), place=points, offset=points,
       ends=st.tuples(st.integers(0, F - 1), st.integers(0, F - 1)),
       firmness=st.floats(0.01, 1), first=st.integers(-5, 500))  # fmt: skip
def test_a_pin_is_where_and_when_it_was_said(joint, place, offset, ends, firmness, first) -> None:
    low, high = sorted(ends)
    said = pin(joint, [low + first, high + first], place, offset=offset, firmness=firmness)
    request = controls.request(standing(), load(first, pins=[said]))
    wanted = np.zeros((F, 22), bool)
    wanted[low : high + 1, INDEX[joint]] = True
    assert (request.position_known == wanted).all()
    assert request.targets is not None
    assert request.firmness is not None
    assert np.allclose(request.targets[wanted], np.add(place, offset), atol=1e-9)
    assert np.allclose(request.firmness, np.where(wanted, firmness, 0))
    assert not request.heading_known.any()
    assert not request.grounded().any()


@given(place=points, unit=st.floats(0.01, 100))
def test_blenders_axes_and_units(place, unit) -> None:
    x, y, z = place
    one = load(up="Z", unit=unit, pins=[pin(position=place)], waypoints=[{"frame": 9, "position": [x, y]}])
    same = load(pins=[pin(position=[x * unit, z * unit, -y * unit])])
    assert one.pins[0].places is not None
    assert same.pins[0].places is not None
    assert np.allclose(one.pins[0].places, same.pins[0].places, atol=1e-6 * unit)
    assert np.allclose(one.waypoints[0].places, [[x * unit, -y * unit]], atol=1e-6 * unit)


def test_a_present_pin_holds_what_is_there_and_an_offset() -> None:
    clip = random_clip(np.random.default_rng(1), F)
    said = load(pins=[pin(frames=[3, 8], position="present", offset=[0, 0.1, 0])])
    request = controls.request(clip, said)
    joint = INDEX["left_wrist"]
    assert request.targets is not None
    assert np.allclose(request.targets[3:9, joint], clip.positions()[3:9, joint] + [0, 0.1, 0])


def test_a_bone_stands_for_its_joint_and_is_remembered() -> None:
    found = load(
        pins=[{"bone": "hand.L", "frames": 1, "position": [0, 1, 0]}], bones={"hand.L": "left_wrist"}
    )
    assert found.pins[0].joint == INDEX["left_wrist"]
    assert found.pins[0].bone == "hand.L"


def test_the_firmer_of_two_pins_wins() -> None:
    soft, hard = pin(position=[1, 1, 1], firmness=0.5), pin(position=[2, 2, 2])
    for both in ([soft, hard], [hard, soft]):
        request = controls.request(standing(), load(pins=both))
        assert request.targets is not None
        assert request.targets[5, INDEX["left_wrist"]].tolist() == [2, 2, 2]


@given(seed=seeds)
@settings(max_examples=20)
def test_offsets_to_the_canonical_joint_turn_with_the_heading(seed) -> None:
    rng = np.random.default_rng(seed)
    angle = rng.uniform(-3, 3)
    clip = standing().moved([np.cos(angle / 2), 0, np.sin(angle / 2), 0], rng.normal(size=3))
    offsets = np.zeros((22, 3))
    offsets[0] = rng.normal(size=3)
    request = controls.request(clip, load(pins=[pin("pelvis", position=[1, 2, 3])]), offsets)
    turn = rotations.from_axis_angle(np.array([0, angle, 0]))
    assert request.targets is not None
    assert np.allclose(request.targets[5, 0], [1, 2, 3] + rotations.rotate(turn, offsets[0]))


def test_controls_travel_on_the_wire() -> None:
    said = load(pins=[pin(firmness=0.5)], path={"points": [[0, 0], [0, 3]]})
    sent = controls.request(standing(), said, seed=4)
    back = npz.request_from_bytes(npz.request_to_bytes(sent))
    for key in ("targets", "firmness", "ground_known", "headings", "heading_known", "position_known"):
        assert (getattr(back, key) == getattr(sent, key)).all()


# -- the path -------------------------------------------------------------------------------------------


@given(seed=seeds, closed=st.booleans(), rounded=st.booleans())
@settings(max_examples=60)
def test_a_path_is_walked_at_one_speed_from_end_to_end(seed, closed, rounded) -> None:
    rng = np.random.default_rng(seed)
    knots = np.cumsum(rng.uniform(0.2, 1, (rng.integers(3, 8), 2)) * rng.choice([-1, 1], 2), 0)
    found = load(path={"points": knots.tolist(), "closed": closed, "smooth": rounded})
    assert found.path is not None
    places = found.path.places
    assert np.allclose(places[0], knots[0], atol=1e-9)
    assert np.allclose(places[-1], knots[0] if closed else knots[-1], atol=1e-9)
    line = polyline.over_ground(np.insert(knots, 1, 0, axis=1), closed)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    if not rounded:
        share = polyline.lengths(line)[-1] / (F - 1)
        assert (steps <= share + 1e-9).all()  # a chord over a corner is shorter
        assert np.isclose(np.median(steps), share, rtol=0.2)
    whole = polyline.over_ground(polyline.smooth(np.insert(knots, 1, 0, axis=1), closed), closed)
    for knot in knots:  # it goes through every point
        assert np.linalg.norm(whole - knot, axis=-1).min() < 1e-9


def test_a_circle_is_looked_along() -> None:
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([2 * np.cos(angle), 2 * np.sin(angle)], -1)
    found = load(path={"points": circle.tolist(), "closed": True}).path
    assert found is not None
    assert found.headings is not None
    at = np.arctan2(found.places[:, 1], found.places[:, 0])
    ahead = np.stack([-np.sin(at), np.cos(at)], -1)
    told = np.stack([np.sin(found.headings), np.cos(found.headings)], -1)
    assert np.allclose((ahead * told).sum(-1), 1, atol=1e-4)
    assert np.isclose(abs(found.headings[-1] - found.headings[0]), 2 * np.pi, atol=1e-3)  # unwrapped
    assert np.allclose(np.linalg.norm(found.places, axis=-1), 2, atol=1e-3)


def test_speed_and_fractions() -> None:
    line = {"points": [[0, 0], [0, 3]]}
    fast = load(path=line | {"speed": 4.0}).path
    assert fast is not None
    assert np.allclose(fast.places[:, 1], np.minimum(4.0 * np.arange(F) / FPS, 3))
    keyed = load(
        first=10, path=line | {"frames": [12, 30], "fractions": [[12, 0.0], [20, 1.0], [30, 0.5]]}
    ).path
    assert keyed is not None
    assert keyed.frames[0] == 2
    assert np.allclose(keyed.places[[0, 4, 8, 18], 1], [0, 1.5, 3, 1.5])
    around = load(
        path={"points": [[0, 0], [0, 1], [1, 1]], "closed": True, "smooth": False, "speed": 4.0}
    ).path
    assert around is not None
    assert np.allclose(around.places[10], polyline.places(np.array([[0, 0], [0, 1], [1, 1.0]]), 2.0))


def test_heights_are_left_out_and_headings_free_or_told() -> None:
    steep = {"points": [[0, 0, 0], [0, 9, 2]], "heading": "free"}
    found = load(path=steep).path
    assert found is not None
    assert found.headings is None
    assert np.allclose(found.places[-1], [0, 2])
    request = controls.request(standing(), load(path=steep | {"heading": 90}))
    assert request.headings is not None
    assert request.heading_known.all()
    assert np.allclose(request.headings, np.pi / 2)


def test_waypoints_say_where_and_which_way() -> None:
    found = load(
        waypoints=[{"frame": 0, "position": [1, 2]}, {"frame": 20, "position": [3, 0, 4], "heading": -90}]
    )
    request = controls.request(standing(), found)
    assert np.flatnonzero(request.grounded()).tolist() == [0, 20]
    assert np.flatnonzero(request.heading_known).tolist() == [20]
    assert request.targets is not None
    assert request.headings is not None
    assert request.targets[20, 0].tolist() == [3, standing().hip_height, 4]
    assert np.isclose(request.headings[20], -np.pi / 2)


@given(seed=seeds)
@settings(max_examples=20)
def test_in_a_turned_world_everything_is_turned(seed) -> None:
    axes = rotations.from_axis_angle(np.random.default_rng(seed).normal(size=3) * [0, 1, 0])
    found = load(pins=[pin()], waypoints=[{"frame": 3, "position": [1, 2], "heading": 30}])
    turned = found.turned(axes)
    assert found.pins[0].places is not None
    assert turned.pins[0].places is not None
    assert np.allclose(turned.pins[0].places, rotations.rotate(axes, found.pins[0].places))
    assert turned.waypoints[0].headings is not None
    angle = 2 * np.arctan2(axes[2], axes[0])
    assert np.isclose(np.cos(turned.waypoints[0].headings[0] - np.radians(30) - angle), 1)


# -- what is refused, by name ---------------------------------------------------------------------------

BAD = {
    "frames out of range": ({"pins": [pin(frames=[5, F])]}, "pin 1 .left_wrist.: frame 40 lies outside 0..39"),
    "frames before": ({"pins": [pin(), pin(frames=-1)]}, "pin 2 .left_wrist.: frame -1"),
    "no frames": ({"pins": [pin(frames=[9, 3])]}, "pin 1 .*hold none"),
    "frames of a kind": ({"pins": [pin(frames=[1.5, 3])]}, "pin 1 .*neither a frame"),
    "frames true": ({"pins": [pin(frames=True)]}, "pin 1 .*neither a frame"),
    "unknown joint": ({"pins": [pin("left_tentacle")]}, "pin 1 .left_tentacle.: there is no such joint"),
    "a bone without a role": ({"pins": [{"bone": "tail.001", "frames": 1, "position": [0, 0, 0]}]},
                              "pin 1 .tail.001.: the bone has no role"),
    "no joint": ({"pins": [{"frames": 1, "position": [0, 0, 0]}]}, "pin 1: names neither"),
    "not a number": ({"pins": [pin(position=[0, float("nan"), 0])]}, "pin 1 .left_wrist.: its position"),
    "infinite": ({"pins": [pin(position=[0, 10**400, 0])]}, "pin 1 .left_wrist.: its position"),
    "text for a number": ({"pins": [pin(position=["0", "1", "2"])]}, "pin 1 .*3 numbers"),
    "two numbers": ({"pins": [pin(position=[0, 1])]}, "pin 1 .*3 numbers"),
    "too few positions": ({"pins": [{"joint": "head", "frames": [1, 3], "positions": [[0, 0, 0]]}]},
                          "pin 1 .head.: 1 positions for 3 frames"),
    "no position": ({"pins": [{"joint": "head", "frames": 1}]}, "pin 1 .head.: has to have"),
    "firmness": ({"pins": [pin(firmness=0)]}, "pin 1 .*firmness 0"),
    "an unknown key": ({"pins": [pin(colour="red")]}, "pin 1: 'colour' is not known"),
    "its own name": ({"pins": [pin(name="Cup", firmness=2)]}, "Cup: firmness"),
    "contradiction": ({"pins": [pin(frames=[2, 9]), pin(frames=[8, 12], position=[0.1, 1.2, 0.31])]},
                      "pin 2 .left_wrist.: contradicts pin 1 .left_wrist. at frame 8: 0.01 m apart"),
    "no length": ({"path": {"points": [[1, 1], [1, 1]]}}, "path: its length over the ground is zero"),
    "upright": ({"path": {"points": [[1, 0, 1], [1, 5, 1]]}}, "path: its length over the ground is zero"),
    "no points": ({"path": {}}, "path: its points are missing"),
    "standing": ({"path": {"points": [[0, 0], [0, 1]], "speed": 0}}, "path: speed 0"),
    "speed and keys": ({"path": {"points": [[0, 0], [0, 1]], "speed": 1, "fractions": [[0, 0]]}}, "path: has a speed"),
    "fractions": ({"path": {"points": [[0, 0], [0, 1]], "fractions": [[0, 0], [5, 1.5]]}}, "path: a fraction outside"),
    "backwards": ({"path": {"points": [[0, 0], [0, 1]], "fractions": [[5, 0], [5, 1]]}}, "path: .* do not ascend"),
    "heading": ({"path": {"points": [[0, 0], [0, 1]], "heading": "north"}}, "path: heading 'north'"),
    "one frame": ({"path": {"points": [[0, 0], [0, 1]], "frames": 3}}, "path: one frame"),
    "waypoint off the path": ({"path": {"points": [[0, 0], [0, 1]]}, "waypoints": [{"frame": 0, "position": [1, 0]}]},
                              "waypoint 1: contradicts path at frame 0: 1 m apart"),
    "waypoint looks elsewhere": ({"path": {"points": [[0, 0], [0, 1]]},
                                  "waypoints": [{"frame": 0, "position": [0, 0], "heading": 90}]},
                                 "waypoint 1: contradicts path at frame 0: headings 90 degrees apart"),
    "pelvis off the path": ({"pins": [pin("pelvis", 0)], "path": {"points": [[0, 0], [0, 1]]}},
                            "path: contradicts pin 1 .pelvis. at frame 0"),
    "waypoint's frame": ({"waypoints": [{"frame": [1, 2], "position": [0, 0]}]}, "waypoint 1: frame"),
    "nothing": ({}, "controls: there is nothing to follow"),
    "pins of a kind": ({"pins": "left_wrist"}, "pins: str, expected a list"),
    "pin of a kind": ({"pins": [3]}, "pin 1: int, expected an object"),
    "up": ({"up": "X", "pins": [pin()]}, "up: 'X'"),
    "unit": ({"unit": 0, "pins": [pin()]}, "unit: 0.0"),
    "version": ({"version": 2, "pins": [pin()]}, "version: 2"),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "message"), BAD.values(), ids=BAD)
def test_what_makes_no_sense_is_refused_by_name(entries: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        load(**entries)


def test_a_present_pin_that_contradicts_is_found_with_the_clip() -> None:
    said = load(first=1, pins=[pin(position="present"), pin()])
    with pytest.raises(InvalidRequestError, match=r"contradicts pin 1 .left_wrist. at frame 5"):
        controls.request(standing(), said)


def test_a_clip_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="made for 40 frames"):
        controls.request(rest_clip(3), load(pins=[pin()]))


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "c ü.json"
    path.write_text(json.dumps({"pins": [pin()]}), encoding="utf-8")
    assert len(controls.load(path, FPS, F).pins) == len(controls.load(str(path), FPS, F).pins) == 1
    path.write_text('{"pins": [\n oops', encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"ü.json, line 2: no JSON"):
        controls.load(path, FPS, F)
    path.write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(FileFormatError, match="no JSON object"):
        controls.load(path, FPS, F)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileFormatError, match="no UTF-8"):
        controls.load(path, FPS, F)
    with pytest.raises(FileFormatError, match=r"cannot|can be read|no JSON"):
        controls.load('{"pins": ' + "[" * 100_000, FPS, F)
    with pytest.raises(OSError):
        controls.load(tmp_path / "none.json", FPS, F)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(("joint", "frames", "position", "positions", "points", "frame", "heading", "speed", "bone",
                         "firmness", "offset", "fractions", "closed", "smooth", "name")), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(("pins", "path", "waypoints", "up", "unit", "version")), values, max_size=4
    )
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_nonsense_never_gets_through_as_anything_but_our_error(found: dict[str, Any]) -> None:
    try:
        controls.request(standing(), controls.load(found, FPS, F))
    except LimberError:
        return


def test_joints_as_people_say_them() -> None:
    said = {controls.spoken(j) for j in JOINTS}
    assert len(said) == 22
    assert {"Left hand", "Right foot", "Left toes", "Pelvis", "Head"} <= said
