"""RoPAR's parts, masks, tokens and system, on tiny real networks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import features, tasks
from backend.nn import autoregressive, parts, quantiser
from backend.nn.autoregressive import Sampling
from backend.nn.masked import Context, silence
from backend.nn.ropar import RoPAR as Networks
from backend.prompts import Prompts
from backend.systems.ropar import RoPAR, reconciled, stretches
from blender_addon.motion import constraints
from blender_addon.motion.constraints import TextSpan
from blender_addon.motion.skeleton import INDEX, JOINTS, MIRROR
from tests.training.material import swinging

J = len(JOINTS)
VAE = parts.Architecture(width=16, hidden=16, latent=4, depth=2)
TRANSFORMER = autoregressive.Architecture(width=16, heads=2, hidden=24, rounds=2, head_width=16, head_depth=1)


def networks(
    vae: parts.Architecture = VAE, transformer: autoregressive.Architecture = TRANSFORMER
) -> Networks:
    """Untrained, but none of its layers silent."""
    torch.manual_seed(0)
    found = Networks(vae, transformer).eval()
    for p in found.parameters():
        if p.ndim > 1 and not p.any():
            torch.nn.init.normal_(p, std=0.1)
    return found


def motion(
    seed: int = 0, frames: int = 30, batch: int = 2
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Channels ``(B, T, 135)``, offsets, valid."""
    clips = [swinging(seed + b, frames) for b in range(batch)]
    q = torch.tensor(np.stack([c.rotations for c in clips]), dtype=torch.float32)
    root = torch.tensor(np.stack([c.root_positions for c in clips]), dtype=torch.float32)
    offsets = torch.tensor(np.stack([c.skeleton.offsets for c in clips]), dtype=torch.float32)
    return (
        features.channels(features.to_matrix(q), root),
        offsets,
        torch.ones(batch, frames, dtype=torch.bool),
    )


# -- parts ---------------------------------------------------------------------------------------------------


def test_every_joint_is_in_one_part_and_every_part_has_root_and_spine() -> None:
    layout = parts.Layout(True)
    assert sorted(j for own in layout.own for j in own) == list(range(J))
    for rows, there in zip(layout.rows, layout.there, strict=True):
        assert {J, INDEX["pelvis"], INDEX["spine1"], INDEX["spine2"], INDEX["spine3"]} <= set(
            rows[there].tolist()
        )
    count = torch.zeros(J + 1).index_add(0, layout.rows.flatten(), layout.owned.flatten().float())
    assert (count == 1).all(), "each row is some part's own"
    whole = parts.Layout(False)
    assert len(whole) == 1
    assert whole.owned.all()


def test_right_parts_are_read_as_mirror_images_of_left_ones() -> None:
    channels, offsets, _ = motion()
    rows = parts.describe(channels, offsets)
    vae = networks().vae
    six = channels[..., :-3].unflatten(-1, (J, 6))[:, :, list(MIRROR)] * torch.tensor([1.0, -1, -1, -1, 1, 1])
    mirrored = torch.cat((six.flatten(2), channels[..., -3:] * torch.tensor([-1.0, 1, 1])), -1)
    other = parts.describe(mirrored, offsets[:, list(MIRROR)] * torch.tensor([-1.0, 1, 1]))
    here, there = vae.gather(rows), vae.gather(other)
    names = list(parts.PARTS)
    for left, right in (("left_arm", "right_arm"), ("left_leg", "right_leg")):
        a, b = names.index(left), names.index(right)
        assert torch.allclose(here[:, :, a], there[:, :, b], atol=1e-5)


@given(st.integers(0, 2**31), st.floats(0.1, 0.9))
@settings(max_examples=25, deadline=None)
def test_a_token_is_credible_where_the_mean_of_its_joints_passes(seed: int, tau: float) -> None:
    rng = np.random.default_rng(seed)
    confidence = torch.tensor(rng.uniform(0, 1, (1, 10, J)), dtype=torch.float32)
    confidence[torch.tensor(rng.random((1, 10, J)) < 0.02)] = 0
    valid = torch.ones(1, 10, dtype=torch.bool)
    found = parts.credible(
        parts.row_confidence(confidence, confidence[..., 0], valid), parts.Layout(True), tau
    )
    assert found.shape == (1, 3, 5)
    for n, frames in enumerate(([0, 1, 2, 3], [4, 5, 6, 7], [8, 9])):
        for p, own in enumerate(parts.PARTS.values()):
            values = confidence[0][frames][:, list(own)]
            assert bool(found[0, n, p]) == bool(values.mean() > tau and (values > 0).all())


