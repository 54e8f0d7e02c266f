"""Warm start: policies that begin as a trained parser and learn from the validation videos which labels were wrong.

RLLD pays its reward out of the validation videos' dense labels. The same labels say directly, for 649 videos of
LLP, which modality a label is true of, and a policy can imitate that decision instead of guessing it from a score.
The honest name of the result is supervised learning on the validation split; it is the control that any reward must
beat, and the start from which rewards can go on.

`warm_start` does it all: one policy per fold of the validation videos starts from a parser, imitates the
truth of the other folds (`imitation`), also in new videos made of their tracks (`recombination`), is stopped by the
quality on the fold that it has not seen, and calibrated by it (`calibration`). The policies together are the
ensemble that denoises; what they say about videos that they did not learn from is an estimate of how
good the removals are, also where nobody knows the truth.
"""

from rlld_agents.imitation.calibration import class_shifts
from rlld_agents.imitation.fold_policies import WarmStart, WarmStartConfig, warm_start
from rlld_agents.imitation.imitation import PLAIN, Imitation, ImitationConfig, imitate
from rlld_agents.imitation.recombination import Tracks, recombine
from rlld_agents.labels.estimate import RemovalEstimate, estimate_removals
from rlld_agents.policies.start import startable_policy

__all__ = [
    "PLAIN",
    "Imitation",
    "ImitationConfig",
    "RemovalEstimate",
    "Tracks",
    "WarmStart",
    "WarmStartConfig",
    "class_shifts",
    "estimate_removals",
    "imitate",
    "recombine",
    "startable_policy",
    "warm_start",
]
