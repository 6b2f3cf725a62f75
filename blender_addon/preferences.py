"""What is set once per computer: which Python runs the backend.

No postponed annotations here: Blender reads the properties from them.
"""

from typing import Any, NamedTuple

import bpy

from . import process
from .motion.errors import BackendError

ADDON = __package__ or "blender_addon"
"""The name under which Blender knows the add-on (``bl_ext.<repository>.limber``)."""


class Settings(NamedTuple):
    """The preferences as plain values, for code that outlives Blender's data."""

    python: str = ""
    environment: str = ""
    early_start: bool = True


class LimberPreferences(bpy.types.AddonPreferences):
    """Shown in Blender's preferences under the extension."""

    bl_idname = ADDON

    python: bpy.props.StringProperty(
        name="Python",
        description="The Python that runs the backend (its environment holds torch). "
        "Empty: LIMBER_PYTHON, then the environment below",
        subtype="FILE_PATH",
    )
    environment: bpy.props.StringProperty(
        name="Environment",
        description="Folder of the virtual environment that runs the backend. Empty: Limber's own data folder",
        subtype="DIR_PATH",
    )
    early_start: bpy.props.BoolProperty(
        name="Start with the Panel",
        description="Start the backend as soon as the Limber tab is looked at, so that the first run does not wait",
        default=True,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender to draw the preferences."""
        del context
        from . import jobs

        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "python", placeholder="Found by itself")
        column.prop(self, "environment", placeholder="Limber's own data folder")
        column.prop(self, "early_start")
        found, problem = python_line(get())
        column.separator()
        column.label(text=found, icon="ERROR" if problem else "CHECKMARK")
        session = jobs.current()
        if session is None:
            return
        row = column.row()
        row.label(text=session.backend_line(), icon="INFO")
        stopped = session.backend_state == process.STOPPED
        row.operator("limber.restart_backend", text="Start Backend" if stopped else "Restart Backend")


def python_line(settings: Settings) -> tuple[str, bool]:
    """Which Python will run the backend, or why there is none, and whether that is so."""
    try:
        return f"Runs with {process.find_python(settings.python, settings.environment)}", False
    except BackendError as error:
        return str(error), True


def get() -> Settings:
    """The preferences, or their defaults where the add-on is used without being installed."""
    addon: Any = bpy.context.preferences.addons.get(ADDON) if bpy.context.preferences else None
    values = getattr(addon, "preferences", None)
    if values is None:
        return Settings()
    return Settings(bpy.path.abspath(values.python), bpy.path.abspath(values.environment), values.early_start)
