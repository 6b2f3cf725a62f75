"""The buttons of the preferences. Work goes on in a thread; a timer has the preferences drawn again.

In background mode, where there are no timers, a button waits for its work and raises what went wrong.

No postponed annotations here: Blender reads the properties from them.
"""

import sys
from collections import deque
from pathlib import Path
from typing import Any

import bpy

from .. import jobs, preferences, process
from ..motion.errors import BackendError, LimberError
from ..process import child_environment, environment_python
from ..translations import shown
from . import bundles
from .work import Look, Plan, Remove, SetUp, Try, Work

LOOK_SECONDS = 0.25
CLOSE_SECONDS = 8.0
_now: Work | None = None


class Doctor(Work):
    """``limber doctor`` of the environment, line by line."""

    def __init__(self, python: Path, source: Path) -> None:
        super().__init__()
        self.python, self.source = python, source
        self.lines = deque(maxlen=80)

    def work(self) -> None:
        """Its own exit code only says whether it found something; its lines say what."""
        self.doing, self.fraction = "Looking at everything", 0.5
        if not self.python.is_file():
            raise BackendError(
                f"There is no Python at {self.python}. Press Set Up, or choose an existing Python."
            )
        try:
            self.run(
                self.python,
                ["backend", "doctor", *process.weights_arguments()],
                child_environment(self.source),
            )
            self.doing = "Everything is there"
        except BackendError:
            if not any(line.startswith("PROBLEM") for line in self.lines):
                raise
            self.doing = "Something is wrong"


def current() -> Work | None:
    """What goes on, or went on last."""
    return _now


def plan(repair: bool = False) -> Plan:
    """What the preferences ask for."""
    values: Any = preferences.raw()
    path = bpy.path.abspath
    environment = path(values.environment) if values and values.environment else ""
    wheels = path(values.wheels) if values and values.wheels else ""
    return Plan(
        environment=Path(environment) if environment else process.data_folder() / "env",
        source=process.source_folder(),
        python=path(values.base_python) if values and values.base_python else "",
        more_pythons=(Path(sys.executable),),
        torch=values.torch if values else "auto",
        wheels=Path(wheels) if wheels else None,
        index=values.index if values else "",
        online=bool(bpy.app.online_access),
        repair=repair,
    )


def begin(operator: bpy.types.Operator, work: Work) -> set[str]:
    """Start work; in background mode wait for it, and report how it ended."""
    global _now  # noqa: PLW0603  one set-up at a time
    _now = work
    work.start()
    if not bpy.app.background:
        if not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=LOOK_SECONDS, persistent=True)
        return {"FINISHED"}
    work.join()
    _finished(work)
    if work.problem:
        operator.report({"ERROR"}, shown(work.problem))
        return {"CANCELLED"}
    return {"FINISHED"}


def _tick() -> float | None:
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
    if _now is None or not _now.over:
        return LOOK_SECONDS if _now is not None else None
    _finished(_now)
    return None


def _finished(work: Work) -> None:
    """A backend that could not start for want of an environment may now."""
    session = jobs.current()
    if session is not None and work.succeeded and isinstance(work, (SetUp, Try)):
        session.backend_problem = ""
        if session.backend_state == process.CRASHED:
            session.stop_backend()


def close() -> None:
    """Called when the add-on is disabled: what goes on is ended, and goes on at the next Set Up."""
    global _now  # noqa: PLW0603
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _now is not None:
        _now.cancel()
        _now.join(CLOSE_SECONDS)
        _now = None


class _Idle:
    """Operators that wait until the work before them is over."""

    bl_options = {"REGISTER", "INTERNAL"}  # noqa: RUF012  Blender reads it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Says why not."""
        del context
        if _now is not None and not _now.over:
            cls.poll_message_set(shown("A set-up goes on. Wait, or cancel it"))  # type: ignore[attr-defined]
            return False
        return True


def _stop_backend() -> None:
    """Its files are about to be replaced; on Windows they could not be while it runs."""
    session = jobs.current()
    if session is not None:
        session.stop_backend(wait=True)


