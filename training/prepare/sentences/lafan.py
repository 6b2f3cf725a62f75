"""Sentences for LAFAN1's takes, ``ACTIONn_subjectm``. Takes are minutes long and hold many acts."""

from __future__ import annotations

import re

from ..take import Sentence
from .phrases import write

NAME = re.compile(r"(?P<action>[a-zA-Z]+)\d*_subject\d+")
_ACTIONS: dict[str, tuple[str, ...]] = {
    "aiming": ("aim with a gun", "walk about and +aim a weapon"),
    "dance": ("dance", "dance freely"),
    "fallAndGetUp": ("fall down and +get up again", "fall to the ground and +rise"),
    "fight": ("fight", "move about in a fight"),
    "fightAndSports": ("fight and +do sports", "do martial arts and sports"),
    "ground": ("move on the ground", "crawl and +roll on the ground"),
    "jumps": ("jump about", "do various jumps"),
    "multipleActions": ("do one thing after another", "perform several actions"),
    "obstacles": ("get over obstacles", "walk, climb and +jump over obstacles"),
    "push": ("push something", "push against somebody"),
    "pushAndFall": ("be pushed and +fall", "get pushed over"),
    "pushAndStumble": ("be pushed and +stumble", "stumble after a push"),
    "run": ("run about", "run here and there"),
    "sprint": ("sprint", "sprint at full speed"),
    "walk": ("walk about", "walk here and there"),
}


def sentences(stem: str) -> tuple[Sentence, ...]:
    """Sentences of a file; none where its name is not of the collection's form."""
    found = NAME.fullmatch(stem)
    if not found:
        return ()
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", found["action"]).lower()
    return tuple(Sentence(t) for t in write(_ACTIONS.get(found["action"], (words,)), count=8, seed=stem))
