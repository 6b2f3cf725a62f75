"""A long run is looked at while it goes on, with the real backend; nothing of the animator's is touched by that."""

from __future__ import annotations

import signal
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import plans
from blender_addon.jobs import Session
from tests.blender_addon.characters import every_record, key_poses, make_person
from tests.blender_addon.running import pump_until

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")
KEYS = tuple(range(1, 1302, 50))


@pytest.fixture
def person(able_session: Session) -> Any:
    obj = make_person()
    obj.location = (1.0, 2.0, 0.5)
    key_poses(obj, KEYS)
    return obj


def test_what_is_drawn_of_a_long_run_is_seen_before_it_ends(able_session: Session, person: Any) -> None:
    before, there = every_record(person), {action.name for action in bpy.data.actions}
    job = able_session.start(person, plans.Plan(1, 1301, bundle="tiny", variations=6))
    pump_until(able_session, lambda: job.so_far is not None or job.over)
    shown = job.so_far
    assert shown is not None, job.error
    assert not job.over
    assert 20 < len(shown.models[0]) < 1301
    assert (shown.first, shown.start, shown.end) == (1, 1, len(shown.models[0]))
    for frame in (1, 51):  # a key's pose is where it is, before the result and in it
        bpy.context.scene.frame_set(frame)
        points, figure = shown.matrix(person), shown.models[0]
        for name in ("pelvis", "left_elbow", "right_ankle"):
            seen = points @ (*figure.points[frame - 1, figure.columns[name]], 1.0)
            is_at = np.array(person.matrix_world @ person.pose.bones[name].head)
            assert np.allclose(seen[:3], is_at, atol=0.01), name
    able_session.cancel(job)
    assert job.so_far is None
    assert {action.name for action in bpy.data.actions} == there
    after = every_record(person)
    assert all(after[channel].tobytes() == records.tobytes() for channel, records in before.items())
