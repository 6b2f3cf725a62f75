"""Finding the body in a skeleton by its form alone: parents and rest positions, no names.

Two legs are the longest pair of equal chains under one bone; the arms are such a pair further up
the tree, on the other side of the first from where the legs point. No axis is assumed to be up:
up is from hips to shoulders, ahead is where the feet point. What cannot be told is left open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..rotations import Array, normalize, rotate
from ..skeleton import Skeleton
from .bone_map import SIDES

SIMILAR = 0.12  # how much two chains of a pair may differ, relative to their length
RIVAL = 0.7  # a second pair this long relative to the first makes the choice a guess


@dataclass(frozen=True)
class Pair:
    """Two chains that mirror each other.

    Attributes:
        hub: the bone both hang on.
        chains: each chain's bones, from the hub outwards, along the longest way.
        length: how far the chains get from the hub at most; a face's chains wind on the spot.
    """

    hub: int
    chains: tuple[tuple[int, ...], tuple[int, ...]]
    length: float


class Body:
    """A skeleton's form, helper bones left out.

    Args:
        skeleton: the bones.
        ignored: indices of bones that are no part of the body, with everything below them.
    """

    def __init__(self, skeleton: Skeleton, ignored: set[int]) -> None:
        self.skeleton = skeleton
        q, self.p = skeleton.rest_global()
        self.tips = self.p + rotate(q, skeleton.tips)  # NaN where unknown
        n = len(skeleton)
        self.kids: list[list[int]] = [[] for _ in range(n)]
        self.reach = np.zeros(n)  # longest way from the bone's head to an end below it
        gone = set(ignored)
        for j in range(n):
            parent = int(skeleton.parents[j])
            if parent in gone:
                gone.add(j)
            elif parent >= 0 and j not in gone:
                self.kids[parent].append(j)
        self.kept = [j for j in range(n) if j not in gone]
        for j in reversed(self.kept):
            away = [self.step(j, k) + self.reach[k] for k in self.kids[j]]
            self.reach[j] = max([self._tip(j), *away])
        self.scale = float(np.ptp(self.p[self.kept], axis=0).max()) if self.kept else 0.0

    def step(self, a: int, b: int) -> float:
        """Distance between two bones' heads."""
        return float(np.linalg.norm(self.p[a] - self.p[b]))

    def chain(self, j: int) -> tuple[int, ...]:
        """From ``j`` outwards along the longest way; a twist bone on the last bone does not count."""
        out = [j]
        while self.kids[out[-1]]:
            last = out[-1]
            k = max(self.kids[last], key=lambda k: self.step(last, k) + self.reach[k])
            if self.step(last, k) + self.reach[k] < 0.7 * self._tip(last) and not self.kids[k]:
                break
            out.append(k)
        return tuple(out)

    def _tip(self, j: int) -> float:
        """Length of a bone's own shape, 0 where unknown."""
        length = float(np.linalg.norm(self.tips[j] - self.p[j]))
        return length if np.isfinite(length) else 0.0

    def pairs(self) -> list[Pair]:
        """Every pair of similar chains, longest first."""
        out = []
        for hub in self.kept:
            for a, b in combinations(self.kids[hub], 2):
                if (pair := self._pair(hub, a, b)) is not None:
                    out.append(pair)
        return sorted(out, key=lambda p: -p.length)

    def _pair(self, hub: int, a: int, b: int) -> Pair | None:
        chains = self.chain(a), self.chain(b)
        if len(chains[0]) != len(chains[1]):
            return None
        lengths = [
            np.array([self.step(x, y) for x, y in zip((hub, *c), c, strict=False)] + [self.reach[c[-1]]])
            for c in chains
        ]
        total = max(float(x.sum()) for x in lengths)
        if total <= 0 or np.abs(lengths[0] - lengths[1]).max() > SIMILAR * total:
            return None
        apart = np.linalg.norm(self.p[list(chains[0])] - self.p[list(chains[1])], axis=-1)
        if apart.max() < 0.02 * self.scale:
            return None
        away = [float(np.linalg.norm(_points(self, c) - self.p[hub], axis=-1).max()) for c in chains]
        return Pair(hub, chains, max(away))


