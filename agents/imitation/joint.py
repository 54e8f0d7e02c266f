"""The joint loop: parser and denoiser take turns, each starting from what the other has learned.

RLLD (arXiv 2412.19563) trains policy and parser together so that they improve each other. What carries the
improvement is the representation: the parser has seen all training videos, the policy knows for a few hundred
validation videos which labels were wrong. So the policy starts from the parser's encoder, learns the truth of the
validation videos (`pretrain`) and denoises the training videos; a new parser learns from the labels that are left,
lends its encoder again, and so on, until the quality of the removals, estimated by cross-validation, stops rising.
The parser for the tables is trained afterwards, in full, as for every other method.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from rlld_agents.imitation import WarmStart, WarmStartConfig, warm_start
from rlld_agents.labels.removal_rule import DEFAULT_RULE, RemovalRule
from rlld_agents.labels.revised import RevisedLabels
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.start import startable_policy
from rlld_agents.runs.progress import EpochProgress
from rlld_gym.data.classes import SPEECH
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import network_options, train_parser

FineTune = Callable[[RemovalPolicy, TaskNetwork, int], RemovalPolicy]
"""From a round's warm-started policy (which may be trained in place), its parser and the round's number to the
policy that denoises. It must depend on them and on its own seed alone, so that a run can be repeated."""


@dataclass(frozen=True)
class JointConfig:
    """Options of the joint loop."""

    rounds: int = 2
    """How often the policy starts again from the parser, at most."""
    parser_share: float = 0.5
    """Epochs of the parser in a round, as a share of the recipe's."""
    tolerance: float = 0.0
    """The rounds end with one whose estimated quality is not higher than the best before by more than this."""
    warm_start: WarmStartConfig = field(default_factory=WarmStartConfig)
    """Options of the warm start in each round."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        if self.rounds < 1:
            raise InputError(f"option rounds: found {self.rounds}, expected at least 1")
        if not 0 < self.parser_share <= 1:
            raise InputError(
                f"option parser_share: found {self.parser_share}, expected more than 0, at most 1"
            )
        if self.tolerance < 0:
            raise InputError(f"option tolerance: found {self.tolerance}, expected at least 0")


@dataclass(frozen=True, eq=False)
class JointRound:
    """What a round leaves.

    Attributes:
        number: of the round, from 1.
        parser: trained on what the round before left of the labels, at first on the weak ones.
        warm: the warm start, with its estimate; its policy is the round's unless that was fine-tuned.
        policy: that denoised.
        revised: the training videos' labels, as the policy leaves them.
        validation: the parser's ten validation scores in percent, at the epoch that was kept.
    """

    number: int
    parser: TaskNetwork
    warm: WarmStart
    policy: RemovalPolicy
    revised: RevisedLabels
    validation: dict[str, float]

    @property
    def quality(self) -> float:
        """The estimated quality of the round's removals, which decides which round is kept."""
        return self.warm.estimate.quality

    def details(self) -> dict[str, Any]:
        """Return what is known of the round, JSON-able."""
        return {"round": self.number, "estimate": self.warm.as_dict(), "parser_validation": self.validation}


def joint_rounds(
    data: StoreTensors,
    recipe: Recipe,
    config: JointConfig,
    *,
    hidden_size: int,
    seed: int,
    never_visible: int | None = SPEECH,
    rule: RemovalRule = DEFAULT_RULE,
    fine_tune: FineTune | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[JointRound]:
    """Play the rounds of the joint loop, one at a time; `best_round` says which to keep.

    Args:
        data: the data set, on the device to learn on; the validation split with dense labels.
        recipe: the parser's, with any registered network; its schedule is shortened to a round's share.
        config: the options.
        hidden_size: width of parser and policy.
        seed: of everything random.
        never_visible: index of the class that quality is also measured without; None: there is none.
        rule: which labels a policy removes.
        fine_tune: called after the warm start of each round, before the policy denoises. The estimate that chooses
            the round is the warm start's.
        progress: called with (epochs done, epochs at most) after every epoch of parser or policy.

    Yields:
        The rounds. Parser and policy of a round are not changed by later ones.
    """
    train = data["train"]
    short = _shortened(recipe, config)
    report = EpochProgress(epochs_of_rounds(recipe, config, len(data["val"])), progress)
    audio = visual = train.labels
    best = 0.0
    for number in range(1, config.rounds + 1):
        # A new parser in each round: one that goes on has learned the labels by heart that the policy is to judge.
        trained = train_parser(
            data,
            audio,
            visual,
            short,
            hidden_size=hidden_size,
            seed=seed + number - 1,
            progress=report.part(short.epochs),
        )
        parser = trained.network
        warm = warm_start(
            partial(
                startable_policy,
                train,
                hidden_size=hidden_size,
                seed=seed,
                network=recipe.network,
                options=network_options(recipe),
                parser=parser,
            ),
            data["val"],
            config.warm_start,
            seed=seed,
            never_visible=never_visible,
            rule=rule,
            progress=report.part(config.warm_start.epochs(len(data["val"]))),
        )
        policy = warm.policy if fine_tune is None else fine_tune(copy.deepcopy(warm.policy), parser, number)
        revised = denoise(policy, data, threshold=rule.threshold, empty_rule=rule.empty_rule)
        audio, visual = (torch.from_numpy(part) for part in (revised.audio, revised.visual))
        outcome = JointRound(number, parser, warm, policy, revised, trained.history[trained.best_epoch - 1])
        yield outcome
        if number > 1 and outcome.quality <= best + config.tolerance:
            return
        best = max(best, outcome.quality)


def best_round(rounds: Iterable[JointRound]) -> JointRound:
    """Play the rounds; return the one of the highest estimated quality, the earlier one of equals."""
    return max(rounds, key=lambda outcome: outcome.quality)


def epochs_of_rounds(recipe: Recipe, config: JointConfig, validation_videos: int) -> int:
    """Return how many epochs of parser and policies `joint_rounds` counts, where nothing stops early."""
    policies = config.warm_start.epochs(validation_videos)
    return config.rounds * (_shortened(recipe, config).epochs + policies)


def _shortened(recipe: Recipe, config: JointConfig) -> Recipe:
    """Return the recipe of the parser in a round."""
    return recipe.shortened(max(1, round(config.parser_share * recipe.epochs)))