def test_nothing_is_read_of_what_is_not_credible() -> None:
    channels, offsets, valid = motion(frames=32)
    vae = networks().vae
    confidence = torch.ones(2, 32, J)
    arm = list(parts.PARTS["left_arm"])
    confidence[:, 8:20, arm] = 0.1
    confidence[:, 12:16, list(parts.PARTS["torso"])] = 0.1
    rows = parts.row_confidence(confidence, confidence[..., 0], valid)
    tokens = parts.credible(rows, vae.layout)
    noisy = channels.clone()
    for j in arm:
        noisy[:, 8:20, 6 * j : 6 * j + 6] = torch.randn(2, 12, 6)
    for j in parts.PARTS["torso"]:
        noisy[:, 12:16, 6 * j : 6 * j + 6] = torch.randn(2, 4, 6)
    noisy[:, 12:16, -3:] = torch.randn(2, 4, 3)
    a, b = (vae.encode(x, offsets, rows, tokens, valid) for x in (channels, noisy))
    assert torch.equal(a[tokens], b[tokens])
    assert not torch.equal(a[~tokens], b[~tokens]) or not vae.present(rows, tokens)[~tokens].any()
    assert not vae.present(rows, tokens)[~tokens].any()


def test_padding_changes_nothing() -> None:
    channels, offsets, _ = motion(frames=22)
    vae = networks().vae
    longer = torch.cat((channels, torch.randn(2, 10, channels.shape[-1])), 1)
    found = []
    for x in (channels, longer):
        valid = torch.arange(x.shape[1]).expand(2, -1) < 22
        times = parts.token_frames(valid).any(-1)
        rows = torch.ones(*times.shape, J + 1) * times[..., None]
        tokens = times[..., None].expand(*times.shape, 5)
        z = vae.encode(x, offsets, rows, tokens, valid)
        found.append(vae.decode(z, valid)[:, :22])
    assert torch.allclose(found[0], found[1], atol=1e-5)


@pytest.mark.parametrize("changes", [{"parts": False}, {"shared": False}])
def test_comparisons_of_the_vae_run(changes: dict[str, bool]) -> None:
    channels, offsets, valid = motion()
    vae = networks(replace(VAE, **changes)).vae
    p = len(vae.layout)
    z = vae.encode(channels, offsets, torch.ones(2, 8, J + 1), torch.ones(2, 8, p, dtype=torch.bool), valid)
    assert z.shape == (2, 8, p, vae.latent)
    assert p * vae.latent == 5 * VAE.latent, "the same budget"
    assert vae.decode(z, valid).shape == channels.shape


def test_merging_what_describes_a_body_gives_it_back() -> None:
    channels, offsets, _ = motion()
    vae = networks().vae
    rows = quantiser.describe(channels, offsets)[..., : parts.WRITE]
    body = vae.merged(rows[:, :, vae.layout.rows], torch.ones(2, 30, 5, vae.layout.rows.shape[1]))
    assert torch.allclose(body, rows, atol=1e-5)


# -- masks ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_every_sequence_has_the_same_share_hidden_whatever_its_noise(
    seed: int, alpha: float, noisy: float, structured: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    credible = torch.rand(6, 9, 5, generator=generator) >= noisy * torch.rand(6, 1, 1, generator=generator)
    valid = torch.arange(9)[None] < torch.randint(1, 10, (6, 1), generator=generator)
    hidden = autoregressive.hide(credible, valid, torch.full((6,), alpha), generator, structured)
    here = valid[..., None].expand(credible.shape)
    assert not (hidden & ~here).any()
    assert hidden[here & ~credible].all(), "what is not credible is hidden always"
    for b in range(6):
        count, bad = int(here[b].sum()), int((here[b] & ~credible[b]).sum())
        least = bad + min(1, count - bad)  # something to learn
        share = float(torch.tensor(alpha) * count)  # in the precision that it is given in
        assert int(hidden[b].sum()) == max(round(share), least)


# -- transformer ---------------------------------------------------------------------------------------------


def a_map(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Context]:
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(2, 6, 5, VAE.latent, generator=g)
    valid = torch.arange(6)[None] < torch.tensor([[6], [4]])
    seen = torch.ones(2, 6, 3, dtype=torch.bool)
    return (
        z,
        torch.rand(2, 6, 5, generator=g) < 0.6,
        valid,
        Context(torch.randn(2, 3, 384, generator=g), seen),
    )


