"""A random animator, briefly; `tests/benchmarks/test_animator_long.py` goes on for thousands of steps."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.blender_addon.animator import Animator

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")


def test_nothing_is_ever_lost(session: Any) -> None:
    run_state_machine_as_test(
        Animator,
        settings=settings(
            max_examples=4, stateful_step_count=30, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip
    assert sum(Animator.steps.values()) >= 60
