"""The computer's clock is set while Blender waits for a run."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from tests.blender_addon.characters import every_key, key_poses, make_person
from tests.blender_addon.running import pump_until, start

if TYPE_CHECKING:
    from blender_addon.jobs import Session

def test_a_run_while_the_clock_jumps(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    person = make_person()
    walk = key_poses(person)
    before = every_key(walk)
    moments = itertools.cycle([0.0, 4e9, 1e9])  # 1970, 2096, 2001
    monkeypatch.setattr(time, "time", lambda: next(moments))
    job, seconds = start(session, person), [0.0]

    def over() -> bool:
        seconds.append(job.seconds)
        return job.over

    pump_until(session, over)
    assert job.error is None
    assert seconds == sorted(seconds)
    assert 0 <= seconds[-1] < 3600
    assert job.eta is None or 0 <= job.eta < 3600
    assert person.limber.results[0].key_change == 0
    assert every_key(walk) == before
