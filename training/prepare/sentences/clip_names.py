"""Sentences for the named clips of game characters: KayKit's, Mesh2Motion's, Mannequiny's.

``_ACTS`` holds what the clips show, by name without loop marks and variant letters; a name that is not
there becomes a phrase of its own words.
"""

from __future__ import annotations

import re

from ..take import Sentence
from .phrases import PEOPLE, write

_REST = re.compile(r"(?i)^(t[-_ ]?pose|a[-_ ]?pose|rest(?:[-_ ]?pose)?|bind(?:[-_ ]?pose)?)$")
_MARKS = re.compile(r"(?i)(?:[ _]loop|[ _]rm|[ _][a-c]|01)$")

_TEXT = """
melee 1h attack chop: chop down with a one-handed weapon | swing a one-handed weapon from above
melee 1h attack jump chop: jump and +chop down with a one-handed weapon | leap and +strike downward with a sword
melee 1h attack slice diagonal: slice diagonally with a one-handed weapon | swing a sword diagonally
melee 1h attack slice horizontal: slice sideways with a one-handed weapon | swing a sword from side to side
melee 1h attack stab: stab with a one-handed weapon | thrust a sword forward
melee 2h attack chop: chop down with a two-handed weapon | swing a heavy weapon down with both hands
melee 2h attack slice: slice with a two-handed weapon | swing a heavy weapon sideways with both hands
melee 2h attack spin: spin around once with a two-handed weapon | whirl around and +strike with both hands
melee 2h attack spinning: keep spinning with a two-handed weapon | whirl round and round with a heavy weapon
melee 2h attack stab: stab with a two-handed weapon | thrust a heavy weapon forward with both hands
melee 2h idle: stand ready with a two-handed weapon | hold a heavy weapon in both hands and +wait
melee block: raise a shield to block | block an attack
melee block attack: block and +strike back | attack from behind a shield
melee block hit: take a hit on the shield | be hit while blocking
melee blocking: hold a shield up | keep blocking with a shield
melee dualwield attack chop: chop with two weapons at once | strike down with a weapon in each hand
melee dualwield attack slice: slice with two weapons at once | swing a weapon in each hand
melee dualwield attack stab: stab with two weapons at once | thrust a weapon with each hand
melee unarmed attack kick: kick an enemy | do a fighting kick
melee unarmed attack punch: punch an enemy | throw a punch
melee unarmed idle: stand in a fighting stance with bare hands | wait with raised fists
ranged 1h aiming: aim a pistol with one hand | point a gun
ranged 1h reload: reload a pistol | load a small gun
ranged 1h shoot: shoot a pistol once | fire a gun with one hand
ranged 1h shooting: keep shooting a pistol | fire a gun again and again
ranged 2h aiming: aim a rifle | point a rifle with both hands
ranged 2h reload: reload a rifle | load a long gun
ranged 2h shoot: shoot a rifle once | fire a rifle
ranged 2h shooting: keep shooting a rifle | fire a rifle again and again
ranged bow aiming idle: hold a drawn bow and +aim | aim with bow and arrow
ranged bow draw: draw a bow | pull the string of a bow
ranged bow draw up: draw a bow upward | pull a bow and +aim at the sky
ranged bow idle: stand with a bow in hand | wait with a bow
ranged bow release: release an arrow | shoot an arrow
ranged bow release up: release an arrow upward | shoot an arrow into the sky
ranged magic raise: raise the hands to cast a spell | raise something by magic
ranged magic shoot: shoot a magic bolt | fire a spell
ranged magic spellcasting: cast a spell | work magic with the hands
ranged magic spellcasting long: cast a long spell | keep casting magic
ranged magic summon: summon something by magic | perform a summoning spell
death: die and +fall to the ground | collapse dead
death pose: lie dead on the ground | lie still
hit: get hit and +flinch | take a blow
idle: stand idle | stand and +wait
interact: interact with something in front | reach out and +touch something
pickup: pick something up from the ground | bend down and +pick something up
spawn air: appear and +drop from the air | land from the air
spawn ground: rise out of the ground | climb out of the ground
throw: throw something | throw an object
use item: use an item | use something held in the hand
crawling: crawl | crawl along the ground
crouching: walk in a crouch | move while crouching
dodge backward: dodge backward | jump back to dodge
dodge forward: dodge forward | leap forward to dodge
dodge left: dodge to the left | jump aside to the left
dodge right: dodge to the right | jump aside to the right
running holdingbow: run with a bow in hand | run and +hold a bow
running holdingrifle: run with a rifle in both hands | run and +hold a rifle
running strafe left: strafe left at a run | run sideways to the left
running strafe right: strafe right at a run | run sideways to the right
sneaking: sneak | walk stealthily
walking backwards: walk backwards | step backward
jump full long: jump far | do a long jump
jump full short: jump | do a short jump
jump idle: hang in the air during a jump | float in mid-jump
jump: hang in the air during a jump | be in the air
jump land: land from a jump | come down from a jump and +land
jump start: start a jump | crouch and +jump off
running: run | run forward
walking: walk | walk forward
cheering: cheer | raise the arms and +cheer
lie down: lie down on the ground | lie down
lie idle: lie on the ground | lie and +rest
lie standup: get up from lying | rise from the ground
push ups: do push-ups | exercise with push-ups
sit chair down: sit down on a chair | take a seat on a chair
sit chair idle: sit on a chair | sit still on a chair
sit chair standup: stand up from a chair | rise from a chair
sit floor down: sit down on the floor | sit down on the ground
sit floor idle: sit on the floor | sit on the ground
sit floor standup: stand up from the floor | get up from the ground
sit ups: do sit-ups | exercise with sit-ups
waving: wave a hand | wave hello
crouch fwd: walk forward in a crouch | sneak forward crouching
crouch idle: crouch and +wait | stay in a crouch
dance: dance | dance on the spot
driving: drive a car | sit and +steer a wheel
fixing kneeling: kneel and +repair something | fix something on one knee
hit chest: get hit in the chest | take a blow to the chest
hit head: get hit in the head | take a blow to the head
idle talking: stand and +talk | talk with gestures
idle torch: stand and +hold up a torch | hold a torch
jog fwd: jog forward | jog
pickup table: pick something up from a table | take something from a table
pistol aim down: aim a pistol downward | point a gun at the ground
pistol aim neutral: aim a pistol straight ahead | point a gun forward
pistol aim up: aim a pistol upward | point a gun up
pistol idle: stand with a pistol | wait with a gun in hand
pistol reload: reload a pistol | load a gun
pistol shoot: shoot a pistol | fire a gun
punch cross: throw a cross punch | punch across with the rear hand
punch enter: raise the fists to fight | take a boxing stance
punch jab: throw a jab | jab with the leading hand
push: push something heavy | push against something
roll: roll over on the ground | do a forward roll
sitting enter: sit down | take a seat
sitting exit: stand up from a seat | get up from sitting
sitting idle: sit still | sit and +wait
sitting talking: sit and +talk | talk while sitting
spell simple enter: raise a hand to cast a spell | begin a spell
spell simple exit: lower the hand after a spell | end a spell
spell simple idle: hold a spell ready | keep a spell going
spell simple shoot: shoot a spell from the hand | cast a spell forward
sprint: sprint | run as fast as possible
swim fwd: swim forward | swim
swim idle: tread water | float upright in water
sword attack: attack with a sword | swing a sword
sword idle: stand with a sword | wait with a sword in hand
walk formal: walk formally | walk upright and properly
walk: walk | walk forward
angry: show anger | be angry
backflip: do a backflip | flip backward through the air
bow: bow | bow politely
confused: look confused | scratch the head in confusion
consume item: eat or +drink something | bring something to the mouth and +consume it
crawl: crawl | crawl forward on hands and knees
dance body roll: dance with a body roll | do a body roll
dance charleston: dance the Charleston | do the Charleston
dance reach hip: dance with reaching arms and moving hips | dance and +reach out
defend: defend against an attack | raise the arms in defence
dizzy: stagger around dizzily | be dizzy and +sway
fighting idle: stand in a fighting stance | bounce in a fighting stance
fighting left jab: jab with the left hand | throw a left jab
fighting right jab: jab with the right hand | throw a right jab
flying forward: fly forward | glide forward through the air
flying forward super: fly forward like a superhero | fly with one fist forward
greeting: greet someone | wave hello
head nod: nod | nod the head
idle listening: stand and +listen | listen to someone
jumping jacks: do jumping jacks | exercise with jumping jacks
kneeling tired: kneel down tired | kneel in exhaustion
levitate entrance: rise into the air and +levitate | begin to levitate
levitate idle: levitate in the air | float in the air
meditate: meditate | sit cross-legged and +meditate
power up: gather power | power up with clenched fists
pushup: do a push-up | exercise with push-ups
reject: reject something | refuse with a gesture
run anime: run like an anime character | run with the arms stretched back
shivering: shiver | tremble with cold
sleeping: sleep | lie asleep
throw object: throw an object | throw something away
tired hunched: stand hunched and tired | bend over in exhaustion
two-hand blast: blast with both hands | shoot energy from two hands
victory: celebrate a victory | rejoice after winning
victory fist pump: pump a fist in victory | celebrate with a fist pump
air jump: jump in the air | do a second jump in the air
air jump anticipation: get ready to jump | prepare a jump
air land: land after a jump | come down and +land
dash: dash forward | rush forward
fight idle: stand in a fighting stance | wait ready to fight
fight kick: kick in a fight | do a fighting kick
fight punch: punch in a fight | throw a punch
idle to fight: take a fighting stance | go from standing to a fighting stance
run: run | run forward
"""
_ACTS = {
    name.strip(): tuple(p.strip() for p in phrases.split("|"))
    for name, phrases in (line.split(":", 1) for line in _TEXT.strip().splitlines())
}
COUNT = 12


def is_rest(name: str) -> bool:
    """Is the clip a pose to bind to, and no motion?"""
    return bool(_REST.match(name))


def words(name: str) -> str:
    """``Melee_2H_Attack_Chop`` -> ``melee 2h attack chop``; loops and variants lose their marks."""
    name = name.rsplit("|", 1)[-1]
    while (shorter := _MARKS.sub("", name)) != name and shorter:
        name = shorter
    name = re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z])", "~", name)
    plain = " ".join(name.replace("_", " ").replace("~", "").split()).lower()
    return plain if plain in _ACTS else " ".join(name.replace("_", " ").replace("~", " ").split()).lower()


def sentences(name: str) -> tuple[Sentence, ...]:
    """Sentences about a clip of that name."""
    if is_rest(name):
        return ()
    plain = words(name)
    if plain in _ACTS:
        return tuple(Sentence(text) for text in write(_ACTS[plain], count=COUNT, seed=plain))
    return tuple(Sentence(f"{who}: {plain}") for who in PEOPLE[:1])  # a name says what, not in what form
