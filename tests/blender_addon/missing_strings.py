"""Every text of the add-on that a person can read, and which of them a language lacks.

    python -m tests.blender_addon.missing_strings [de]

prints the missing ones as lines to be filled in, and exits with 1 if there are any. Texts come from two places:
names and descriptions from the registered classes' RNA, sentences from the sources. A sentence that is put
together (an f-string) is a template whose parts are numbered: ``f"{obj.name} has no {bone!r}"`` is looked up as
``"{0} has no {1}"``, see :mod:`blender_addon.translations`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import bpy

from blender_addon import registration, translations
from blender_addon.motion.bone_maps import ROLES

PACKAGE = Path(registration.__file__).parent
SILENT = (
    "__main__.py", "batch/", "demo", "headless.py", "motion/", "setup/make_lists.py", "setup/bundles.py",
    "translations/", "depsgraph.py", "scene_files.py", "elsewhere.py", "setup/trial.py", "named_clips.py",
)  # fmt: skip
"""Modules that no window shows, and those whose errors stay English: command lines, the demonstration's makers,
arithmetic, file formats, damaged bundles, certificates. Whoever mends those looks the words up in English anyway."""

NOT_SHOWN = re.compile(
    r"limber_|^pip |^-m |^import |^--|^Bearer |^\W*$|\w\|\w|==|\n.*\n|pose\.bones|Program Files|Application Support"
    r"|^operators exist only|^so far$|^Object Transforms$|hashes|^PROBLEM|Errno|^\{0\} Limber \{1\}$"
    r"|^\{0\} (path|waypoint)$"
)
"""Sentences that are data."""

BLENDERS_OWN = {"filepath", "check_existing"}
"""Properties that Blender's helpers give our operators."""

DRAWN = {"text", "placeholder", "heading", "text_ctxt"}
CALLS = {"say", "poll_message_set"}
ASSIGNED = {"bl_label", "bl_idname", "bl_category"}
WORDS = re.compile(r"[A-Za-z]{2,}")


def from_classes() -> set[tuple[str, str]]:
    """Context and text of labels, names, descriptions and enum items of the registered classes."""
    out: set[tuple[str, str]] = set()
    for cls in registration.CLASSES:
        rna: Any = cls.bl_rna
        base = next(b for b in (bpy.types.Operator, bpy.types.Panel, bpy.types.Menu, object) if issubclass(cls, b))
        if base is not object:
            out.add(("Operator" if base is bpy.types.Operator else "*", cls.bl_label))  # type: ignore[attr-defined]
            out.add(("*", cls.bl_description))  # type: ignore[attr-defined]
        if base is bpy.types.Operator:
            group, name = cls.bl_idname.split(".")  # type: ignore[attr-defined]
            rna = getattr(getattr(bpy.ops, group), name).get_rna_type()
        theirs = {p.identifier for b in rna.base.bl_rna.properties for p in (b,)} if rna.base else set()
        for prop in rna.properties:
            if prop.identifier in {*theirs, "rna_type", *BLENDERS_OWN} or prop.is_hidden:
                continue
            context = prop.translation_context or "*"
            out |= {(context, prop.name), ("*", prop.description)}
            if prop.type == "ENUM":
                for item in prop.enum_items_static:
                    out |= {(context, item.name), ("*", item.description)}
    out |= {("*", role.replace("_", " ")) for role in ROLES}
    return {(context, text) for context, text in out if WORDS.search(text)}


@cache
def from_sources() -> set[tuple[str, str]]:
    """Context and text of what the sources draw, and every sentence in them that is no docstring."""
    out: set[tuple[str, str]] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(SILENT):
            out |= set(_texts(ast.parse(path.read_text(encoding="utf-8"))))
    return out


def _texts(tree: ast.Module) -> Iterator[tuple[str, str]]:
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    drawn: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in ASSIGNED for t in node.targets):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node) if part is not node and part in node.values}
            skipped |= {id(part) for value in node.values if isinstance(value, ast.FormattedValue) and value.format_spec
                        for part in ast.walk(value.format_spec)}  # fmt: skip
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            said = [k.value for k in node.keywords if k.arg in DRAWN] + (node.args[:1] if called in CALLS else [])
            context = "Operator" if called == "operator" else "*"
            drawn |= {id(part): context for value in said for part in _branches(value)}
    for node in ast.walk(tree):
        text = template(node)
        if text is None or id(node) in skipped or not WORDS.search(re.sub(r"\{.*?\}", "", text)):
            continue
        sentence = re.search(r"\w\S* \S*\w|\w \{|\} \w", text) and not NOT_SHOWN.search(text)
        if id(node) in drawn or sentence:
            yield drawn.get(id(node), "*"), text


def _branches(node: ast.expr) -> Iterator[ast.expr]:
    """The texts that an expression can be."""
    if isinstance(node, ast.IfExp):
        yield from _branches(node.body)
        yield from _branches(node.orelse)
    else:
        yield node


def template(node: ast.AST) -> str | None:
    """A literal, or an f-string with numbered parts; None for everything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    out, n = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            out += str(part.value)
        else:
            out, n = out + f"{{{n}}}", n + 1
    return out


def missing(language: str) -> list[tuple[str, str]]:
    """Context and text of what a language lacks; the add-on is registered."""
    return sorted((from_classes() | from_sources()) - translations.LANGUAGES[language].keys())


def main(arguments: list[str]) -> int:
    """Print them."""
    registration.register()
    try:
        found = missing(arguments[0] if arguments else "de")
    finally:
        registration.unregister()
    for context, text in found:
        print(f"    ({context!r}, {text!r}): '',")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
