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


def pools(
    alike: ArrayLike, meanings: ArrayLike, near: int | None = None, size: int = POOL, seed: int = 0
) -> NDArray[np.intp]:
    """For each of N motions ``size - 1`` wrong answers out of M texts, each of another meaning. ``(N, size - 1)``.

    Captions repeat (a walk is a walk): two of one meaning in a pool would count a right answer as wrong. So
    each motion has a pool of its own: its text, and texts that are not alike, drawn at random.

    Args:
        alike: ``(N, M)``, texts that are no wrong answer to a motion.
        meanings: ``(M,)``, equal for texts of one meaning: a pool has at most one of them.
        near: the first so many texts are taken before the others (those of the measured clips, before
            training captions that fill pools up); None: all alike.

    Raises:
        ValueError: not enough texts for a motion's pool.
    """
    alike, meanings = np.asarray(alike, bool), np.asarray(meanings)
    rng, found = np.random.default_rng(seed), []
    far = np.arange(len(meanings)) >= (len(meanings) if near is None else near)
    for row in alike:
        order = np.lexsort((rng.random(len(meanings)), far))
        order = order[~row[order]]
        _, first = np.unique(meanings[order], return_index=True)
        chosen = order[np.sort(first)][: size - 1]
        if len(chosen) < size - 1:
            raise ValueError(f"{len(chosen) + 1} different captions, a pool needs {size}")
        found.append(chosen)
    return np.array(found, np.intp).reshape(-1, size - 1)


def retrieval(
    motions: ArrayLike, texts: ArrayLike, others: ArrayLike, wrong: ArrayLike, top: Sequence[int] = TOP
) -> NDArray[np.bool_]:
    """R-precision, an answer a motion: is its own text among the ``k`` nearest of its pool?

    Guo et al. 2022 ("Generating Diverse and Natural 3D Human Motions from Text"): Euclidean distance from a
    motion to the texts of its pool. Ties count against the motion. R@k is the mean of a column.

    Args:
        motions, texts: ``(N, D)``, row by row belonging together.
        others: ``(M, D)``, what pools are drawn from; wrong: ``(N, S)`` from :func:`pools`.
        top: the values of k.

    Returns:
        ``(N, len(top))``.
    """
    motions, others = np.asarray(motions, np.float64), np.asarray(others, np.float64)
    own = matching_distances(texts, motions)
    distance = np.linalg.norm(others[np.asarray(wrong, np.intp)] - motions[:, None], axis=-1)  # (N, S)
    rank = 1 + (distance <= own[:, None]).sum(1)
    return rank[:, None] <= np.asarray(top)


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


def fid_halves(real: ArrayLike, made: ArrayLike, rounds: int = 20, seed: int = 0) -> Array:
    """FID between a random half of the real and as many of the made ones ``(rounds,)``: beside :func:`fid_floor`."""
    x, y, rng = np.asarray(real, np.float64), np.asarray(made, np.float64), np.random.default_rng(seed)
    half = min(len(x), len(y)) // 2
    orders = [(rng.permutation(len(x))[:half], rng.permutation(len(y))[:half]) for _ in range(rounds)]
    return np.array([fid(x[a], y[b]) for a, b in orders])


def fid_floor(real: ArrayLike, rounds: int = 20, seed: int = 0) -> Array:
    """FID between random halves of the real embeddings ``(rounds,)``: what no model can get below."""
    return np.array([fid(a, b) for a, b in _halves(real, rounds, seed)])


def kid_floor(real: ArrayLike, rounds: int = 20, seed: int = 0) -> Array:
    """KID between random halves of the real embeddings ``(rounds,)``: about 0, and how far from it by chance."""
    return np.array([kid(a, b) for a, b in _halves(real, rounds, seed)])


def _halves(real: ArrayLike, rounds: int, seed: int) -> list[tuple[Array, Array]]:
    x, rng = np.asarray(real, np.float64), np.random.default_rng(seed)
    half = len(x) // 2
    orders = [rng.permutation(len(x)) for _ in range(rounds)]
    return [(x[o[:half]], x[o[half : 2 * half]]) for o in orders]


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
