"""Words that rigs use for bones, in the languages that turn up; data only.

Latin words are lower-case without diacritics. A phrase is what is left of a name after side,
digits and NOISE are taken out, its words joined: ``"Bip01 L UpperArm"`` -> ``"upperarm"``.
"""

from __future__ import annotations


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


LEFT = _set(
    "l left lft lt lf links linke linker linkes izq izda izquierda izquierdo gauche esq esquerda "
    "esquerdo sinistra sinistro sx 左"
)
RIGHT = _set(
    "r right rgt rt rechts rechte rechter rechtes der dcha derecha derecho droit droite dir direita "
    "direito destra destro dx 右"
)

NOISE = _set(
    "bone bones bn joint jnt jt def deform skin bind bip biped sk skl skel c m x mid center centre "
    "char character player human humanoid armature rig body base b j grp geo d ex bend"
)
"""Words that say nothing about which bone it is."""

HELPERS = _set(
    "twist roll ik fk pole poles target targets ctrl control controller ctl cntrl con prop props weapon "
    "socket slot handslot attach attachment helper help aux corrective jiggle physics phys cloth skirt "
    "hair tail wing wings breast bust boob butt buttock eye eyes jaw ear ears brow eyebrow lid eyelid "
    "tongue lip lips cheek teeth tooth nose nostril muscle mch vis wgt tweak parent pivot dummy null end "
    "nub leaf tip site effector share volume squash stretch swing sword shield gun bag hat cape item "
    "holder metacarpal carpal palm heel org root trans ear mouth face hold finger fingers thumb index "
    "middle ring pinky little 指 親指 捩 先"
)
"""A bone with one of these words is no limb, whatever else its name says."""

_CENTRE = {
    "pelvis": "pelvis hip hips waisthips becken hufte huefte cadera caderas bassin hanches quadril bacino "
    "下半身 腰 骨盆 尻",
    "spine": "spine torso chest abdomen upperchest lowerchest chestupper chestlower abdomenupper "
    "abdomenlower upperspine lowerspine spineupper spinelower spinemid midspine stomach belly ribcage "
    "ribs thorax back lowerback upperback waist upperbody upperbodys trunk wirbel wirbelsaule brust "
    "bauch rucken ruecken columna pecho espalda colonne torse poitrine buste coluna peito tronco schiena "
    "petto 上半身 胸 脊椎",
    "neck": "neck necklower neckupper lowerneck upperneck necktwist hals cuello cou pescoco collo 首",
    "head": "head skull kopf cabeza tete cabeca testa 頭 头",
}

_LIMBS = {
    "collar": "collar clavicle clav clavical collarbone scapula shoulderblade shoulder schlusselbein "
    "schluesselbein schulter hombro clavicula epaule clavicule ombro spalla 肩 鎖骨",
    "shoulder": "upperarm uparm armupper armup upperarms arm shoulder shldr bicep biceps humerus oberarm "
    "brazo brazosuperior bras braco braccio 腕 上腕",
    "elbow": "forearm arm lowerarm loarm lowarm armlower armlow elbow fore unterarm ellbogen antebrazo codo "
    "avantbras coude antebraco cotovelo avambraccio ひじ 肘 前腕",
    "wrist": "hand wrist handgelenk mano muneca main poignet mao pulso polso 手首 手",
    "hip": "thigh upleg upperleg legupper legup hip leg femur oberschenkel muslo pierna cuisse jambe coxa "
    "perna coscia gamba bein 足 太もも 大腿",
    "knee": "shin calf lowerleg lowleg loleg leglower leglow knee leg tibia crus unterschenkel knie "
    "pantorrilla rodilla mollet genou panturrilha joelho ginocchio ひざ 膝 すね 小腿",
    "ankle": "foot ankle feet fuss fus fuß fussgelenk knochel pie tobillo pied cheville pe tornozelo "
    "piede caviglia 足首",
    "foot": "toe toes toebase ball ballfoot football forefoot foot zehe zehen puntera orteil orteils つま先",
}

_FINGERS = {
    "thumb": "thumb daumen pulgar pouce polegar 親指",
    "index": "index indexfinger pointer zeigefinger indice 人指 人差指",
    "middle": "middle middlefinger mid mittelfinger medio majeur 中指",
    "ring": "ring ringfinger anular annulaire 薬指",
    "pinky": "pinky little pinkie littlefinger pinkyfinger kleinerfinger menique auriculaire 小指",
}

VAGUE = _set("shoulder arm leg hip foot back waist fore 足 手")
"""Phrases that stand for more than one thing; a neighbour or the structure has to decide."""


def _invert(table: dict[str, str]) -> dict[str, tuple[str, ...]]:
    out: dict[str, tuple[str, ...]] = {}
    for role, phrases in table.items():
        for phrase in phrases.split():
            out[phrase] = (*out.get(phrase, ()), role)
    return out


CENTRE = _invert(_CENTRE)
"""Phrase of a bone without side -> roles it may play."""

LIMBS = _invert(_LIMBS)
"""Phrase of a bone with a side -> limb roles it may play."""

FINGERS = _invert(_FINGERS)

VOCABULARY = frozenset(CENTRE) | frozenset(LIMBS) | frozenset(FINGERS) | NOISE | HELPERS
