"""Reading bone names: side, body word, number; and a map from them and the parents alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..skeleton import Skeleton
from . import words
from .bone_map import SIDES
from .preset import shared_prefix, strip_namespace

ARM = ("collar", "shoulder", "elbow", "wrist")
LEG = ("hip", "knee", "ankle", "foot")


@dataclass(frozen=True)
class Reading:
    """What a name says.

    Attributes:
        side: ``"left"``, ``"right"``, ``""`` for none, ``"?"`` for both.
        phrase: body words joined, without side, digits and noise.
        number: the last number in the name, -1 if there is none.
        helper: twist, control, prop, face, end bone ...: no limb whatever the rest says.
    """

    side: str
    phrase: str
    number: int
    helper: bool

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles this bone may play by its name, limb roles without side."""
        if self.helper or self.side == "?":
            return ()
        return (words.LIMBS if self.side else words.CENTRE).get(self.phrase, ())

    @property
    def finger(self) -> str:
        """The finger it belongs to, or ``""``."""
        phrase = self.phrase.removeprefix("hand").removeprefix("finger").removeprefix("f")
        phrase = phrase.removesuffix("finger")
        return next(iter(words.FINGERS.get(phrase, ())), "") if self.side in SIDES else ""


def read(name: str) -> Reading:
    """Read one name, namespace and shared prefix already removed."""
    sides: set[str] = set()
    kept: list[str] = []
    numbers: list[int] = []
    for word in split(name):
        if word.isdigit():
            numbers.append(int(word) if len(word) < 9 else -1)
            continue
        side, rest = _side(word)
        if side:
            sides.add(side)
        if rest:
            kept.append(rest)
    helper = any(w in words.HELPERS for w in kept)
    phrase = "".join(w for w in kept if w not in words.NOISE)
    side = "" if not sides else sides.pop() if len(sides) == 1 else "?"
    return Reading(side, phrase, numbers[-1] if numbers else -1, helper)


def split(name: str) -> list[str]:
    """Words of a name, lower-case, without diacritics; digits apart. ``"lShldr2"`` -> l, shldr, 2."""
    text = unicodedata.normalize("NFKD", name)
    text = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", text))  # é -> e, but ひじ stays
    text = re.sub(r"([左右])", r" \1 ", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    text = re.sub(r"(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)", " ", text)
    return [w for w in re.split(r"[\W_]+", text.casefold()) if w]


def _side(word: str) -> tuple[str, str]:
    """Side and rest of one word: ``"left"``, ``"lefthand"``, ``"lhand"``, ``"handr"``."""
    for side, tokens in zip(SIDES, (words.LEFT, words.RIGHT), strict=True):
        if word in tokens:
            return side, ""
    if word in words.VOCABULARY:
        return "", word
    for side in SIDES:
        if word.startswith(side):
            return side, word.removeprefix(side)
        if word.endswith(side):
            return side, word.removesuffix(side)
    for side, letter in zip(SIDES, "lr", strict=True):
        if word[0] == letter and word[1:] in words.LIMBS and len(word) > 3:
            return side, word[1:]
        if word[-1] == letter and word[:-1] in words.LIMBS and len(word) > 3:
            return side, word[:-1]
    return "", word


def read_all(skeleton: Skeleton) -> list[Reading]:
    """Every bone's reading, in the skeleton's order."""
    bare = [strip_namespace(n) for n in skeleton.names]
    prefix = shared_prefix(bare)
    return [read(n.removeprefix(prefix)) for n in bare]


def limb(
    skeleton: Skeleton, readings: Sequence[Reading], side: str, roles: Sequence[str]
) -> dict[str, tuple[tuple[int, ...], float]]:
    """The bones of one arm or leg by name and ancestry: role -> (bones parent first, confidence).

    Every line of named bones from the root down is laid onto the roles in order, the one that
    fills most of them wins; where two lines fill a role equally well with different bones, that
    role stays open.
    """
    named = {
        i: tuple(r for r in reading.roles if r in roles)
        for i, reading in enumerate(readings)
        if reading.side == side
    }
    named = {i: options for i, options in named.items() if options}
    above = {i: [a for a in reversed(skeleton.ancestors(i)) if a in named] for i in named}
    inner = {a for line in above.values() for a in line}
    best: list[tuple[float, dict[str, tuple[int, ...]]]] = []
    for leaf in named:
        if leaf not in inner:
            line = [*above[leaf], leaf]
            best += _lay(line, [named[i] for i in line], [readings[i] for i in line], roles)
    if not best:
        return {}
    top = max(score for score, _ in best)
    ways = [way for score, way in best if score > top - 1e-6]
    out: dict[str, tuple[tuple[int, ...], float]] = {}
    for role in roles:
        answers = Counter(way.get(role, ()) for way in ways)
        (bones, _), *others = answers.most_common()
        if bones and not others:
            vague = all(readings[b].phrase in words.VAGUE for b in bones) and len(ways[0]) < 3
            out[role] = (bones, 0.8 if vague else 0.9)
    return out


def _lay(
    line: Sequence[int], options: Sequence[tuple[str, ...]], readings: Sequence[Reading], roles: Sequence[str]
) -> list[tuple[float, dict[str, tuple[int, ...]]]]:
    """The best ways to lay a line of bones onto ``roles`` in order, with their score."""
    order = {r: k for k, r in enumerate(roles)}
    ways: list[tuple[float, int, dict[str, tuple[int, ...]]]] = [(0.0, -1, {})]
    for bone, mine, reading in zip(line, options, readings, strict=True):
        more = []
        for score, last, way in ways:
            more.append((score, last, way))  # not used
            for role in mine:
                k = order[role]
                if k > last:
                    worth = (1.0 if role == "collar" else 1.1) - 0.2 * (reading.phrase in words.VAGUE)
                    worth -= 0.1 * (role == "foot" and reading.phrase == "foot")  # the toes, in SMPL only
                    worth -= 0.4 * (role == "elbow" and reading.phrase == "arm")  # the upper arm, as a rule
                    more.append((score + worth, k, {**way, role: (bone,)}))
                elif k == last:
                    # In line with the bone before it: upperarm01, upperarm02; wrist, hand.
                    more.append((score + 0.01, k, {**way, role: (*way[role], bone)}))
        top = max(score for score, _, _ in more)
        ways = [w for w in more if w[0] > top - 2.5][:400]
    top = max(score for score, _, _ in ways)
    return [(score, way) for score, _, way in ways if score > top - 1e-6 and way]


def fingers(
    skeleton: Skeleton, readings: Sequence[Reading], wrists: Mapping[str, int]
) -> dict[str, tuple[str, ...]]:
    """Finger bones under each wrist, knuckle first, at most three; joints of a fan are left out."""
    out: dict[str, tuple[str, ...]] = {}
    for side, wrist in wrists.items():
        groups: dict[str, list[int]] = {}
        for i, reading in enumerate(readings):
            finger = reading.finger
            ends = {"end", "nub", "leaf", "tip", "ik", "ctrl"} & set(split(skeleton.names[i]))
            if finger and reading.side == side and not ends and wrist in skeleton.ancestors(i):
                groups.setdefault(finger, []).append(i)
        for finger, bones in groups.items():
            if all(a in skeleton.ancestors(b) for a, b in pairwise(bones)):
                out[f"{side}_{finger}"] = tuple(skeleton.names[b] for b in bones[:3])
    return out
