"""Limber: natural motion between, around and instead of an animator's keyframes.

Importing this package imports nothing of Blender's, so that ``blender_addon.motion`` serves the
backend and the training package too; Blender calls :func:`register`.
"""

from __future__ import annotations


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled; leaves nothing behind."""
    from . import registration

    registration.unregister()