def find(skeleton: Skeleton, ignored: set[int], sided: Mapping[int, str]) -> dict[str, tuple[int, ...]]:
    """Roles that the form gives away: role -> bones parent first. Empty where there is no body.

    Args:
        skeleton: the bones.
        ignored: bones to leave out (twist, control, prop bones by name).
        sided: bone -> ``"left"`` or ``"right"`` by name, used only where no foot shows the front.
    """
    body = Body(skeleton, ignored)
    found = _legs_and_arms(body)
    if found is None:
        return {}
    legs, arms = found
    out: dict[str, tuple[int, ...]] = {}
    leg_roles = [_leg(body, c) for c in legs.chains]
    arm_roles = [_arm(body, c) for c in arms.chains]
    hips = np.mean([body.p[c[0]] for c in legs.chains], axis=0)
    up = normalize(np.mean([body.p[r.get("shoulder", (c[0],))[0]] for r, c in
                            zip(arm_roles, arms.chains, strict=True)], axis=0) - hips)  # fmt: skip
    for limbs, pair in ((leg_roles, legs), (arm_roles, arms)):
        if limbs[0].keys() != limbs[1].keys():
            continue
        sides = _sides(body, pair, legs, leg_roles, up, sided)
        for side, roles in zip(sides, limbs, strict=True):
            if side:
                out.update({f"{side}_{role}": bones for role, bones in roles.items()})
    pelvis = _pelvis(body, legs)
    if pelvis is not None:
        out["pelvis"] = (pelvis,)
    out.update(_trunk(body, legs.hub if pelvis is None else pelvis, arms, up, hips))
    return out


def _legs_and_arms(body: Body) -> tuple[Pair, Pair] | None:
    """The two pairs that make a body, or None where there are none or it would be a guess."""
    pairs = body.pairs()
    above = {j: set(body.skeleton.ancestors(j)) for j in body.kept}
    found: list[tuple[Pair, Pair]] = []
    for legs in pairs:
        for arms in pairs:
            if legs.hub not in above[arms.hub] or not _body_like(body, legs, arms):
                continue
            found.append((legs, arms))
    if not found:
        return None
    best = max(found, key=lambda f: f[0].length + f[1].length)
    for legs, arms in found:
        same = {legs.chains, arms.chains} == {best[0].chains, best[1].chains}
        if not same and legs.length > RIVAL * best[0].length and arms.length > RIVAL * best[1].length:
            return None
    return best


def _body_like(body: Body, legs: Pair, arms: Pair) -> bool:
    """Whether two pairs stand to each other as a person's legs and arms do."""
    ends = {k: [body.p[list(c)] for c in pair.chains] for k, pair in (("legs", legs), ("arms", arms))}
    if any(len(c) < 2 for group in ends.values() for c in group):
        return False
    hips = np.mean([c[0] for c in ends["legs"]], axis=0)
    shoulders = np.mean([c[min(1, len(c) - 1)] for c in ends["arms"]], axis=0)
    trunk = float(np.linalg.norm(shoulders - hips))
    if not 0.25 < legs.length / max(trunk, 1e-9) < 4 or not 0.3 < arms.length / legs.length < 2.5:
        return False
    up = (shoulders - hips) / trunk
    down = [normalize(c[-1] - c[0]) for c in ends["legs"]]
    if max(float(d @ up) for d in down) > -0.5:
        return False
    across = [_across(ends[k]) for k in ("legs", "arms")]
    if abs(float(across[0] @ across[1])) < 0.9 or max(abs(float(a @ up)) for a in across) > 0.35:
        return False
    for group in ends.values():
        middle = (group[0] + group[1]) / 2 - hips
        if np.abs(middle @ across[0]).max() > 0.08 * body.scale:
            return False
    return True


def _across(chains: Sequence[Array]) -> Array:
    """Direction from one chain of a pair to the other, by their widest joints."""
    apart = chains[0] - chains[1]
    return normalize(apart[np.linalg.norm(apart, axis=-1).argmax()])


