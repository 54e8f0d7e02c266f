"""The warm start: an ensemble of one policy per fold, stopped, calibrated and judged by videos it has not seen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rlld_agents.imitation.imitation import Imitation, ImitationConfig, imitate
from rlld_agents.imitation.out_of_fold import OutOfFold, best_epoch, split_into_folds
from rlld_agents.labels.estimate import RemovalEstimate
from rlld_agents.labels.removal_rule import DEFAULT_RULE, RemovalRule
from rlld_agents.policies.base import RemovalPolicy, StartablePolicy
from rlld_agents.policies.denoising import removal_logits
from rlld_agents.policies.ensemble import PolicyEnsemble
from rlld_agents.runs.progress import EpochProgress
from rlld_gym.data.classes import SPEECH
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.errors import InputError
from rlld_gym.profiling import timed_part
from rlld_gym.torch_settings import own_torch_settings


@dataclass(frozen=True)
class WarmStartConfig:
    """Options of the warm start."""

    folds: int = 3
    """Parts of the validation split, at most one for each video; a policy learns from all parts but one, and is
    judged on that one."""
    patience: int = 3
    """Stop when as many epochs in a row have not been better, out of fold, than the best one."""
    ensemble: bool = True
    """Denoise with the folds' policies together; False: with one more policy, which learns from all videos."""
    calibrate: bool = True
    """Shift the log-odds of each class and modality so that removal rates become those of the validation videos."""
    prior_deviation: float = 0.5
    """How far a class's shift lies from its modality's, as a prior standard deviation in log-odds: rare classes
    stay nearer than common ones."""
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    """Options of the imitation."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        rules = {
            "folds": (self.folds >= 2, "at least 2"),
            "patience": (self.patience >= 1, "at least 1"),
            "prior_deviation": (self.prior_deviation >= 0, "at least 0"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise InputError(f"option {name}: found {getattr(self, name)}, expected {expected}")

    def policies(self, videos: int) -> int:
        """Return how many policies learn from so many validation videos."""
        return min(self.folds, videos) + (not self.ensemble)

    def epochs(self, videos: int) -> int:
        """Return how many epochs of a policy there are at most, over all policies."""
        return self.policies(videos) * self.imitation.epochs


@dataclass(frozen=True, eq=False)
class WarmStart:
    """A policy that learned from the validation videos, and what is known of it.

    Attributes:
        policy: calibrated, in evaluation mode.
        estimate: quality of removals by policies that did not learn from the video. The ensemble averages several
            and does a little better; a single policy that learned from all videos does, too.
        epochs: the epoch that was kept.
        curve: `RemovalEstimate.quality` of each epoch, out of fold.
        shift: (2, C) float32, what calibration added to the log-odds.
        probability: (V, 2, C) float32, out-of-fold removal probabilities behind the estimate; 0 without label.
        fold: (V,) int64, the part that a video is in.
    """

    policy: RemovalPolicy
    estimate: RemovalEstimate
    epochs: int
    curve: list[float]
    shift: Tensor
    probability: Tensor
    fold: Tensor

    def as_dict(self) -> dict[str, Any]:
        """Return epochs and estimate, JSON-able."""
        return {
            "method": "cross-validation on the validation videos",
            "folds": int(self.fold.max()) + 1,
            "epochs": self.epochs,
            **self.estimate.as_dict(),
        }


@own_torch_settings()
@timed_part("policy")
def warm_start(
    start: Callable[[], StartablePolicy],
    validation: SplitTensors,
    config: WarmStartConfig,
    *,
    seed: int = 0,
    never_visible: int | None = SPEECH,
    rule: RemovalRule = DEFAULT_RULE,
    progress: Callable[[int, int], None] | None = None,
) -> WarmStart:
    """Let policies learn from validation videos which labels are wrong.

    The videos are split at random into folds. A policy for each fold learns from the others, all of them in step;
    after each epoch they judge the videos of their own fold, and the best epoch is kept. The estimate is nested:
    epoch and calibration with which a fold is judged are chosen by the other folds. (Their policies, and a parser
    that `start` may copy, can have learned something from the fold; what judges a video directly never has.)

    Args:
        start: returns a policy to start from, the same at each call, on the videos' device.
        validation: at least two videos with dense labels.
        config: the options.
        seed: of folds and imitation; global random states are left alone.
        never_visible: index of the class that quality is also measured without; None: there is none.
        rule: for precision and recall of the estimate.
        progress: called with (epochs done, epochs at most) after every epoch of a policy.

    Raises:
        InputError: fewer than two videos.
        ValueError: the videos have no dense labels.
    """
    if len(validation) < 2:
        raise InputError(f"the warm start needs at least 2 validation videos, found {len(validation)}")
    fold = split_into_folds(len(validation), min(config.folds, len(validation)), seed).to(
        validation.labels.device
    )
    deviation = config.prior_deviation if config.calibrate else None
    judge = OutOfFold(validation, fold, never_visible, deviation, rule)
    report = EpochProgress(config.epochs(len(validation)), progress)
    policies, logits, curve = _train_folds(start, judge, config, seed, report)
    best = best_epoch(curve)
    if not config.ensemble:
        policies = [start()]
        imitate(
            policies[0],
            validation,
            config.imitation,
            seed=seed + config.folds,
            epochs=best,
            progress=report.part(best),
        )
    policy = PolicyEnsemble(policies) if config.ensemble else policies[0]
    shift = judge.shift(logits[best - 1])
    policy.shift_logits(shift)
    probability = judge.nested_probability(logits)
    report.finish()
    return WarmStart(policy, judge.estimate(probability), best, curve, shift, probability, fold)


def _train_folds(
    start: Callable[[], StartablePolicy],
    judge: OutOfFold,
    config: WarmStartConfig,
    seed: int,
    report: EpochProgress,
) -> tuple[list[StartablePolicy], list[Tensor], list[float]]:
    """Return the folds' policies at their best epoch; out-of-fold log-odds (V, 2, C) and quality of each epoch."""
    validation = judge.validation
    parts = [part.nonzero().squeeze(1) for part in judge.parts()]
    others = [(~part).nonzero().squeeze(1) for part in judge.parts()]
    runs = [
        Imitation(start(), validation, config.imitation, seed=seed + number, indices=indices)
        for number, indices in enumerate(others)
    ]
    logits: list[Tensor] = []
    curve: list[float] = []
    best: list[dict[str, Tensor]] = []
    while len(curve) < config.imitation.epochs and len(curve) - best_epoch(curve or [0.0]) < config.patience:
        found = validation.labels.new_zeros(len(validation), 2, validation.labels.shape[1])
        for run, part in zip(runs, parts, strict=True):
            run.epoch()
            found[part] = torch.cat(removal_logits(run.policy, validation, part))
            report.advance()
        logits.append(found)
        curve.append(judge.quality(found))
        if best_epoch(curve) == len(curve):
            best = [{name: w.clone() for name, w in run.policy.state_dict().items()} for run in runs]
    for run, weights in zip(runs, best, strict=True):
        run.policy.load_state_dict(weights)
    return [run.policy for run in runs], logits, curve
