"""A result as an NLA strip: what Blender plays, that the original stays, and that nothing is left after removal."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from blender_addon import actions, nla, plans, properties  # noqa: E402
from tests.blender_addon import characters  # noqa: E402

BONES = ("pelvis", "left_elbow", "right_knee")


def played(obj: Any, frames: tuple[float, ...]) -> np.ndarray:
    """What Blender evaluates of some bones. ``(F, B, 4, 4)``."""
    out = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        seen = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        out.append([np.array(seen.pose.bones[name].matrix_basis) for name in BONES])
    return np.array(out)


@pytest.fixture
def person(addon: None) -> Any:
    """Keys from 1 to 60; two results between 15 and 45 under review, as a run leaves them."""
    obj = characters.make_person()
    characters.key_poses(obj, (1, 15, 30, 45, 60))
    data, state = obj.animation_data, properties.review(obj)
    data.action.slots[0].name_display = "Body"
    state.original, state.original_slot = data.action, data.action_slot.identifier
    for n in range(2):
        data.action = state.original
        made, slot = actions.new_copy(obj, f"Walk Limber {n + 1}")
        made[plans.PROVENANCE] = json.dumps({"task": "inbetween", "start": 15, "end": 45})
        actions.assign(obj, made, slot)
        for frame in (20, 25, 40):
            obj.pose.bones["pelvis"].location = (0.1, 0.2, 0.3 * n)
            obj.pose.bones["pelvis"].keyframe_insert("location", frame=frame)
        made.use_fake_user = False
        state.results.add().action = made
    state.current = 1
    return obj


def test_the_strip_plays_the_result_and_the_original_stays(person: Any) -> None:
    state = properties.review(person)
    original, result = state.original, person.animation_data.action
    keys = characters.every_key(original)
    inside, outside = (15, 20, 29, 37, 45), (1, 8, 14, 46, 50, 60)
    whole = played(person, inside)
    person.animation_data.action = original
    plain = played(person, outside)
    person.animation_data.action = result
    assert bpy.ops.limber.accept_strip() == {"FINISHED"}
    data = person.animation_data
    assert data.action is None
    assert [track.strips[0].action for track in data.nla_tracks] == [original, result]  # type: ignore[index]
    strip = nla.placed(person)[1]  # type: ignore[index]
    assert (strip.blend_type, strip.frame_start, strip.frame_end) == ("REPLACE", 15, 45)
    assert [track.strips[0].action_slot.name_display for track in data.nla_tracks] == ["Body", "Body"]
    np.testing.assert_allclose(played(person, inside), whole, atol=1e-5)
    np.testing.assert_allclose(played(person, outside), plain, atol=1e-5)
    assert characters.every_key(original) == keys
    assert not properties.under_review(person)
    assert len(bpy.data.actions) == 2  # the other variation is gone


def test_it_is_blended_in_and_out(person: Any) -> None:
    result = person.animation_data.action
    whole = played(person, (15, 20, 25, 30, 40, 45))
    original = properties.review(person).original
    person.animation_data.action = original
    plain = played(person, (15, 20, 25, 30, 40, 45))
    person.animation_data.action = result
    assert bpy.ops.limber.accept_strip(blend_in=10, blend_out=10) == {"FINISHED"}
    location = played(person, (15, 20, 25, 30, 40, 45))[:, 0, :3, 3]
    a, b = plain[:, 0, :3, 3], whole[:, 0, :3, 3]
    share = np.array([0, 0.5, 1, 1, 0.5, 0])[:, None]
    np.testing.assert_allclose(location, a + share * (b - a), atol=1e-4)
    assert np.abs(a - b).max() > 1e-3
    strip = nla.placed(person)[1]  # type: ignore[index]
    assert (strip.blend_in, strip.blend_out) == (10, 10)


def test_more_blending_than_there_are_frames_is_shortened(person: Any) -> None:
    settings = properties.settings(bpy.context.scene)
    settings.blend_in, settings.blend_out = 80, 40  # from the panel
    bpy.ops.limber.accept_strip()
    strip = nla.placed(person)[1]  # type: ignore[index]
    assert (strip.blend_in, strip.blend_out) == (pytest.approx(20), pytest.approx(10))


def test_taken_off_it_leaves_nothing(person: Any) -> None:
    state, data = properties.review(person), person.animation_data
    original, had = state.original, state.original_fake_user
    keys, slot = characters.every_key(original), state.original_slot
    bpy.ops.limber.accept_strip(blend_in=3)
    assert bpy.ops.limber.remove_strip() == {"FINISHED"}
    assert data.action == original
    assert (data.action_slot.identifier, original.use_fake_user) == (slot, had)
    assert (len(data.nla_tracks), len(bpy.data.actions)) == (0, 1)
    assert characters.every_key(original) == keys
    assert not bpy.ops.limber.remove_strip.poll()


def test_undo_brings_the_review_back(person: Any) -> None:
    name, result = person.name, person.animation_data.action.name
    bpy.ops.ed.undo_push(message="shown")
    bpy.ops.limber.accept_strip("EXEC_DEFAULT", True)
    bpy.ops.ed.undo()
    obj = bpy.data.objects[name]
    assert len(obj.animation_data.nla_tracks) == 0
    assert obj.animation_data.action.name == result
    assert properties.under_review(obj)


@pytest.mark.parametrize("how", ["solo", "Replace"])
def test_where_it_would_not_be_seen_it_says_why(person: Any, how: str) -> None:
    data = person.animation_data
    if how == "solo":
        track = data.nla_tracks.new()
        track.strips.new("other", 1, properties.review(person).original)
        track.is_solo = True
    else:
        data.action_blend_type = "ADD"
    tracks = len(data.nla_tracks)
    with pytest.raises(RuntimeError, match=how):
        bpy.ops.limber.accept_strip()
    assert properties.under_review(person)
    assert len(data.nla_tracks) == tracks
