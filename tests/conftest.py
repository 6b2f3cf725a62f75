"""What every test obeys: in CI (``CI=true``) hypothesis draws the same examples every time.

A new failing example is for whoever runs the tests at their desk, not for a change that did not cause it.
"""

from __future__ import annotations

import os

import hypothesis

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, database=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
