"""Every option of the main experiment, as data that goes into a run's config.json and comes back."""

from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal

from rlld_agents.labels.removal_rule import RemovalRule
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.runs.environment_options import EnvironmentOptions
from rlld_agents.runs.options import SettingOptions, spelled
from rlld_gym.errors import InputError

LabelSetName = Literal["weak", "label_smoothing", "random", "no_visual_speech", "denoised", "oracle"]

_AGENT = ReinforceConfig()


@dataclass(frozen=True)
class ExperimentConfig(SettingOptions):
    """The main experiment: train a denoiser, denoise, train and test parsers on that and on controls."""

    command: ClassVar[str] = "rlld train"
    changeable: ClassVar[frozenset[str]] = frozenset(
        {
            "episodes",
            "checkpoint_every",
            "threshold",
            "label_sets",
            "parser_seeds",
            "parser_epochs",
            "device",
            "workers",
            "profile",
        }
    )

    preset: Literal["joint", "paper"] = "joint"
    """How the policy learns. "joint": from the validation videos' dense labels, in rounds with a parser; options of
    the environment and of REINFORCE are not used, but --seed and --empty-rule. "paper": REINFORCE in the
    environment, as published."""
    rounds: int = 2
    """Rounds of the preset "joint"."""
    credit_episodes: int = 0
    """Episodes of REINFORCE on the credit of labels, with which the preset "joint" goes on after each imitation. It
    has not improved removals yet; the estimate is that of imitation alone."""
    initial_removal: float = 0.2
    """Probability with which the untrained policy removes a label."""
    threshold: float = 0.5
    """The trained policy removes labels whose removal probability is above this."""
    label_sets: tuple[LabelSetName, ...] = ("weak", "no_visual_speech", "denoised", "oracle")
    """Labels to train parsers on; those that the data cannot offer are left out."""
    parser_seeds: int = 1
    """Parsers to train on each label set; tables show the mean."""
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
        super().__post_init__()
        self.refuse(
            {
                "rounds": (self.rounds >= 1, "at least 1"),
                "credit_episodes": (self.credit_episodes >= 0, "at least 0"),
                "parser_seeds": (self.parser_seeds >= 1, "at least 1"),
                "workers": (self.workers is None or self.workers >= 1, "at least 1"),
                "threshold": (0 < self.threshold < 1, "a probability between 0 and 1"),
                "initial_removal": (0 < self.initial_removal < 1, "a probability between 0 and 1"),
                "label_sets": (bool(self.label_sets), "at least one label set"),
            }
        )

    @property
    def removal_rule(self) -> RemovalRule:
        """Which labels the trained policy removes."""
        return RemovalRule(self.threshold, self.environment.empty_rule)

    def check_used(self) -> None:
        """Raise InputError for an option that the preset would silently ignore."""
        unused, other = (PAPER_ONLY, "paper") if self.preset == "joint" else (JOINT_ONLY, "joint")
        defaults = ExperimentConfig().flat()
        for name, value in self.flat().items():
            if name in unused and value != defaults[name]:
                raise InputError(
                    f"--{spelled(name)} {value}: the preset {self.preset} does not use it; leave it away, "
                    f"or use --preset {other}"
                )
        if self.environment.reward == "paper" and self.agent.needs_credit:
            raise InputError(
                f"--advantage {self.agent.advantage} --baseline {self.agent.baseline}: needs the credit of labels, "
                "which --reward paper does not give; add --reward credit"
            )

    def may_change(self) -> frozenset[str]:
        """Return the options that do not shape the episodes that are done."""
        # The joint loop denoises between its rounds, and its estimate is of one threshold.
        return self.changeable - ({"threshold"} if self.preset == "joint" else set())


PAPER_ONLY = {
    "initial_removal",
    *(option.name for part in (EnvironmentOptions, ReinforceConfig) for option in fields(part)),
} - {"seed", "empty_rule"}
"""Options that only the preset "paper" uses."""

JOINT_ONLY = {"rounds", "credit_episodes"}
"""Options that only the preset "joint" uses."""
