"""Every option of the main experiment, as data that goes into a run's config.json and comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, Final, Literal

from rlld_agents.labels.removal_rule import RemovalRule
from rlld_agents.reinforce.config import (
    ACTION_OPTIONS,
    PARAMETER_OPTIONS,
    PresetReinforceConfig,
    ReinforceConfig,
)
from rlld_agents.runs.options import SettingOptions, spelled
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.errors import InputError

PresetName = Literal["rlld", "joint", "imitation", "paper"]
LabelSetName = Literal["weak", "label_smoothing", "random", "no_visual_speech", "denoised", "oracle"]

REWARDS_HELP_BELOW: Final = 300
"""Dense validation videos up to which rewards improve on what imitation learns from them."""

_AGENT = PresetReinforceConfig()


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
            "final",
            "device",
            "workers",
            "profile",
            "pickle_for_ma",
        }
    )

    preset: PresetName | None = None
    """How the policy learns. "rlld": from the reward alone, REINFORCE over parameters in the environment; dense
    labels count through validation F-scores only. "imitation": from the validation videos' dense labels, in rounds
    with a parser. "joint": imitation, then rewards. "paper": as published, REINFORCE over actions, new parsers.
    None: "joint" with fewer than 300 dense validation videos, else "imitation", as good then and faster."""
    final: Literal["frozen", "online"] | None = None
    """The parser of the denoised labels: trained on them as they are, or with the policy in the loop, which decides
    anew before every epoch from the parser as it is; None: what suits the preset."""
    dense_videos: int | None = None
    """Validation videos to keep, drawn at random; None: all."""
    rounds: int = 2
    """Rounds of imitation, in the presets "imitation" and "joint"."""
    credit_episodes: int = 0
    """Episodes of REINFORCE on the credit of labels, with which a round of imitation goes on. It has not improved
    removals yet; the estimate is that of imitation alone."""
    initial_removal: float = 0.2
    """Preset "paper": probability with which the untrained policy removes a label."""
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
    pickle_for_ma: bool = False
    """Also write need_to_change.pkl, which the published code of MA and CVCMS opens; nothing here reads it."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment."""
    agent: PresetReinforceConfig = _AGENT
    """Options of REINFORCE; its seed is also the policy's, and the first parser's."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        super().__post_init__()
        self.refuse(
            {
                "rounds": (self.rounds >= 1, "at least 1"),
                "credit_episodes": (self.credit_episodes >= 0, "at least 0"),
                "dense_videos": (self.dense_videos is None or self.dense_videos >= 2, "at least 2"),
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

    def with_preset(self, train_videos: int, dense_videos: int) -> "ExperimentConfig":
        """Return the same with a preset; where none is named, the one that is best in docs/reward_only.md.

        Args:
            train_videos: training videos that the data set has; too few for an episode make it "imitation".
            dense_videos: validation videos with dense labels that it has.
        """
        if self.preset is not None:
            return self
        kept = dense_videos if self.dense_videos is None else min(self.dense_videos, dense_videos)
        playable = self.environment.batch_size <= self.environment.num_drawn(train_videos)
        return replace(self, preset="joint" if playable and 0 < kept < REWARDS_HELP_BELOW else "imitation")

    def check_used(self) -> None:
        """Raise InputError for an option that the preset, which must be named, would silently ignore."""
        assert self.preset is not None
        unused, defaults = UNUSED[self.preset], ExperimentConfig().flat()
        for name, value in self.flat().items():
            if name in unused and value != defaults[name]:
                using = ", ".join(preset for preset, names in UNUSED.items() if name not in names)
                raise InputError(
                    f"--{spelled(name)} {value}: the preset {self.preset} does not use it; leave it away, or use "
                    f"--preset {using}"
                )
        pays_credit = self.environment.reward in ("credit", "paper+credit")
        if self.preset == "paper" and not pays_credit and self.agent.needs_credit:
            raise InputError(
                f"--advantage {self.agent.advantage} --baseline {self.agent.baseline}: needs the credit of labels, "
                f"which --reward {self.environment.reward} does not give; add --reward credit"
            )

    def may_change(self) -> frozenset[str]:
        """Return the options that do not shape the episodes that are done."""
        # Imitation denoises between its rounds, and its estimate is of one threshold.
        return self.changeable - ({"threshold"} if self.preset in ("joint", "imitation") else set())


_ENVIRONMENT = frozenset(option.name for option in fields(EnvironmentOptions)) - {"empty_rule"}
_REINFORCE = frozenset(option.name for option in fields(ReinforceConfig)) - {"seed"}
_IMITATION = frozenset({"rounds", "credit_episodes"})
_DECIDED = frozenset({"exploration", "advantage", "evidence"})
"""By the presets that explore parameters."""

UNUSED: Final[Mapping[str, frozenset[str]]] = {
    "rlld": _IMITATION | frozenset(ACTION_OPTIONS) | _DECIDED | {"initial_removal"},
    "joint": frozenset(ACTION_OPTIONS) | _DECIDED | {"initial_removal"},
    "imitation": _ENVIRONMENT | _REINFORCE | {"initial_removal"},
    "paper": _IMITATION | frozenset(PARAMETER_OPTIONS) | {"exploration"},
}
"""Options that a preset does not use."""
