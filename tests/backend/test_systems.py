"""The network and its systems: saved, loaded, grown a joint stream, padded; and the diffusion chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from backend import features, service, weights
from backend.features import Inputs
from backend.nn import diffusion
from backend.nn.attention import Attention, rotary, turn
from backend.nn.denoiser import Architecture, Denoiser, patched, unpatched, widened
from backend.nn.kaa import ROUNDS
from backend.systems.base import Denoising, Interpolation
from backend.systems.mmdm import MMDM
from backend.systems.pose import Pose
from blender_addon.motion.errors import WeightsError
from blender_addon.motion.skeleton import CANONICAL, JOINTS

TINY = Architecture(pose_width=16, joint_width=8, heads=2, joint_heads=2, hidden=32, rounds=2)
SIZES = {
    "pose": replace(TINY, joint_width=0),
    "mmdm": TINY,
    "every second round": replace(TINY, every=2),
    "one frame a token": replace(TINY, patch=1),
    "three frames a token": replace(TINY, patch=3),
    "with a decoder": replace(TINY, decoder=2, decoder_width=8),
    **{kind: replace(TINY, joint_width=16, attention=kind) for kind in ROUNDS if kind != "kaa"},
}


def network(a: Architecture, seed: int = 0) -> Denoiser:
    """Random weights that say something; buffers as a calibration would leave them."""
    torch.manual_seed(seed)
    out = Denoiser(a)
    with torch.no_grad():
        for parameter in out.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    n = 60
    filling = torch.randn(n, out.mean.numel())
    out.calibrate(filling, 0.2 * torch.randn(n, features.CHANNELS))
    return out.eval()


def inputs(frames: int, batch: int = 2, seed: int = 0, padding: int = 0) -> Inputs:
    """Interpolated windows in their own frames, keyed at both ends and in the middle."""
    rng = torch.Generator().manual_seed(seed)
    total = frames + padding
    q = torch.nn.functional.normalize(
        torch.tensor([1.0, 0, 0, 0]) + 0.3 * torch.randn(batch, total, len(JOINTS), 4, generator=rng), dim=-1
    )
    root = torch.tensor([0.0, 0.93, 0.0]) + 0.1 * torch.randn(batch, total, 3, generator=rng)
    known = torch.zeros(batch, total, len(JOINTS), dtype=torch.bool)
    known[:, [0, frames // 2, frames - 1]] = True
    known[1:, frames // 2, 5:] = False
    valid = torch.arange(total).expand(batch, total) < frames
    offsets = torch.tensor(CANONICAL.offsets, dtype=torch.float32).expand(batch, -1, -1).clone()
    w = features.Window(q, root, offsets, known, known[..., 0].clone(), valid)
    return features.inputs(features.localise(features.interpolate(w))[0])


def answer(net: Denoiser, x: Inputs, step: int = diffusion.STEPS, seed: int = 3) -> Tensor:
    sample = torch.randn(x.base.shape, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        return net(x, sample, torch.full((len(x.base),), step))


def save(folder: Path, systems: dict[str, Denoising], half: bool) -> weights.Bundle:
    bundles = {name: s.to_bundle() for name, s in systems.items()}
    return weights.save(
        folder, {n: t for n, (_, t) in bundles.items()}, {n: e for n, (e, _) in bundles.items()}, family="open",
        licence="GPL-3.0-or-later", data=["none"], card="# test\n", metrics={}, half=half,
    )  # fmt: skip


@pytest.mark.parametrize("half", [False, True])
def test_systems_come_back_from_a_bundle(tmp_path: Path, half: bool) -> None:
    tasks = frozenset({"inbetween"})
    systems = {"mmdm": MMDM(network(TINY), tasks, 64, 4), "pose": Pose(network(SIZES["pose"]), tasks, 48, 3)}
    bundle = save(tmp_path / "tiny", systems, half)
    x = inputs(20)
    for name, system in systems.items():
        back = service.build(bundle, name)
        assert isinstance(back, type(system))
        assert (back.name, back.tasks, back.window, back.draws) == (name, tasks, system.window, system.draws)
        assert back.network.architecture == system.network.architecture
        assert not back.network.training
        mine, theirs = answer(system.network, x), answer(back.network, x)
        if half:
            assert (mine - theirs).abs().max() < 0.02 * mine.abs().max()
        else:
            assert torch.equal(mine, theirs)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    system = MMDM(network(TINY), frozenset({"inbetween"}), 64, 4)
    entry, tensors = system.to_bundle()
    tensors.pop("write.bias")
    bundle = weights.save(
        tmp_path / "b", {"mmdm": tensors}, {"mmdm": entry}, family="open", licence="x", data=["none"], card="x",
        metrics={},
    )  # fmt: skip
    with pytest.raises(WeightsError, match=r"write\.bias"):
        service.build(bundle, "mmdm")


def test_a_new_network_says_nothing() -> None:
    torch.manual_seed(0)
    for a in SIZES.values():
        assert not answer(Denoiser(a).eval(), inputs(12)).any()


def test_a_joint_stream_switched_on_changes_nothing_at_first() -> None:
    pose = network(SIZES["pose"])
    torch.manual_seed(9)
    grown = Denoiser(TINY).eval()
    missing, unexpected = grown.load_state_dict(pose.state_dict(), strict=False)
    assert missing
    assert not unexpected
    assert all("joint" in k or ".down." in k or ".gather." in k or ".back." in k for k in missing)
    for step in (0, 20, diffusion.STEPS):
        assert torch.equal(answer(grown, inputs(20), step), answer(pose, inputs(20), step))


def test_a_decoder_starts_with_the_encoders_guess_and_reads_the_encoder_once() -> None:
    torch.manual_seed(2)
    net = Denoiser(SIZES["with a decoder"]).eval()
    with torch.no_grad():
        net.write.bias.normal_()
    x = inputs(13)
    assert torch.equal(answer(net, x, 20), answer(net, x, diffusion.STEPS))
    net = network(SIZES["with a decoder"])
    sample = torch.randn(x.base.shape)
    mixed = torch.tensor([diffusion.STEPS, 7])
    with torch.inference_mode():
        encoded = net.encode(x)
        both = net(x, sample, mixed)
        assert torch.equal(both[0], encoded.guess[0])
        seventh = net.decode(encoded, sample, torch.tensor([7, 7]))[1]
        assert torch.allclose(both[1], seventh, atol=1e-6)
        assert not torch.allclose(seventh, encoded.guess[1], atol=1e-3)


@pytest.mark.parametrize("size", ["pose", "mmdm", "three frames a token"])
def test_a_network_that_reads_more_answers_as_before_where_the_new_is_zero(size: str) -> None:
    net = network(SIZES[size])
    state = net.state_dict()
    p = net.architecture.patch
    for name, new in (("read.weight", 23), ("read_joint.weight", 1)):
        if name in state:
            state[name] = state[name].unflatten(1, (p, -1))[..., :-new].flatten(1)
    wide = widened(state, net)
    grown = Denoiser(SIZES[size]).eval()
    grown.load_state_dict(wide)
    assert torch.allclose(answer(grown, inputs(12)), answer(net, inputs(12)), atol=1e-5)


def test_a_kind_of_round_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind of round"):
        Denoiser(replace(TINY, attention="sideways"))
    with pytest.raises(ValueError, match="one width"):
        Denoiser(replace(TINY, attention="joints and time"))


@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("frames", [2, 3, 7, 12, 13])
def test_any_length_gives_an_answer_of_its_length(size: str, frames: int) -> None:
    x = inputs(frames)
    out = answer(network(SIZES[size]), x)
    assert out.shape == x.base.shape
    assert bool(torch.isfinite(out).all())


@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("padding", [6, 12])
def test_padding_does_not_change_the_answer_for_valid_frames(size: str, padding: int) -> None:
    frames = 12  # whole tokens
    net = network(SIZES[size])
    plain, padded = inputs(frames), inputs(frames, padding=padding)
    # the same windows, then anything
    mixed = padded._replace(**{
        k: torch.cat((getattr(plain, k), getattr(padded, k)[:, frames:]), 1)
        for k in ("base", "positions", "rotation_known", "root_known", "since", "until", "trust", "surplus")
    })  # fmt: skip
    sample = torch.randn(mixed.base.shape, generator=torch.Generator().manual_seed(1))
    at = torch.full((2,), diffusion.STEPS)
    with torch.inference_mode():
        a, b = net(plain, sample[:, :frames], at), net(mixed, sample, at)[:, :frames]
    assert torch.allclose(a, b, atol=2e-5)


@pytest.mark.parametrize("size", sorted(SIZES))
def test_windows_of_a_batch_do_not_see_each_other(size: str) -> None:
    net, both = network(SIZES[size]), inputs(11)
    out = answer(net, both)
    for b in range(2):
        alone = Inputs(*(value[b : b + 1] for value in both))
        sample = torch.randn(both.base.shape, generator=torch.Generator().manual_seed(3))[b : b + 1]
        with torch.inference_mode():
            assert torch.allclose(
                net(alone, sample, torch.tensor([diffusion.STEPS])), out[b : b + 1], atol=2e-5
            )


def test_patches_come_apart_again() -> None:
    x = torch.randn(2, 11, 5)
    for p in (1, 2, 3, 4):
        assert torch.equal(unpatched(patched(x, p), p)[:, :11], x)


def test_attention_sees_relative_positions_only() -> None:
    cos, sin = rotary(20, 8, torch.device("cpu"))
    a, b = torch.randn(2, 8)
    scores = []
    for i in (0, 5, 16):
        here, later = slice(i, i + 1), slice(i + 3, i + 4)
        scores.append(
            float((turn(a[None], cos[here], sin[here]) * turn(b[None], cos[later], sin[later])).sum())
        )
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-4)
    joints = Attention(8, 2, rotary_positions=False).eval()
    x, order = torch.randn(1, 6, 8), torch.randperm(6)
    assert torch.allclose(joints(x)[:, order], joints(x[:, order]), atol=1e-5), "joints are a set"


# -- sampling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variation", [0, 1])
def test_known_channels_are_never_changed_and_every_evaluation_is_counted(variation: int) -> None:
    system = MMDM(network(TINY), frozenset({"inbetween"}), 64, 5)
    x, steps = inputs(16), []
    out = system.sample(x, variation, torch.Generator().manual_seed(1), lambda: steps.append(1))
    assert len(steps) == system.evaluations(variation) == (5 if variation else 1)
    known = features.known_channels(x)
    assert not out[known].any()
    assert out[~known].any()


def test_interpolation_says_nothing_in_one_step() -> None:
    steps: list[int] = []
    out = Interpolation().sample(inputs(9), 0, torch.Generator(), lambda: steps.append(1))
    assert not out.any()
    assert len(steps) == Interpolation().evaluations(0) == 1


@pytest.mark.parametrize("count", [1, 2, 4, 8, 50])
def test_strides_go_from_the_noisy_end_to_the_clean_one(count: int) -> None:
    chain = diffusion.strides(count)
    assert chain == sorted(chain, reverse=True)
    assert len(set(chain)) == count
    assert chain[0] == diffusion.STEPS - 1
    assert count == 1 or chain[-1] == 0


def test_the_chain_goes_from_the_clean_difference_to_noise() -> None:
    a = diffusion.alphas()
    assert a.shape == (diffusion.STEPS,)
    assert bool((a[1:] < a[:-1]).all())
    assert a[0] > 0.99
    assert a[-1] < 1e-3
    x0, noise = torch.randn(3, 4, 135), torch.randn(3, 4, 135)
    out = diffusion.noisy(x0, noise, torch.tensor([0, 25, diffusion.STEPS]))
    assert torch.allclose(out[0], x0[0], atol=0.5)
    expected = a[25].sqrt() * x0[1] + (1 - a[25]).sqrt() * noise[1]
    assert torch.allclose(out[1], expected)
    assert not out[2].any(), "no sample yet"


def test_a_perfect_prediction_leads_to_itself_from_anywhere() -> None:
    x0, noise = torch.randn(2, 5, 135), torch.randn(2, 5, 135)
    for now, following in ((49, 20), (20, 3)):
        x = diffusion.noisy(x0, noise, torch.tensor([now, now]))
        step = diffusion.ddim(x, x0, now, following)
        assert torch.allclose(step, diffusion.noisy(x0, noise, torch.tensor([following] * 2)), atol=1e-3)
    assert torch.equal(diffusion.ddim(x0, noise, 3, -1), noise)


def test_calibration_standardises() -> None:
    net = Denoiser(SIZES["pose"])
    rng = np.random.default_rng(0)
    filling = torch.tensor(rng.normal(2, 3, (500, net.mean.numel())), dtype=torch.float32)
    filling[:, 0] = 1.0  # never varies
    net.calibrate(filling, torch.tensor(rng.normal(0, 0.3, (500, 135)), dtype=torch.float32))
    assert torch.allclose(net.scale, torch.full((135,), 0.3), atol=0.05)
    assert float(net.deviation[0]) == pytest.approx(0.02)
    assert float(((filling - net.mean) / net.deviation)[:, 1:].std()) == pytest.approx(1, abs=0.05)
