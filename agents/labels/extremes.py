"""Removals that leave hardly any label, or all of them: one sentence says so wherever labels are written."""

from typing import Final

from rlld_agents.labels.removal import RemovalQuality
from rlld_agents.labels.removal_rule import RemovalRule
from rlld_agents.labels.revised import RevisedLabels

NEARLY_ALL: Final = 0.8
"""Share of a modality's labels from which on hardly anything is left to train a parser on."""


def extreme_removal(quality: RemovalQuality, who: str, *, if_all: str, if_nothing: str) -> str | None:
    """Return a warning where nearly all labels of a modality were removed, or none of either; else None.

    Args:
        quality: of the removals.
        who: removed them, such as "jomold".
        if_all: what to do where too many were.
        if_nothing: what to do where none was.

    Returns:
        One sentence: how many were removed, what follows from it, and what to do.
    """
    removed = [int(modality.removed.sum()) for modality in (quality.audio, quality.visual)]
    number = int(quality.audio.labels.sum())
    said = f"{who} removed {removed[0]} of {number} audio labels and {removed[1]} of {number} visual labels"
    if number and max(removed) >= NEARLY_ALL * number:
        return f"{said}: hardly anything is left to train a parser on; {if_all}"
    if not any(removed):
        return f"{said}: the labels are the weak ones; {if_nothing}"
    return None


def policy_warning(
    quality: RemovalQuality, who: str, rule: RemovalRule, decided: RevisedLabels
) -> str | None:
    """Return the same of a policy's removals.

    Args:
        quality: of the removals.
        who: removed them.
        rule: by which labels were removed.
        decided: by the policy alone, with its probabilities.
    """
    threshold = f"--threshold, now {rule.threshold}"
    if (decided.removal_probability > rule.threshold).any():
        emptied = "video" if rule.empty_rule == "video" else "modality"
        if_nothing = (
            f"every removal was undone, because it would have left a {emptied} without any label: ask for more "
            f"certainty ({threshold}), or train longer"
        )
    else:
        if_nothing = f"no removal probability is above the threshold: lower it ({threshold}), or train longer"
    if_all = f"ask for more certainty ({threshold}), or train longer"
    return extreme_removal(quality, who, if_all=if_all, if_nothing=if_nothing)
