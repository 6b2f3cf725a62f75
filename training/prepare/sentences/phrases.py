"""Sentences from a verb phrase and a manner: subjects, word forms and templates, many and grammatical.

A phrase is in base form and begins with its verb (``raise both hands``); the verb's third person and
its -ing form follow by spelling rules, further verbs are marked with ``+`` (``bend down and +pick
something up``).
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

PEOPLE = ("a person", "someone", "the person", "a figure", "the character", "somebody")
_DOUBLED = {"run", "jog", "stab", "chop", "step", "spin", "swim", "sit", "hit", "get", "jab", "stop", "nod",
            "hop", "put", "let", "slip", "drop", "flip", "grab", "dip", "pat", "slam", "rub"}  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """How something is done.

    Attributes:
        after: adverbs and phrases that follow the verb phrase (``"sadly"``, ``"like an old person"``).
        who: people who do things so (``"a sad person"``); empty: anybody.
    """

    after: tuple[str, ...] = ()
    who: tuple[str, ...] = ()


def third(phrase: str) -> str:
    """``wave and +say goodbye`` -> ``waves and says goodbye``."""
    return _each(phrase, _third)


def gerund(phrase: str) -> str:
    """``wave and +say goodbye`` -> ``waving and saying goodbye``."""
    return _each(phrase, _gerund)


def base(phrase: str) -> str:
    """Without the marks."""
    return phrase.replace("+", "")


def _each(phrase: str, change) -> str:  # type: ignore[no-untyped-def]
    first, _, rest = phrase.partition(" ")
    rest = re.sub(r"\+(\w+)", lambda m: change(m[1]), rest)
    return f"{change(first)} {rest}".strip()


def _third(verb: str) -> str:
    if verb in ("be", "have", "do", "go"):
        return {"be": "is", "have": "has", "do": "does", "go": "goes"}[verb]
    if re.search(r"(?:s|x|z|ch|sh)$", verb):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if re.search(r"[^aeiou]y$", verb) else f"{verb}s"


def _gerund(verb: str) -> str:
    if verb == "be":
        return "being"
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ing"
    if verb in ("lie", "die"):
        return f"{verb[:-2]}ying"
    return f"{verb[:-1]}ing" if re.search(r"[^eoy]e$", verb) else f"{verb}ing"


def write(
    phrases: Sequence[str], manner: Manner = Manner(), count: int = 24, seed: str = ""
) -> tuple[str, ...]:
    """Up to ``count`` different sentences; the same ones for the same arguments.

    Half of them name the manner behind the verb, half (where there are such people) by who it is.
    """
    after = manner.after or ("",)
    found: dict[str, None] = {}
    rng = random.Random(f"{seed}:{phrases}:{manner}")
    found[_join("a person", third(phrases[0]), after[0])] = None
    for _ in range(count * 12):
        if len(found) >= count:
            break
        phrase = rng.choice(phrases)
        if manner.who and rng.random() < 0.5:
            who, how = rng.choice(manner.who), ""
        else:
            who, how = rng.choice(PEOPLE), rng.choice(after)
        found[_shape(rng, who, phrase, how)] = None
    return tuple(found)


def _shape(rng: random.Random, who: str, phrase: str, how: str) -> str:
    kind = rng.randrange(6)
    if kind == 0:
        return _join(who, "is", gerund(phrase), how)
    if kind == 1 and who in PEOPLE:
        return _join(gerund(phrase), how)
    if kind == 2 and not who.startswith("the "):
        return _join("this is", who, gerund(phrase), how)
    return _join(who, third(phrase), how)


def _join(*parts: str) -> str:
    return " ".join(p for p in parts if p)
