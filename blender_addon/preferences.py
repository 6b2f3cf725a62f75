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
    share: bool = False
    remote: bool = False
    remote_address: str = ""
    remote_token: str = ""
    remote_certificate: str = ""


class Colors(NamedTuple):
    """What is drawn in the viewport and the dope sheet, each with its opacity."""

    model: tuple[float, float, float, float] = (0.25, 0.8, 1.0, 1.0)
    plain: tuple[float, float, float, float] = (1.0, 0.45, 0.8, 1.0)
    change: tuple[float, float, float, float] = (1.0, 0.55, 0.1, 0.6)
    keep: tuple[float, float, float, float] = (0.45, 1.0, 0.45, 0.9)


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
    base_python: bpy.props.StringProperty(
        name="Made with",
        description="A Python 3.11 or 3.12 that makes the environment. Empty: looked for",
        subtype="FILE_PATH",
    )
    torch: bpy.props.EnumProperty(
        name="torch",
        description="Which build of torch is installed",
        items=(
            ("auto", "What Fits", "What this computer can use, as far as there is a list for it"),
            ("cpu", "Processor", "Small; runs everywhere"),
            ("cuda", "NVIDIA (CUDA)", "Several gigabytes; for NVIDIA's graphics cards"),
            ("mps", "Apple (MPS)", "For Apple's processors"),
        ),
    )
    wheels: bpy.props.StringProperty(
        name="Wheel Folder",
        description="A folder that holds every library as a wheel, for computers without network",
        subtype="DIR_PATH",
    )
    index: bpy.props.StringProperty(
        name="Extra Index", description="One more package index, for builds that the usual one does not hold"
    )
    share: bpy.props.BoolProperty(
        name="Share the Backend",
        description="All Blenders of this user on this computer use one backend. It ends a minute after the last one",
        default=False,
    )
    remote: bpy.props.BoolProperty(
        name="Use Another Computer",
        description="Use a backend that runs on another computer. Your keys are sent there",
        default=False,
    )
    remote_address: bpy.props.StringProperty(
        name="Address", description="https://computer:port, or localhost:port for the near end of an SSH tunnel"
    )
    remote_token: bpy.props.StringProperty(
        name="Token", description="The token of that backend", subtype="PASSWORD"
    )
    remote_certificate: bpy.props.StringProperty(
        name="Certificate",
        description="That backend's certificate, where the system does not trust it by itself",
        subtype="FILE_PATH",
    )

    model_color: bpy.props.FloatVectorProperty(
        name="Model", subtype="COLOR_GAMMA", size=4, min=0, max=1, default=Colors().model,
        description="Colour of a result's ghosts and trails",
    )  # fmt: skip
    plain_color: bpy.props.FloatVectorProperty(
        name="Plain Interpolation", subtype="COLOR_GAMMA", size=4, min=0, max=1, default=Colors().plain,
        description="Colour of plain interpolation's ghosts and trails",
    )  # fmt: skip
    change_color: bpy.props.FloatVectorProperty(
        name="Will Change", subtype="COLOR_GAMMA", size=4, min=0, max=1, default=Colors().change,
        description="Colour of bones and frames that a run will change",
    )  # fmt: skip
    keep_color: bpy.props.FloatVectorProperty(
        name="Will Stay", subtype="COLOR_GAMMA", size=4, min=0, max=1, default=Colors().keep,
        description="Colour of keys that stay as they are",
    )  # fmt: skip

    def draw(self, context: bpy.types.Context) -> None:
        """Called by Blender to draw the preferences."""
        del context
        from .setup import drawing

        drawing.draw(self.layout, self)


def python_line(settings: Settings) -> tuple[str, bool]:
    """Which Python will run the backend, or why there is none, and whether that is so."""
    try:
        return f"Runs with {process.find_python(settings.python, settings.environment)}", False
    except BackendError as error:
        return str(error), True


def raw() -> Any:
    """The preferences as Blender holds them; None where the add-on is used without being installed."""
    addon: Any = bpy.context.preferences.addons.get(ADDON) if bpy.context.preferences else None
    return getattr(addon, "preferences", None)


def get() -> Settings:
    """The preferences, or their defaults where the add-on is used without being installed."""
    values = raw()
    if values is None:
        return Settings()
    path = bpy.path.abspath
    return Settings(
        path(values.python), path(values.environment), values.early_start, values.share, values.remote,
        values.remote_address, values.remote_token, path(values.remote_certificate),
    )  # fmt: skip


def colors() -> Colors:
    """The colours that are drawn with."""
    values = raw()
    if values is None:
        return Colors()
    return Colors(*(tuple(getattr(values, f"{name}_color")) for name in Colors._fields))
