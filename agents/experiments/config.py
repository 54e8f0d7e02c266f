"""Every option of the main experiment, as data that goes into a run's config.json and comes back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from rlld_agents.reinforce.reinforce import ReinforceConfig
from rlld_gym.denoising.config import RewardKind
from rlld_gym.denoising.credit import CreditLoss
from rlld_gym.errors import InputError

LabelSetName = Literal["weak", "label_smoothing", "random", "no_visual_speech", "denoised", "oracle"]

_AGENT = ReinforceConfig(episodes=20)

CHANGEABLE = (
    "episodes",
    "checkpoint_every",
    "threshold",
    "label_sets",
    "parser_seeds",
    "parser_epochs",
    "device",
    "workers",
    "profile",
)
"""Options that may change when a run is resumed: none of them shapes the episodes that are done."""


@dataclass(frozen=True)
class EnvironmentOptions:
    """Options of the environment rlld/LabelDenoising-v0; its documentation explains each at length."""

    batch_size: int = 128
    """Videos in a state."""
    overlap: float = 0.25
    """Share of a state's videos that the next state keeps."""
    episode_length: int = 32
    """Steps of an episode."""
    subset: float = 1 / 3
    """Share of the training videos that an episode draws from."""
    task_lifespan: Literal["episode", "run"] = "episode"
    """Whether every episode starts with a fresh task network or the same one goes on."""
    inter_weights: tuple[float, float] = (0.6, 0.4)
    """Weights of divergence and cosine in the soft inter-reward (Eq. 9)."""
    terminal_scale: float = 0.1
    """Factor of the validation F-score, in percent, in the terminal reward (Eq. 10)."""
    terminal_every: int | None = None
    """Steps between validation rewards; None pays one on the last step only."""
    reward: RewardKind = "paper"
    """What is paid: "paper" (Eq. 9-11), the "credit" of removed labels, or the sum of both."""
    credit_loss: CreditLoss = "segment_f1"
    """The validation loss that credit is about."""
    credit_videos: int = 256
    """Validation videos that a step's credit is computed from."""
    credit_scale: float = 1.0
    """Reward per unit of credit."""
    empty_rule: Literal["video", "modality"] = "video"
    """Undo the removals of a video that would lose all its labels, or of a modality that would."""
    overlap_labels: Literal["original", "revised"] = "original"
    """Which labels a kept video shows in the next state."""
    initialized_labels: bool = True
    """Whether states contain the labels (False: the ablation of that name)."""