def test_no_gradient_comes_from_or_reaches_what_is_hidden_and_not_learnt() -> None:
    z, hidden, valid, said = a_map()
    net = networks().transformer
    assert net is not None
    learnt = hidden & valid[..., None]
    learnt[:, :, 1] = False  # not credible: hidden, never a target
    hidden[:, :, 1] = True
    z.requires_grad_(True)
    e = torch.randn(2, *z.shape)
    at = torch.randint(50, (2, 2, 6, 5))
    loss = net.loss(z, hidden, learnt, valid, said, e, at)
    (gradient,) = torch.autograd.grad(loss, z)
    assert not gradient[hidden & ~learnt].any()
    assert gradient[learnt].any()
    with torch.no_grad():
        spoiled = torch.where((hidden & ~learnt)[..., None], torch.full_like(z, 1e3), z)
        assert torch.equal(net.loss(spoiled, hidden, learnt, valid, said, e, at), loss)


def test_padding_and_silence_are_not_seen() -> None:
    z, hidden, valid, said = a_map()
    net = networks().transformer
    assert net is not None
    with torch.no_grad():
        out = net(z, hidden, valid, said)
        alone = net(z[1:, :4], hidden[1:, :4], valid[1:, :4], Context(said.vectors[1:], said.seen[1:, :4]))
        assert torch.allclose(out[1, :4], alone[0], atol=1e-5)
        quiet = net(z, hidden, valid, Context(said.vectors, torch.zeros_like(said.seen)))
        assert torch.allclose(quiet, net(z, hidden, valid, silence(2, 6)), atol=1e-6)
        assert not torch.allclose(quiet, out, atol=1e-4), "the text is heard"


@pytest.mark.parametrize("depth", [0, 1])
def test_sampling_fills_what_is_free_keeps_the_rest_and_knows_rows_by_their_generator(depth: int) -> None:
    z, free, valid, said = a_map()
    net = networks(transformer=replace(TRANSFORMER, head_depth=depth)).transformer
    assert net is not None
    calls: list[int] = []

    def draw(rows: slice, seeds: list[int]) -> torch.Tensor:
        return autoregressive.generate(
            net, z[rows], free[rows], valid[rows], Context(said.vectors[rows], said.seen[rows]),
            Sampling(steps=4, denoising=3), [torch.Generator().manual_seed(s) for s in seeds], lambda: calls.append(1),
        )  # fmt: skip

    out = draw(slice(0, 2), [5, 6])
    assert len(calls) == 4
    here = free & valid[..., None]
    assert torch.equal(out[~here], z[~here])
    assert (out[here] != z[here]).all()
    assert torch.allclose(draw(slice(1, 2), [6])[0], out[1], atol=1e-5)
    assert torch.isfinite(out).all()


def test_the_head_at_its_best_gives_back_the_token() -> None:
    """With the true velocity at every step DDIM ends at the token, whatever it starts from."""
    g = torch.Generator().manual_seed(3)
    target, x = torch.randn(7, 4, generator=g), torch.randn(7, 4, generator=g)
    chain = autoregressive.diffusion.strides(5)
    for at, following in zip(chain, [*chain[1:], -1], strict=True):
        a = autoregressive.diffusion.alphas()[at]
        noise = (x - a.sqrt() * target) / (1 - a).sqrt()
        v = a.sqrt() * noise - (1 - a).sqrt() * target
        x = autoregressive.diffusion.ddim(x, a.sqrt() * x - (1 - a).sqrt() * v, at, following)
    assert torch.allclose(x, target, atol=1e-4)


# -- the system ----------------------------------------------------------------------------------------------


def system() -> RoPAR:
    return RoPAR(
        networks(), frozenset({"text", "complete", "refine"}), 32, sampling=Sampling(steps=3, denoising=2)
    )


def run(request: constraints.Request) -> constraints.Result:
    return tasks.run(request, system(), lambda a, b: None, lambda: False)


def test_completion_keeps_what_is_known_to_the_bit_and_draws_the_rest() -> None:
    clip = swinging(1, 40)
    missing = np.zeros((40, J), bool)
    missing[10:30, list(parts.PARTS["left_arm"])] = True
    result = run(constraints.complete(clip, missing, seed=1))
    assert result.report["key_change"] == 0
    assert (np.abs(result.clips[0].rotations - result.baseline.rotations)[missing] > 1e-4).any()
    assert np.array_equal(result.clips[0].rotations[~missing], clip.rotations[~missing])


