"""The benchmarks use the backend tests' real server and bundle."""

from __future__ import annotations

from tests.backend.conftest import bundle, server

__all__ = ["bundle", "server"]
