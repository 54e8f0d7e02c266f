"""Options of the decision process, checked where they are given."""

import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from rlld_gym.denoising.credit import CREDIT_LOSSES, CreditLoss
from rlld_gym.denoising.evidence import EVIDENCE_SOURCES, EvidenceSource
from rlld_gym.denoising.labels import EMPTY_RULES, EmptyRule
from rlld_gym.denoising.rewards import INTER_WEIGHTS
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import Recipe, get_recipe

TaskLifespan = Literal["episode", "run"]
OverlapLabels = Literal["original", "revised"]
RewardKind = Literal["paper", "credit", "paper+credit"]

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "task_lifespan": ("episode", "run"),
    "empty_rule": EMPTY_RULES,
    "overlap_labels": ("original", "revised"),
    "reward": get_args(RewardKind),
    "credit_loss": CREDIT_LOSSES,
}


@dataclass(frozen=True)
class ProcessConfig:
    """Immutable options of a `rlld_gym.denoising.process.DenoisingProcess`; the defaults are the paper's.

    Attributes:
        batch_size: videos in a state, B.
        overlap: share of a state's videos that the next state keeps, 0 or more and less than 1; rounded to
            whole videos.
        episode_length: steps of an episode.
        subset: share of the training videos that an episode draws from, above 0 and at most 1; rounded down.
        recipe: how the task network is built and trained, including which network it is.
        hidden_size: width of the task network.
        task_lifespan: "episode": a new task network every episode; "run": the same network goes on.
        task_start: what a new task network is: "pretrained", a copy of one parser that was trained on the weak
            labels (`rlld_gym.denoising.starting_parser`); "fresh", with random weights, the paper's; or the path of
            a ``task.safetensors``, a copy of that.
        task_start_epochs: epochs of the pretrained parser; None: half of the recipe's.
        evidence: whose evidence (`rlld_gym.denoising.evidence`) states have: that of the "start", of the "current"
            task network, or None.
        inter_weights: weights of the divergence and of the cosine term of the inter-reward (Eq. 9).
        inter_scale: what a step pays per unit of inter-reward; None: 1 / episode_length, so that an episode pays
            their mean beside the validation reward (Eq. 11).
        terminal_scale: terminal reward per percent of validation F-score (Eq. 10).
        terminal_every: pay the terminal reward also after every so many steps; None: on the last step only.
        reward: "paper": inter- and terminal reward (Eq. 9-11); "credit": the credit of the removed labels instead;
            "paper+credit": the sum.
        credit_loss: the validation loss that credit is about, see `rlld_gym.denoising.credit.validation_loss`.
        credit_videos: validation videos that a step's credit is computed from; all where there are fewer.
        credit_scale: reward per unit of normalised credit.
        empty_rule: see `rlld_gym.denoising.labels.revise_labels`.
        overlap_labels: what the kept videos show next, their "original" labels or the "revised" ones.

    Raises:
        InputError: a value of the wrong type or out of range.
    """

    batch_size: int = 128
    overlap: float = 0.25
    episode_length: int = 32
    subset: float = 1 / 3
    recipe: Recipe = field(default_factory=lambda: get_recipe("rlld"))
    hidden_size: int = 512
    task_lifespan: TaskLifespan = "episode"
    task_start: str = "pretrained"
    task_start_epochs: int | None = None
    evidence: EvidenceSource | None = None
    inter_weights: tuple[float, float] = INTER_WEIGHTS
    inter_scale: float | None = None
    terminal_scale: float = 0.1
    terminal_every: int | None = None
    reward: RewardKind = "paper"
    credit_loss: CreditLoss = "segment_f1"
    credit_videos: int = 256
    credit_scale: float = 1.0
    empty_rule: EmptyRule = "video"
    overlap_labels: OverlapLabels = "original"

    def __post_init__(self) -> None:
        """Check every option."""
        for name in ("batch_size", "episode_length", "hidden_size", "credit_videos"):
            require_count(name, getattr(self, name))
        for name in ("terminal_every", "task_start_epochs"):
            if getattr(self, name) is not None:
                require_count(name, getattr(self, name))
        self._check_start()
        if not _is_number(self.overlap) or not 0 <= self.overlap < 1:
            raise InputError(f"overlap is {self.overlap!r}; expected a share of at least 0 and below 1")
        if not _is_number(self.subset) or not 0 < self.subset <= 1:
            raise InputError(f"subset is {self.subset!r}; expected a share above 0 and at most 1")
        for name in ("terminal_scale", "credit_scale"):
            if not _is_number(getattr(self, name)):
                raise InputError(f"{name} is {getattr(self, name)!r}; expected a finite number")
        if self.inter_scale is not None and not _is_number(self.inter_scale):
            raise InputError(
                f"inter_scale is {self.inter_scale!r}; expected a finite number, or None for 1 / episode_length"
            )
        if not isinstance(self.inter_weights, tuple | list) or not (
            len(self.inter_weights) == 2 and all(_is_number(weight) for weight in self.inter_weights)
        ):
            raise InputError(f"inter_weights is {self.inter_weights!r}; expected two finite numbers")
        object.__setattr__(self, "inter_weights", tuple(float(weight) for weight in self.inter_weights))
        for name, choices in _CHOICES.items():
            require_choice(name, getattr(self, name), choices)

    def _check_start(self) -> None:
        """Raise InputError where the options about the starting parser do not fit together."""
        start = self.task_start
        if not isinstance(start, str) or not start:
            raise InputError(
                f"task_start is {start!r}; expected 'pretrained', 'fresh' or the path of a task.safetensors"
            )
        if self.task_start_epochs is not None and start != "pretrained":
            raise InputError(
                f"task_start_epochs is {self.task_start_epochs}, but task_start is {start!r}: only 'pretrained' "
                "trains a parser; leave one of the two away"
            )
        if self.evidence is not None:
            require_choice("evidence", self.evidence, EVIDENCE_SOURCES)
        if self.evidence == "start" and start == "fresh":
            raise InputError(
                "evidence is 'start', but task_start is 'fresh': a new network knows nothing; use task_start "
                "'pretrained' or a file, or evidence 'current'"
            )

    @property
    def num_carried(self) -> int:
        """Videos that a state keeps of the one before, 0 to batch_size - 1."""
        return min(round(self.overlap * self.batch_size), self.batch_size - 1)

    @property
    def pays_paper(self) -> bool:
        """Whether the inter- and the terminal reward are part of the reward."""
        return self.reward != "credit"

    @property
    def inter_factor(self) -> float:
        """What a step pays per unit of inter-reward; 0 where the reward has none."""
        if not self.pays_paper:
            return 0.0
        return 1 / self.episode_length if self.inter_scale is None else self.inter_scale

    @property
    def pays_credit(self) -> bool:
        """Whether the credit of the removed labels is part of the reward."""
        return self.reward != "paper"

    def subset_size(self, num_videos: int) -> int:
        """Return how many of ``num_videos`` training videos an episode draws from.

        Raises:
            InputError: they would not fill a batch.
        """
        size = math.floor(self.subset * num_videos + 1e-9)
        if size < self.batch_size:
            raise InputError(
                f"subset {self.subset:g} of {num_videos} training videos is {size}, less than the batch_size "
                f"of {self.batch_size}; make the batch smaller or the subset larger"
            )
        return size


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise InputError where an option is none of its choices."""
    if value not in choices:
        raise InputError(f"{name} is {value!r}; expected one of {', '.join(choices)}")


def require_count(name: str, value: Any, lowest: int = 1) -> None:
    """Raise InputError where an option is no integer of at least ``lowest``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise InputError(f"{name} is {value!r}; expected an integer of at least {lowest}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
