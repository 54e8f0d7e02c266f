import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.labels.removal import rank_auc, removal_quality


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=25))
def test_auc_equals_the_share_of_ordered_pairs_with_ties_one_half(items: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in items], dtype=float)
    positive = np.array([hit for _, hit in items])
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    expected = np.mean(pairs) if pairs else None
    assert rank_auc(scores, positive) == pytest.approx(expected)


def test_auc_refuses_nan() -> None:
    with pytest.raises(ValueError, match="finite"):
        rank_auc(np.array([0.1, np.nan]), np.array([True, False]))


def small_case() -> dict[str, np.ndarray]:
    original = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=bool)
    heard = original.copy()
    heard[0, 1] = False
    seen = np.array([[0, 1, 0], [0, 0, 1], [0, 1, 0]], dtype=bool)
    visual = np.array([[0, 1, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    return {"original": original, "heard": heard, "seen": seen, "visual": visual}


def test_counts_and_ratios_by_hand() -> None:
    case = small_case()
    scores = np.zeros((3, 2, 3))
    scores[:, 1][case["original"] & ~case["seen"]] = 0.9
    scores[0, 1, 2] = 5.0  # an absent label's score must not matter
    quality = removal_quality(
        case["original"], case["original"], case["visual"], (case["heard"], case["seen"]), scores
    )
    visual = quality.visual
    assert visual.labels.tolist() == [2, 2, 2]
    assert visual.removed.tolist() == [1, 0, 2]
    assert visual.noisy is not None
    assert visual.noisy.tolist() == [2, 0, 1]
    assert visual.correct is not None
    assert visual.correct.tolist() == [1, 0, 1]
    assert quality.as_dict() == {
        "audio": {"precision": None, "recall": 0.0, "auc": 0.5},
        "visual": {"precision": 2 / 3, "recall": 2 / 3, "auc": 1.0},
    }
    assert visual.removal_rate == 0.5
    assert visual.noise_rate == 0.5


def test_unknown_truth_gives_none_but_counts_stay() -> None:
    case = small_case()
    quality = removal_quality(case["original"], case["original"], case["visual"], None, np.zeros((3, 2, 3)))
    assert quality.as_dict()["visual"] == {"precision": None, "recall": None, "auc": None}
    assert quality.visual.removed.sum() == 3
    assert quality.visual.noise_rate is None


def test_no_noise_means_undefined_recall() -> None:
    original = np.ones((2, 2), dtype=bool)
    quality = removal_quality(original, original, original, (original, original), np.zeros((2, 2, 2)))
    assert quality.as_dict()["audio"] == {"precision": None, "recall": None, "auc": None}


def test_added_labels_are_a_programming_error() -> None:
    original = np.zeros((2, 2), dtype=bool)
    with pytest.raises(ValueError, match="subset"):
        removal_quality(original, ~original, original)
