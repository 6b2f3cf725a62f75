"""Text-to-motion measured on embeddings of an evaluator: pure functions, numpy only.

Shapes: N motions, D dimensions. Embeddings come from evaluators of the project's own, so that figures
compare with each other and never with published ones. Whatever draws at random takes a seed.

With a few hundred clips FID is biased upwards by about 1 / N: compare equal N, show
:func:`fid_floor` beside it, and take KID, which is unbiased, as the main number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blender_addon.motion.rotations import Array

POOL = 32
TOP = (1, 2, 3)


# -- does the motion show what the text says? ------------------------------------------------------------


def pools(captions: Sequence[str], size: int = POOL, seed: int = 0) -> NDArray[np.intp]:
    """Groups of ``size`` items with ``size`` different captions, every item in at most one: ``(P, size)``.

    Captions repeat (a walk is a walk): two of one wording in a pool would count a right answer as wrong.
    Wordings are compared without case and outer spaces. Items left over are dropped.

    Raises:
        ValueError: not even one pool.
    """
    waiting: dict[str, list[int]] = {}
    order = np.random.default_rng(seed).permutation(len(captions))
    for i in map(int, order):
        waiting.setdefault(captions[i].strip().casefold(), []).append(i)
    if len(waiting) < size:
        raise ValueError(f"{len(waiting)} different captions, a pool needs {size}")
    found = []
    while len(waiting) >= size:
        # the commonest captions first (ties as drawn), so that few are left over
        chosen = sorted(waiting, key=lambda c: -len(waiting[c]))[:size]
        found.append([waiting[c].pop() for c in chosen])
        waiting = {c: rest for c, rest in waiting.items() if rest}
    return np.array(found)


def retrieval(
    texts: ArrayLike, motions: ArrayLike, groups: ArrayLike, top: Sequence[int] = TOP
) -> NDArray[np.bool_]:
    """R-precision, an answer an item: is the motion's own text among its ``k`` nearest of the pool?

    Guo et al. 2022 ("Generating Diverse and Natural 3D Human Motions from Text"): Euclidean distance from a
    motion to the texts of its pool. Ties count against the motion. R@k is the mean of a column.

    Args:
        texts, motions: ``(N, D)``, row by row belonging together.
        groups: ``(P, S)`` from :func:`pools`.
        top: the values of k.

    Returns:
        ``(P * S, len(top))``, pools one after the other.
    """
    texts, motions, groups = (
        np.asarray(texts, np.float64),
        np.asarray(motions, np.float64),
        np.asarray(groups),
    )
    found = []
    for g in groups:
        distance = _distances(motions[g], texts[g])
        own = np.diag(distance)[:, None]
        rank = (distance <= own).sum(1)  # 1: nothing else is as near
        found.append(rank[:, None] <= np.asarray(top))
    return np.concatenate(found)


def matching_distances(texts: ArrayLike, motions: ArrayLike) -> Array:
    """Distance of every motion to its own text ``(N,)``; their mean is MM-Dist (Guo et al. 2022)."""
    return np.linalg.norm(np.asarray(texts, np.float64) - np.asarray(motions, np.float64), axis=-1)


# -- is the whole like real motion? ----------------------------------------------------------------------


def kid(real: ArrayLike, made: ArrayLike) -> float:
    """Kernel distance: unbiased squared MMD with ``k(x, y) = (x . y / D + 1)^3``; may be below 0.

    Binkowski et al. 2018 ("Demystifying MMD GANs").

    Args:
        real: ``(N, D)``, N of 2 or more.
        made: ``(M, D)``, M of 2 or more.
    """
    x, y = np.asarray(real, np.float64), np.asarray(made, np.float64)
    if min(len(x), len(y)) < 2:
        raise ValueError("two embeddings on either side are needed")
    n, m = len(x), len(y)
    xx, yy, xy = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def kid_subsets(real: ArrayLike, made: ArrayLike, size: int = 100, count: int = 100, seed: int = 0) -> Array:
    """KID of random subsets ``(count,)``, as the paper reports it: their mean, and how it varies.

    Args:
        size: of a subset, drawn without replacement; at most what there is.
    """
    x, y = np.asarray(real, np.float64), np.asarray(made, np.float64)
    rng, size = np.random.default_rng(seed), min(size, len(x), len(y))
    draw = lambda a: a[rng.choice(len(a), size, replace=False)]  # noqa: E731
    return np.array([kid(draw(x), draw(y)) for _ in range(count)])


def _kernel(x: Array, y: Array) -> Array:
    return np.power(x @ y.T / x.shape[1] + 1, 3)


def fid(real: ArrayLike, made: ArrayLike) -> float:
    """Frechet distance of the Gaussians fitted to both: ``|m - n|^2 + tr(S + R - 2 (S R)^1/2)``.

    Heusel et al. 2017. The trace of the root is taken as that of the symmetric ``(S^1/2 R S^1/2)^1/2``, which
    has the same eigenvalues and no imaginary part.

    Args:
        real: ``(N, D)``; made: ``(M, D)``. At least 10 D rows each for a steady figure.
    """
    x, y = np.asarray(real, np.float64), np.asarray(made, np.float64)
    s, r = (np.atleast_2d(np.cov(a, rowvar=False)) for a in (x, y))
    root = _root(s)
    mixed = np.sqrt(np.clip(np.linalg.eigvalsh(root @ r @ root), 0, None)).sum()
    return float(np.square(x.mean(0) - y.mean(0)).sum() + np.trace(s) + np.trace(r) - 2 * mixed)


def _root(s: Array) -> Array:
    """Symmetric square root."""
    values, vectors = np.linalg.eigh(s)
    return np.matmul(vectors * np.sqrt(np.clip(values, 0, None)), vectors.T)


def fid_floor(real: ArrayLike, rounds: int = 20, seed: int = 0) -> Array:
    """FID between random halves of the real embeddings ``(rounds,)``: what no model can get below.

    Halves are half as many: compare with the FID of N / 2 made ones.
    """
    x, rng = np.asarray(real, np.float64), np.random.default_rng(seed)
    half = len(x) // 2
    orders = [rng.permutation(len(x)) for _ in range(rounds)]
    return np.array([fid(x[o[:half]], x[o[half : 2 * half]]) for o in orders])


# -- how much does it vary, and does it only remember? -------------------------------------------------------


def diversity(embeddings: ArrayLike, pairs: int = 300, seed: int = 0) -> Array:
    """Distances of random pairs of different motions ``(pairs,)``; their mean is Diversity.

    Guo et al. 2022. With fewer motions than pairs ask for, pairs share motions.
    """
    x, rng = np.asarray(embeddings, np.float64), np.random.default_rng(seed)
    if len(x) < 2:
        raise ValueError("two embeddings are needed")
    first = rng.integers(len(x), size=pairs)
    second = (first + rng.integers(1, len(x), size=pairs)) % len(x)
    return np.linalg.norm(x[first] - x[second], axis=-1)


def multimodality(embeddings: ArrayLike, pairs: int = 10, seed: int = 0) -> Array:
    """Mean distance of random pairs of motions of one text, a number a text ``(C,)``.

    Guo et al. 2022: 100 texts, 30 motions each, 10 pairs.

    Args:
        embeddings: ``(C, S, D)``, S motions for each of C texts.
    """
    x = np.asarray(embeddings, np.float64)
    return np.array([diversity(c, pairs, seed + k).mean() for k, c in enumerate(x)])


def nearest(made: ArrayLike, training: ArrayLike, block: int = 512) -> tuple[Array, NDArray[np.intp]]:
    """Distance of every made motion to the nearest training clip, and which one: is it only remembered?

    Set it beside the same of held-out real motion: a model that copies is nearer than reality is.

    Args:
        made: ``(N, D)``; training: ``(M, D)``; block: rows at a time.

    Returns:
        ``(N,)`` distances and ``(N,)`` indices.
    """
    x, y = np.asarray(made, np.float64), np.asarray(training, np.float64)
    index = np.concatenate([_distances(x[k : k + block], y).argmin(1) for k in range(0, len(x), block)])
    return np.linalg.norm(x - y[index], axis=-1), np.asarray(index, np.intp)


def _distances(x: Array, y: Array) -> Array:
    """``(N, D), (M, D) -> (N, M)``."""
    squares = np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T
    return np.sqrt(np.clip(squares, 0, None))
