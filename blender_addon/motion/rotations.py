"""Rotations as arrays: quaternions (wxyz), matrices, 6D, axis-angle and Euler angles.

Every function is batched over leading axes, keeps float32 and float64 as they come, and accepts
empty batches. Verbs are the names; the module is the namespace: ``rotations.multiply(a, b)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]

EULER_ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def _float(x: ArrayLike) -> Array:
    x = np.asarray(x)
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)


def identity(shape: Sequence[int] | int = (), dtype: np.dtype | type = np.float64) -> Array:
    """Identity quaternions of shape ``(*shape, 4)``."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    q = np.zeros((*shape, 4), dtype)
    q[..., 0] = 1
    return q


def normalize(v: ArrayLike, axis: int = -1) -> Array:
    """Scale vectors to unit length; zero vectors stay zero. ``(..., n) -> (..., n)``."""
    v = _float(v)
    if axis not in (-1, v.ndim - 1) or v.size < 1024:
        scale = np.abs(v).max(axis=axis, keepdims=True, initial=0)
        v = v / np.where(scale > 0, scale, 1)  # no under- or overflow in the squares
        n = np.linalg.norm(v, axis=axis, keepdims=True)
        return v / np.where(n > 0, n, 1)
    size = np.abs(v)  # the same; numpy is slow at reducing a last axis of three or four
    scale = size[..., 0].copy()
    for k in range(1, v.shape[-1]):
        np.maximum(scale, size[..., k], out=scale)
    v = v / np.where(scale > 0, scale, 1)[..., None]
    n = np.sqrt(np.einsum("...i,...i->...", v, v))
    v /= np.where(n > 0, n, 1)[..., None]
    return v


def multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """Hamilton product, rotation ``b`` first. ``(..., 4), (..., 4) -> (..., 4)``."""
    a, b = _float(a), _float(b)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    w = aw * bw - ax * bx - ay * by - az * bz
    out = np.empty((*np.shape(w), 4), np.result_type(a, b))
    out[..., 0] = w
    out[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    out[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    out[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return out


def inverse(q: ArrayLike) -> Array:
    """Conjugate of unit quaternions. ``(..., 4) -> (..., 4)``."""
    q = _float(q)
    return q * np.array([1, -1, -1, -1], q.dtype)


def rotate(q: ArrayLike, v: ArrayLike) -> Array:
    """Rotate vectors by unit quaternions. ``(..., 4), (..., 3) -> (..., 3)``."""
    q, v = _float(q), _float(v)
    w, a, b, c = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    x, y, z = v[..., 0], v[..., 1], v[..., 2]
    # t = 2 u x v, then v + w t + u x t; np.cross takes four times as long
    tx, ty, tz = 2 * (b * z - c * y), 2 * (c * x - a * z), 2 * (a * y - b * x)
    first = x + w * tx + (b * tz - c * ty)
    out = np.empty((*np.shape(first), 3), np.result_type(q, v))
    out[..., 0] = first
    out[..., 1] = y + w * ty + (c * tx - a * tz)
    out[..., 2] = z + w * tz + (a * ty - b * tx)
    return out


def between(a: ArrayLike, b: ArrayLike) -> Array:
    """Smallest rotation that takes direction ``a`` to ``b``. ``(..., 3), (..., 3) -> (..., 4)``.

    For opposite directions the axis is any perpendicular; for a zero vector it is the identity.
    """
    a, b = np.broadcast_arrays(normalize(a), normalize(b))
    w = 1 + (a * b).sum(-1, keepdims=True)
    q = np.concatenate([w, np.cross(a, b)], -1)
    side = np.where(np.abs(a[..., :1]) < 0.9, [1.0, 0, 0], [0, 1.0, 0]).astype(a.dtype)
    half_turn = np.concatenate([np.zeros_like(w), normalize(np.cross(a, side))], -1)
    zero = ~(np.abs(a).any(-1, keepdims=True) & np.abs(b).any(-1, keepdims=True))
    q = np.where(w < 1e-7 if a.dtype == np.float32 else w < 1e-14, half_turn, q)
    return np.where(zero, IDENTITY.astype(a.dtype), normalize(q))


def to_matrix(q: ArrayLike) -> Array:
    """``(..., 4) -> (..., 3, 3)``; the quaternion need not be exactly unit."""
    q = normalize(q)
    w, x, y, z = np.moveaxis(q, -1, 0)
    m = np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        axis=-2,
    )
    return m.astype(q.dtype, copy=False)  # numpy 1 makes float64 of a lone float32 times 2


def from_matrix(m: ArrayLike) -> Array:
    """``(..., 3, 3) -> (..., 4)``, w >= 0. Shepperd's method: divides by the largest component."""
    m = _float(m)
    t = np.stack(
        [
            1 + m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2],
            1 + m[..., 0, 0] - m[..., 1, 1] - m[..., 2, 2],
            1 - m[..., 0, 0] + m[..., 1, 1] - m[..., 2, 2],
            1 - m[..., 0, 0] - m[..., 1, 1] + m[..., 2, 2],
        ],
        -1,
    )
    a = m[..., 2, 1] - m[..., 1, 2]
    b = m[..., 0, 2] - m[..., 2, 0]
    c = m[..., 1, 0] - m[..., 0, 1]
    d = m[..., 0, 1] + m[..., 1, 0]
    e = m[..., 0, 2] + m[..., 2, 0]
    f = m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack(
        [
            np.stack([t[..., 0], a, b, c], -1),
            np.stack([a, t[..., 1], d, e], -1),
            np.stack([b, d, t[..., 2], f], -1),
            np.stack([c, e, f, t[..., 3]], -1),
        ],
        -2,
    )
    best = t.argmax(-1)[..., None, None]
    q = normalize(np.take_along_axis(rows, best, -2)[..., 0, :])
    return np.where(q[..., :1] < 0, -q, q).astype(m.dtype, copy=False)


def to_6d(q: ArrayLike) -> Array:
    """First two matrix columns (Zhou et al. 2019). ``(..., 4) -> (..., 6)``."""
    m = to_matrix(q)
    return np.concatenate([m[..., 0], m[..., 1]], -1)


def from_6d(d: ArrayLike) -> Array:
    """Gram-Schmidt on two columns (Zhou et al. 2019). ``(..., 6) -> (..., 4)``."""
    d = _float(d)
    x = normalize(d[..., :3])
    y = normalize(d[..., 3:] - (x * d[..., 3:]).sum(-1, keepdims=True) * x)
    return from_matrix(np.stack([x, y, np.cross(x, y)], -1))


def from_axis_angle(v: ArrayLike) -> Array:
    """Exponential map: axis times angle to quaternion. ``(..., 3) -> (..., 4)``."""
    v = _float(v)
    half = 0.5 * np.linalg.norm(v, axis=-1, keepdims=True)
    return np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * v], -1)