class LIMBER_OT_set_up(_Idle, bpy.types.Operator):
    """Make the Python environment that runs the backend, try it, and say how much that downloads first"""

    bl_idname = "limber.set_up"
    bl_label = "Set Up"
    confirmed: bpy.props.BoolProperty(
        name="Confirmed", description="Begin at once instead of showing the size first", options={"SKIP_SAVE"}
    )
    repair: bpy.props.BoolProperty(
        name="Repair", description="Make the environment anew, whatever is there", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look, or do it."""
        del context
        global _repairing  # noqa: PLW0603  the Install button that follows knows nothing of the button before
        if not self.confirmed:
            _repairing = self.repair
            return begin(self, Look(plan()))
        _stop_backend()
        return begin(self, SetUp(plan(self.repair or _repairing)))


_repairing = False


class LIMBER_OT_cancel_set_up(bpy.types.Operator):
    """End what goes on. What was downloaded is kept, and the next Set Up goes on from there"""

    bl_idname = "limber.cancel_set_up"
    bl_label = "Cancel"
    bl_options = {"REGISTER", "INTERNAL"}  # noqa: RUF012  Blender reads it

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while something goes on."""
        del context
        return _now is not None and not _now.over

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask it to end."""
        del context
        assert _now is not None
        _now.cancel()
        return {"FINISHED"}


class LIMBER_OT_remove_environment(_Idle, bpy.types.Operator):
    """Delete the environment that Set Up made, and its downloads. Nothing else is touched"""

    bl_idname = "limber.remove_environment"
    bl_label = "Remove"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)  # type: ignore[return-value]

    def execute(self, context: bpy.types.Context) -> set[str]:
        """End the backend, then delete."""
        del context
        _stop_backend()
        return begin(self, Remove(plan().environment))


class LIMBER_OT_try_python(_Idle, bpy.types.Operator):
    """Send a tiny request through the real backend, with the Python that is set"""

    bl_idname = "limber.try_python"
    bl_label = "Self-Test"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Try it."""
        del context
        settings = preferences.get()
        try:
            python = process.find_python(settings.python, settings.environment)
        except BackendError as error:
            self.report({"ERROR"}, shown(str(error)))
            return {"CANCELLED"}
        return begin(self, Try(python, process.source_folder()))


class LIMBER_OT_doctor(_Idle, bpy.types.Operator):
    """Look at everything that Limber needs, and say what is wrong and what to do"""

    bl_idname = "limber.doctor"
    bl_label = "Doctor"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Run it."""
        del context
        settings = preferences.get()
        try:
            python = process.find_python(settings.python, settings.environment)
        except BackendError:
            python = environment_python(plan().environment)  # its absence is what the doctor then says
        return begin(self, Doctor(python, process.source_folder()))


class LIMBER_OT_add_bundle(bpy.types.Operator):
    """Copy a bundle of weights from a folder to where the backend looks, if it fits"""

    bl_idname = "limber.add_bundle"
    bl_label = "Add Model"
    bl_options = {"REGISTER", "INTERNAL"}  # noqa: RUF012  Blender reads it
    directory: bpy.props.StringProperty(
        name="Folder", description="The bundle: a folder with model.safetensors", subtype="DIR_PATH"
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let a folder be chosen."""
        del event
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Check and copy; the backend sees it when it starts anew."""
        del context
        try:
            name = bundles.add(Path(bpy.path.abspath(self.directory)))
        except (LimberError, OSError) as error:
            self.report({"ERROR"}, shown(str(error)))
            return {"CANCELLED"}
        self.report({"INFO"}, shown(f"{name} was added. Restart the backend to use it"))
        return {"FINISHED"}


class LIMBER_OT_remove_bundle(bpy.types.Operator):
    """Delete a bundle that was added. What came with Limber stays"""

    bl_idname = "limber.remove_bundle"
    bl_label = "Remove Model"
    bl_options = {"REGISTER", "INTERNAL"}  # noqa: RUF012  Blender reads it
    name: bpy.props.StringProperty(name="Name", description="Which of the added bundles")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)  # type: ignore[return-value]

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete it."""
        del context
        try:
            bundles.remove(self.name)
        except (LimberError, OSError) as error:
            self.report({"ERROR"}, shown(str(error)))
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (
    LIMBER_OT_set_up,
    LIMBER_OT_cancel_set_up,
    LIMBER_OT_remove_environment,
    LIMBER_OT_try_python,
    LIMBER_OT_doctor,
    LIMBER_OT_add_bundle,
    LIMBER_OT_remove_bundle,
)
