"""German. Blender's own words where it has them: Skelett, Knochen, Schlüsselbild, Aktion, Posenmodus, Startwert."""

from __future__ import annotations

from . import labels, messages, set_up, tooltips

STRINGS: dict[tuple[str, str], str] = {
    **{("Operator", english): german for english, german in labels.OPERATORS.items()},
    **{("*", english): german for english, german in labels.LABELS.items()},
    **{("*", english): german for english, german in tooltips.TOOLTIPS.items()},
    **{("*", english): german for english, german in messages.MESSAGES.items()},
    **{("*", english): german for english, german in set_up.SET_UP.items()},
}
"""(context, English) -> German."""