def to_axis_angle(q: ArrayLike) -> Array:
    """Logarithm: quaternion to axis times angle, angle in [0, pi]. ``(..., 4) -> (..., 3)``."""
    q = normalize(q)
    q = np.where(q[..., :1] < 0, -q, q)
    n = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(n, q[..., :1])
    length: Array = np.where(n > 0, angle / np.where(n > 0, n, 1), 2.0).astype(q.dtype)
    return q[..., 1:] * length


def from_euler(angles: ArrayLike, order: str) -> Array:
    """Intrinsic Euler angles in the written order. ``(..., 3) -> (..., 4)``.

    ``angles[..., i]`` belongs to axis ``order[i]``: ``R = R_order[0] @ R_order[1] @ R_order[2]``.
    """
    angles = _float(angles)
    q = identity(angles.shape[:-1], angles.dtype)
    for i, axis in enumerate(_axes(order)):
        h = 0.5 * angles[..., i]
        r = np.zeros_like(q)
        r[..., 0], r[..., 1 + axis] = np.cos(h), np.sin(h)
        q = multiply(q, r)
    return q


def to_euler(q: ArrayLike, order: str) -> Array:
    """Inverse of :func:`from_euler`; at gimbal lock the third angle is 0. ``(..., 4) -> (..., 3)``.

    The middle angle lies in [-pi/2, pi/2]. Near the pole it comes from atan2, not arcsine, so a
    middle angle close to pi/2 keeps its full precision.
    """
    i, j, k = _axes(order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    m = to_matrix(q)
    cos = np.hypot(m[..., i, i], m[..., i, j])
    middle = np.arctan2(sign * m[..., i, k], cos)
    locked = cos < (1e-6 if m.dtype == np.float32 else 1e-12)
    first = np.where(
        locked,
        np.arctan2(sign * m[..., k, j], m[..., j, j]),
        np.arctan2(-sign * m[..., j, k], m[..., k, k]),
    )
    # Near the pole first and third are each mostly noise; taking the third from what the first leaves
    # over keeps their sum right (Shoemake, Graphics Gems IV, "Euler angle conversion").
    c, s = np.cos(first), sign * np.sin(first)
    third = np.arctan2(sign * (c * m[..., j, i] + s * m[..., k, i]), c * m[..., j, j] + s * m[..., k, j])
    return np.stack([first, middle, np.where(locked, 0, third)], -1).astype(m.dtype)


def _axes(order: str) -> tuple[int, int, int]:
    if order not in EULER_ORDERS:
        raise ValueError(f"order must be one of {', '.join(EULER_ORDERS)}, not {order!r}")
    return "XYZ".index(order[0]), "XYZ".index(order[1]), "XYZ".index(order[2])


def continuous(q: ArrayLike, axis: int = 0) -> Array:
    """Flip signs so that neighbours along ``axis`` lie in the same half-space. Same shape."""
    q = np.moveaxis(_float(q), axis, 0)
    if len(q) > 1:
        flips = np.where(np.einsum("...i,...i->...", q[1:], q[:-1]) < 0, -1.0, 1.0)
        if (flips > 0).all():
            return np.moveaxis(q, 0, axis).copy()
        sign = np.concatenate([np.ones_like(flips[:1]), np.cumprod(flips, 0)])
        q = q * sign[..., None].astype(q.dtype)
    return np.moveaxis(q, 0, axis)


def slerp(a: ArrayLike, b: ArrayLike, t: ArrayLike) -> Array:
    """Spherical interpolation by the shorter way. ``(..., 4), (..., 4), (...) -> (..., 4)``."""
    a, b = _float(a), _float(b)
    t = _float(t)[..., None]
    dot = (a * b).sum(-1, keepdims=True)
    b = np.where(dot < 0, -b, b)
    # The angle from the chord is exact for near and far quaternions alike, arccos is not.
    angle = 2 * np.arctan2(
        np.linalg.norm(a - b, axis=-1, keepdims=True), np.linalg.norm(a + b, axis=-1, keepdims=True)
    )
    s = np.sin(angle)
    small = s < 1e-6
    s = np.where(small, 1, s)
    wa = np.where(small, 1 - t, np.sin((1 - t) * angle) / s)
    wb = np.where(small, t, np.sin(t * angle) / s)
    return normalize(wa * a + wb * b).astype(np.result_type(a, b))


def angle_between(a: ArrayLike, b: ArrayLike) -> Array:
    """Angle of the rotation from ``a`` to ``b``, [0, pi]. ``(..., 4), (..., 4) -> (...)``."""
    return np.linalg.norm(to_axis_angle(multiply(inverse(a), b)), axis=-1)


def swing_twist(q: ArrayLike, axis: ArrayLike) -> tuple[Array, Array]:
    """Split ``q = swing * twist`` with twist about ``axis``. ``(..., 4), (..., 3) -> 2 x (..., 4)``.

    Where the swing is a half turn the twist is undefined and taken as the identity.
    """
    q, axis = _float(q), normalize(axis)
    along = (q[..., 1:] * axis).sum(-1, keepdims=True)
    twist = np.concatenate([q[..., :1], along * axis], -1)
    lost = np.linalg.norm(twist, axis=-1, keepdims=True) < 1e-9
    twist = np.where(lost, IDENTITY.astype(q.dtype), normalize(twist))
    return multiply(q, inverse(twist)), twist


def mean(q: ArrayLike, weights: ArrayLike | None = None, axis: int = 0) -> Array:
    """Rotation that minimises the squared chord to all (Markley et al. 2007).

    ``(n, ..., 4) -> (..., 4)`` for ``axis=0``; ``weights`` broadcasts over the axis.
    """
    q = np.moveaxis(_float(q), axis, 0)
    w = np.ones(len(q)) if weights is None else _float(weights)
    w = w.reshape(len(q), *(1,) * (q.ndim - 2)) if w.ndim == 1 else w
    m = np.einsum("n...,n...i,n...j->...ij", np.broadcast_to(w, q.shape[:-1]), q, q)
    _, vectors = np.linalg.eigh(m)
    best = vectors[..., -1]
    return np.where(best[..., :1] < 0, -best, best).astype(q.dtype)
