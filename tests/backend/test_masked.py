"""Masked generation: masks as published, tokens outside the edit kept, several durations in one batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.nn import masked as m
from backend.nn.masked import Architecture, Masked, Residual, Sampling
from backend.nn.quantiser import TOKENS

TINY = Architecture(width=16, heads=2, hidden=24, pose_width=32, pose_heads=2, pose_hidden=48, rounds=1,
                    residual_rounds=1, dropout=0.0)  # fmt: skip
CODES, LEVELS = 12, 3


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def networks() -> tuple[Masked, Residual]:
    torch.manual_seed(0)
    return Masked(TINY, CODES).eval(), Residual(TINY, CODES, LEVELS).eval()


def rows(*lengths: int) -> torch.Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def seeds(*values: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(v) for v in values]


@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=1, max_size=4))
@settings(deadline=None, max_examples=40)
def test_whole_frames_are_hidden_first_then_joints(seed: int, lengths: list[int]) -> None:
    valid = rows(*lengths)
    chosen = m.temporal_spatial(valid, torch.Generator().manual_seed(seed))
    assert not chosen[~valid].any()
    assert chosen.flatten(1).any(1).all()
    for b, n in enumerate(lengths):
        counts = chosen[b, :n].sum(-1)
        left = counts[counts < TOKENS]
        assert (left == left[:1]).all(), "the same number of joints in every frame that is left"


def test_the_share_that_is_hidden_follows_the_cosine() -> None:
    valid = rows(*(40,) * 2000)
    share = m.temporal_spatial(valid, torch.Generator().manual_seed(0)).float().flatten(1).mean(1)
    mean = 2 / torch.pi  # of the cosine over 0..1, for frames and for joints apart
    assert abs(float(share.mean()) - (1 - (1 - mean) ** 2)) < 0.02


def test_chosen_tokens_are_hidden_swapped_or_kept() -> None:
    codes = torch.randint(1000, (60, 30, TOKENS))
    chosen = torch.rand(codes.shape) < 0.5
    drawn = m.disturbance(codes.shape, 1000, torch.Generator().manual_seed(1))
    seen = m.replaced(codes, chosen, 1000, drawn)
    assert torch.equal(seen[~chosen], codes[~chosen])
    hidden = (seen[chosen] == 1000).float().mean()
    same = (seen[chosen] == codes[chosen]).float().mean()
    assert abs(float(hidden) - 0.9 * 0.88) < 0.01
    assert abs(float(same) - 0.9 * 0.12) < 0.01


def test_padding_changes_no_logit(networks: tuple[Masked, Residual]) -> None:
    tokens = torch.randint(CODES, (1, 5, TOKENS))
    longer = torch.cat((tokens, torch.full((1, 3, TOKENS), CODES)), 1)
    vectors = torch.randn(1, 2, m.TEXT)
    contexts = [m.Context(vectors, torch.ones(1, n, 2, dtype=torch.bool)) for n in (5, 8)]
    with torch.inference_mode():
        a = networks[0](tokens, rows(5), contexts[0])
        b = networks[0](longer, torch.tensor([[True] * 5 + [False] * 3]), contexts[1])
    assert torch.allclose(a, b[:, :5], atol=1e-5)


def test_text_is_read_only_where_it_is_said(networks: tuple[Masked, Residual]) -> None:
    """A round without attention across time would keep prompts apart; here the text attention alone is asked."""
    attention = networks[0].trunk.rounds[0].text
    x, seen = torch.randn(1, 6, 32), torch.zeros(1, 6, 2, dtype=torch.bool)
    seen[0, :3, 0] = seen[0, 3:, 1] = True
    said = torch.randn(1, 2, 32)
    other = said.clone()
    other[0, 1] += 1
    with torch.inference_mode():
        a, b = attention(x, said, seen), attention(x, other, seen)
    assert torch.equal(a[:, :3], b[:, :3])
    assert not torch.allclose(a[:, 3:], b[:, 3:])


def test_what_is_said_reaches_every_joint(networks: tuple[Masked, Residual]) -> None:
    tokens, valid = torch.randint(CODES, (1, 4, TOKENS)), rows(4)
    seen = torch.ones(1, 4, 1, dtype=torch.bool)
    with torch.inference_mode():
        a, b = (networks[0](tokens, valid, m.Context(torch.randn(1, 1, m.TEXT), seen)) for _ in "ab")
    assert ((a - b).abs().amax(-1) > 0).all()


def test_a_residual_level_reads_only_the_levels_below(networks: tuple[Masked, Residual]) -> None:
    codes = torch.randint(CODES, (2, 4, TOKENS, LEVELS))
    other = codes.clone()
    other[..., 1:] = torch.randint(CODES, other[..., 1:].shape)
    at, valid, nothing = torch.tensor([1, 1]), rows(4, 4), m.silence(2, 4)
    with torch.inference_mode():
        a, b = networks[1](codes, at, valid, nothing), networks[1](other, at, valid, nothing)
        assert torch.equal(a, b)
        assert not torch.equal(networks[1](codes, at + 1, valid, nothing), b)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_tokens_outside_the_edit_are_never_sampled(
    networks: tuple[Masked, Residual], temperature: float
) -> None:
    codes = torch.randint(CODES, (2, 6, TOKENS, LEVELS))
    free = torch.rand(2, 6, TOKENS) < 0.4
    steps = []
    out = m.generate(
        *networks, codes, free, rows(6, 6), m.silence(2, 6), Sampling(temperature=temperature),
        seeds(1, 2), lambda: steps.append(1),
    )  # fmt: skip
    assert torch.equal(out[~free], codes[~free])
    assert ((out >= 0) & (out < CODES)).all()
    assert len(steps) == 10 + LEVELS - 1


def test_several_durations_in_one_batch_are_each_what_they_are_alone(
    networks: tuple[Masked, Residual],
) -> None:
    valid, vectors = rows(7, 4), torch.randn(2, 3, m.TEXT)
    seen = valid[..., None].expand(2, 7, 3)
    codes = torch.full((2, 7, TOKENS, LEVELS), -1)
    free = torch.ones(2, 7, TOKENS, dtype=torch.bool)
    sampling = Sampling(steps=4)
    together = m.generate(*networks, codes, free, valid, m.Context(vectors, seen), sampling, seeds(5, 6), int)
    assert (together[1, 4:] == -1).all()
    alone = m.generate(
        *networks, codes[1:, :4], free[1:, :4], valid[1:, :4], m.Context(vectors[1:], seen[1:, :4]), sampling,
        seeds(6), int,
    )  # fmt: skip
    assert (alone == together[1:, :4]).float().mean() > 0.99, "but for ties of rounding"


def test_guidance_moves_away_from_what_is_said_to_nobody(networks: tuple[Masked, Residual]) -> None:
    tokens, valid = torch.randint(CODES, (1, 4, TOKENS)), rows(4)
    context = m.Context(torch.randn(1, 1, m.TEXT), torch.ones(1, 4, 1, dtype=torch.bool))
    silent = m.silence(1, 4)

    def network(c: m.Context, n: int) -> torch.Tensor:
        return networks[0](tokens.repeat(n, 1, 1), valid.repeat(n, 1), c)

    with torch.inference_mode():
        said, nothing = network(context, 1), network(silent, 1)
        assert torch.allclose(m._guided(network, context, 4.0), nothing + 4 * (said - nothing), atol=1e-4)
        assert torch.equal(m._guided(network, context, 1.0), said)


def test_codes_are_drawn_as_often_as_they_are_likely_and_none_of_the_tail() -> None:
    logits = torch.tensor([3.0, 1.0, 2.0, -2.0, 2.5, 0.0, -1.0, 0.5])
    many = 40_000
    which = torch.ones(1, many, 1, dtype=torch.bool)
    code, sure = m._drawn(logits.expand(many, -1), which, Sampling(keep=0.8), seeds(3))
    chance = logits.softmax(-1)
    order = chance.argsort(descending=True)
    kept = order[(chance[order].cumsum(0) - chance[order]) <= 0.8]
    expected = torch.zeros_like(chance).index_copy(0, kept, chance[kept] / chance[kept].sum())
    found = torch.bincount(code, minlength=len(logits)) / many
    assert torch.allclose(found, expected, atol=0.01)
    assert torch.allclose(sure, logits.log_softmax(-1)[code], atol=1e-6)


def test_logits_of_some_tokens_are_those_of_all(networks: tuple[Masked, Residual]) -> None:
    tokens, valid = torch.randint(CODES + 1, (2, 5, TOKENS)), rows(5, 3)
    some = torch.rand(tokens.shape) < 0.3
    codes, at = torch.randint(CODES, (2, 5, TOKENS, LEVELS)), torch.tensor([1, 2])
    with torch.inference_mode():
        every = networks[0](tokens, valid, m.silence(2, 5))
        assert torch.allclose(networks[0](tokens, valid, m.silence(2, 5), some), every[some], atol=1e-5)
        every = networks[1](codes, at, valid, m.silence(2, 5))
        assert torch.allclose(networks[1](codes, at, valid, m.silence(2, 5), some), every[some], atol=1e-5)


def test_it_learns_a_map_by_heart() -> None:
    torch.manual_seed(1)
    network = Masked(TINY, CODES)
    codes, valid = torch.randint(CODES, (1, 3, TOKENS)), rows(3)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(200):
        seen = torch.full_like(codes, CODES)
        logits = network(seen, valid, m.silence(1, 3))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 2), codes.flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    out = m.generate(
        network.eval(), None, torch.full((1, 3, TOKENS, 1), -1), torch.ones(1, 3, TOKENS, dtype=torch.bool),
        valid, m.silence(1, 3), Sampling(steps=1, temperature=0), seeds(0), int,
    )  # fmt: skip
    assert (out[..., 0] == codes).float().mean() > 0.9
