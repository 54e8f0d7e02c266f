"""Options of the decision process: declared here, and nowhere else."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from rlld_gym.denoising.credit import CreditLoss
from rlld_gym.denoising.labels import EmptyRule
from rlld_gym.denoising.own_reward import is_own_reward, load_reward
from rlld_gym.denoising.rewards import INTER_WEIGHTS
from rlld_gym.errors import InputError
from rlld_gym.options import (
    check_options,
    option,
    or_none,
    require_choice,
    require_count,
    require_number,
    require_pair,
    require_width,
    share,
)
from rlld_gym.parsing.recipes import Recipe, get_recipe

TaskLifespan = Literal["episode", "run"]
OverlapLabels = Literal["original", "revised"]
RewardKind = Literal["paper", "credit", "paper+credit"]


def _require_reward(name: str, value: Any) -> None:
    """Raise InputError where an option is no reward of this package, and no function that can be imported."""
    if is_own_reward(value):
        load_reward(value)
    else:
        require_choice(name, value, (*get_args(RewardKind), "module:function"))


@dataclass(frozen=True)
class ProcessOptions:
    """Options of the decision process that do not depend on the data set.

    Raises:
        InputError: a value of the wrong type or out of range.
    """

    batch_size: int = option(128, "videos in a state, B", require_count)
    overlap: float = option(
        0.25, "share of a state's videos that the next state keeps", share(zero=True, one=False)
    )
    episode_length: int = option(32, "steps of an episode", require_count)
    subset: float = option(
        1 / 3,
        "share of the training videos that an episode draws from",
        share(zero=False, one=True),
        shown="1 / 3",
    )
    task_lifespan: TaskLifespan = option(
        "episode", '`"episode"`: a new task network every episode; `"run"`: the same goes on'
    )
    task_start: str = option(
        "pretrained",
        'what a new task network is: `"pretrained"`: a copy of a parser trained on the weak labels once; '
        '`"fresh"`: random weights, the paper\'s; or the path of a `task.safetensors`: a copy of that',
    )
    task_start_epochs: int | None = option(
        None, "epochs of the pretrained parser; `None`: half of the recipe's", or_none(require_count)
    )
    inter_weights: tuple[float, float] = option(
        INTER_WEIGHTS,
        "weights of the divergence and of the cosine term of the inter-reward (Eq. 9)",
        require_pair,
    )
    inter_scale: float | None = option(
        None,
        "paid per unit of inter-reward and step; `None`: 1 / `episode_length`, so that an episode pays the mean",
        or_none(require_number),
    )
    terminal_scale: float = option(
        0.1, "terminal reward per percent of validation F-score (Eq. 10)", require_number
    )
    terminal_every: int | None = option(
        None,
        "validate and pay also after every so many steps; `None`: only after the last",
        or_none(require_count),
    )
    reward: str = option(
        "paper",
        '`"paper"`: inter- and terminal reward (Eq. 9-11); `"credit"`: credit of the removed labels; '
        '`"paper+credit"`: both; `"module:function"`: [your own](extending.md#a-reward)',
        _require_reward,
    )
    credit_loss: CreditLoss = option(
        "segment_f1",
        'the validation loss that credit is about: `"segment_f1"` (1 - soft F-score of the segments), '
        '`"segment_bce"` or `"video_bce"` (cross-entropies)',
    )
    credit_videos: int = option(
        256,
        "validation videos, drawn anew in each step, that credit is computed from; all where there are fewer",
        require_count,
    )
    credit_scale: float = option(1.0, "reward per unit of normalised credit", require_number)
    empty_rule: EmptyRule = option(
        "video",
        '`"video"`: labels come back where a video would lose all in both modalities; `"modality"`: where a '
        "modality would",
    )
    overlap_labels: OverlapLabels = option(
        "original",
        'what kept videos show next: their `"original"` or their `"revised"` labels. Inter-rewards always compare '
        "with the original ones",
    )

    def num_drawn(self, num_videos: int) -> int:
        """Return how many of ``num_videos`` training videos an episode draws from; they may not fill a batch."""
        return math.floor(self.subset * num_videos + 1e-9)

    def __post_init__(self) -> None:
        """Check every option."""
        check_options(self)
        object.__setattr__(self, "inter_weights", tuple(float(weight) for weight in self.inter_weights))
        start: Any = self.task_start
        if not isinstance(start, str) or not start:
            raise InputError(
                f"task_start is {start!r}; expected 'pretrained', 'fresh' or the path of a task.safetensors"
            )
        if self.task_start_epochs is not None and start != "pretrained":
            raise InputError(
                f"task_start_epochs is {self.task_start_epochs}, but task_start is {start!r}: only 'pretrained' "
                "trains a parser; leave one of the two away"
            )


@dataclass(frozen=True)
class ProcessConfig(ProcessOptions):
    """Options of a `rlld_gym.denoising.process.DenoisingProcess`, with its task network.

    Attributes:
        recipe: how the task network is built and trained, including which network it is.
        hidden_size: width of the task network.

    Raises:
        InputError: a value of the wrong type or out of range.
    """

    recipe: Recipe = field(default_factory=lambda: get_recipe("rlld"))
    hidden_size: int = option(512, "width of the task network", require_width)

    @property
    def num_carried(self) -> int:
        """Videos that a state keeps of the one before, 0 to batch_size - 1."""
        return min(round(self.overlap * self.batch_size), self.batch_size - 1)

    @property
    def pays_paper(self) -> bool:
        """Whether the inter- and the terminal reward are part of the reward."""
        return self.reward in ("paper", "paper+credit")

    @property
    def inter_factor(self) -> float:
        """What a step pays per unit of inter-reward; 0 where the reward has none."""
        if not self.pays_paper:
            return 0.0
        return 1 / self.episode_length if self.inter_scale is None else self.inter_scale

    @property
    def pays_credit(self) -> bool:
        """Whether the credit of the removed labels is part of the reward."""
        return self.reward in ("credit", "paper+credit")

    def subset_size(self, num_videos: int) -> int:
        """Return how many of ``num_videos`` training videos an episode draws from.

        Raises:
            InputError: they would not fill a batch.
        """
        size = self.num_drawn(num_videos)
        if size < self.batch_size:
            fits = (
                f" or the batch smaller, for example a batch_size of {2 ** int(math.log2(size))}"
                if size
                else ""
            )
            raise InputError(
                f"subset {self.subset:g} of {num_videos} training videos is {size}, less than the batch_size "
                f"of {self.batch_size}; make the subset larger{fits}"
            )
        return size
