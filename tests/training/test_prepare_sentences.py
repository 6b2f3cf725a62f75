"""What is said about clips: written from names, read from tables, mirrored, embedded."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.motion.errors import WeightsError
from training.prepare import cache, sides, text
from training.prepare.cache import Cache, Caption, Entry
from training.prepare.sentences import bandai_namco, clip_names, lafan, phrases, style100, table

_PLAIN = ("a", "person", "turns", "now", "away", "all", "angle", "clockwise", "counterclockwise")
_SIDES = ("Left", "right", "RIGHT", "left", "left-handed")
WORDS = st.lists(st.sampled_from(_PLAIN + _SIDES))


@pytest.mark.parametrize(
    ("phrase", "third", "gerund"),
    [
        ("run", "runs", "running"), ("wave goodbye", "waves goodbye", "waving goodbye"),
        ("dash forward", "dashes forward", "dashing forward"), ("lie down", "lies down", "lying down"),
        ("die and +fall", "dies and falls", "dying and falling"), ("carry it", "carries it", "carrying it"),
        ("go ahead", "goes ahead", "going ahead"), ("be angry", "is angry", "being angry"),
        ("tread water", "treads water", "treading water"), ("throw kicks", "throws kicks", "throwing kicks"),
        ("enter", "enters", "entering"), ("see", "sees", "seeing"), ("play", "plays", "playing"),
    ],
)  # fmt: skip
def test_word_forms(phrase: str, third: str, gerund: str) -> None:
    assert phrases.third(phrase) == third
    assert phrases.gerund(phrase) == gerund


def test_bandai_namco_has_many_different_sentences_for_every_action_and_style() -> None:
    for action in bandai_namco.ACTIONS:
        for style in bandai_namco.STYLES:
            said = [s.text for s in bandai_namco.sentences(f"dataset-1_{action}_{style}_001")]
            assert len(set(said)) == len(said) == bandai_namco.COUNT, (action, style)
            assert not any("+" in s or "  " in s for s in said)
    assert bandai_namco.sentences("01_01") == ()
    styles = {
        s: {x.text for x in bandai_namco.sentences(f"dataset-2_walk_{s}_001")} for s in ("sad", "happy")
    }
    assert styles["sad"].isdisjoint(styles["happy"])


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Melee_2H_Attack_Chop", "melee 2h attack chop"), ("Walking_A", "walking"), ("Crawl RM", "crawl"),
        ("Swim_Fwd_Loop", "swim fwd"), ("Rig_Medium|Idle_B", "idle"), ("Death01", "death"),
        ("Running_HoldingBow", "running holdingbow"), ("PickUp_Table", "pickup table"),
        ("SomethingElse_Loop", "something else"),
    ],
)  # fmt: skip
def test_names_of_clips_become_words(name: str, plain: str) -> None:
    assert clip_names.words(name) == plain
    assert all(s.text for s in clip_names.sentences(name))


def test_rest_poses_are_known() -> None:
    assert [clip_names.is_rest(n) for n in ("T-Pose", "Rest Pose", "A_Pose", "Death_A_Pose", "Sit")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_other_collections_say_something() -> None:
    assert any(
        "walk" in s.text and "arms above head" in s.text for s in style100.sentences("ArmsAboveHead", "FW")
    )
    assert "falls down" in lafan.sentences("fallAndGetUp1_subject4")[0].text


@given(WORDS)
def test_swapping_sides_twice_changes_nothing(words: list[str]) -> None:
    sentence = sides.plain(" ".join(words))
    assert sides.swap(sides.swap(sentence)) == sentence


@pytest.mark.parametrize(
    ("sentence", "other"),
    [
        ("raises the left hand", "raises the right hand"),
        ("Left, then right.", "Right, then left."),
        ("turns clockwise", "turns counterclockwise"),
        ("sits down right away", "sits down right away"),
        ("left-handed throw at a right angle", "right-handed throw at a right angle"),
        ("stands upright", "stands upright"),
    ],
)
def test_sides_are_swapped(sentence: str, other: str) -> None:
    assert sides.swap(sides.plain(sentence)) == other
    assert sides.plain("turns Anti-clockwise") == "turns counterclockwise"


def test_a_table_of_captions(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    lines = ["dataset,clip,start_s,end_s,text,source", 'cmu,01_01,,,"hops, turns",a',
             "cmu,01_01,0.5,2,a person   hops,b", "other,01_01,,,no,c", 'cmu,01_01,,,"hops, turns",d']  # fmt: skip
    path.write_text("\n".join(lines))
    found = table.read(path, "cmu")
    assert [(s.text, s.start, s.end) for s in found["01_01"]] == [
        ("hops, turns", 0, None),
        ("a person hops", 0.5, 2),
    ]
    path.write_text("dataset,clip,start_s,end_s,text\ncmu,1,x,,a\n")
    with pytest.raises(ValueError, match="line 2"):
        table.read(path, "cmu")
    path.write_text("dataset,clip,text\n")
    with pytest.raises(ValueError, match="no column 'end_s'"):
        table.read(path, "cmu")


def test_which_sentences_are_about_a_window() -> None:
    entry = Entry("a", "s", "g", "train", 0, 100, 0, (Caption(0, 0, 100), Caption(1, 40, 60)))
    empty = np.zeros(0)
    found = Cache(empty, empty, empty, (entry,), ("left", "x", "right"), text.none(0), np.array([2, 1, 0]))
    assert found.said(entry, 0, 30) == [0]
    assert found.said(entry, 45, 75) == [0, 1]
    assert found.said(entry, 50, 80) == [0]
    assert found.said(entry, 45, 75, mirror=True) == [2, 1]


@pytest.mark.skipif(
    importlib.util.find_spec(text.PACKAGE) is None or importlib.util.find_spec("transformers") is None,
    reason="the sentence encoder is not in this environment",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_encoder_puts_like_beside_like() -> None:
    encoder = text.Encoder()
    said = ["a person walks forward", "someone is walking ahead", "a person does a backflip"]
    e = encoder.embed(said)
    assert e.shape == (3, cache.EMBEDDING)
    assert e.dtype == np.float16
    e = e.astype(np.float32)
    assert np.allclose(np.linalg.norm(e, axis=-1), 1, atol=2e-3)
    assert e[0] @ e[1] > 0.6 > e[0] @ e[2]
    assert np.abs(encoder.embed(said[:1]) - e[:1]).max() < 2e-3, "padding beside longer ones does not count"


def test_another_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(WeightsError, match=re.escape("expected 53aa5117")):
        text.Encoder(tmp_path)