def test_refinement_draws_what_is_not_credible_and_only_smooths_the_rest() -> None:
    clip = swinging(2, 48)
    confidence = np.full((48, J), 0.9)
    leg = list(parts.PARTS["right_leg"])
    confidence[16:32, leg] = 0.1
    confidence[20, 3] = 1.0
    kept = run(constraints.refine(clip, confidence)).clips[0]
    smoothed = tasks.run(constraints.refine(clip, confidence, options={"feet": False}), tasks_smoothing(),
                         lambda a, b: None, lambda: False).clips[0]  # fmt: skip
    arm = list(parts.PARTS["left_arm"])
    assert np.allclose(kept.rotations[:, arm], smoothed.rotations[:, arm], atol=2e-3)
    assert np.array_equal(kept.rotations[20, 3], clip.rotations[20, 3])
    assert np.abs(kept.rotations[18:30, leg] - smoothed.rotations[18:30, leg]).max() > 1e-2


def tasks_smoothing() -> tasks.System:
    from backend.systems.base import BUILT_IN

    return BUILT_IN["smoothing"]


def test_where_nothing_is_credible_the_best_of_it_is_kept() -> None:
    clip = swinging(2, 24)
    found = run(constraints.refine(clip, 0.3)).clips[0]
    assert np.abs(found.root_positions - clip.root_positions).max() < 0.1, (
        "observed motion is not thrown away"
    )


def test_what_is_drawn_meets_what_is_settled_and_is_free_far_from_it() -> None:
    base, _, _ = motion(frames=90)
    drawn = torch.randn(2, 90, 135, generator=torch.Generator().manual_seed(1)).cumsum(1)
    settled = torch.zeros(2, 90, J + 1, dtype=torch.bool)
    settled[:, [4, 15]] = True
    out = reconciled(drawn, base, settled)
    assert torch.allclose(out[:, [4, 15]], base[:, [4, 15]], atol=1e-4)
    assert torch.allclose(out[:, 40:, :-3], drawn[:, 40:, :-3]), "beyond the reach"
    path = (out - drawn)[..., -3:]
    steps = path[:, 1:] - path[:, :-1]
    assert torch.allclose(steps[:, 4:15], steps[:, 4:5].expand(-1, 11, -1), atol=1e-4), "linear between"
    assert torch.allclose(path[:, 16:], path[:, 15:16].expand(-1, 74, -1), atol=1e-4), "constant beyond"
    free = reconciled(drawn, base, torch.zeros_like(settled))
    assert torch.equal(free[..., :-3], drawn[..., :-3])
    assert torch.allclose(free[:, 0, [-3, -1]], base[:, 0, [-3, -1]], atol=1e-5)
    assert torch.allclose(free[..., -2], drawn[..., -2])


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_a_constant_offset_in_a_short_gap_is_taken_back_whole(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    base = torch.randn(1, 30, 135, generator=g)
    drawn = base + torch.randn(1, 1, 135, generator=g)
    settled = torch.rand(1, 30, J + 1, generator=g) < 0.6
    settled[:, [0, -1]] = True
    assert torch.allclose(reconciled(drawn, base, settled), base, atol=1e-4)


def test_a_bundle_gives_the_same_system_back() -> None:
    vectors = np.eye(2, 384, dtype=np.float16)
    first = system()
    first.prompts = Prompts(["a walk", "a jump"], [2.0, 1.0], vectors, 0.9, 0.7)
    settings, tensors = first.to_bundle()
    second = RoPAR.from_bundle(settings, tensors)
    assert second.to_bundle()[0] == settings
    clip = swinging(1, 24)
    missing = np.zeros((24, J), bool)
    missing[4:20, 16:] = True
    request = constraints.complete(clip, missing, seed=3)
    a, b = (tasks.run(request, s, lambda x, y: None, lambda: False).clips[0] for s in (first, second))
    assert np.array_equal(a.rotations, b.rotations)


@given(st.integers(1, 400), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_stretches_cover_every_token_and_overlap(times: int, longest: int) -> None:
    found = stretches(times, longest)
    assert found[0][0] == 0
    assert found[-1][1] == times
    assert all(b - a <= max(longest, 2) for a, b in found)
    for (_, stop), (start, further) in pairwise(found):
        assert start < stop < further


def test_text_is_heard_in_one_piece_and_counted() -> None:
    clip = swinging(0, 90)
    request = constraints.text(clip, [TextSpan("a person walks", 0, 90)], seed=2)
    steps: list[tuple[int, int]] = []
    result = tasks.run(request, system(), lambda a, b: steps.append((a, b)), lambda: False)
    windows = len(stretches(23, 8))
    assert steps[-1] == (3 * windows, 3 * windows)
    assert len(steps) == 3 * windows + 1
    other = run(constraints.text(clip, [TextSpan("a person sits down", 0, 90)], seed=2))
    assert not np.allclose(other.clips[0].rotations, result.clips[0].rotations)
    assert np.allclose(result.clips[0].root_positions[0, [0, 2]], 0, atol=0.05)
