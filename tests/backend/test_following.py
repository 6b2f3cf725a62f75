"""Following end to end: a steered filling, windows that join, DMS as a system, and what the result says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backend import control, features, following, service, tasks, weights
from backend.control import Control
from backend.nn import steered
from backend.nn.masked import silence
from backend.nn.steered import Steered
from backend.systems.base import BUILT_IN
from backend.systems.dms import DMS, guided, missed
from backend.systems.mmdm import MMDM
from blender_addon.motion import constraints
from blender_addon.motion.clip import rest_clip
from blender_addon.motion.errors import InvalidRequestError, JobCancelled
from blender_addon.motion.skeleton import INDEX
from tests.backend.conftest import waving
from tests.backend.test_systems import SIZES, inputs, network

WRIST = INDEX["left_wrist"]


def steering(spoken: bool = True, seed: int = 0) -> Steered:
    """A tiny steered denoiser; ``spoken``: its branch says something already."""
    base = network(SIZES["with a decoder"])
    torch.manual_seed(seed)
    out = Steered(base, steered.Architecture(width=16, heads=2, hidden=24, dropout=0.0)).eval()
    if spoken:
        with torch.no_grad():
            for name, parameter in out.named_parameters():
                if not name.startswith("base."):
                    parameter.add_(0.03 * torch.randn_like(parameter))
    return out


def told(frames: int, batch: int = 2) -> Control:
    """One wrist pinned at two frames."""
    targets, weight = torch.zeros(batch, frames, 22, 3), torch.zeros(batch, frames, 22)
    targets[:, :, WRIST] = torch.tensor([0.3, 1.0, 0.5])
    weight[:, [5, 9], WRIST] = 1.0
    none = torch.zeros(batch, frames)
    return Control(targets, weight, torch.zeros(batch, frames, 2), none > 0, none, none > 0)


def follow(frames: int = 60, fps: float = 30.0, **settings: object) -> constraints.Request:
    clip = waving(frames, fps)
    known = np.zeros((frames, 22), bool)
    known[frames // 2, WRIST] = True
    start = np.zeros((frames, 22), bool)
    start[0] = True
    return constraints.follow(
        clip, clip.positions() + [0.05, 0.1, 0.05], known, rotation_known=start, root_known=start[:, 0], **settings
    )  # type: ignore[arg-type]  # fmt: skip


def run(request: constraints.Request, system: object) -> constraints.Result:
    return tasks.run(request, system, lambda step, total: None, lambda: False)  # type: ignore[arg-type]


class TestSteeredFilling:
    def test_the_filling_is_on_the_path_and_faces_its_heading(self):
        frames = 20
        way = np.tile(np.array([2.0, 0, 1.0]), (frames, 22, 1)) * np.arange(frames)[:, None, None] / 19
        request = constraints.follow(
            rest_clip(frames), way,
            ground_known=np.ones(frames, bool), headings=np.linspace(0, 5, frames), heading_known=np.ones(frames, bool),
        )  # fmt: skip
        led = following.lead(request, tasks.to_grid(request))
        np.testing.assert_allclose(
            led.steered.root[0, :, ::2], np.linspace([0, 0], [2, 1], frames), atol=1e-5
        )
        turned = control.wrapped(control.yaw(led.steered.rotations[0, :, 0]) - torch.linspace(0, 5, frames))
        np.testing.assert_allclose(turned, 0, atol=1e-5)

    def test_known_places_stay(self):
        request = follow()
        led = following.lead(request, tasks.to_grid(request))
        np.testing.assert_allclose(led.steered.root[0, 0], request.clip.root_positions[0], atol=1e-6)

    def test_a_target_far_away_takes_the_root_along_one_nearby_does_not(self):
        clip = rest_clip(60)
        known = np.zeros((60, 22), bool)
        known[30, WRIST] = True
        near = constraints.follow(clip, clip.positions() + [0.0, 0.2, 0.2], known)
        led = following.lead(near, tasks.to_grid(near))
        np.testing.assert_allclose(led.steered.root[0, :, ::2], 0, atol=1e-6)
        assert near.targets is not None
        far = replace(near, targets=near.targets + [0, 0, 3.0])
        led = following.lead(far, tasks.to_grid(far))
        assert 2 < float(led.steered.root[0, 30, 2]) < 3.5

    @given(st.integers(1, 900))
    def test_windows_cover_every_frame_and_overlap(self, frames: int):
        found = following.windows(frames)
        assert found[0][0] == 0
        assert found[-1][1] == frames
        for (_, stop), (start, _) in pairwise(found):
            assert stop - start == following.KEPT + following.BLENDED
        assert all(stop - start <= following.LONGEST for start, stop in found)


class TestBranch:
    def test_an_untrained_branch_changes_nothing(self):
        net, x = steering(spoken=False), inputs(24)
        said = silence(2, 12)
        got = net.encode(x, told(24), said)
        np.testing.assert_array_equal(got.guess.detach(), net.base.encode(x).guess.detach())

    def test_a_target_at_the_origin_is_a_target(self):
        net, x = steering(), inputs(24)
        somewhere = told(24)
        origin = replace(somewhere, targets=torch.zeros_like(somewhere.targets))
        nothing = replace(origin, weight=torch.zeros_like(origin.weight))
        with torch.no_grad():
            a, b = (net.encode(x, c, silence(2, 12)).guess for c in (origin, nothing))
        assert (a - b).abs().max() > 1e-4

    def test_the_denoiser_takes_no_gradient(self):
        net, x = steering(), inputs(24)
        net.train()
        guess, drawn = net.answers(
            x, told(24), silence(2, 12), torch.randn_like(x.base), torch.tensor([3, 40])
        )
        (guess.square().sum() + drawn.square().sum()).backward()
        assert all(p.grad is None for p in net.base.parameters())
        assert sum(float(p.grad.abs().sum()) for p in net.layers.parameters() if p.grad is not None) > 0
        assert not net.base.training

    def test_guidance_comes_nearer(self):
        x = inputs(24)
        free, scale = ~features.known_channels(x), torch.full((features.CHANNELS,), 0.1)
        x0 = torch.zeros_like(x.base)
        after = guided(x0, x, told(24), scale, free)
        before = missed(x.base + x0 * scale * free, x, told(24))
        assert (missed(x.base + after * scale * free, x, told(24)) < 0.7 * before).all()
        assert not after[~free.expand_as(after)].any()


@pytest.mark.usefixtures("one_thread")
class TestFollow:
    @pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
    def test_a_hard_pin_is_met_and_the_key_is_kept(self, fps: float):
        for system in (BUILT_IN["interpolation"], DMS(steering(), frozenset({"follow"}), 32, 3)):
            result = run(follow(fps=fps), system)
            (pin,) = result.report["pins"]
            assert pin["joint"] == "left_wrist"
            assert pin["firm"] == 1
            assert pin["worst"] < 1e-3
            assert pin["missed"] == []
            assert result.report["key_change"] == 0

    def test_the_same_seed_gives_the_same_and_variations_differ(self):
        system = DMS(steering(), frozenset({"follow"}), 32, 3)
        first, again = (run(follow(variations=2, seed=5), system) for _ in range(2))
        for a, b in zip(first.clips, again.clips, strict=True):
            np.testing.assert_array_equal(a.rotations, b.rotations)
        assert np.abs(first.clips[0].rotations - first.clips[1].rotations).max() > 1e-3

    def test_long_ranges_have_no_seams(self):
        request = follow(300, trust=0.5)
        clip = run(request, DMS(steering(), frozenset({"follow"}), 32, 3)).clips[0]
        step = np.abs(np.diff(clip.positions(), axis=0)).max((1, 2))
        joins = [stop for _, stop in following.windows(300)[:-1]]
        for join in joins:
            assert step[join - 30 : join + 6].max() < 2 * step[40:].max()
        assert step[40:].max() < 5 * np.median(step)

    def test_motion_that_is_trusted_is_what_is_steered(self):
        request = follow(150, trust=0.9, options={"feet": False})
        got = run(request, BUILT_IN["interpolation"]).clips[0]
        away = np.linalg.norm(got.positions() - request.clip.positions(), axis=-1)
        assert away[[*range(30), *range(120, 150)]].max() < 1e-6
        assert away[75, WRIST] > 0.1

    def test_cancelling_ends_it_within_the_closing_too(self):
        seen = []

        def cancelled() -> bool:
            return len(seen) > 10

        with pytest.raises(JobCancelled):
            tasks.run(follow(), BUILT_IN["interpolation"], lambda step, total: seen.append(step), cancelled)
        assert len(seen) < 15

    def test_without_closing_the_network_speaks_for_itself(self):
        result = run(follow(options={"closing": False}), BUILT_IN["interpolation"])
        assert result.report["pins"][0]["worst"] > 0.05

    def test_progress_never_goes_back_and_ends_at_its_total(self):
        seen: list[tuple[int, int]] = []
        tasks.run(follow(variations=2), DMS(steering(), frozenset({"follow"}), 32, 3),
                  lambda step, total: seen.append((step, total)), lambda: False)  # fmt: skip
        assert [s for s, _ in seen] == sorted(s for s, _ in seen)
        assert seen[-1][0] == seen[-1][1] == max(s for s, _ in seen)

    def test_a_system_that_does_not_steer_is_refused(self):
        system = MMDM(network(SIZES["with a decoder"]), frozenset({"inbetween"}), 32, 3)
        with pytest.raises(InvalidRequestError, match="follow"):
            run(follow(), system)


def test_a_bundle_holds_the_shared_denoiser_once(tmp_path: Path):
    net = steering()
    systems = {
        "mmdm": MMDM(net.base, frozenset({"inbetween"}), 32, 3),
        "dms": DMS(net, frozenset({"follow"}), 32, 3),
    }
    entries = {n: s.to_bundle() for n, s in systems.items()}

    def save(names: list[str], folder: Path) -> weights.Bundle:
        return weights.save(folder, {n: entries[n][1] for n in names}, {n: entries[n][0] for n in names},
                            family="open", licence="none", data=["none"], card="# test\n", metrics={})  # fmt: skip

    both, alone = save(["mmdm", "dms"], tmp_path / "both"), save(["dms"], tmp_path / "alone")
    assert both.systems["dms"]["shares"] == {"base": "mmdm"}
    assert "shares" not in alone.systems["dms"]
    size = lambda b: (b.path / weights.MODEL).stat().st_size  # noqa: E731
    assert size(both) < 1.2 * size(alone)
    x = inputs(24)
    with torch.no_grad():
        a, b = (
            service.build(bundle, "dms").network.encode(x, told(24), silence(2, 12)).guess
            for bundle in (both, alone)
        )
    np.testing.assert_array_equal(a, b)
