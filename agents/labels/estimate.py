"""How good removals are, measured on validation videos, whose dense labels say which labels were wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rlld_agents.labels.removal import ModalityRemoval, RemovalQuality, all_but, removal_quality
from rlld_agents.labels.removal_rule import DEFAULT_RULE, RemovalRule
from rlld_gym.data.tensors import SplitTensors


@dataclass(frozen=True, eq=False)
class RemovalEstimate:
    """Removals of labels of the validation videos.

    Attributes:
        videos: number of videos.
        whole: quality of the removals.
        without_speech: the same for all classes but the one that is hardly ever seen, in LLP Speech; None where the
            data name no such class.
    """

    videos: int
    whole: RemovalQuality
    without_speech: RemovalQuality | None

    @property
    def quality(self) -> float:
        """One number in [0, 1] to compare policies by: the mean of the areas under the ROC curves that are defined.

        Of audio, visual, and visual without Speech, so that one rule, "nobody is ever seen speaking", does not
        decide alone; 0.5 where no area is defined. An area does not depend on a threshold, nor on how sure a single
        member of an ensemble is, which an average repairs anyway.
        """
        modalities = [self.whole.audio, self.whole.visual]
        if self.without_speech is not None:
            modalities.append(self.without_speech.visual)
        areas = [modality.auc for modality in modalities if modality.auc is not None]
        return sum(areas) / len(areas) if areas else 0.5

    def as_dict(self) -> dict[str, Any]:
        """Return everything, JSON-able.

        Returns:
            "videos", "quality", and for "audio" and "visual" a dictionary: "labels" (number), "noise" (share that
            is wrong), "rate" (share removed), "precision", "recall" and "auc", None where undefined, then the same
            with the ending "_without_speech" where there is such a class.
        """
        result: dict[str, Any] = {"videos": self.videos, "quality": self.quality}
        for name in ("audio", "visual"):
            result[name] = _ratios(getattr(self.whole, name))
            if self.without_speech is not None:
                rest = _ratios(getattr(self.without_speech, name))
                result[name] |= {f"{key}_without_speech": value for key, value in rest.items()}
        return result


def estimate_removals(
    probability: Tensor,
    videos: SplitTensors,
    never_visible: int | None,
    rule: RemovalRule = DEFAULT_RULE,
) -> RemovalEstimate:
    """Judge removal probabilities of videos with dense labels as `labels.removal` judges training labels.

    Args:
        probability: (V, 2, C) float, of removing each label.
        videos: V videos with dense labels.
        never_visible: index of the class that quality is also measured without; None: there is none.
        rule: which labels are removed.

    Raises:
        ValueError: the videos have no dense labels.
    """
    if videos.dense_audio is None or videos.dense_visual is None:
        raise ValueError("an estimate of removals needs dense labels of the videos, these have none")
    revision = rule.revise(videos.labels, probability)
    labels, scores = _numpy(videos.labels > 0), _numpy(probability * videos.labels.unsqueeze(1))
    left = _numpy(revision.audio > 0), _numpy(revision.visual > 0)
    truth = _numpy(videos.dense_audio.any(1)), _numpy(videos.dense_visual.any(1))

    others = all_but(never_visible, labels.shape[1])
    whole = removal_quality(labels, *left, truth, scores)
    rest = None if others.all() else removal_quality(labels, *left, truth, scores, chosen=others)
    return RemovalEstimate(len(videos), whole, rest)


def _ratios(quality: ModalityRemoval) -> dict[str, float | None]:
    return {
        "labels": int(quality.labels.sum()),
        "noise": quality.noise_rate,
        "rate": quality.removal_rate,
        **quality.as_dict(),
    }


def _numpy(values: Tensor) -> NDArray[Any]:
    return np.asarray(values.detach().cpu())