def _leg(body: Body, chain: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Hip, knee, ankle and toe along a chain of bones; empty where they cannot be told apart.

    The ankle is where the way turns off most, into the foot; the knee halves the way from hip to
    ankle. Further bones in line belong to the part they lie in.
    """
    p = _points(body, chain)
    far = [k for k in range(2, len(chain)) if _length(p[: k + 1]) > 0.45 * _length(p[: len(chain)])]
    bends = [k for k in far if _turn(p[: len(chain)], k) > 0.45] or [k for k in far if _turn(p, k) > 0.45]
    if not bends:  # radians; no foot turns off. Tips count second: importers make them up
        return {}
    k = max(bends, key=lambda m: _turn(p if m + 1 == len(chain) else p[: len(chain)], m))
    joints = _halves(p, range(k - 1), k, (0.6, 1.75))
    if joints is None or _length(p[k : len(chain)]) > 0.8 * _length(p[joints[0] : k + 1]):
        return {}
    i, j = joints
    out = {"hip": chain[i:j], "knee": chain[j:k], "ankle": chain[k : k + 1]}
    shin = _length(p[j : k + 1])
    far = [m for m in range(k + 1, len(chain)) if np.linalg.norm(p[m] - p[k]) > 0.15 * shin]
    if far and all(len(body.kids[b]) == 1 for b in chain[k : far[0]]):
        out["ankle"] = chain[k : far[0]]
        out["foot"] = chain[far[0] : far[0] + 1]
    return out


def _arm(body: Body, chain: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Collar, shoulder, elbow and wrist along a chain that may go on into a finger."""
    fans = (m for m, b in enumerate(chain) if _is_fan(body, b))
    hand = next(fans, None)
    p = _points(body, chain)
    ends = [hand] if hand is not None else [*range(2, len(chain)), len(chain)]  # the last is the tip
    best: list[tuple[float, int, int, int]] = []
    for k in ends:
        if k >= len(p) or (k == len(chain) and best):
            continue
        joints = _halves(p, range(min(3, k - 1)), k, (0.7, 1.55))
        rest = 0.0 if hand is not None else _length(p[k : len(chain)])  # a hand and its longest finger
        if joints is None or rest > 0.9 * _length(p[joints[1] : k + 1]):
            continue
        a, b = _length(p[joints[0] : joints[1] + 1]), _length(p[joints[1] : k + 1])
        best.append((abs(float(np.log(a / b))), *joints, k))
    if not best:
        return {}
    (score, i, j, k), *others = sorted(best)
    if others and others[0][0] < score + 0.25:
        return {}  # a long collar, or a long hand: two bones could be the wrist
    if i > 1 or (i == 1 and _length(p[:2]) > 0.9 * _length(p[i : j + 1])):
        return {}  # what lies before the upper arm is no collar
    out = {"shoulder": chain[i:j], "elbow": chain[j : min(k, len(chain))]}
    if k < len(chain):
        out["wrist"] = chain[k : k + 1]
    if i == 1:
        out["collar"] = chain[:1]
    return out


def _points(body: Body, chain: tuple[int, ...]) -> Array:
    """Heads along a chain and, where it is known, the last bone's end. ``(n or n + 1, 3)``."""
    p = body.p[list(chain)]
    tip = body.tips[chain[-1]]
    return np.vstack([p, tip]) if np.isfinite(tip).all() else p


def _length(p: Array) -> float:
    return float(np.linalg.norm(np.diff(p, axis=0), axis=-1).sum())


def _turn(p: Array, k: int) -> float:
    """Angle by which the way turns at point ``k``, radians; 0 at its ends."""
    if k == 0 or k + 1 >= len(p):
        return 0.0
    return float(np.arccos(np.clip(normalize(p[k] - p[k - 1]) @ normalize(p[k + 1] - p[k]), -1, 1)))


def _halves(p: Array, starts: Iterable[int], k: int, ratio: tuple[float, float]) -> tuple[int, int] | None:
    """Start and middle joint of a limb that ends at ``k``: its two parts about equally long.

    Of starts that leave most of the longest limb, the evenest one counts. Short bones before the
    limb (buttocks, hip joints without length) drop out.
    """
    found: list[tuple[float, float, int, int]] = []
    step = np.linalg.norm(np.diff(p, axis=0), axis=-1)
    for i in starts:
        for j in range(i + 1, k):
            a, b = _length(p[i : j + 1]), _length(p[j : k + 1])
            if min(step[i], step[j]) < 0.2 * a or step[k - 1] < 0.3 * b:
                continue  # a stub before the limb, or the hand taken for forearm
            if b > 0 and ratio[0] < a / b < ratio[1] and np.linalg.norm(p[k] - p[i]) > 0.5 * (a + b):
                found.append((a + b, abs(float(np.log(a / b))), i, j))
    if not found:
        return None
    longest = max(f[0] for f in found)
    _, _, i, j = min((f for f in found if f[0] > 0.7 * longest), key=lambda f: f[1] - 0.02 * f[2])
    return i, j


def _is_fan(body: Body, bone: int) -> bool:
    """Whether fingers spread from here: not just a twist bone beside the arm."""
    kids = body.kids[bone]
    return len(kids) > 3 or sum(bool(body.kids[k]) for k in kids) > 1


def _sides(
    body: Body,
    pair: Pair,
    legs: Pair,
    leg_roles: Sequence[Mapping[str, tuple[int, ...]]],
    up: Array,
    sided: Mapping[int, str],
) -> tuple[str, str]:
    """Which chain of a pair is left and which right; ("", "") where nothing tells."""
    ahead = np.zeros(3)
    for roles, chain in zip(leg_roles, legs.chains, strict=True):
        if "ankle" not in roles:
            continue
        ankle = roles["ankle"][0]
        end = body.p[chain[-1]] if chain[-1] != ankle else body.tips[ankle]
        if np.isfinite(end).all():
            ahead = ahead + (end - body.p[ankle])
    ahead = ahead - up * float(ahead @ up)
    chains = [body.p[list(c)] for c in pair.chains]
    across = _across(chains)  # from the second chain to the first
    if np.linalg.norm(ahead) > 0.08 * legs.length:
        left = np.cross(up, normalize(ahead))
        if abs(s := float(across @ left)) > 0.6:
            return SIDES if s > 0 else (SIDES[1], SIDES[0])
    named = [{sided[b] for b in c if b in sided} for c in pair.chains]
    if all(len(n) == 1 for n in named) and named[0] != named[1]:
        return named[0].pop(), named[1].pop()
    return "", ""


def _pelvis(body: Body, legs: Pair) -> int | None:
    """The bone nearest to the hips that carries the legs and all else, if it is near them at all.

    3ds Max's Biped hangs the thighs on the first spine bone; its pelvis is the bone before.
    """
    hips = np.mean([body.p[c[0]] for c in legs.chains], axis=0)
    line = [legs.hub]
    while (up := int(body.skeleton.parents[line[-1]])) >= 0 and len(body.kids[up]) == 1:
        line.append(up)
    distance = np.linalg.norm(body.p[line] - hips, axis=-1)
    nearest = int((distance + 1e-3 * legs.length * np.arange(len(line))).argmin())
    return line[nearest] if distance[nearest] < 0.4 * legs.length else None


def _trunk(body: Body, pelvis: int, arms: Pair, up: Array, hips: Array) -> dict[str, tuple[int, ...]]:
    """Spine, neck and head between and above the two hubs."""
    line = [arms.hub]
    while line[-1] != pelvis:
        line.append(int(body.skeleton.parents[line[-1]]))
    spine = list(reversed(line[:-1]))
    out: dict[str, tuple[int, ...]] = {}
    across = _across([body.p[list(c)] for c in arms.chains])
    taken = {c[0] for c in arms.chains}

    def middle(bone: int) -> bool:
        return abs(float((body.p[bone] - hips) @ across)) < 0.03 * body.scale

    def rises(bone: int) -> bool:  # by where it leads: CMU's neck has no length
        return float(((_points(body, body.chain(bone)) - body.p[arms.hub]) @ up).max()) > 0.03 * body.scale

    tops = [k for k in body.kids[arms.hub] if k not in taken and middle(k) and rises(k)]
    shoulders = np.mean([body.p[c[min(1, len(c) - 1)]] for c in arms.chains], axis=0)
    if len(tops) > 1:
        high = [float(((_points(body, body.chain(k)) - body.p[arms.hub]) @ up).max()) for k in tops]
        tops = [] if sorted(high)[-1] < 1.5 * sorted(high)[-2] else [tops[int(np.argmax(high))]]
    if tops:
        bones = [tops[0]]
        while len(body.kids[bones[-1]]) == 1 and middle(body.kids[bones[-1]][0]):
            bones.append(body.kids[bones[-1]][0])
        hub_is_neck = (
            len(bones) == 1 and len(spine) > 1
            and float((body.p[arms.hub] - shoulders) @ up) > -0.02 * body.scale
        )  # fmt: skip
        if hub_is_neck:  # 3ds Max's Biped hangs the clavicles on the neck
            out["neck"] = (spine.pop(),)
        neck, head = _head(body, bones, float(np.linalg.norm(shoulders - hips)))
        if neck:
            out["neck"] = tuple(neck)
        if head is not None:
            out["head"] = (head,)
    if spine:
        out["spine"] = tuple(spine)
    return out


def _head(body: Body, bones: Sequence[int], trunk: float) -> tuple[Sequence[int], int | None]:
    """Neck bones and head among the bones that rise from the chest; None where it is a guess."""
    while len(bones) > 1 and body.step(bones[-2], bones[-1]) < 0.02 * trunk:
        bones = bones[:-1]  # Rigify's face sits on the head bone
    if len(bones) == 1:
        return (), bones[0]
    first = body.step(bones[0], bones[1])
    if first > 0.4 * trunk:  # too long for a neck: the head, and a marker on top of it
        return (), bones[0] if len(bones) == 2 and first > 0.45 * trunk else None
    if len(bones) == 2 or len(body.kids[bones[-1]]) > 1:  # ... or a face hangs on the last
        return bones[:-1], bones[-1]
    if body.step(bones[-2], bones[-1]) > 1.8 * body.step(bones[-3], bones[-2]):  # a marker on top
        return bones[:-2], bones[-2]
    return bones[:1], None
