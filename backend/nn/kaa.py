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


class KAARound(nn.Module):
    """One round: joints, time, back onto the joints."""

    def __init__(self, pose_width: int, joint_width: int, heads: int, joint_heads: int, hidden: int) -> None:
        super().__init__()
        self.joint_width = joint_width
        if joint_width:
            self.down = nn.Linear(pose_width, joint_width)
            self.joint_norm, self.joint_attention = (
                nn.LayerNorm(joint_width),
                Attention(joint_width, joint_heads, False),
            )
            self.gather = zero(nn.Linear(joint_width, pose_width))
            self.back = zero(nn.Linear(pose_width, joint_width))
            self.joint_norm2, self.joint_forward = (
                nn.LayerNorm(joint_width),
                FeedForward(joint_width, 2 * joint_width),
            )
        self.norm1, self.time_attention = nn.LayerNorm(pose_width), Attention(pose_width, heads, True)
        self.norm2, self.forward_ = nn.LayerNorm(pose_width), FeedForward(pose_width, hidden)

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
