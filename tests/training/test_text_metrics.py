"""Metrics on embeddings, against cases that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.motion.strategies import seeds
from training import bootstrap, text_metrics


def gaussian(rng: np.random.Generator, count: int, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Samples whose mean and covariance are exactly these."""
    x = rng.normal(size=(count, len(mean)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x * deviation + mean


class TestPools:
    @given(seeds, st.integers(2, 6))
    def test_have_different_meanings_and_nothing_alike(self, seed: int, size: int) -> None:
        rng = np.random.default_rng(seed)
        meanings = rng.permutation(np.append(np.arange(8), rng.integers(8, size=30)))
        own = meanings[:20]
        alike = own[:, None] == meanings
        wrong = text_metrics.pools(alike, meanings, None, size, seed)
        assert wrong.shape == (20, size - 1)
        for mine, row in zip(own, wrong, strict=True):
            found = {*meanings[row].tolist(), mine}
            assert len(found) == size

    def test_take_what_is_near_first(self) -> None:
        meanings = np.arange(10)
        alike = np.eye(4, 10, dtype=bool)
        wrong = text_metrics.pools(alike, meanings, 4, 6, 0)
        for mine, row in enumerate(wrong):
            assert set(row.tolist()) >= set(range(4)) - {mine}
            assert (row >= 4).sum() == 2
        assert len({tuple(sorted(r[r >= 4])) for r in wrong}) > 1, "drawn, not always the same"

    def test_say_when_there_is_not_enough_to_choose_from(self) -> None:
        with pytest.raises(ValueError, match="2 different captions, a pool needs 3"):
            text_metrics.pools([[True, False, False]], [0, 1, 1], None, 3)


class TestRetrieval:
    wrong = np.array([[j for j in range(32) if j != i] for i in range(32)])

    def test_own_texts_are_found(self) -> None:
        x = np.random.default_rng(0).normal(size=(32, 16))
        assert text_metrics.retrieval(x, x, x, self.wrong).all()

    def test_chance_is_k_of_32(self) -> None:
        rng = np.random.default_rng(1)
        wrong = np.concatenate([self.wrong + 32 * k for k in range(200)])
        motions, texts = rng.normal(size=(2, 6400, 8))
        hits = text_metrics.retrieval(motions, texts, texts, wrong)
        np.testing.assert_allclose(hits.mean(0), np.array([1, 2, 3]) / 32, atol=0.01)

    def test_a_text_that_is_second_nearest_is_found_from_two_on(self) -> None:
        texts = np.arange(32.0)[:, None] * 10
        motions = texts + 6  # nearer to the next text, but for the last, which has none
        hits = text_metrics.retrieval(motions, texts, texts, self.wrong)
        assert hits[:-1].tolist() == [[False, True, True]] * 31
        assert hits[-1].all()

    def test_ties_are_no_answers(self) -> None:
        same = np.ones((32, 4))
        assert not text_metrics.retrieval(same, same, same, self.wrong).any()

    def test_distances_of_pairs(self) -> None:
        texts = np.zeros((2, 2))
        np.testing.assert_allclose(text_metrics.matching_distances(texts, [[3, 4], [0, 0]]), [5, 0])


class TestKID:
    def test_two_points_a_side_by_hand(self) -> None:
        # D = 1: k(0, .) = 1, k(1, 1) = 8, k(1, 2) = 27, k(2, 2) = 125
        # x = {0, 1}, y = {1, 2}: within 1 + 27, across (1 + 1 + 8 + 27) / 4
        assert text_metrics.kid([[0.0], [1.0]], [[1.0], [2.0]]) == pytest.approx(28 - 2 * 37 / 4)

    def test_is_unbiased(self) -> None:
        rng = np.random.default_rng(0)
        found = [text_metrics.kid(*rng.normal(size=(2, 20, 4))) for _ in range(2000)]
        low, high = bootstrap.interval(found)
        assert low < 0 < high

    def test_of_shifted_gaussians(self) -> None:
        # E k(x, y) for x ~ N(a, 1), y ~ N(b, 1): E (xy + 1)^3 from the moments of a normal
        def moments(a: float) -> np.ndarray:
            return np.array([1, a, a**2 + 1, a**3 + 3 * a])

        def expected(a: float, b: float) -> float:
            return float((np.array([1, 3, 3, 1]) * moments(a) * moments(b)).sum())

        rng = np.random.default_rng(1)
        wanted = expected(0, 0) + expected(0.5, 0.5) - 2 * expected(0, 0.5)
        found = text_metrics.kid(rng.normal(0, 1, (4000, 1)), rng.normal(0.5, 1, (4000, 1)))
        assert found == pytest.approx(wanted, rel=0.15)

    def test_subsets_agree_with_the_whole(self) -> None:
        rng = np.random.default_rng(2)
        x, y = rng.normal(size=(300, 4)), rng.normal(0.7, 1, (300, 4))
        found = text_metrics.kid_subsets(x, y, 100, 200)
        assert found.mean() == pytest.approx(text_metrics.kid(x, y), rel=0.05)
        assert len(text_metrics.kid_subsets(x[:5], y, 100, 3)) == 3

    def test_needs_two(self) -> None:
        with pytest.raises(ValueError, match="two embeddings"):
            text_metrics.kid([[1.0]], [[1.0], [2.0]])


class TestFID:
    def test_of_gaussians_along_axes(self) -> None:
        rng = np.random.default_rng(0)
        m, n = np.array([1.0, 2, 3]), np.array([1.0, 0, 3.5])
        s, r = np.array([1.0, 2, 0.5]), np.array([3.0, 2, 0.25])
        found = text_metrics.fid(gaussian(rng, 50, m, s), gaussian(rng, 80, n, r))
        assert found == pytest.approx(((m - n) ** 2).sum() + ((s - r) ** 2).sum())

    @given(seeds)
    def test_turning_both_changes_nothing_and_itself_is_zero(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(30, 4)), rng.normal(0.3, 2, (40, 4))
        turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
        assert text_metrics.fid(x @ turn, y @ turn) == pytest.approx(text_metrics.fid(x, y), abs=1e-8)
        assert text_metrics.fid(x, x) == pytest.approx(0, abs=1e-8)
        assert text_metrics.fid(x, y) == pytest.approx(text_metrics.fid(y, x), abs=1e-8)

    def test_a_covariance_without_full_rank_is_no_nan(self) -> None:
        x = np.random.default_rng(0).normal(size=(3, 10))
        assert np.isfinite(text_metrics.fid(x, x + 1))
        assert text_metrics.fid(x, x + 1) == pytest.approx(10, abs=1e-5)

    def test_the_floor_sinks_with_more_clips(self) -> None:
        x = np.random.default_rng(0).normal(size=(2000, 8))
        few, many = text_metrics.fid_floor(x[:200]), text_metrics.fid_floor(x)
        assert few.shape == (20,)
        assert few.mean() > 5 * many.mean() > 0

    def test_halves_of_the_same_motion_lie_at_the_floor_and_of_other_above(self) -> None:
        rng = np.random.default_rng(3)
        x, y = rng.normal(size=(2, 600, 8))
        floor, same = text_metrics.fid_floor(x).mean(), text_metrics.fid_halves(x, y).mean()
        assert same == pytest.approx(floor, rel=0.15)
        assert text_metrics.fid_halves(x, y + 1).mean() == pytest.approx(8 + floor, rel=0.1)
        assert abs(text_metrics.kid_floor(x, 100).mean()) < 0.02 < text_metrics.kid(x, y + 1)


class TestVariety:
    def test_diversity_of_gaussians(self) -> None:
        # the difference of two is a Gaussian of twice the variance: in 2D its length is a Rayleigh of sqrt 2
        x = np.random.default_rng(0).normal(size=(4000, 2))
        found = text_metrics.diversity(x, 20_000)
        assert found.mean() == pytest.approx(np.sqrt(2) * np.sqrt(np.pi / 2), rel=0.02)

    def test_pairs_are_of_different_motions(self) -> None:
        assert (text_metrics.diversity([[0.0], [3.0]], 50) == 3).all()
        with pytest.raises(ValueError, match="two embeddings"):
            text_metrics.diversity([[0.0]])

    def test_multimodality_is_within_a_text(self) -> None:
        x = np.zeros((3, 2, 1))
        x[1, 1] = 4  # one text's two motions are 4 apart, the texts themselves far
        x[2] += 1000
        np.testing.assert_allclose(text_metrics.multimodality(x), [0, 4, 0])

    def test_nearest_training_clip(self) -> None:
        rng = np.random.default_rng(0)
        training = rng.normal(size=(50, 6))
        made = training[[7, 3]] + [[0.01] * 6, [0.0] * 6]
        distance, index = text_metrics.nearest(made, training, block=1)
        assert index.tolist() == [7, 3]
        np.testing.assert_allclose(distance, [0.01 * np.sqrt(6), 0], atol=1e-12)
