"""Sentences for Bandai Namco's clips, ``dataset-N_ACTION_STYLE_TAKE``: what is done, and how.

The words were chosen by looking at the motion, where the name leaves it open: ``bye`` waves with the
right hand, ``byebye`` with both, ``respond`` raises the left hand, ``walk-left`` walks ahead bearing left.
"""

from __future__ import annotations

import re
from functools import cache

from ..take import Sentence
from .phrases import Manner, write

NAME = re.compile(r"dataset-\d+_(?P<action>[a-z-]+)_(?P<style>[a-z-]+)_\d+")

ACTIONS: dict[str, tuple[str, ...]] = {
    "walk": ("walk forward", "walk straight ahead", "take a walk", "go forward on foot", "walk", "pace forward"),
    "walk-back": ("walk backward", "walk backwards", "step back", "go backward step by step", "back away on foot"),
    "walk-left": ("walk to the left", "walk forward and +bear left", "walk diagonally to the left",
                  "head left at a walk"),
    "walk-right": ("walk to the right", "walk forward and +bear right", "walk diagonally to the right",
                   "head right at a walk"),
    "walk-turn-left": ("walk and +turn left", "walk forward, then +turn to the left", "turn left while walking",
                       "take a left turn at a walk", "walk around a corner to the left"),
    "walk-turn-right": ("walk and +turn right", "walk forward, then +turn to the right",
                        "turn right while walking", "take a right turn at a walk",
                        "walk around a corner to the right"),
    "run": ("run forward", "run", "run straight ahead", "jog forward", "go forward at a run"),
    "dash": ("dash forward", "sprint", "sprint forward", "dash ahead at full speed", "rush forward"),
    "bow": ("bow", "bow down", "bend forward in a bow", "make a bow", "greet with a bow"),
    "bye": ("wave goodbye with the right hand", "raise the right hand and +wave goodbye", "say goodbye with a wave",
            "wave with one hand to say goodbye"),
    "byebye": ("wave goodbye with both hands", "say goodbye with both hands", "wave both hands in farewell",
               "wave goodbye with two hands"),
    "call": ("call out to someone", "raise the hands to the mouth and +call", "shout to someone far away",
             "call somebody over"),
    "respond": ("respond by raising the left hand", "raise the left hand to answer", "answer a call with a hand",
                "put the left hand up in reply"),
    "guide": ("show the way with a hand", "guide someone with a gesture", "point out the way", "usher someone along",
              "gesture where to go"),
    "kick": ("kick", "throw kicks", "do a series of kicks", "practise kicks", "kick the air"),
    "punch": ("punch", "throw punches", "do a series of punches", "box with both fists", "punch the air"),
    "slash": ("slash with a sword", "swing a sword", "cut with a blade", "make slashes with a sword",
              "strike with a sword again and again"),
    "dance-short": ("dance", "do a short dance", "dance to music", "perform a dance", "dance with turns and steps"),
    "raise-up-left-hand": ("raise the left hand", "lift the left hand up", "put the left hand up",
                           "raise the left arm", "hold up the left hand"),
    "raise-up-right-hand": ("raise the right hand", "lift the right hand up", "put the right hand up",
                            "raise the right arm", "hold up the right hand"),
    "raise-up-both-hands": ("raise both hands", "lift both hands up", "put both hands up", "raise both arms",
                            "hold up both hands"),
    "wave-left-hand": ("wave the left hand", "wave with the left hand", "raise the left hand and +wave",
                       "wave to someone with the left arm"),
    "wave-right-hand": ("wave the right hand", "wave with the right hand", "raise the right hand and +wave",
                        "wave to someone with the right arm"),
    "wave-both-hands": ("wave both hands", "wave with both hands", "raise both hands and +wave",
                        "wave to someone with both arms"),
}  # fmt: skip

STYLES: dict[str, Manner] = {
    "normal": Manner(("", "normally", "in a neutral way", "in an ordinary way", "calmly")),
    "active": Manner(("energetically", "full of energy", "in a lively way", "actively", "with vigour"),
                     ("an energetic person", "a lively person", "an active person")),
    "angry": Manner(("angrily", "in anger", "in an angry way", "furiously", "full of rage"),
                    ("an angry person", "someone angry", "a furious person")),
    "childish": Manner(("like a child", "childishly", "in a childlike way", "playfully, as a child would"),
                       ("a child", "a playful child", "a little kid")),
    "chimpira": Manner(("like a thug", "with a swagger", "in a cocky, threatening way", "like a street punk"),
                       ("a thug", "a swaggering punk", "a cocky hooligan")),
    "elderly": Manner(("like an elderly person", "slowly, as old people do", "frailly", "with the stiffness of age"),
                      ("an elderly person", "an old man", "an old person", "a frail old person")),
    "exhausted": Manner(("exhausted", "wearily", "with no strength left", "in exhaustion", "dead tired"),
                        ("an exhausted person", "someone worn out", "a completely tired person")),
    "feminine": Manner(("in a feminine way", "like a woman", "gracefully, in a feminine style"),
                       ("a woman", "a lady", "a girl")),
    "giant": Manner(("like a giant", "heavily, like a giant", "with huge, heavy movements", "as if enormous"),
                    ("a giant", "a huge heavy creature", "a lumbering giant")),
    "happy": Manner(("happily", "joyfully", "in a happy mood", "cheerfully"),
                    ("a happy person", "someone happy", "a cheerful person")),
    "masculine": Manner(("in a masculine way", "like a man", "in a manly style"), ("a man", "a manly man")),
    "masculinity": Manner(("in a masculine way", "like a strong man", "in a manly style"),
                          ("a man", "a manly man", "a strong man")),
    "musical": Manner(("to the rhythm of music", "musically", "rhythmically", "like in a musical"),
                      ("a musical performer", "someone in a musical")),
    "not-confident": Manner(("without confidence", "timidly", "shyly", "hesitantly", "in an insecure way"),
                            ("a timid person", "an insecure person", "a shy person")),
    "old": Manner(("like an old person", "slowly, as old people do", "with a bent back", "feebly with age"),
                  ("an old person", "an old man", "a senior")),
    "proud": Manner(("proudly", "with pride", "with the chest out", "in a proud way"),
                    ("a proud person", "someone proud", "a self-important person")),
    "sad": Manner(("sadly", "in a sad mood", "with sorrow", "dejectedly"),
                  ("a sad person", "someone sad", "a depressed person")),
    "tired": Manner(("tiredly", "wearily", "in a tired way", "sluggishly"),
                    ("a tired person", "someone tired", "a weary person")),
    "youthful": Manner(("like a young person", "in a youthful way", "with youthful energy", "lightly, like a youth"),
                       ("a young person", "a youth", "a young adult")),
}  # fmt: skip

COUNT = 24
"""Sentences an action and style."""


def sentences(stem: str) -> tuple[Sentence, ...]:
    """Sentences of a file; none where its name is not of the collection's form."""
    found = NAME.fullmatch(stem)
    return _about(found["action"], found["style"]) if found else ()


@cache
def _about(action: str, style: str) -> tuple[Sentence, ...]:
    phrases = ACTIONS.get(action) or (action.replace("-", " "),)
    manner = STYLES.get(style) or Manner((f"in a {style.replace('-', ' ')} way",))
    return tuple(Sentence(text) for text in write(phrases, manner, COUNT, f"{action} {style}"))
