"""The joint loop: parser and denoiser take turns, each starting from what the other has learned.

RLLD (arXiv 2412.19563) trains policy and parser together so that they improve each other. What carries the
improvement is the representation: the parser has seen all training videos, the policy knows for a few hundred
validation videos which labels were wrong. So the policy starts from the parser's encoder (`transfer`), imitates the
truth of the validation videos (`imitation`) and denoises the training videos; the parser goes on with the labels
that are left; and so on. A fresh parser for the tables is trained afterwards, as for every other method.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.denoising.labels import EmptyRule
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.randomness import seeded_random_state
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import train_parser

from .denoise import RevisedLabels, denoise
from .imitation import ImitationConfig, imitate
from .policy import HybridAttentionPolicy
from .transfer import start_from_parser

LATER_RATE = 0.5
"""Factor of the recipe's learning rate in all rounds but the first, where the parser is no longer new."""


@dataclass(frozen=True)
class JointConfig:
    """Options of the joint loop."""

    rounds: int = 2
    """How often the policy starts again from the parser."""
    parser_share: float = 0.5
    """Epochs of the parser in a round, as a share of the recipe's."""
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    """Options of the imitation in each round."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        if self.rounds < 1:
            raise InputError(f"option rounds: found {self.rounds}, expected at least 1")
        if not 0 < self.parser_share <= 1:
            raise InputError(
                f"option parser_share: found {self.parser_share}, expected more than 0, at most 1"
            )


@dataclass(frozen=True, eq=False)
class JointRound:
    """What a round leaves.

    Attributes:
        number: of the round, from 1.
        parser: trained in all rounds so far; the next round goes on with it.
        policy: that started from the parser.
        revised: the training videos' labels, as the policy leaves them.
        validation: the parser's ten validation scores in percent, at the epoch that was kept.
    """

    number: int
    parser: TaskNetwork
    policy: HybridAttentionPolicy
    revised: RevisedLabels
    validation: dict[str, float]


def joint_rounds(
    data: StoreTensors,
    recipe: Recipe,
    config: JointConfig,
    *,
    hidden_size: int,
    seed: int,
    threshold: float = 0.5,
    empty_rule: EmptyRule = "video",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[JointRound]:
    """Play the rounds of the joint loop, one at a time.

    Args:
        data: the data set, on the device to learn on; the validation split with dense labels.
        recipe: the parser's; its schedule is shortened to a round's share.
        config: the options.
        hidden_size: width of parser and policy.
        seed: of everything random.
        threshold: a policy removes labels whose removal probability is above it.
        empty_rule: as in `denoise`.
        progress: called with (epochs done, epochs in all) after every epoch of parser or policy.

    Yields:
        The rounds. Parser and policy of a round are not changed by later ones.
    """
    train = data["train"]
    short = _shortened(recipe, config)
    per_round = short.epochs + config.imitation.epochs
    audio = visual = train.labels
    parser: TaskNetwork | None = None

    def report(before: int) -> Callable[[int, int], None] | None:
        if progress is None:
            return None
        return lambda done, _: progress(before + done, config.rounds * per_round)

    for number in range(1, config.rounds + 1):
        before = (number - 1) * per_round
        later = short.replace(learning_rate=LATER_RATE * short.learning_rate)
        trained = train_parser(
            data,
            audio,
            visual,
            short if parser is None else later,
            hidden_size=hidden_size,
            seed=seed + number - 1,
            network=copy.deepcopy(parser),  # earlier rounds keep theirs
            progress=report(before),
        )
        parser = trained.network
        policy = make_policy(train, hidden_size, seed)
        start_from_parser(policy, parser)
        imitate(policy, data["val"], config.imitation, seed=seed, progress=report(before + short.epochs))
        revised = denoise(policy, data, threshold=threshold, empty_rule=empty_rule)
        audio, visual = (torch.from_numpy(part) for part in (revised.audio, revised.visual))
        yield JointRound(number, parser, policy, revised, trained.history[trained.best_epoch - 1])


def epochs_of_rounds(recipe: Recipe, config: JointConfig) -> int:
    """Return how many epochs of parser and policy `joint_rounds` counts."""
    return config.rounds * (_shortened(recipe, config).epochs + config.imitation.epochs)


def _shortened(recipe: Recipe, config: JointConfig) -> Recipe:
    """Return the recipe of the parser in a round."""
    return recipe.shortened(max(1, round(config.parser_share * recipe.epochs)))


def make_policy(split: SplitTensors, hidden_size: int, seed: int) -> HybridAttentionPolicy:
    """Return an untrained policy for some data, on their device.

    Args:
        split: any split of the data set.
        hidden_size: width.
        seed: of the weights; the global random state is left alone.
    """
    with seeded_random_state(seed):
        policy = HybridAttentionPolicy(
            split.audio.shape[-1],
            split.visual.shape[-1],
            split.labels.shape[-1],
            hidden_size,
            split.visual.shape[-1] - split.visual_2d_size,
        )
    return policy.to(split.labels.device)
