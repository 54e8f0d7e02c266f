import numpy as np
import pytest
import torch
from gymnasium.spaces import MultiBinary
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rlld_gym.denoising.labels import (
    EMPTY_RULES,
    FREE,
    action_mask,
    revise_labels,
    soft_labels,
)

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 5))


@st.composite
def labels_and_actions(draw):
    batch, classes = draw(SHAPES)
    arrays = [draw(hnp.arrays(bool, (batch, classes))) for _ in range(2)]
    actions = draw(hnp.arrays(bool, (batch, 2, classes)))
    return (*(torch.from_numpy(array) for array in arrays), torch.from_numpy(actions))


def naive_revision(audio, visual, actions, empty_rule):
    shown = [audio.tolist(), visual.tolist()]
    revised, reverted = [[], []], []
    for video, bits in enumerate(actions.tolist()):
        kept = [[a and not b for a, b in zip(shown[m][video], bits[m], strict=True)] for m in range(2)]
        emptied = [any(shown[m][video]) and not any(kept[m]) for m in range(2)]
        if empty_rule == "video":
            anything = any(shown[0][video]) or any(shown[1][video])
            emptied = [anything and not any(kept[0]) and not any(kept[1])] * 2
        for m in range(2):
            revised[m].append(shown[m][video] if emptied[m] else kept[m])
        reverted.append(emptied)
    return torch.tensor(revised[0]), torch.tensor(revised[1]), torch.tensor(reverted)


@pytest.mark.parametrize("empty_rule", EMPTY_RULES)
@given(case=labels_and_actions())
def test_revision_equals_a_loop_over_videos(empty_rule, case):
    audio, visual, actions = case
    revision = revise_labels(audio, visual, actions, empty_rule)
    for found, expected in zip(revision, naive_revision(audio, visual, actions, empty_rule), strict=True):
        assert torch.equal(found, expected.reshape(found.shape))


@pytest.mark.parametrize("empty_rule", EMPTY_RULES)
@given(case=labels_and_actions())
def test_revision_only_removes_and_leaves_no_video_empty(empty_rule, case):
    audio, visual, actions = case
    revision = revise_labels(audio, visual, actions, empty_rule)
    for shown, revised, bits in ((audio, revision.audio, 0), (visual, revision.visual, 1)):
        assert not (revised & ~shown).any()
        untouched = shown & ~actions[:, bits]
        assert (revised | ~untouched).all()
    before = audio.any(dim=1) | visual.any(dim=1)
    assert torch.equal(revision.audio.any(dim=1) | revision.visual.any(dim=1), before)
    if empty_rule == "modality":
        assert torch.equal(revision.audio.any(dim=1), audio.any(dim=1))
        assert torch.equal(revision.visual.any(dim=1), visual.any(dim=1))


@given(case=labels_and_actions())
def test_bits_on_absent_labels_change_nothing(case):
    audio, visual, actions = case
    masked = actions & torch.stack((audio, visual), dim=1).bool()
    for found, expected in zip(
        revise_labels(audio, visual, actions), revise_labels(audio, visual, masked), strict=True
    ):
        assert torch.equal(found, expected)


def test_empty_rules_differ_when_one_modality_is_emptied():
    audio = visual = torch.tensor([[1, 1, 0]])
    actions = torch.tensor([[[1, 1, 0], [1, 0, 0]]])
    by_video = revise_labels(audio, visual, actions, "video")
    assert by_video.audio.tolist() == [[0, 0, 0]]
    assert by_video.reverted.tolist() == [[False, False]]
    by_modality = revise_labels(audio, visual, actions, "modality")
    assert by_modality.audio.tolist() == [[1, 1, 0]]
    assert by_modality.visual.tolist() == [[0, 1, 0]]
    assert by_modality.reverted.tolist() == [[True, False]]


@pytest.mark.parametrize("dtype", [torch.bool, torch.int8, torch.float32])
def test_revision_keeps_the_dtype_and_its_input(dtype):
    audio, visual = torch.eye(3).to(dtype), torch.ones(3, 3).to(dtype)
    actions = torch.ones(3, 2, 3)
    actions[0] = 0
    revision = revise_labels(audio, visual, actions, "modality")
    assert revision.audio.dtype == revision.visual.dtype == dtype
    assert torch.equal(audio, torch.eye(3).to(dtype))
    assert revision.reverted.tolist() == [[False, False], [True, True], [True, True]]


def test_unknown_empty_rule():
    with pytest.raises(ValueError, match="video, modality"):
        revise_labels(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 2, 1), "both")  # type: ignore[arg-type]


@given(case=labels_and_actions(), seed=st.integers(0, 1000))
def test_action_mask_is_what_multibinary_samples_with(case, seed):
    audio, visual, _ = case
    mask = action_mask(audio, visual).numpy()
    space = MultiBinary(mask.shape, seed=seed)
    sample = space.sample(mask=mask)
    assert mask.dtype == np.int8
    assert set(np.unique(mask)) <= {0, FREE}
    assert not sample[:, 0][~audio.numpy()].any()
    assert not sample[:, 1][~visual.numpy()].any()


@given(hnp.arrays(bool, SHAPES), st.floats(0.01, 1))
def test_soft_labels_are_positive_distributions_in_label_order(labels, epsilon):
    soft = soft_labels(torch.from_numpy(labels).double(), epsilon).numpy()
    assert (soft > 0).all()
    np.testing.assert_allclose(soft.sum(axis=1), 1)
    for row, values in zip(labels, soft, strict=True):
        if row.any() and not row.all() and epsilon < 0.99:
            assert values[row].min() > values[~row].max()


def test_soft_labels_by_hand():
    expected = [0.95 / 1.05, 0.05 / 1.05, 0.05 / 1.05]
    np.testing.assert_allclose(soft_labels(torch.tensor([1, 0, 0])), expected, rtol=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.5, float("nan")])
def test_soft_labels_refuse_a_smoothing_without_finite_logarithms(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        soft_labels(torch.ones(1, 2), epsilon)
