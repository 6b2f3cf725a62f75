"""The add-on in other languages than English: one data module a language, and how texts are looked up.

Blender itself translates names, descriptions and literals in layouts. Three kinds need :func:`say` or
:func:`shown`, which this module has:

- a sentence put together while drawing: ``say("{count} of {total}", count=2, total=3)``;
- a message from code that knows nothing of Blender, or of languages (errors, what was measured, what the backend
  says, lines kept in the file): it stays English where it is made, logged and stored, and is looked up where it
  is shown. A message that was an f-string is found by its template, in which the parts are numbered: what
  ``f"{obj.name} has no {bone!r}"`` says is found under ``"{0} has no {1}"``.

A new language is one more package like ``de``, entered in :data:`LANGUAGES`;
``python -m tests.blender_addon.missing_strings LANGUAGE`` prints what it lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache

import bpy

from . import de

LANGUAGES: dict[str, dict[tuple[str, str], str]] = {"de": de.STRINGS}
"""Language, without a country: Blender looks for ``de_DE`` and then for ``de``. -> (context, English) -> its text."""

LEAST_LETTERS = 4
"""A template with fewer of its own would be found in anything."""

OWN_WORDS = frozenset(("In-between", "Complete", "Refine", "Generate", "Follow"))
"""Single words that are Limber's wherever a message has them, and never somebody's name for a bone."""

PART = re.compile(r"\{\d+\}")


def register() -> None:
    """Tell Blender all languages."""
    bpy.app.translations.register(__name__, LANGUAGES)


def unregister() -> None:
    """Take them back."""
    bpy.app.translations.unregister(__name__)
    _shown.cache_clear()


def interface(text: str) -> str:
    """A text as the interface says it, if the person has the interface translated."""
    return bpy.app.translations.pgettext_iface(text)


def say(template: str, **values: object) -> str:
    """A template in the person's language, with ``values`` put into it."""
    text = interface(template)
    return text.format(**values) if values else text


def shown(message: str) -> str:
    """A finished English message in the person's language; what is not known stays as it is."""
    if not message or interface("Limber speaks English") == "Limber speaks English":
        return message
    return _shown(message, bpy.app.translations.locale)


@lru_cache(maxsize=512)
def _shown(message: str, locale: str) -> str:
    del locale  # part of the key: another language is another answer
    return translated(message, _own)


def _own(text: str) -> str:
    """A text of ours in the person's language; Blender's own words are about other things."""
    return interface(text) if any(("*", text) in strings for strings in LANGUAGES.values()) else text


def translated(message: str, look_up: Callable[[str], str]) -> str:
    """A finished English message in another language.

    Looked up whole, then by its template, then in two: what it is about before a colon, or one sentence after
    the other. Parts of a template are looked up too if they are more than a word; a name of the person's is not.
    A template that begins with a part comes last where that part would hold more than a name.

    Args:
        message: what is said, in English.
        look_up: a text in the other language; the same text where it is not known.
    """
    whole = look_up(message)
    if whole != message:
        return whole
    last = ""
    for pattern, template in _templates():
        found = pattern.fullmatch(message)
        if found is None or look_up(template) == template:
            continue
        parts = (translated(part, look_up) if " " in part.strip() or part in OWN_WORDS else part
                 for part in found.groups())  # fmt: skip
        if not template.startswith("{") or not re.search("[.:] ", found[1]):
            return look_up(template).format(*parts)
        last = last or look_up(template).format(*parts)
    for mark in (". ", ": "):
        before, between, after = message.partition(mark)
        if after:
            one, two = translated(before, look_up), translated(after, look_up)
            if one == before and mark == ". ":  # a sentence that is kept with its full stop
                one = translated(f"{before}.", look_up).removesuffix(".")
            if (one, two) != (before, after):
                return f"{one}{between}{two}"
    return last or message


@cache
def _templates() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every template with numbered parts and its pattern, those with most text of their own first."""
    keys = {text for strings in LANGUAGES.values() for _, text in strings if PART.search(text)}
    keys = {text for text in keys if len(re.findall("[A-Za-z]", PART.sub("", text))) >= LEAST_LETTERS}
    out = []
    for text in sorted(keys, key=lambda text: (-len(PART.sub("", text)), text)):
        pieces = [re.escape(piece) for piece in PART.split(text)]
        out.append((re.compile("(.*?)".join(pieces), re.DOTALL), text))
    return tuple(out)
