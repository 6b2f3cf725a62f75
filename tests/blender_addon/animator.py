"""An animator who does anything in any order, and what must hold after each step.

A hypothesis state machine over the add-on in this process, with the real backend. The animator's Actions have a fake
user, so that Blender itself never drops them.

- No key of the animator's changes or vanishes: after every step that is not the animator's own keying, undoing or
  redoing, each of the Actions is bit for bit what it was; after undo and redo, one of the versions that it had.
- No orphan: an Action that Limber made is under review or was accepted.
- Handlers are there once while the add-on is enabled and not at all while it is not; no timer stays in background;
  at most one backend lives, and none while the add-on is disabled.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import blender_addon
from blender_addon import handlers, jobs, plans, process, selection
from tests.blender_addon.characters import every_key, key_poses, make_person
from tests.blender_addon.running import alive, pump_until

TASKS = ("inbetween", "complete", "refine")
BONES = ("pelvis", "head", "left_elbow", "right_knee", "spine1")
Keys = dict[Any, Any]


class Animator(RuleBasedStateMachine):
    """See the module's head.

    Attributes:
        steps: of all machines, by rule; the command writes them.
        make: builds the character that is animated; None: SMPL's bones.
    """

    steps: dict[str, int] = {}  # noqa: RUF012  counted over all machines
    make: Callable[[], Any] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, list[Keys]] = {}
        self.now: dict[str, Keys] = {}
        self.accepted: set[str] = set()
        self.pids: set[int] = set()
        self.count = 0
        self.enabled = True
        self.folder = Path(tempfile.mkdtemp(prefix="limber-animator-"))

    # -- helpers -----------------------------------------------------------------------------------

    def counted(self, name: str) -> None:
        self.steps[name] = self.steps.get(name, 0) + 1

    @property
    def person(self) -> Any:
        """The armature, whatever it is called now; None where it was deleted."""
        return next((o for o in bpy.data.objects if o.type == "ARMATURE"), None)

    def ours(self) -> list[Any]:
        """Actions that Limber made."""
        return [a for a in bpy.data.actions if plans.PROVENANCE in a]

    def keys_now(self) -> dict[str, Keys]:
        """The animator's Actions as they are."""
        return {a.name: every_key(a) for a in bpy.data.actions if plans.PROVENANCE not in a}

    def wrote(self) -> None:
        """The animator did something on purpose: that is how it has to stay."""
        for action in bpy.data.actions:
            if plans.PROVENANCE not in action:
                action.use_fake_user = True
        self.now = self.keys_now()
        for name, keys in self.now.items():
            if keys not in self.versions.setdefault(name, []):
                self.versions[name].append(keys)
        bpy.ops.ed.undo_push(message="the animator's")

    def went_back(self) -> None:
        """After undo and redo: what is there is what is there, so long as the animator once had it so."""
        self.now = self.keys_now()
        for name, keys in self.now.items():
            assert name in self.versions, f"{name} is nobody's"
            assert keys in self.versions[name], f"undo made something new of {name}"

    # -- what the animator does ------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.new_person()

    def new_person(self) -> None:
        obj = type(self).make() if type(self).make is not None else make_person()  # type: ignore[misc]
        self.new_action(obj)

    def new_action(self, obj: Any) -> None:
        self.count += 1
        if "pelvis" in obj.pose.bones and "left_elbow" in obj.pose.bones:
            key_poses(obj, action=f"Walk {self.count}")
        else:
            self.key_any(obj, f"Walk {self.count}")
        self.wrote()

    @staticmethod
    def key_any(obj: Any, name: str) -> None:
        """Key every bone of a character with other names at three frames."""
        data = obj.animation_data or obj.animation_data_create()
        data.action = bpy.data.actions.new(name)
        for n, frame in enumerate((1, 15, 30)):
            for k, bone in enumerate(obj.pose.bones):
                bone.rotation_mode = "QUATERNION"
                bone.rotation_quaternion = (1, 0.1 * ((n + k) % 3), 0, 0)
                bone.keyframe_insert("rotation_quaternion", frame=frame)

    @rule(frame=st.integers(1, 30), bone=st.integers(0, 4))
    def key(self, frame: int, bone: int) -> None:
        self.counted("key")
        obj = self.person
        if obj is None or not obj.animation_data or not obj.animation_data.action:
            return
        if plans.PROVENANCE in obj.animation_data.action:
            return  # a result: the animator's own keys go into the animator's own Action here
        name = BONES[bone] if BONES[bone] in obj.pose.bones else obj.pose.bones[bone].name
        posed = obj.pose.bones[name]
        posed.location = (0.01 * frame, 0, 0.02 * bone)
        posed.keyframe_insert("location", frame=frame)
        self.wrote()

    @precondition(lambda self: self.enabled)
    @rule(task=st.sampled_from(TASKS), variations=st.integers(1, 3), seed=st.integers(0, 3))
    def generate(self, task: str, variations: int, seed: int) -> None:
        self.counted(task)
        obj = self.person
        settings = bpy.context.scene.limber
        settings.variations, settings.seed, settings.task = variations, seed, task
        if obj is not None:
            bpy.context.view_layer.objects.active = obj
            selection.select_bones(obj, [b.name for k, b in enumerate(obj.pose.bones) if k % 4 == 1])
        operator = getattr(bpy.ops.limber, task)
        if operator.poll():
            try:
                operator()
            except RuntimeError as error:  # what the operator reports: an error box at an animator's
                said = str(error)
            else:
                said = ""
            assert "Traceback" not in said, said
        self.seen_backend()

    @precondition(lambda self: self.enabled)
    @rule()
    def cancelled_run(self) -> None:
        self.counted("cancel")
        session, obj = jobs.current(), self.person
        assert session is not None
        if obj is None or not bpy.ops.limber.inbetween.poll():
            return
        try:
            job = session.start(obj, plans.Plan(1, 30))
        except blender_addon.motion.errors.LimberError:
            return
        for _ in range(5):
            session.tick()
        if not job.over:
            session.cancel(job)
        self.seen_backend()

    @precondition(lambda self: self.enabled)
    @rule(what=st.sampled_from(("accept", "discard", "next_variation")))
    def decide(self, what: str) -> None:
        self.counted(what)
        operator = getattr(bpy.ops.limber, what)
        if self.person is None or not operator.poll():
            return
        operator()
        if what == "accept":
            self.accepted |= {a.name for a in self.ours()}

    @rule()
    def undo(self) -> None:
        self.counted("undo")
        if bpy.ops.ed.undo.poll():
            try:
                bpy.ops.ed.undo()
            except RuntimeError:  # nothing to undo
                return
            self.went_back()

    @rule()
    def redo(self) -> None:
        self.counted("redo")
        if bpy.ops.ed.redo.poll():
            try:
                bpy.ops.ed.redo()
            except RuntimeError:
                return
            self.went_back()

    @rule()
    def save_and_open(self) -> None:
        self.counted("save and open")
        path = str(self.folder / "shot.blend")
        bpy.ops.wm.save_as_mainfile(filepath=path)
        bpy.ops.wm.open_mainfile(filepath=path)
        bpy.ops.ed.undo_push(message="opened")

    @rule()
    def switch_action(self) -> None:
        self.counted("switch Action")
        obj = self.person
        if obj is not None:
            self.new_action(obj)

    @rule(name=st.sampled_from(("Hero", "Villäin", "角色")))
    def rename(self, name: str) -> None:
        self.counted("rename")
        if self.person is not None:
            self.person.name = name
            bpy.ops.ed.undo_push(message="renamed")

    @rule()
    def delete(self) -> None:
        self.counted("delete")
        if self.person is not None:
            bpy.data.objects.remove(self.person)
            bpy.ops.ed.undo_push(message="deleted")
        else:
            self.new_person()

    @rule(rate=st.sampled_from((24, 30, 60)))
    def frame_rate(self, rate: int) -> None:
        self.counted("frame rate")
        bpy.context.scene.render.fps = rate
        bpy.ops.ed.undo_push(message="rate")

    @rule()
    def switch_addon(self) -> None:
        self.counted("disable and enable")
        if self.enabled:
            blender_addon.unregister()
        else:
            blender_addon.register()
        self.enabled = not self.enabled

    @precondition(lambda self: self.enabled)
    @rule()
    def kill_backend(self) -> None:
        self.counted("kill backend")
        session = jobs.current()
        if session is None or session.backend is None or session.backend.pid is None:
            return
        os.kill(session.backend.pid, signal.SIGKILL)
        pump_until(session, lambda: session.backend_state in (process.CRASHED, process.STOPPED))
        if bpy.ops.limber.restart_backend.poll():
            bpy.ops.limber.restart_backend()
        self.seen_backend()

    def seen_backend(self) -> None:
        session = jobs.current()
        if session is not None and session.backend is not None and session.backend.pid is not None:
            self.pids.add(session.backend.pid)

    # -- what must hold ----------------------------------------------------------------------------------

    @invariant()
    def no_key_changes_or_vanishes(self) -> None:
        found = self.keys_now()
        for name, keys in self.now.items():
            assert name in found, f"{name} is gone"
            assert found[name] == keys, f"keys of {name} changed"
            assert bpy.data.actions[name].use_fake_user, f"{name} lost its fake user"

    @invariant()
    def no_orphans(self) -> None:
        if not self.enabled:
            return
        reviewed = {r.action.name for o in bpy.data.objects for r in o.limber.results if r.action is not None}
        left = {a.name for a in self.ours()} - reviewed - self.accepted
        if self.person is None:
            return  # its results went with it into Blender's undo memory, and come back with it
        lost = {n for n in left if bpy.data.actions[n].users > int(bpy.data.actions[n].use_fake_user)}
        assert not left - lost, f"orphans: {left}"

    @invariant()
    def handlers_once(self) -> None:
        for name, function in handlers.HANDLERS:
            assert getattr(bpy.app.handlers, name).count(function) == int(self.enabled), name
        assert not bpy.app.timers.is_registered(handlers.tick)

    @invariant()
    def one_backend(self) -> None:
        session = jobs.current()
        now = session.backend.pid if session is not None and session.backend is not None else None
        deadline = time.monotonic() + 30
        while [p for p in self.pids if p != now and alive(p)] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not [p for p in self.pids if p != now and alive(p)], "a backend lives on"
        if not self.enabled:
            assert session is None
            assert not hasattr(bpy.types.Object, "limber")

    def teardown(self) -> None:
        if not self.enabled:
            blender_addon.register()
