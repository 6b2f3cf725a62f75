"""Kinematic Attention Aggregation (MMDM, sec. III-B), with a thin joint stream under a wide pose stream.

Each frame has one token a joint (and one for the root) and one learnable pose token. A round is

1. joint attention: within a frame, over its joint tokens and its pose token (projected to the joint
   stream's width); what the pose token gathered goes onto the pose stream;
2. time attention: over the pose tokens only, with the one large feed-forward;
3. aggregation: the pose token is projected back and added onto its joints.

So the price of time attention does not depend on the number of joints, and the price of the joint
tokens is that of a thin stream. With ``joint_width=0`` the joint stream is absent and this is a
plain pose-level transformer: the baseline that the tables compare with, and the network in which a
joint stream can be switched on later, since all its ways onto the pose stream start at zero.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import Attention, FeedForward, zero


class Round(nn.Module):
    """What a round of the encoder is: both streams in, both out.

    Attributes:
        joint_width: channels of the joint stream that it takes; 0: it takes none.
    """

    joint_width: int

    def forward(
        self, pose: Tensor, joints: Tensor | None, valid: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """``pose (B, T, C)``, ``joints (B, T, K, c)`` or None, ``valid (B, T)`` or None -> the streams."""
        raise NotImplementedError


class KAARound(Round):
    """One round: joints, time, back onto the joints."""

    def __init__(
        self,
        pose_width: int,
        joint_width: int,
        heads: int,
        joint_heads: int,
        hidden: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.joint_width = joint_width
        if joint_width:
            self.down = nn.Linear(pose_width, joint_width)
            self.joint_norm, self.joint_attention = (
                nn.LayerNorm(joint_width),
                Attention(joint_width, joint_heads, False, dropout),
            )
            self.gather = zero(nn.Linear(joint_width, pose_width))
            self.back = zero(nn.Linear(pose_width, joint_width))
            self.joint_norm2, self.joint_forward = (
                nn.LayerNorm(joint_width),
                FeedForward(joint_width, 2 * joint_width, dropout),
            )
        self.norm1, self.time_attention = (
            nn.LayerNorm(pose_width),
            Attention(pose_width, heads, True, dropout),
        )
        self.norm2, self.forward_ = nn.LayerNorm(pose_width), FeedForward(pose_width, hidden, dropout)

    def forward(
        self, pose: Tensor, joints: Tensor | None, valid: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """``pose (B, T, C)``, ``joints (B, T, K, c)`` or None -> the same."""
        b, t, _ = pose.shape
        if joints is not None:
            k = joints.shape[2]
            tokens = torch.cat((joints, self.down(pose)[:, :, None]), 2)  # (B, T, K + 1, c)
            seen = self.joint_attention(self.joint_norm(tokens).view(b * t, k + 1, -1)).view(b, t, k + 1, -1)
            joints = joints + seen[:, :, :k]
            pose = pose + self.gather(seen[:, :, k])
        pose = pose + self.time_attention(self.norm1(pose), valid)
        pose = pose + self.forward_(self.norm2(pose))
        if joints is not None:
            joints = joints + self.back(pose)[:, :, None]
            joints = joints + self.joint_forward(self.joint_norm2(joints))
        return pose, joints


# -- the paper's comparisons (Table VI), all with one width for joints and poses ---------------------


class AxialRound(Round):
    """Attention along joints (S), along time for every token (T), or both in turn (S&T).

    All tokens, joints and pose alike, go through one feed-forward: what this costs is what KAA saves.
    """

    def __init__(self, width: int, heads: int, hidden: int, joints: bool, time: bool) -> None:
        super().__init__()
        self.joint_width = width
        if joints:
            self.joint_norm, self.joint_attention = nn.LayerNorm(width), Attention(width, heads, False)
        if time:
            self.norm1, self.time_attention = nn.LayerNorm(width), Attention(width, heads, True)
        self.along_joints, self.along_time = joints, time
        self.norm2, self.forward_ = nn.LayerNorm(width), FeedForward(width, hidden)

    def forward(
        self, pose: Tensor, joints: Tensor | None, valid: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """See :meth:`Round.forward`."""
        assert joints is not None
        tokens = torch.cat((joints, pose[:, :, None]), 2)  # (B, T, K + 1, C)
        b, t, k, c = tokens.shape
        if self.along_joints:
            seen = self.joint_attention(self.joint_norm(tokens).view(b * t, k, c))
            tokens = tokens + seen.view(b, t, k, c)
        if self.along_time:
            lines = self.norm1(tokens).transpose(1, 2).reshape(b * k, t, c)
            mask = None if valid is None else valid.repeat_interleave(k, 0)
            tokens = tokens + self.time_attention(lines, mask).view(b, k, t, c).transpose(1, 2)
        tokens = tokens + self.forward_(self.norm2(tokens))
        return tokens[:, :, -1], tokens[:, :, :-1]


class AggregatedRound(Round):
    """KAA as published: one width, joints first or time first, one feed-forward on the pose token."""

    def __init__(self, width: int, heads: int, hidden: int, time_first: bool) -> None:
        super().__init__()
        self.joint_width, self.time_first = width, time_first
        self.joint_norm, self.joint_attention = nn.LayerNorm(width), Attention(width, heads, False)
        self.norm1, self.time_attention = nn.LayerNorm(width), Attention(width, heads, True)
        self.norm2, self.forward_ = nn.LayerNorm(width), FeedForward(width, hidden)

    def forward(
        self, pose: Tensor, joints: Tensor | None, valid: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """See :meth:`Round.forward`."""
        assert joints is not None
        if self.time_first:
            pose, joints = self._time(pose, joints, valid)
            return self._joints(pose, joints)
        pose, joints = self._joints(pose, joints)
        return self._time(pose, joints, valid)

    def _joints(self, pose: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
        tokens = torch.cat((joints, pose[:, :, None]), 2)
        b, t, k, c = tokens.shape
        tokens = tokens + self.joint_attention(self.joint_norm(tokens).view(b * t, k, c)).view(b, t, k, c)
        return tokens[:, :, -1], tokens[:, :, :-1]

    def _time(self, pose: Tensor, joints: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        pose = pose + self.time_attention(self.norm1(pose), valid)
        pose = pose + self.forward_(self.norm2(pose))
        return pose, joints + pose[:, :, None]


ROUNDS = ("kaa", "joints", "time", "joints and time", "kaa joints first", "kaa time first")
"""Kinds of round: Limber's own (thin joint stream), then the paper's S, T, S&T and its two KAA orders."""


def make_round(
    kind: str,
    pose_width: int,
    joint_width: int,
    heads: int,
    joint_heads: int,
    hidden: int,
    dropout: float = 0.0,
) -> Round:
    """A round of one of :data:`ROUNDS`.

    Raises:
        ValueError: an unknown kind, or two widths where both streams must have one.
    """
    if kind == "kaa":
        return KAARound(pose_width, joint_width, heads, joint_heads, hidden, dropout)
    if kind not in ROUNDS:
        raise ValueError(f"no kind of round {kind!r}; there are {', '.join(ROUNDS)}")
    if pose_width != joint_width:
        raise ValueError(f"{kind!r} has one width for poses and joints, not {pose_width} and {joint_width}")
    if kind.startswith("kaa"):
        return AggregatedRound(pose_width, heads, hidden, kind.endswith("time first"))
    return AxialRound(pose_width, heads, hidden, "joints" in kind, "time" in kind)
