"""A random animator for thousands of steps on several rigs; writes ``animator.json`` with steps and seeds.

How long: ``LIMBER_ANIMATOR_EXAMPLES`` stories (default 20) of 60 steps a rig and seed, ``LIMBER_ANIMATOR_SEEDS``
seeds (default 1) from 0 on.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="the bpy wheel is not installed for this Python")

from hypothesis import HealthCheck, seed, settings  # noqa: E402
from hypothesis.stateful import run_state_machine_as_test  # noqa: E402

from tests.benchmarks.test_backend_speed import circumstances  # noqa: E402
from tests.blender_addon import armatures  # noqa: E402
from tests.blender_addon.animator import Animator  # noqa: E402
from tests.blender_addon.conftest import (  # noqa: E402
    addon,
    backend_python,
    empty_file,
    kept_backends,
    session,
)

__all__ = ["addon", "backend_python", "empty_file", "kept_backends", "session"]
pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals"),
]
EXAMPLES = int(os.environ.get("LIMBER_ANIMATOR_EXAMPLES", "20"))
SEEDS = range(int(os.environ.get("LIMBER_ANIMATOR_SEEDS", "1")))
STEPS = 60


def imported(name: str) -> Any:
    """A shared character beside what the file holds; its armature object, active, without animation."""
    objects, actions = set(bpy.data.objects), set(bpy.data.actions)
    bpy.ops.import_scene.gltf(filepath=str(armatures.shared() / "rigs" / name))
    obj = next(o for o in set(bpy.data.objects) - objects if o.type == "ARMATURE")
    obj.animation_data_clear()
    for action in set(bpy.data.actions) - actions:
        bpy.data.actions.remove(action)
    bpy.context.view_layer.objects.active = obj
    return obj


RIGS: dict[str, Callable[[], Any] | None] = {
    "SMPL's bones": None,
    "Unreal names": lambda: imported("ue_zombie_42bones.glb"),
    "KayKit": lambda: imported("kaykit_General.glb"),
}


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("rig", RIGS)
def test_nothing_is_ever_lost_in_thousands_of_steps(session: Any, rig: str) -> None:
    make = RIGS[rig]
    machine = type("Animator", (Animator,), {"steps": {}, "make": staticmethod(make) if make else None})
    rows = []
    for number in SEEDS:
        machine.steps.clear()
        began = time.monotonic()
        story = seed(number)(machine)
        run_state_machine_as_test(story, settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=True))  # fmt: skip
        rows.append({"rig": rig, "seed": number, "steps": sum(machine.steps.values()), "by_rule": dict(machine.steps),
                     "seconds": round(time.monotonic() - began, 1)})  # fmt: skip
    folder = Path(os.environ.get("LIMBER_BENCHMARKS", "out"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "animator.json"
    found = json.loads(path.read_text())["rows"] if path.exists() else []
    kept = [r for r in found if r["rig"] != rig]
    path.write_text(json.dumps({**circumstances(), "rows": kept + rows}, indent=1) + "\n")
