"""Languages: nothing is missing, nothing is lost in a sentence, and what is a person's own stays as it is."""

from __future__ import annotations

import ast
import re

import pytest

from blender_addon import checks, followed, results, translations
from blender_addon.motion.errors import InvalidRequestError
from tests.blender_addon import missing_strings

PART = re.compile(r"\{\w*\}")


def german(text: str) -> str:
    """As Blender answers where the interface is German; the wheel has no languages built in."""
    return translations.LANGUAGES["de"].get(("*", text), text)


@pytest.mark.parametrize("language", sorted(translations.LANGUAGES))
def test_nothing_is_missing(addon: None, language: str) -> None:
    found = missing_strings.missing(language)
    assert not found, f"python -m tests.blender_addon.missing_strings {language} prints these:\n{found}"


def test_what_is_looked_for_is_found(addon: None) -> None:
    wanted = missing_strings.from_classes() | missing_strings.from_sources()
    for text in ("Select an armature", "How many results one run brings", "Every bone with a role", "Seed",
                 "{0} lost the bone {1} during the run", "Largest change to any key: {change}"):  # fmt: skip
        assert ("*", text) in wanted
    assert {("Operator", "In-between"), ("Operator", "Install")} <= wanted


@pytest.mark.parametrize("language", sorted(translations.LANGUAGES))
def test_parts_are_the_same(language: str) -> None:
    for (_, english), text in translations.LANGUAGES[language].items():
        assert sorted(PART.findall(english)) == sorted(PART.findall(text)), english
        assert english[:1].isspace() == text[:1].isspace(), english
        assert english.endswith(".") == text.endswith("."), english
        assert text.strip(), english


def test_every_template_is_found_again() -> None:
    for (_, english), text in translations.LANGUAGES["de"].items():
        own = re.sub(r"\{\d\}", "", english)
        few = len(re.findall("[A-Za-z]", own)) < 8
        if own == english or few or "\n" in english or english == text:
            continue
        values = [f"X{n}Y" for n in range(9)]
        said = translations.translated(english.format(*values), german)
        assert said != english.format(*values), english
        assert all(said.count(value) == english.format(*values).count(value) for value in values), (english, said)


def test_messages_as_the_panel_has_them() -> None:
    error = InvalidRequestError("armature", "Hero is being worked on", "Wait for it, or cancel it.")
    said = translations.translated(str(error), german)
    assert said == "Skelett: an Hero wird gearbeitet. Darauf warten oder es abbrechen."
    report = {"system": "pose", "bundle": "open", "seed": 3, "seconds": 0.42,
              "skating": {"model": 0.012, "interpolation": 0.205},
              "jerk": {"model": 12.0, "interpolation": 30.0}}  # fmt: skip
    lines = [translations.translated(line, german) for line in results.comparison(report, "refine").splitlines()]
    assert lines == ["Ruck: vorher 30, jetzt 12 (m/s³)", "Fußgleiten: vorher 20.5, jetzt 1.2 (cm/s)"]
    lines = [translations.translated(line, german) for line in results.comparison(report).splitlines()]
    assert lines == ["Fußgleiten: 1.2 cm/s", "Einfache Interpolation: 20.5 cm/s"]
    assert translations.translated(results.made_by(report), german) == "pose, Modellpaket open, Startwert 3, 0.4 s"
    assert translations.translated("No installed bundle can Complete. Install one that can", german) == (
        "Kein installiertes Modellpaket kann „Ergänzen“. Eines installieren, das es kann")  # fmt: skip
    assert translations.translated("Mixamo: all 20 joints", german) == "Mixamo: alle 20 Gelenke"
    assert translations.translated("Found by bone names: 18 of 20 joints", german) == (
        "Nach Knochennamen gefunden: 18 von 20 Gelenken")  # fmt: skip


def test_reasons_and_reports_are_looked_up() -> None:
    """Blender translates what a layout is given, but neither why a button is grey nor what an operator reports."""
    found = []
    for path in sorted(missing_strings.PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == "poll_message_set" or (node.func.attr == "report" and len(node.args) == 2):
                found.append((f"{path.name}:{node.lineno}", ast.unparse(node.args[-1])))
    assert len(found) > 15
    assert [place for place, said in found if not said.startswith(("shown(", "say("))] == []


def test_what_is_not_ours_stays() -> None:
    for text in ("Traceback (most recent call last)", "torch 2.4: no kernel image", "", "Bone", "MyRig.001"):
        assert translations.translated(text, lambda t: t) == text
    for name in ("Bone", "Keys", "Pose"):  # bones and armatures are called such things
        assert name in translations.translated(f"{name} lost the bone {name!r} during the run", german)
        assert translations.translated(f"{name} is being worked on", german) == f"an {name} wird gearbeitet"


def test_without_a_language_everything_is_english(addon: None) -> None:
    import bpy

    reason = checks.why_no_run(bpy.context)
    assert translations.shown(reason) == reason == "Select an armature"
    assert translations.say("{count} of {total} roles", count=3, total=20) == "3 of 20 roles"
    assert followed.lines({"heading": {"worst": 0.1, "worst_frame": 4}}) == ["Heading: 5.7° at worst, frame 4"]
