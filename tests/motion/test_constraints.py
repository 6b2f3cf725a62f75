from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon.motion import constraints, npz
from blender_addon.motion.clip import rest_clip
from blender_addon.motion.constraints import MAX_FRAMES, Request, TextSpan
from blender_addon.motion.errors import InvalidRequestError
from blender_addon.motion.skeleton import CANONICAL, Skeleton

F = 8


def good():
    """Everything a Request takes, well formed."""
    return {**constraints.inbetween(rest_clip(F), [0, F - 1]).__dict__, "targets": np.zeros((F, 22, 3))}


def other_tree():
    parents = CANONICAL.parents.copy()
    parents[21] = 0
    return replace(rest_clip(F), skeleton=Skeleton(CANONICAL.names, parents, CANONICAL.offsets))


def other_names():
    names = tuple(n.upper() for n in CANONICAL.names)
    return replace(rest_clip(F), skeleton=Skeleton(names, CANONICAL.parents, CANONICAL.offsets))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", "teleport"),
        ("task", ""),
        ("clip", rest_clip(0)),
        ("clip", other_tree()),
        ("clip", other_names()),
        *((mask, np.ones((F, 21), bool)) for mask in ("rotation_known", "position_known")),
        *((mask, np.ones((F, 22))) for mask in ("rotation_known", "position_known")),
        *((mask, np.ones((F - 1,), bool)) for mask in ("root_known", "heading_known")),
        *((mask, np.ones(F, int)) for mask in ("root_known", "heading_known")),
        ("confidence", np.ones(F)),
        ("confidence", np.full((F, 22), 1.01)),
        ("confidence", np.full((F, 22), -0.01)),
        ("confidence", np.full((F, 22), np.nan)),
        ("targets", np.zeros((F, 22))),
        ("targets", np.full((F, 22, 3), np.inf)),
        ("variations", 0),
        ("variations", 65),
        ("variations", 1.0),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", "1"),
        ("texts", (TextSpan("walk", 0, F + 1),)),
        ("texts", (TextSpan("walk", 3, 3),)),
        ("texts", (TextSpan("walk", -1, 3),)),
    ],
)
def test_every_refusal_names_its_field(field, value):
    Request(**good())
    with pytest.raises(InvalidRequestError) as error:
        Request(**{**good(), field: value})
    assert error.value.field == field
    assert str(error.value).startswith(f"{field}: ")


def test_too_many_frames_are_refused():
    with pytest.raises(InvalidRequestError, match="at most 200000") as error:
        constraints.text(rest_clip(MAX_FRAMES + 1), [])
    assert error.value.field == "clip"
    assert error.value.remedy


class TestInbetween:
    def test_whole_poses(self):
        request = constraints.inbetween(rest_clip(F), [0, 3, 7], seed=5)
        assert request.seed == 5
        assert list(np.flatnonzero(request.rotation_known.all(1))) == [0, 3, 7]
        assert not request.rotation_known[[1, 2, 4, 5, 6]].any()
        np.testing.assert_array_equal(request.root_known, request.rotation_known[:, 0])
        np.testing.assert_array_equal(request.heading_known, request.root_known)

    @given(st.sets(st.integers(0, F - 1), min_size=2))
    def test_numbers_and_booleans_are_one(self, keys):
        mask = np.isin(np.arange(F), list(keys))
        a = constraints.inbetween(rest_clip(F), sorted(keys))
        b = constraints.inbetween(rest_clip(F), mask)
        np.testing.assert_array_equal(a.rotation_known, b.rotation_known)

    def test_partial_poses(self):
        joints = np.zeros((F, 22), bool)
        joints[[0, 4], 16] = True
        request = constraints.inbetween(rest_clip(F), [0, 4], joints)
        np.testing.assert_array_equal(request.rotation_known, joints)
        assert not request.root_known.any()

    @pytest.mark.parametrize(
        ("keys", "word"),
        [([], "0 keyed"), ([3], "1 keyed"), ([0, F], str(F)), ([-1, 3], "-1"), (np.ones(F + 1, bool), "shape"),
         (np.zeros(F, bool), "0 keyed")],
    )  # fmt: skip
    def test_refusals(self, keys, word):
        with pytest.raises(InvalidRequestError, match=word) as error:
            constraints.inbetween(rest_clip(F), keys)
        assert error.value.field == "keys"

    def test_joints_of_the_wrong_shape(self):
        for joints in (np.ones((F, 5), bool), np.ones((F + 1, 22), bool), np.ones(F, bool)):
            with pytest.raises(InvalidRequestError) as error:
                constraints.inbetween(rest_clip(F), [0, 3], joints)
            assert error.value.field == "joints"


class TestOtherTasks:
    def test_complete_and_edit_know_all_but_the_missing(self):
        missing = np.zeros((F, 22), bool)
        missing[2:5, 16:] = True
        for task, make in (("complete", constraints.complete), ("edit", constraints.edit)):
            request = make(rest_clip(F), missing)
            assert request.task == task
            np.testing.assert_array_equal(request.rotation_known, ~missing)
            assert request.root_known.all()
            assert (request.confidence[missing] == 0).all()
        request = constraints.complete(rest_clip(F), missing, np.arange(F) > 5)
        assert list(request.root_known) == [True] * 6 + [False] * 2

    def test_refine_keeps_what_is_certain(self):
        confidence = np.full((F, 22), 0.3)
        confidence[0] = 1
        request = constraints.refine(rest_clip(F), confidence)
        assert request.rotation_known[0].all()
        assert not request.rotation_known[1:].any()
        assert constraints.refine(rest_clip(F), 0.5).confidence.shape == (F, 22)

    def test_text_knows_nothing_or_the_first_pose(self):
        spans = [TextSpan("walks", 0, 4), TextSpan("sits", 4, F)]
        assert not constraints.text(rest_clip(F), spans).rotation_known.any()
        request = constraints.text(rest_clip(F), spans, start_pose=True)
        assert request.rotation_known[0].all()
        assert not request.rotation_known[1:].any()
        assert request.texts == tuple(spans)

    def test_follow(self):
        known = np.zeros((F, 22), bool)
        known[:, 20] = True
        request = constraints.follow(rest_clip(F), np.ones((F, 22, 3)), known, root_known=np.ones(F, bool))
        np.testing.assert_array_equal(request.position_known, known)
        assert request.root_known.all()
        assert not request.rotation_known.any()


class TestFollow:
    """What :func:`constraints.follow` refuses, and how it travels."""

    def test_everything_comes_back_from_its_file(self):
        known = np.zeros((F, 22), bool)
        known[3, 20] = True
        some = np.arange(F) % 2 == 0
        sent = constraints.follow(rest_clip(F), np.full((F, 22, 3), 0.5), known, firmness=0.25, ground_known=some,
                                  headings=np.linspace(0, 1, F), heading_known=some, trust=0.5)  # fmt: skip
        got = npz.request_from_bytes(npz.request_to_bytes(sent))
        for key in ("targets", "position_known", "firmness", "ground_known", "headings", "heading_known", "confidence"):
            np.testing.assert_array_equal(getattr(got, key), getattr(sent, key), key)

    def test_nothing_to_follow_is_refused(self):
        with pytest.raises(InvalidRequestError, match="nothing to follow"):
            constraints.follow(rest_clip(F))

    @pytest.mark.parametrize("firmness", [-0.1, 1.5, np.nan])
    def test_firmness_is_a_share(self, firmness):
        with pytest.raises(InvalidRequestError, match="firmness"):
            constraints.follow(rest_clip(F), known=np.ones((F, 22), bool), firmness=firmness)
