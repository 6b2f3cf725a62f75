"""The joint-level quantiser: a map of true joints, any length, codebooks that are used and learn."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import features
from backend.nn import quantiser as q
from backend.nn.quantiser import Architecture, Quantiser, ResidualCodebooks
from tests.backend.conftest import waving

TINY = Architecture(width=16, depth=1, codes=16, levels=3)


def channels(frames: int, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """True motion in its own frame, and offsets."""
    clip = waving(frames)
    t = lambda x: torch.tensor(x, dtype=torch.float32)[None].expand(batch, *x.shape)  # noqa: E731
    ones = torch.ones(batch, frames, dtype=torch.bool)
    w = features.Window(
        t(clip.rotations), t(clip.root_positions), t(clip.skeleton.offsets), ones[..., None].expand(-1, -1, 22),
        ones, ones,
    )  # fmt: skip
    local, _ = features.localise(w)
    return features.inputs(local).base, local.offsets


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network() -> Quantiser:
    torch.manual_seed(0)
    made = Quantiser(TINY)
    base, offsets = channels(32)
    made.calibrate(q.describe(base, offsets).flatten(0, 1))
    made.train()
    for _ in range(3):  # the codebooks get their entries
        made(base, offsets, torch.ones(base.shape[:2], dtype=torch.bool))
    return made.eval()


def test_each_joint_stands_once_and_chains_in_one_piece() -> None:
    assert sorted(q.order()) == list(range(q.TOKENS))
    assert q.order()[:3] == [22, 0, 1]


def test_what_is_written_is_the_motion_that_is_read() -> None:
    """``motion`` undoes ``describe``: rotations, height, and the path from the first frame on."""
    base, offsets = channels(20)
    rows = q.describe(base, offsets)
    out = q.motion(rows[..., : q.WRITE])
    assert torch.allclose(out[..., : features.ROTATION], base[..., : features.ROTATION], atol=1e-6)
    start = base[:, :1, features.ROTATION :] * torch.tensor([1.0, 0, 1.0])
    assert torch.allclose(out[..., features.ROTATION :], base[..., features.ROTATION :] - start, atol=1e-4)


def test_joints_look_the_same_whatever_way_they_face() -> None:
    base, offsets = channels(12)
    angle = torch.tensor(1.1)
    turn = torch.stack((torch.cos(angle / 2), torch.zeros(()), torch.sin(angle / 2), torch.zeros(())))
    matrices, root = features.poses(base)
    matrices = torch.cat(((features.to_matrix(turn) @ matrices[:, :, 0])[:, :, None], matrices[:, :, 1:]), 2)
    six = torch.cat((matrices[..., 0], matrices[..., 1]), -1).flatten(2)
    turned = torch.cat((six, features.rotate(turn.expand(*root.shape[:2], 4), root)), -1)
    a, b = q.describe(base, offsets), q.describe(turned, offsets)
    assert torch.allclose(a[:, :, 1:22], b[:, :, 1:22], atol=1e-4)
    assert torch.allclose(a[:, :, 0, 6:], b[:, :, 0, 6:], atol=1e-4)
    assert torch.allclose(a[:, :, 22, 5:8], b[:, :, 22, 5:8], atol=1e-3), "the root's own velocity"


@given(st.integers(1, 41), st.integers(0, 9))
@settings(deadline=None, max_examples=25)
def test_padding_changes_nothing(network: Quantiser, frames: int, padding: int) -> None:
    """A motion has the same codes, and they the same motion, alone and padded in a batch of longer ones."""
    base, offsets = channels(frames, 1)
    alone = torch.ones(1, frames, dtype=torch.bool)
    padded = torch.cat((alone, torch.zeros(1, padding, dtype=torch.bool)), 1)
    longer = torch.cat((base, torch.full((1, padding, base.shape[-1]), 0.3)), 1)
    with torch.inference_mode():
        a, b = network.encode(base, offsets, alone), network.encode(longer, offsets, padded)
        n = -(-frames // q.STRIDE)
        assert a.shape == (1, n, q.TOKENS, TINY.levels)
        assert torch.equal(a, b[:, :n])
        assert (b[:, n:] == -1).all()
        c, d = network.decode(a, alone), network.decode(b, padded)
        assert c.shape == (1, frames, features.CHANNELS)
        assert torch.allclose(c, d[:, :frames], atol=1e-5)


def test_encode_then_decode_is_the_forward_pass(network: Quantiser) -> None:
    base, offsets = channels(18)
    valid = torch.ones(base.shape[:2], dtype=torch.bool)
    with torch.inference_mode():
        out, codes, _ = network(base, offsets, valid)
        assert torch.equal(codes, network.encode(base, offsets, valid))
        assert torch.allclose(out, network.decode(codes, valid), atol=1e-5)


def test_each_level_leaves_less() -> None:
    torch.manual_seed(1)
    books = ResidualCodebooks(Architecture(width=4, codes=32, levels=4, level_dropout=0.0))
    z, valid = torch.randn(4, 8, 5, 4), torch.ones(4, 8, dtype=torch.bool)
    for _ in range(60):
        books(z, valid)
    books.eval()
    _, codes, _ = books(z, valid)
    errors = [float((z - books.lookup(codes, n)).square().mean()) for n in range(5)]
    assert all(b < 0.7 * a for a, b in pairwise(errors))
    assert codes[..., 0].unique().numel() == 32, "every code is used"


def test_codes_that_nothing_chooses_come_back() -> None:
    torch.manual_seed(2)
    books = ResidualCodebooks(Architecture(width=4, codes=8, levels=1, level_dropout=0.0, decay=0.5))
    z, valid = torch.randn(2, 8, 5, 4), torch.ones(2, 8, dtype=torch.bool)
    books(z, valid)
    books.books[0, 3] = 100.0
    books.uses[0, 3] = 0.0
    books(z, valid)
    assert books.books[0, 3].abs().max() < 10


def test_no_gradient_reaches_a_codebook_and_the_encoder_gets_the_decoders() -> None:
    torch.manual_seed(3)
    books = ResidualCodebooks(TINY)
    assert not list(books.parameters())
    z = torch.randn(2, 4, 3, 16, requires_grad=True)
    out, _, commitment = books(z, torch.ones(2, 4, dtype=torch.bool))
    (out * 2).sum().backward(retain_graph=True)
    assert z.grad is not None
    assert torch.equal(z.grad, torch.full_like(z, 2.0))
    z.grad = None
    commitment.backward()
    assert z.grad.abs().sum() > 0


def test_dropped_levels_are_none_and_cost_nothing() -> None:
    torch.manual_seed(4)
    books = ResidualCodebooks(Architecture(width=4, codes=8, levels=4, level_dropout=1.0))
    _, codes, _ = books(torch.randn(32, 2, 3, 4), torch.ones(32, 2, dtype=torch.bool))
    used = (codes >= 0).sum(-1)
    assert set(used.flatten().tolist()) == {1, 2, 3, 4}
    assert (codes[..., 0] >= 0).all()
    assert (used == used[:, :1, :1]).all()


def test_padding_teaches_nothing() -> None:
    torch.manual_seed(5)
    a, b = (ResidualCodebooks(Architecture(width=4, codes=8, levels=2, level_dropout=0.0)) for _ in "ab")
    z = torch.randn(2, 6, 3, 4)
    valid = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    wild = torch.where(valid[..., None, None], z, 50.0)
    for books, x in ((a, z), (b, wild)):
        torch.manual_seed(6)
        books(x, valid)
    assert torch.equal(a.books, b.books)


def test_it_learns_and_keeps_the_path(network: Quantiser) -> None:
    torch.manual_seed(7)
    made = Quantiser(TINY)
    base, offsets = channels(32, 1)
    valid = torch.ones(1, 32, dtype=torch.bool)
    made.calibrate(q.describe(base, offsets).flatten(0, 1))
    optimizer = torch.optim.Adam(made.parameters(), 3e-3)
    start = base[:, :1, features.ROTATION :] * torch.tensor([1.0, 0, 1.0])
    truth = torch.cat((base[..., : features.ROTATION], base[..., features.ROTATION :] - start), -1)
    errors = []
    for _ in range(80):
        out, _, commitment = made(base, offsets, valid)
        error = (out - truth).abs().mean()
        (error + 0.02 * commitment).backward()
        optimizer.step()
        optimizer.zero_grad()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.5 * errors[0]
    made.eval()
    with torch.inference_mode():
        out = made.decode(made.encode(base, offsets, valid), valid)
    assert (out - truth)[..., features.ROTATION :].abs().max() < 0.15, "hip heights, over a path of 0.7"
