"""A motion-text evaluator: two encoders into one space, trained by contrast (TMR, Petrovich et al. 2023).

Text-to-motion is measured by what such a pair of encoders says (:mod:`text_metrics`). Two come along
(:func:`installed`), of different seeds and shapes: models may be chosen by the first, and are reported by
the second. They are small, know the captions of this project's data, and compare models with each other;
their figures say nothing beside those of other evaluators.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from backend import features
from blender_addon.motion.clip import Clip
from blender_addon.motion.errors import WeightsError
from blender_addon.motion.skeleton import JOINTS

from .prepare.cache import EMBEDDING

LONGEST = 196
"""Frames that are looked at, at 30 a second."""
SHORTEST = 12
_J = len(JOINTS)
CHANNELS = 8 + 3 * (_J - 1) + 3 * _J + 6 * _J
"""Of :func:`describe`."""


@dataclass(frozen=True)
class Shape:
    """Sizes of an evaluator.

    Attributes:
        width, rounds, heads, hidden: of the motion's transformer.
        patch: frames that make one token.
        text_hidden: of the sentence's projection.
        space: dimensions of the common space.
        dropout: while training.
    """

    width: int = 160
    rounds: int = 4
    heads: int = 4
    hidden: int = 320
    patch: int = 4
    text_hidden: int = 256
    space: int = 64
    dropout: float = 0.1


SHAPES = {
    "choose": Shape(),
    "report": Shape(width=192, rounds=3, heads=6, hidden=384, patch=6, text_hidden=192, space=96),
}
"""The two evaluators: one to choose by, one only to report."""
SEEDS = {"choose": 1, "report": 2}


def describe(rotations: Tensor, root: Tensor, offsets: Tensor) -> Tensor:
    """Motion as a body sees it: whatever the heading and the place where it begins. ``(B, T, CHANNELS)``.

    Per frame: height, velocity and turning in the body's own heading, place and heading relative to the
    first frame; joints and their velocities in the own heading; local rotations as 6D, the pelvis' without
    its heading. Lengths in hip heights, a frame the unit of time.

    Args:
        rotations: ``(B, T, 22, 4)`` local quaternions; root: ``(B, T, 3)``; offsets: ``(B, 22, 3)`` metres.
    """
    scale = offsets[:, 0, 1].clamp(min=1e-3)
    root, offsets = root / scale[:, None, None], offsets / scale[:, None, None]
    pelvis = rotations[:, :, 0]
    half = torch.atan2(pelvis[..., 2], pelvis[..., 0])  # (B, T)
    yaw, zero = 2 * half, torch.zeros_like(half)
    back = torch.stack((torch.cos(half), zero, -torch.sin(half), zero), -1)  # heading -> +Z
    plain = torch.cat((features.multiply(back, pelvis)[:, :, None], rotations[:, :, 1:]), 2)
    matrices = features.to_matrix(plain)
    _, placed = features.forward_kinematics(matrices, torch.zeros_like(root), offsets)  # own heading
    begun = back[:, :1].expand_as(back)
    path = features.rotate(begun, root - root[:, :1])
    turned = yaw - yaw[:, :1]
    joints = placed + root[..., 1, None, None] * root.new_tensor([0.0, 1.0, 0.0])
    world = (
        features.rotate(_unturned(back)[:, :, None].expand(*placed.shape[:-1], 4), placed) + root[:, :, None]
    )
    step = _steps(world)
    velocity = features.rotate(back[:, :, None].expand(*step.shape[:-1], 4), step)  # (B, T, 22, 3)
    turning = _steps(yaw[..., None])
    turning = torch.atan2(torch.sin(turning), torch.cos(turning))
    own = torch.cat(
        (root[..., 1:2], velocity[:, :, 0, 0::2], turning, path[..., 0::2],
         torch.cos(turned)[..., None], torch.sin(turned)[..., None]), -1,
    )  # fmt: skip
    six = torch.cat((matrices[..., 0], matrices[..., 1]), -1)
    return torch.cat((own, joints[:, :, 1:].flatten(2), velocity.flatten(2), six.flatten(2)), -1)


def _unturned(q: Tensor) -> Tensor:
    return q * q.new_tensor([1.0, -1, -1, -1])


def _steps(x: Tensor) -> Tensor:
    """Differences along dimension 1; the first frame's is the second's."""
    d = x[:, 1:] - x[:, :-1]
    return torch.cat((d[:, :1], d), 1)


class Evaluator(nn.Module):
    """Encodes motion and sentences into one space.

    Embeddings have length ``sqrt(space)``, so that ``x . y / space`` is a cosine: KID's kernel and
    Euclidean ranks then mean what they should.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("deviation", torch.ones(CHANNELS))
        self.read = nn.Linear(shape.patch * CHANNELS, shape.width)
        layer = nn.TransformerEncoderLayer(
            shape.width, shape.heads, shape.hidden, shape.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.rounds = nn.TransformerEncoder(layer, shape.rounds, nn.LayerNorm(shape.width), False)
        self.out = nn.Linear(2 * shape.width, shape.space)
        self.text = nn.Sequential(
            nn.Linear(EMBEDDING, shape.text_hidden), nn.GELU(), nn.Dropout(shape.dropout),
            nn.Linear(shape.text_hidden, shape.space),
        )  # fmt: skip

    def motion(self, described: Tensor, valid: Tensor) -> Tensor:
        """Embeddings ``(B, space)`` of :func:`describe`'s motion.

        Args:
            described: ``(B, T, CHANNELS)``; valid: ``(B, T)`` bool, False for padding at the end.
        """
        p = self.shape.patch
        x = (described - self.mean) / self.deviation * valid[..., None]
        spare = -x.shape[1] % p
        x, valid = F.pad(x, (0, 0, 0, spare)), F.pad(valid, (0, spare))
        x = self.read(x.unflatten(1, (-1, p)).flatten(2))  # (B, N, W)
        there = valid.unflatten(1, (-1, p)).any(-1)  # (B, N)
        x = x + _positions(x.shape[1], x.shape[2]).to(x)
        x = self.rounds(x, src_key_padding_mask=~there)
        mean = (x * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        most = x.masked_fill(~there[..., None], -torch.inf).amax(1)
        return self._placed(self.out(torch.cat((mean, most), -1)))

    def sentence(self, embeddings: Tensor) -> Tensor:
        """Embeddings ``(B, space)`` of sentence embeddings ``(B, 384)``."""
        return self._placed(self.text(embeddings))

    def _placed(self, x: Tensor) -> Tensor:
        return F.normalize(x.float(), dim=-1) * self.shape.space**0.5

    # -- for the metrics --------------------------------------------------------------------------------

    @torch.inference_mode()
    def clips(self, clips: Sequence[Clip], batch: int = 64) -> np.ndarray:
        """``(N, space)`` float64 of clips on the canonical joints at 30 fps, any lengths.

        What lies beyond :data:`LONGEST` frames is not looked at.
        """
        out = np.zeros((len(clips), self.shape.space))
        order = sorted(range(len(clips)), key=lambda i: len(clips[i]))
        for at in range(0, len(order), batch):
            rows = order[at : at + batch]
            described, valid = padded([clips[i] for i in rows])
            out[rows] = self.motion(described, valid).double().numpy()
        return out

    @torch.inference_mode()
    def sentences(self, embeddings: np.ndarray) -> np.ndarray:
        """``(N, 384) -> (N, space)`` float64."""
        return self.sentence(torch.from_numpy(np.asarray(embeddings, np.float32))).double().numpy()


def padded(clips: Sequence[Clip]) -> tuple[Tensor, Tensor]:
    """Clips of any lengths, described: ``(B, T, CHANNELS)`` and which frames are there ``(B, T)``.

    Raises:
        ValueError: a clip that is not at 30 fps, or not on the canonical joints.
    """
    lengths = [min(len(c), LONGEST) for c in clips]
    longest = max(lengths)
    q = np.zeros((len(clips), longest, _J, 4), np.float32)
    root = np.zeros((len(clips), longest, 3), np.float32)
    for b, (c, n) in enumerate(zip(clips, lengths, strict=True)):
        if c.fps != 30 or c.skeleton.names != JOINTS:
            raise ValueError(
                f"{c.name or 'a clip'}: {c.fps} fps, {len(c.skeleton)} joints; 30 and {_J} expected"
            )
        frames = np.minimum(np.arange(longest), n - 1)  # padding holds the last pose: its velocity is none
        q[b], root[b] = c.rotations[frames], c.root_positions[frames]
    offsets = np.stack([c.skeleton.offsets for c in clips]).astype(np.float32)
    valid = np.arange(longest) < np.array(lengths)[:, None]
    t = torch.from_numpy
    return describe(t(q), t(root), t(offsets)), t(valid)


def _positions(count: int, width: int) -> Tensor:
    """Sinusoids (Vaswani et al. 2017). ``(count, width)``."""
    at = torch.arange(count)[:, None] * torch.exp(-np.log(1000.0) * torch.arange(0, width, 2) / width)
    return torch.stack((torch.sin(at), torch.cos(at)), -1).flatten(1)


# -- files -----------------------------------------------------------------------------------------------


def save(path: Path, evaluator: Evaluator, about: dict[str, object]) -> None:
    """One safetensors file, float16; the shape and ``about`` (data, seed, scores) in its header."""
    state = {k: v.detach().to(torch.float16).contiguous() for k, v in evaluator.state_dict().items()}
    if bad := [k for k, v in state.items() if not bool(torch.isfinite(v).all())]:
        raise WeightsError(f"{bad[0]} has values that are not finite as float16")
    save_file(state, path, {"shape": json.dumps(asdict(evaluator.shape)), "about": json.dumps(about)})


def load(path: Path) -> Evaluator:
    """Read an evaluator.

    Raises:
        WeightsError: not such a file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            shape = Shape(**json.loads((file.metadata() or {})["shape"]))
            state = {k: file.get_tensor(k).float() for k in file.keys()}  # noqa: SIM118 - no mapping
        evaluator = Evaluator(shape)
        evaluator.load_state_dict(state)
    except (SafetensorError, OSError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{path} is no evaluator: {error}") from error
    return evaluator.eval()


def installed(name: str) -> Evaluator:
    """One of the evaluators that come along: ``choose`` or ``report``."""
    return load(Path(str(files("training").joinpath("evaluators", f"{name}.safetensors"))))
