"""An animator who does anything in any order, with the real backend: nothing of hers is ever lost.

The state machine keeps what she has keyed beside Blender's file, along Blender's own undo steps, and
compares the two after every step, bit for bit. Beside :mod:`.animator`, whose animator does more tasks,
this one has Mixamo's, Unreal's and Rigify's bones, stops in the middle of every phase of a run, and knows
which keys each of Blender's undo steps held. ``python -m tests.blender_addon.animator_rigs --steps 5000
-o out/animator_rigs.json`` runs it for long; the test runs the same for a moment.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bpy
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import blender_addon
from blender_addon import demo_rig, jobs, keyframes, plans, process, results
from tests.blender_addon import armatures
from tests.blender_addon.characters import make_person, rename
from tests.blender_addon.leftovers import snapshot
from tests.blender_addon.running import alive, pump_until

RIGS = ("mixamo", "unreal", "rigify", "ue_male.glb")
FRAMES = st.integers(1, 40)
FEW = st.integers(0, 9)


def make_rig(rig: str, path: Path) -> None:
    """Write a file with the rig and an Action named Walk: three poses of a few bones."""
    if rig == "rigify":
        demo_rig.make(path)
        bpy.ops.wm.open_mainfile(filepath=str(path))
        bpy.data.objects.remove(bpy.data.objects[demo_rig.METARIG])
        obj = bpy.data.objects[demo_rig.NAME]
        bpy.context.view_layer.objects.active = obj
    elif rig in armatures.RIGS:
        obj = armatures.load(rig)
        for other in [o for o in bpy.data.objects if o != obj]:
            bpy.data.objects.remove(other)
        for action in list(bpy.data.actions):
            bpy.data.actions.remove(action)
    else:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        obj = make_person()
        rename(obj, rig)
    data = obj.animation_data or obj.animation_data_create()
    data.action = bpy.data.actions.new("Walk")
    for n, frame in enumerate((1, 12, 24)):
        for k, bone in enumerate(keyable(obj)):
            turn(bone, 0.3 * ((n + k) % 3 - 1), frame)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def keyable(obj: Any) -> list[Any]:
    """The bones that the animator poses: those with limbs' names, an arm's and a leg's worth of them."""
    words = ("arm", "thigh", "upleg", "calf", "shin", "head", "hips", "pelvis", "torso", "spine")
    found = [b for b in obj.pose.bones if any(w in b.name.lower() for w in words)
             and not b.name.startswith(("ORG-", "DEF-", "MCH-", "VIS"))]  # fmt: skip
    return found[:: max(1, len(found) // 8)][:8]


def turn(bone: Any, angle: float, frame: int) -> None:
    """Key the bone's rotation."""
    if bone.rotation_mode == "QUATERNION":
        bone.rotation_quaternion = (1, angle, 0, angle / 2)
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    else:
        bone.rotation_euler = (angle, 0, angle / 2)
        bone.keyframe_insert("rotation_euler", frame=frame)


def fingerprint(action: Any) -> str:
    """Hash of every field of every key and curve of an Action."""
    digest = hashlib.sha256()
    for curve in curves(action):
        digest.update(f"{curve.data_path}|{curve.array_index}|{curve.extrapolation}|{curve.mute}\n".encode())
        digest.update(keyframes.read_records(curve).tobytes())
    return digest.hexdigest()


def curves(action: Any) -> list[Any]:
    return [
        c
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        for c in bag.fcurves
    ]


def places(action: Any) -> dict[tuple[str, int], set[tuple[float, float]]]:
    """Frame and value of every key that is not marked as generated."""
    return {
        (c.data_path, c.array_index): {(k.co[0], k.co[1]) for k in c.keyframe_points if k.type != "GENERATED"}
        for c in curves(action)
    }


@dataclass(frozen=True)
class Known:
    """What is in the file at one undo step, as the animator knows it.

    Attributes:
        keys: every Action's fingerprint by name.
        mine: the Actions that are hers: made by her, or accepted.
        shields: their fake users.
        plays: what the armature plays; None where there is no armature.
    """

    keys: dict[str, str]
    mine: frozenset[str]
    shields: dict[str, bool]
    plays: str | None


@dataclass
class Diary:
    """What all machines of a run have done; written as JSON.

    Attributes:
        steps, done: how often each rule was asked for, and how often it could do something.
        until: ``time.monotonic()`` after which nothing more is done.
        talk: print a line for every animator.
    """

    steps: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    rigs: Counter[str] = field(default_factory=Counter)
    until: float = float("inf")
    talk: bool = False


class Animator(RuleBasedStateMachine):
    """See the module. ``folder``, ``files`` and ``diary`` are set by :func:`run`."""

    folder: Path
    files: dict[str, Path]
    diary: Diary
    backend: process.Backend | None = None

    def __init__(self) -> None:
        super().__init__()
        self.past: list[Known] = []
        self.at = 0
        self.saved: Known | None = None
        self.doomed: set[str] = set()
        self.job: jobs.Job | None = None
        self.said = ""

    # -- the beginning and the end -------------------------------------------------------------

    @initialize(data=st.data())
    def open(self, data: st.DataObject) -> None:
        rig = data.draw(st.sampled_from(sorted(self.files)))
        self.diary.rigs[rig] += 1
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.clean = snapshot()
        self.path = self.folder / "work.blend"
        bpy.context.preferences.edit.undo_steps = 256
        bpy.ops.wm.open_mainfile(filepath=str(self.files[rig]))
        bpy.ops.wm.save_as_mainfile(filepath=str(self.path))
        blender_addon.register()
        self.session.backend, type(self).backend = self.backend, None
        self._settings()
        self._opened(Known({}, frozenset({"Walk"}), {"Walk": False}, "Walk"))
        self.saved = self.past[0]

    def teardown(self) -> None:
        if not hasattr(self, "clean"):
            return
        if self.diary.talk:
            print(f"  {sum(self.diary.done.values())} things done", flush=True)
        session = jobs.current()
        assert session is not None
        kept = session.backend
        session.backend = None
        if kept is not None and kept.state == process.READY:
            type(self).backend = kept
        elif kept is not None:
            kept.stop(wait=True)
        blender_addon.unregister()
        bpy.ops.wm.read_factory_settings(use_empty=True)
        for what, found in snapshot().items():
            if what == "handlers":
                found = {key: [f for f in listed if "limber" in f.__module__ or "blender_addon" in f.__module__]
                         for key, listed in found.items()}  # fmt: skip
                assert not any(found.values()), found
            else:
                assert what == "threads" or found == self.clean[what], what

    @property
    def session(self) -> jobs.Session:
        session = jobs.current()
        assert session is not None
        return session

    @property
    def armature(self) -> Any:
        return next((o for o in bpy.data.objects if o.type == "ARMATURE" and o.users), None)

    @property
    def idle(self) -> bool:
        return self.job is None or self.job.over

    def _settings(self) -> None:
        chosen = bpy.context.scene.limber
        chosen.range_mode, chosen.start, chosen.end = "OWN", 1, 40

    def _see(self) -> dict[str, str]:
        return {action.name: fingerprint(action) for action in bpy.data.actions}

    def _plays(self) -> str | None:
        obj = self.armature
        action = obj.animation_data.action if obj is not None and obj.animation_data else None
        return None if action is None else action.name

    def _opened(self, known: Known) -> None:
        bpy.ops.ed.undo_push(message="opened")
        self.past, self.at = [replace(known, keys=self._see(), plays=self._plays())], 0

    def _step(self, mine: frozenset[str] | None = None, shields: dict[str, bool] | None = None,
              push: str = "") -> None:  # fmt: skip
        """She or Limber has done one undoable thing."""
        if push:
            bpy.ops.ed.undo_push(message=push)
        now = self.past[self.at]
        mine = now.mine if mine is None else mine
        del self.past[self.at + 1 :]
        self.past.append(Known(self._see(), mine, {**now.shields, **(shields or {})}, self._plays()))
        self.at += 1

    def _count(self, name: str, possible: bool) -> bool:
        self.said = name
        self.diary.steps[name] += 1
        go = possible and time.monotonic() < self.diary.until
        self.diary.done[name] += go
        return go

    # -- what the animator does ------------------------------------------------------------------

    @rule(bone=FEW, frame=FRAMES, angle=st.floats(-1.5, 1.5, width=32))
    def key(self, bone: int, frame: int, angle: float) -> None:
        if self._count("key", self.armature is not None):
            bones = keyable(self.armature)
            turn(bones[bone % len(bones)], angle, frame)
            playing = self._plays()
            assert playing is not None
            now = self.past[self.at]
            ours = playing not in now.keys and not self._reviewed()
            self._step(now.mine | {playing} if ours else None, {playing: False} if ours else None, "key")

    @rule(bone=FEW, frame=FRAMES)
    def delete_key(self, bone: int, frame: int) -> None:
        obj = self.armature
        if self._count("delete key", self._plays() is not None):
            found = keyable(obj)[bone % len(keyable(obj))]
            way = "rotation_quaternion" if found.rotation_mode == "QUATERNION" else "rotation_euler"
            there = f'pose.bones["{found.name}"].{way}'
            if any(c.data_path == there for c in curves(obj.animation_data.action)):
                try:
                    found.keyframe_delete(way, frame=frame)
                except RuntimeError:
                    return  # the present slot has no such curve
                self._step(push="delete key")

    @rule(other=FEW)
    def switch_action(self, other: int) -> None:
        obj = self.armature
        if self._count("switch Action", obj is not None):
            now = self.past[self.at]
            names = [*sorted(now.mine & now.keys.keys()), ""]
            name = names[other % len(names)]
            left, shields, mine = self._plays(), {}, now.mine
            if left in mine:  # as an animator does whose Action would be lost
                bpy.data.actions[left].use_fake_user = True
                shields[left] = True
            if not name:
                name = bpy.data.actions.new("Another").name
                mine, shields = mine | {name}, {**shields, name: False}
            (obj.animation_data or obj.animation_data_create()).action = bpy.data.actions[name]
            self._step(mine, shields, "switch")

    @rule(name=st.sampled_from(["Somebody", "Übung 测试", "Person.001", "x" * 60]))
    def rename_armature(self, name: str) -> None:
        if self._count("rename", self.armature is not None):
            self.armature.name = name
            self._step(push="rename")

    @rule(again=st.booleans(), often=FEW)
    def delete_armature(self, again: bool, often: int) -> None:
        obj = self.armature
        if self._count("delete armature", obj is not None and often == 0):
            now, playing = self.past[self.at], self._plays()
            shields = {}
            if playing in now.mine:
                bpy.data.actions[playing].use_fake_user = True
                shields[playing] = True
            self.doomed |= {r.action.name for r in obj.limber.results if r.action} - now.mine
            data = obj.data
            bpy.data.objects.remove(obj)
            if again:
                fresh = bpy.data.objects.new("Again", data)
                bpy.context.scene.collection.objects.link(fresh)
                bpy.context.view_layer.objects.active = fresh
            self._step(shields=self._actual_shields() | shields, push="delete")

    @rule(fps=st.sampled_from([12, 24, 25, 30, 60]))
    def frame_rate(self, fps: int) -> None:
        if self._count("frame rate", True):
            bpy.context.scene.render.fps = fps
            self._step(push="fps")

    @precondition(lambda self: self.at > 0)
    @rule(steps=st.integers(1, 4))
    def undo(self, steps: int) -> None:
        if self._count("undo", self.at > 0):
            for _ in range(min(steps, self.at)):
                assert bpy.ops.ed.undo() == {"FINISHED"}
                self.at -= 1
                self._matches()

    @precondition(lambda self: self.at + 1 < len(self.past))
    @rule(steps=st.integers(1, 4))
    def redo(self, steps: int) -> None:
        if self._count("redo", self.at + 1 < len(self.past)):
            for _ in range(min(steps, len(self.past) - 1 - self.at)):
                assert bpy.ops.ed.redo() == {"FINISHED"}
                self.at += 1
                self._matches()

    @rule()
    def save(self) -> None:
        if self._count("save", True):
            bpy.ops.wm.save_as_mainfile(filepath=str(self.path))
            self.saved = replace(self.past[self.at], plays=self._plays())

    @rule(often=st.integers(0, 2))
    def reload(self, often: int) -> None:
        if self._count("reload", often == 0):
            assert self.saved is not None
            bpy.ops.wm.open_mainfile(filepath=str(self.path))
            self.job = None
            self._matches(self.saved)
            gone = self.saved.keys.keys() - self._see().keys()
            assert not gone & self.saved.mine
            self._settings()
            self._opened(self.saved)
            self.saved = self.past[0]

    # -- what she does with Limber ---------------------------------------------------------------

    @precondition(lambda self: bpy.ops.limber.inbetween.poll())
    @rule(variations=st.integers(1, 3), number=st.integers(0, 5))
    def generate(self, variations: int, number: int) -> None:
        if self._count("generate", bpy.ops.limber.inbetween.poll()):
            chosen = bpy.context.scene.limber
            chosen.variations, chosen.seed = variations, number
            self._ran(lambda: bpy.ops.limber.inbetween())

    @precondition(lambda self: bpy.ops.limber.make_again.poll())
    @rule()
    def make_again(self) -> None:
        if self._count("make again", bpy.ops.limber.make_again.poll()):
            self._ran(lambda: bpy.ops.limber.make_again())

    @precondition(lambda self: bpy.ops.limber.inbetween.poll())
    @rule(variations=st.integers(1, 2))
    def start(self, variations: int) -> None:
        if self._count("start", bpy.ops.limber.inbetween.poll()):
            self.job = self.session.start(self.armature, plans.Plan(1, 40, variations=variations))
            self._watch()

    @precondition(lambda self: not self.idle)
    @rule(ticks=st.integers(1, 60), slices=st.sampled_from([1e-5, 1e-3, 0.02]))
    def wait(self, ticks: int, slices: float) -> None:
        if self._count("wait", not self.idle):
            before = jobs.SLICE_SECONDS, jobs.SLOW_SLICE_SECONDS
            jobs.SLICE_SECONDS = jobs.SLOW_SLICE_SECONDS = slices
            try:
                for _ in range(ticks):
                    self.session.tick()
                    if self._watch():
                        break
                    time.sleep(0.001)
            finally:
                jobs.SLICE_SECONDS, jobs.SLOW_SLICE_SECONDS = before

    @precondition(lambda self: bpy.ops.limber.inbetween.poll())
    @rule(variations=st.integers(1, 2), pause=st.sampled_from([jobs.READING, jobs.RUNNING, jobs.WRITING]))
    def start_and_pause(self, variations: int, pause: str) -> None:
        """A run that is met in the middle of one of its phases by whatever comes next."""
        if self._count(f"start, {pause.lower()}", self.idle):
            self.job = job = self.session.start(self.armature, plans.Plan(1, 40, variations=variations))
            before = jobs.SLICE_SECONDS, jobs.SLOW_SLICE_SECONDS
            jobs.SLICE_SECONDS = jobs.SLOW_SLICE_SECONDS = 1e-5
            try:
                pump_until(self.session, lambda: job.over or (job.phase == pause and (
                    pause != jobs.WRITING or bool(results.unfinished()))), 120)  # fmt: skip
            finally:
                jobs.SLICE_SECONDS, jobs.SLOW_SLICE_SECONDS = before
            self._watch()

    @precondition(lambda self: not self.idle)
    @rule()
    def finish(self) -> None:
        if self._count("finish", not self.idle):
            job = self.job
            assert job is not None
            pump_until(self.session, lambda: job.over, 120)
            self._watch()

    @precondition(lambda self: bpy.ops.limber.cancel.poll())
    @rule()
    def cancel(self) -> None:
        if self._count("cancel", bpy.ops.limber.cancel.poll()):
            bpy.ops.limber.cancel()
            assert self.idle

    @precondition(lambda self: bpy.ops.limber.accept.poll())
    @rule()
    def accept(self) -> None:
        if self._count("accept", bpy.ops.limber.accept.poll()):
            shown, ours = self._plays(), self._reviewed()
            original = self.armature.limber.original and self.armature.limber.original.name
            assert bpy.ops.limber.accept("EXEC_DEFAULT", True) == {"FINISHED"}
            kept = {shown} & ours
            assert original is None or bpy.data.actions[original].use_fake_user
            self._decided(ours - kept)
            self._step(self.past[self.at].mine | kept, self._actual_shields())

    @precondition(lambda self: bpy.ops.limber.discard.poll())
    @rule()
    def discard(self) -> None:
        if self._count("discard", bpy.ops.limber.discard.poll()):
            shown, ours, now = self._plays(), self._reviewed(), self.past[self.at]
            original = self.armature.limber.original
            name = original.name if original is not None else None
            assert bpy.ops.limber.discard("EXEC_DEFAULT", True) == {"FINISHED"}
            self._decided(ours)
            if shown in ours and name is not None:
                assert self._plays() == name
                assert bpy.data.actions[name].use_fake_user == now.shields[name]
            self._step(shields=self._actual_shields())

    @precondition(lambda self: bpy.ops.limber.next_variation.poll())
    @rule(step=st.sampled_from([1, -1, 2]))
    def next_variation(self, step: int) -> None:
        if self._count("next variation", bpy.ops.limber.next_variation.poll()):
            assert bpy.ops.limber.next_variation("EXEC_DEFAULT", True, step=step) == {"FINISHED"}
            assert self._plays() in self._reviewed()
            self._step(shields=self._others_shields())

    @rule(often=FEW)
    def kill_backend(self, often: int) -> None:
        backend = self.session.backend
        if self._count("kill backend", often == 0 and backend is not None and backend.pid is not None):
            assert backend is not None
            assert backend.pid is not None
            os.kill(backend.pid, 9)
            pump_until(self.session, lambda: backend.state == process.CRASHED)
            self._watch()

    @rule(often=FEW)
    def disable_and_enable(self, often: int) -> None:
        """One time in ten the backend ends with it; else another Blender's would be as good as any."""
        if self._count("disable", True):
            session = self.session
            backend = session.backend
            pid = backend.pid if backend is not None else None
            if often and backend is not None and backend.state == process.READY:
                session.backend = None
            blender_addon.unregister()
            assert jobs.current() is None
            assert not hasattr(bpy.types.Object, "limber")
            if self.job is not None:
                assert self.job.over
            self._keys_are_mine()
            if session.backend is not None and pid is not None:
                until = time.monotonic() + 30
                while (
                    alive(pid)
                    and backend is not None
                    and backend.pid is not None
                    and time.monotonic() < until
                ):
                    time.sleep(0.02)
                assert backend is not None
                assert backend.pid is None
            blender_addon.register()
            if often and backend is not None and backend.state == process.READY:
                self.session.backend = backend

    # -- what must hold ----------------------------------------------------------------------------

    def _reviewed(self) -> set[str]:
        return {r.action.name for o in bpy.data.objects for r in o.limber.results if r.action}

    def _actual_shields(self) -> dict[str, bool]:
        return {a.name: a.use_fake_user for a in bpy.data.actions}

    def _others_shields(self) -> dict[str, bool]:
        """Of Actions that are not hers: hers are shielded while results are under review, and Discard ends that."""
        return {n: s for n, s in self._actual_shields().items() if n not in self.past[self.at].mine}

    def _decided(self, gone: set[str]) -> None:
        """Results that were not kept are gone, but for those that she uses elsewhere."""
        assert not self._reviewed()
        left = gone & {a.name for a in bpy.data.actions}
        assert not {n for n in left if bpy.data.actions[n].users == int(bpy.data.actions[n].use_fake_user)}

    def _ran(self, run: Any) -> None:
        try:
            run()
        except RuntimeError as error:  # what cannot be run says so and changes nothing, else it is a defect
            if "defect" in str(error):
                raise
        self.job = self.session.job(self.armature)
        self._watch()

    def _watch(self) -> bool:
        """True when the run is over; a finished one is one undo step, and her keys are in every result."""
        job = self.job
        if job is None or not job.over:
            return False
        self.job = None
        assert not self.session.defect, self.session.defect
        if job.phase == jobs.DONE:
            state = self.armature.limber
            for result in state.results:
                assert result.key_change == 0
                assert plans.PROVENANCE in result.action
                theirs, hers = places(result.action), places(state.original)
                if not result.remark.startswith("Keys were changed"):
                    for channel, keys in hers.items():
                        assert keys <= theirs.get(channel, set()), channel
            self._step(shields=self._others_shields())
        return True

    def _matches(self, known: Known | None = None) -> None:
        """The file is what it was at this undo step."""
        known = known or self.past[self.at]
        there = self._see()
        for name in known.mine & known.keys.keys():
            assert there.get(name) == known.keys[name], f"{name} is not what it was ({self.said})"
        assert self._plays() == known.plays

    def _keys_are_mine(self) -> None:
        now, there = self.past[self.at], self._see()
        for name in now.mine & now.keys.keys():
            assert name in there, f"{name} vanished ({self.said})"
            assert there[name] == now.keys[name], f"{name} changed ({self.said})"

    @invariant()
    def nothing_is_lost(self) -> None:
        if self.past:
            self._keys_are_mine()

    @invariant()
    def nothing_is_left(self) -> None:
        if not self.past or not self.idle:
            return
        now = self.past[self.at]
        for action in bpy.data.actions:
            if action.name not in now.mine | self._reviewed():
                elsewhere = action.users > int(action.use_fake_user)
                assert elsewhere or (action.name in self.doomed and not action.use_fake_user), (
                    f"{action.name} is nobody's ({self.said})")  # fmt: skip
        for name in ("load_pre", "load_post", "undo_post", "redo_post", "depsgraph_update_post", "save_pre"):
            listed = [f for f in getattr(bpy.app.handlers, name) if f.__module__ == "blender_addon.handlers"]
            assert len(listed) <= 1, name


def run(folder: Path, rigs: tuple[str, ...], examples: int, steps: int, seconds: float = float("inf"),
        number: int | None = None, shrink: bool = False, talk: bool = False) -> Diary:  # fmt: skip
    """Let ``examples`` animators do ``steps`` things each.

    Args:
        folder: for files.
        rigs: names of :data:`RIGS`.
        seconds: after these nothing more is begun.
        number: seed; None: always the same.
        shrink: look for the shortest way to a failure (long).

    Raises:
        AssertionError: something was lost or left.
    """
    files = {}
    for rig in rigs:
        files[rig] = folder / f"{rig.partition('.')[0]}.blend"
        make_rig(rig, files[rig])
    diary = Diary(until=time.monotonic() + seconds, talk=talk)
    machine = type("Animator", (Animator,), {"folder": folder, "files": files, "diary": diary})
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    wanted = settings(max_examples=examples, stateful_step_count=steps, deadline=None, database=None, phases=phases,
                      derandomize=number is None, suppress_health_check=list(HealthCheck),
                      verbosity=Verbosity.normal, print_blob=False)  # fmt: skip
    try:
        run_state_machine_as_test(machine if number is None else seed(number)(machine), settings=wanted)
    finally:
        backend = machine.backend  # type: ignore[attr-defined]
        if backend is not None:
            backend.stop(wait=True)
            assert backend.pid is None
    return diary


def long(
    rigs: tuple[str, ...], least: int, seconds: float, first: int, out: Path, shrink: bool = False
) -> dict[str, Any]:
    """Ten animators after ten others, until ``least`` things are done or the time is over.

    Args:
        rigs: names of :data:`RIGS`.
        first: seed of the first ten; the next have the next.
        out: JSON, written after every ten: things done, seeds, what went wrong.
    """
    done, met, seeds, problem, began = Counter[str](), Counter[str](), list[int](), "", time.monotonic()
    told: dict[str, Any] = {}
    while sum(done.values()) < least and time.monotonic() - began < seconds and not problem:
        number = first + len(seeds)
        seeds.append(number)
        with tempfile.TemporaryDirectory() as folder:
            try:
                left = seconds - (time.monotonic() - began)
                diary = run(Path(folder), rigs, 10, 60, left, number, shrink, True)
                done, met = done + diary.done, met + diary.rigs
            except AssertionError as error:
                traceback.print_exc()
                problem = f"seed {number}: {error}"
        told = {"done": sum(done.values()), "seeds": seeds, "by rule": dict(done), "animators by rig": dict(met),
                "problem": problem, "seconds": round(time.monotonic() - began, 1),
                "blender": bpy.app.version_string, "python": platform.python_version()}  # fmt: skip
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        print(f"seed {number}: {told['done']} things done, {told['seconds']:.0f} s", flush=True)
    return told


def main() -> int:
    """Command line; 1 where something was lost or left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000, help="things done at least (default 5000)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="at most (default 3600)")
    parser.add_argument("--seed", type=int, default=1, help="of the first ten animators")
    parser.add_argument("--rig", action="append", choices=RIGS, help=f"default: all, {', '.join(RIGS)}")
    parser.add_argument("--shrink", action="store_true", help="look for the shortest way to a failure")
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON")
    options = parser.parse_args()
    os.environ.setdefault("LIMBER_PYTHON", sys.executable)
    rigs = tuple(options.rig or RIGS)
    told = long(rigs, options.steps, options.seconds, options.seed, options.output, options.shrink)
    return int(bool(told["problem"]))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the bpy wheel can hang while it exits
