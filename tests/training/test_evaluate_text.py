"""Text-to-motion's table and minimal pairs, on motion of which it is known what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.systems.base import Interpolation
from blender_addon.motion import rotations
from blender_addon.motion.clip import Clip, rest_clip
from tests.training.acted import ACTS, SOURCE, WAYS, act, captioned
from training import evaluate, report, train_evaluator
from training.evaluation import minimal_pairs, samples, tables, text
from training.evaluation.material import Row
from training.evaluation.methods import Columns
from training.evaluator import Evaluator, Shape
from training.train_evaluator import Settings

SAID = {way.format(name): name for name in ACTS for way in WAYS}


@pytest.fixture(scope="module")
def judges() -> dict[str, Evaluator]:
    shape = Shape(width=24, rounds=1, heads=2, hidden=32, patch=4, text_hidden=32, space=8, dropout=0.0)
    return {"choose": train_evaluator.train(captioned(), shape, 0, Settings(batch=32, steps=60, rate=4e-3))}


def row() -> Row:
    cache = captioned()
    chosen = {split: tuple(cache.select(split, [SOURCE])) for split in ("takes", "train")}
    return Row(chosen["takes"], chosen["train"], chosen["train"])


def acts_it(texts: Sequence[str], lengths: Sequence[int], seed: int) -> list[Clip]:
    """A system that understands: it performs what is said, each time anew."""
    return [act(SAID[t], 1000 * seed + k, n) for k, (t, n) in enumerate(zip(texts, lengths, strict=True))]


def always_walks(texts: Sequence[str], lengths: Sequence[int], seed: int) -> list[Clip]:
    """A system that does not listen, and knows one motion."""
    return [act("walks forward", 7, n) for n in lengths]


@pytest.fixture(scope="module")
def table(judges: dict[str, Evaluator]) -> dict[str, Any]:
    systems = {"model": acts_it, "deaf": always_walks}
    return text.evaluate(captioned(), row(), systems, judges, seed=1, size=5)


def test_who_understands_is_told_from_who_does_not(table: dict[str, Any]) -> None:
    cells = table["choose"]
    assert cells["windows"] == len(ACTS)
    assert cells["truth"]["R@1"] >= 0.75
    assert cells["model"]["R@1"] >= 0.75 > 0.4 > cells["deaf"]["R@1"]
    assert cells["model"]["KID"] < cells["deaf"]["KID"]
    assert cells["model"]["FID"] < cells["deaf"]["FID"]
    assert cells["model"]["matching"] < cells["deaf"]["matching"]
    assert cells["model"]["multimodality"] > 0.1
    assert cells["deaf"]["multimodality"] < cells["deaf"]["diversity"] + 1e-9
    assert cells["model"]["diversity"] > 2 * cells["deaf"]["diversity"]
    for name in ("truth", "model", "deaf", "shuffled"):
        low, high = cells[name]["intervals"]["R@1"]
        assert low <= cells[name]["R@1"] <= high
        assert cells[name]["R@1"] <= cells[name]["R@2"] <= cells[name]["R@3"]


def test_copies_of_training_clips_are_nearest(judges: dict[str, Evaluator]) -> None:
    cache, found = captioned(), row()
    asked = text.ask(cache, found, size=5)
    assert asked is not None
    space = text.Space(cache, found, asked, judges["choose"])
    copies = [cache.clip(found.scale[0])] * len(asked.clips)
    assert space.measure(copies)["nearest"] == pytest.approx(0, abs=1e-3)
    assert space.measure(asked.clips)["nearest"] > 0.01


def test_right_by_chance_is_one_of_the_pool(judges: dict[str, Evaluator]) -> None:
    """Random sentences for random motions: R@1 of pools of 5 is a fifth."""
    cache, found = captioned(), row()
    hits = []
    for seed in range(12):
        asked = text.ask(cache, found, seed=seed, size=5)
        assert asked is not None
        assert asked.wrong.shape == (len(ACTS), 5)
        hits.append(text.Space(cache, found, asked, judges["choose"]).shuffled()["R@1"])
    assert 0.05 < np.mean(hits) < 0.4


def test_a_row_without_enough_captions_is_left_out(
    judges: dict[str, Evaluator], capsys: pytest.CaptureFixture[str]
) -> None:
    cache, found = captioned(), row()
    assert text.evaluate(cache, found, {}, judges) == {}
    assert "a pool needs 33" in capsys.readouterr().out
    assert text.ask(cache, replace(found, entries=found.entries[:3]), size=3) is None


def test_a_system_is_asked_through_the_product() -> None:
    """One request a motion, of the length and with the words asked for, and its own seed."""

    class Silent(Interpolation):
        tasks = frozenset({text.TASK})

    with Columns({"silent": Silent()}) as columns:
        made = text.prompted(columns.able(text.TASK)["silent"])(
            ["a person walks", "a person bows"], [20, 31], 3
        )
    assert [len(c) for c in made] == [20, 31]
    assert all(c.fps == 30 for c in made)
    with pytest.raises(ValueError, match="other lengths"):
        text.evaluate(captioned(), row(), {"short": lambda t, n, s: [rest_clip(5)] * len(t)}, {}, size=5)


def test_tables_and_page_show_every_method(table: dict[str, Any]) -> None:
    pairs = minimal_pairs.shares({"model": {"choose": [("side", True), ("way", False)]}})
    everything = {"text": {"held out": table}, "pairs": {"prompts": pairs}}
    shown = tables.markdown(everything)
    for word in (
        "| model |",
        "| deaf |",
        "| truth |",
        "| shuffled |",
        "| side | model | 100 |",
        "| all | model | 50 |",
    ):
        assert word in shown
    page = report.content(everything)
    assert page.count("<table>") == 2
    assert "Text to motion" in page
    assert f"{table['choose']['model']['R@3']:.3f}" in page


# -- minimal pairs ---------------------------------------------------------------------------------------


def moving(
    velocity: tuple[float, float, float], degrees: float = 0.0, heading: float = 0.0, frames: int = 61
) -> Clip:
    """Glides at a velocity (left, up, ahead) in its own heading, m/s, turning left by so much in all."""
    clip = rest_clip(frames)
    yaw = np.radians(heading + np.linspace(0, degrees, frames))
    turned = clip.rotations.copy()
    turned[:, 0] = rotations.from_axis_angle(np.outer(yaw, [0.0, 1, 0]))
    steps = rotations.rotate(turned[:-1, 0], np.array(velocity)) / 30
    root = clip.root_positions + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, 0)])
    return replace(clip, rotations=turned, root_positions=root)


@pytest.mark.parametrize("heading", [0.0, 90.0, -170.0])
def test_measures_of_known_motion(heading: float) -> None:
    m = minimal_pairs
    assert m.turned(moving((0, 0, 1), 200, heading)) == pytest.approx(200)
    assert m.turned(moving((0, 0, 1), -90, heading)) == pytest.approx(-90)
    assert m.ahead(moving((0.2, 0, 1), 90, heading)) == pytest.approx(1)
    assert m.ahead(moving((0, 0, -0.5), 0, heading)) == pytest.approx(-0.5)
    assert m.aside(moving((0.7, 0, 0), 0, heading)) == pytest.approx(0.7)
    assert m.aside(moving((-0.7, 0, 3), 0, heading)) == pytest.approx(-0.7)
    assert m.speed(moving((0.6, 0, 0.8), 45, heading)) == pytest.approx(1)


def test_measures_of_hands_and_hops() -> None:
    m = minimal_pairs
    left, right = (act(f"raises the {side} arm", 0, 30) for side in ("left", "right"))
    assert m.left_hand(left) > 0.1 > -0.1 > m.left_hand(right)
    assert m.lower_hand(left) < m.lower_hand(replace(left, rotations=_both_up(left)))
    jump = rest_clip(90)
    t = np.arange(90) / 30
    height = np.maximum(0.4 * np.sin(2 * np.pi * t), 0)  # three times off the ground
    up = replace(jump, root_positions=jump.root_positions + height[:, None] * [0.0, 1, 0])
    assert m.hops(up) == 3
    assert m.hops(jump) == 0
    assert m.reaches(jump) == 0
    twice = rest_clip(90)
    turned = twice.rotations.copy()
    angle = 1.4 * np.maximum(np.sin(2 * np.pi * t * 2 / 3), 0)  # two times up
    turned[:, 16] = rotations.from_axis_angle(np.outer(angle, [0.0, 0, 1]))
    assert m.reaches(replace(twice, rotations=turned)) == 2
    assert m.liveliness(replace(twice, rotations=turned)) > m.liveliness(twice) == 0


def _both_up(clip: Clip) -> np.ndarray:
    turned = clip.rotations.copy()
    turned[:, 17] = rotations.multiply(rotations.from_axis_angle([0, 0, -1.4]), turned[:, 17])
    return turned


def test_pairs_judge_who_listens(judges: dict[str, Evaluator]) -> None:
    pairs = [minimal_pairs.Pair("side", f"a person turns {a}", f"a person turns {b}", minimal_pairs.turned, True, 40)
             for a, b in (("left", "right"),)]  # fmt: skip
    pairs += [
        minimal_pairs.Pair(
            "way", "a person walks forward", "a person walks backward", minimal_pairs.ahead, False
        )
    ]
    embed = minimal_pairs.embedder(captioned())
    found = minimal_pairs.evaluate({"model": acts_it, "deaf": always_walks}, judges, embed, pairs, samples=3)
    assert found["side"]["model"]["measure"] == 100
    assert found["way"]["model"]["measure"] == 100
    assert found["side"]["model"]["counts"] == {"choose": 6, "measure": 6}
    assert found["way"]["model"]["counts"] == {"choose": 6, "measure": 3}
    assert found["all"]["model"]["choose"] >= 75
    assert found["all"]["deaf"]["choose"] == 50, "one motion is right for one of two prompts"
    assert found["way"]["deaf"]["measure"] == 0, "no difference is no answer"
    real = minimal_pairs.truth(captioned(), ("takes", "test"), judges, pairs)
    assert real["side"]["truth"]["measure"] == 100
    assert real["all"]["truth"]["choose"] >= 75


def test_every_pair_differs_and_is_of_a_known_kind() -> None:
    for pair in minimal_pairs.PAIRS:
        assert pair.a != pair.b
        assert pair.kind in minimal_pairs.KINDS
    assert {p.kind for p in minimal_pairs.PAIRS} == set(minimal_pairs.KINDS)


def test_samples_to_look_at_are_of_captions() -> None:
    """Everybody begins facing the same way; the truth is one answer of many."""
    cache = captioned()

    class Still(Interpolation):
        tasks = frozenset({text.TASK})

    assert evaluate._tasks({"model": Still()}, None) == [text.TASK]
    shown = evaluate.samples(cache, {"model": Still()}, [text.TASK], count=1)
    assert shown == [], "pools of 32 cannot be made of eight captions"
    found = samples._told("held out", cache, row(), Columns({"model": Still()}), 2, size=5)
    assert [s.same for s in found] == [False, False]
    assert all("“" in s.title for s in found)
    for s in found:
        assert s.tracks["truth"].shape == s.tracks["model"].shape
        assert abs(s.tracks["truth"][:, 0, [0, 2]].mean()) < 1e-6
    page = report.page("t", "a", "", found)
    assert '"same": false' in page
