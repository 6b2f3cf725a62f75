"""What every test run obeys.

In CI (``CI=true``) hypothesis draws the same examples every time: a new failing example is for whoever
runs the tests at their desk, not for a change that did not cause it.

A process that has used the bpy wheel of Blender 4.5 may never end: its static destructors wait for each
other. So the run ends itself once the summary is written.
"""

from __future__ import annotations

import os
import sys

import hypothesis
import pytest

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, database=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")

_status: list[int] = []


def pytest_sessionfinish(exitstatus: int) -> None:
    """Keep the exit code for the end of the run."""
    _status.append(int(exitstatus))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave without Blender's destructors; everything has been reported by now."""
    if "bpy" in sys.modules and _status:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status[-1])
