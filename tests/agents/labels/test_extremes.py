"""What is said of removals that leave hardly any label, or all of them."""

import numpy as np
import pytest

from rlld_agents.labels.extremes import extreme_removal, policy_warning
from rlld_agents.labels.removal import RemovalQuality, removal_quality
from rlld_agents.labels.removal_rule import RemovalRule
from rlld_agents.labels.revised import RevisedLabels

WEAK = np.ones((10, 4), bool)


def left(number: int) -> np.ndarray:
    """Return labels of which the first so many of the 40 are left."""
    return (np.arange(40) < number).reshape(10, 4)


def quality(audio: int, visual: int) -> RemovalQuality:
    return removal_quality(WEAK, left(audio), left(visual))


@pytest.mark.parametrize(("audio", "visual"), [(39, 40), (40, 20), (9, 9)])
def test_removals_of_some_labels_need_no_warning(audio: int, visual: int) -> None:
    assert extreme_removal(quality(audio, visual), "jomold", if_all="a", if_nothing="b") is None


def test_hardly_any_label_in_one_modality_is_enough_for_a_warning() -> None:
    said = extreme_removal(quality(40, 8), "jomold", if_all="train longer", if_nothing="-")
    assert said == (
        "jomold removed 0 of 40 audio labels and 32 of 40 visual labels: hardly anything is left to train a parser "
        "on; train longer"
    )
    assert "removed 40 of 40 audio labels and 40 of 40" in str(
        extreme_removal(quality(0, 0), "mine", if_all="-", if_nothing="-")
    )


def test_one_modality_may_keep_all_of_its_labels() -> None:
    said = extreme_removal(quality(40, 40), "mine", if_all="-", if_nothing="choose another method")
    assert said is not None
    assert said.endswith("the labels are the weak ones; choose another method")


@pytest.mark.parametrize(
    ("probability", "empty_rule", "expected"),
    [
        (0.4, "video", "no removal probability is above the threshold: lower it (--threshold, now 0.5)"),
        (
            0.6,
            "video",
            "would have left a video without any label: ask for more certainty (--threshold, now 0.5)",
        ),
        (0.6, "modality", "would have left a modality without any label: ask for more certainty"),
    ],
)
def test_a_policy_that_removes_nothing_is_told_why(
    probability: float, empty_rule: str, expected: str
) -> None:
    decided = RevisedLabels(WEAK, WEAK, np.full((10, 2, 4), probability, np.float32))
    rule = RemovalRule(0.5, empty_rule)  # type: ignore[arg-type]
    assert expected in str(policy_warning(quality(40, 40), "the policy", rule, decided))