@dataclass(frozen=True)
class ExperimentConfig:
    """The main experiment: train a denoiser, denoise, train and test parsers on that and on controls."""

    data: str = "twin-small"
    """Data set: twin-tiny, twin-small, twin-full, or the path of a store that 'rlld data' wrote."""
    data_seed: int = 0
    """Seed of a twin; no effect on a file."""
    preset: Literal["joint", "paper"] = "joint"
    """How the policy learns. "joint": from the validation videos' dense labels, in rounds with a parser; options of
    the environment and of REINFORCE are not used, but --seed and --empty-rule. "paper": REINFORCE in the
    environment, as published."""
    rounds: int = 2
    """Rounds of the preset "joint"."""
    credit_episodes: int = 0
    """Episodes of REINFORCE on the credit of labels, with which the preset "joint" goes on after each imitation. It
    has not improved removals yet; the estimate is that of imitation alone."""
    recipe: str | None = None
    """Training recipe of task network and parsers; None: what the data set recommends."""
    hidden_size: int | None = None
    """Width of task network, parsers and policy; None: what the data set recommends."""
    initial_removal: float = 0.2
    """Probability with which the untrained policy removes a label."""
    threshold: float = 0.5
    """The trained policy removes labels whose removal probability is above this."""
    label_sets: tuple[LabelSetName, ...] = ("weak", "no_visual_speech", "denoised", "oracle")
    """Labels to train parsers on; those that the data cannot offer are left out."""
    parser_seeds: int = 1
    """Parsers to train on each label set; tables show the mean."""
    parser_epochs: int | None = None
    """Epochs of a parser, the recipe's schedule shrunk to fit; None: the recipe's own."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes the first GPU there is."""
    workers: int | None = None
    """Processes that train parsers, this one included; each has a copy of the data and its share of the cores.
    None: one for each parser that needs no policy and one more, but no more than there are cores; with the preset
    "paper", on a GPU, and from Python one."""
    profile: bool = False
    """Measure which part of the run takes how long; a table, and profile.json in the run folder."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment."""
    agent: ReinforceConfig = _AGENT
    """Options of REINFORCE; its seed is also the policy's, and the first parser's."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        rules = {
            "rounds": (self.rounds >= 1, "at least 1"),
            "credit_episodes": (self.credit_episodes >= 0, "at least 0"),
            "parser_seeds": (self.parser_seeds >= 1, "at least 1"),
            "parser_epochs": (self.parser_epochs is None or self.parser_epochs >= 1, "at least 1"),
            "workers": (self.workers is None or self.workers >= 1, "at least 1"),
            "hidden_size": (self.hidden_size is None or self.hidden_size >= 1, "at least 1"),
            "threshold": (0 < self.threshold < 1, "a probability between 0 and 1"),
            "initial_removal": (0 < self.initial_removal < 1, "a probability between 0 and 1"),
            "label_sets": (bool(self.label_sets), "at least one label set"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                option = name.replace("_", "-")
                raise InputError(f"--{option}: found {getattr(self, name)}, expected {expected}")

    def check_used(self) -> None:
        """Raise InputError for an option that the preset would silently ignore."""
        unused, other = (PAPER_ONLY, "paper") if self.preset == "joint" else (JOINT_ONLY, "joint")
        defaults = _flat(ExperimentConfig())
        for name, value in _flat(self).items():
            if name in unused and value != defaults[name]:
                raise InputError(
                    f"--{name.replace('_', '-')} {value}: the preset {self.preset} does not use it; leave it away, "
                    f"or use --preset {other}"
                )
        if self.environment.reward == "paper" and self.agent.needs_credit:
            raise InputError(
                f"--advantage {self.agent.advantage} --baseline {self.agent.baseline}: needs the credit of labels, "
                "which --reward paper does not give; add --reward credit"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the options as nested plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str) -> "ExperimentConfig":
        """Return the options that :meth:`as_dict` gave.

        Args:
            values: the options, possibly with lists for tuples, as JSON has them.
            source: their file, for the message.

        Raises:
            InputError: for missing, unknown or impossible options.
        """
        try:
            environment = dict(values["environment"])
            environment["inter_weights"] = tuple(environment["inter_weights"])
            nested = {
                "environment": EnvironmentOptions(**environment),
                "agent": ReinforceConfig(**values["agent"]),
                "label_sets": tuple(values["label_sets"]),
            }
            return cls(**{**values, **nested})
        except (KeyError, TypeError) as error:
            raise InputError(f"{source}: options do not fit this version of the program ({error})") from error

    def command_line(self) -> list[str]:
        """Return the words of an ``rlld train`` command with these options; defaults are left out."""
        words = ["rlld", "train"]
        defaults = _flat(ExperimentConfig())
        for name, value in _flat(self).items():
            option = name.replace("_", "-")
            if value == defaults[name]:
                continue
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            else:
                words += [f"--{option}", *map(str, value if isinstance(value, tuple) else (value,))]
        return words

    def check_resumes(self, original: "ExperimentConfig") -> None:
        """Raise InputError if an option that shapes the policy's training differs from a started run's."""
        mine, theirs = _flat(self), _flat(original)
        # The joint loop denoises between its rounds, and its estimate is of one threshold.
        fixed = {"threshold"} if original.preset == "joint" else set()
        for name, value in mine.items():
            if (name not in CHANGEABLE or name in fixed) and value != theirs[name]:
                option = name.replace("_", "-")
                raise InputError(
                    f"--{option} {value}: the run was started with {theirs[name]}; resume without this "
                    "option, or start a new run in another folder"
                )


PAPER_ONLY = {
    "initial_removal",
    *(option.name for part in (EnvironmentOptions, ReinforceConfig) for option in fields(part)),
} - {"seed", "empty_rule"}
"""Options that only the preset "paper" uses."""

JOINT_ONLY = {"rounds", "credit_episodes"}
"""Options that only the preset "joint" uses."""


def _flat(config: ExperimentConfig) -> dict[str, Any]:
    """Return all options in one dictionary, by the names that the command line gives them."""
    top = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in ("environment", "agent")}
    return top | asdict(config.environment) | asdict(config.agent)
