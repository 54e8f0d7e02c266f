"""The options of REINFORCE, checked where they are given."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from typing import Any, Literal

from rlld_agents.reinforce.advantages import BASELINES, Advantage, Baseline
from rlld_gym.errors import InputError
from rlld_gym.options import LARGEST_SEED, make_plain

CHANGEABLE = ("episodes", "checkpoint_every", "rollout_workers", "rollout_backend", "patience")
"""Options that may change when a run is resumed."""

PARAMETER_OPTIONS = (
    *("pairs", "deviation", "deviation_step", "step_size", "decay", "class_share", "patience"),
    *("rollout_workers", "rollout_backend"),
)
"""Options that only exploration in parameters uses."""

ACTION_OPTIONS = (
    "learning_rate",
    "reward_to_go",
    "discount",
    "baseline",
    "baseline_decay",
    "entropy_coefficient",
    "kl_coefficient",
    "max_gradient_norm",
    "update_every",
    "warm_up_steps",
    "gradient_diagnostics",
)
"""Options that only exploration in actions uses."""


@dataclass(frozen=True)
class ReinforceConfig:
    """Options of ``Reinforce``; the defaults are the paper's preset."""

    episodes: int = 64
    """Episodes to train for, counted from the start of the run also when it is resumed."""
    learning_rate: float = 1e-4
    """Adam's learning rate."""
    advantage: Advantage = "episode"
    """Which action bits share a reward. "episode": all bits share the episode's return (Eq. 15); "step": those of a
    step its reward; "video": those of a video the video's; "label": each bit has its label's credit. Exploring
    parameters, "episode" or "class": the numbers of a class also have what that class earned."""
    branch_rewards: bool = True
    """Reinforce each branch with its own reward (Eq. 15), not both with the mean of the two."""
    reward_to_go: bool = False
    """Multiply a step with the rewards from that step on, not with the return of the whole episode."""
    discount: float = 1.0
    """Factor per step by which later rewards count less; 1 is the paper's undiscounted sum."""
    baseline: Baseline = "none"
    """What is subtracted from a reward. "ema": a moving average of earlier ones, one for each branch (and step of
    an episode); "leave_one_out": the mean of the batch's others; "expected": what the policy earns on average,
    given the credit; "optimal": what leaves a label's gradient no variance."""
    baseline_decay: float = 0.9
    """How much of the moving average an episode (or a step, where it is rewarded on its own) keeps."""
    entropy_coefficient: float = 0.0
    """Weight of the entropy of the free bits, summed over a batch like log pi, in the objective."""
    kl_coefficient: float = 0.0
    """Weight of the divergence from the policy that training started from, summed over a batch's free bits like
    log pi, in the objective; it pulls back to that policy."""
    max_gradient_norm: float | None = None
    """Scale the gradient down to this norm where it is longer."""
    update_every: int | None = None
    """Steps between updates of the policy; None: one update an episode, after its last step."""
    warm_up_steps: int = 0
    """Steps at the start of the run that the policy acts in but does not learn from: the credit of a new task
    network says little."""
    gradient_diagnostics: bool = False
    """Log how noisy the gradient is, from the gradients of two halves of each batch; takes two more backward
    passes and changes nothing else."""
    exploration: Literal["actions", "parameters"] = "actions"
    """What is drawn at random: every action bit (Eq. 12-15), or once an episode the policy's parameters, which then
    act deterministically (`rlld_agents.reinforce.parameter_exploration`)."""
    pairs: int = 4
    """Exploring parameters: antithetic pairs of episodes for an update."""
    deviation: float = 0.7
    """Exploring parameters: standard deviation of a perturbation, at first."""
    deviation_step: float = 0.0
    """Exploring parameters: how far the logarithm of a deviation moves where the size of its perturbation explains
    all of a pair's return; 0: deviations stay as they are."""
    step_size: float = 0.8
    """Exploring parameters: how far a parameter moves whose perturbation explains all of its advantage."""
    decay: float = 0.93
    """Exploring parameters: factor of the step size after each update."""
    class_share: float = 0.5
    """Exploring parameters, advantage "class": weight of what a class earned itself beside its branch's return."""
    patience: int | None = None
    """Exploring parameters: stop when so many updates earned no more than as many before; None: never."""
    rollout_workers: int = 1
    """Exploring parameters: processes that play episodes side by side, with the same result; 1: only this one."""
    rollout_backend: Literal["process", "ray"] = "process"
    """Exploring parameters, several workers: processes of this machine, or Ray's, also on other machines."""
    checkpoint_every: int = 10
    """Episodes between checkpoints; one is always written at the end and on Ctrl-C."""
    seed: int = 0
    """Seed of the action samples and of the environment's first reset."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense, alone or together."""
        make_plain(self)
        if self.exploration == "parameters":
            self._check_parameters()
            return
        baselines = BASELINES.get(self.advantage, ())
        self._check(
            {
                "episodes": (self.episodes >= 1, "at least 1"),
                "learning_rate": (self.learning_rate > 0, "greater than 0"),
                "advantage": (self.advantage in BASELINES, f"one of {', '.join(BASELINES)}"),
                "discount": (0 <= self.discount <= 1, "between 0 and 1"),
                "baseline": (
                    self.baseline in baselines,
                    f"with advantage {self.advantage} one of {', '.join(baselines)}",
                ),
                "baseline_decay": (0 <= self.baseline_decay < 1, "at least 0 and less than 1"),
                "entropy_coefficient": (self.entropy_coefficient >= 0, "at least 0"),
                "kl_coefficient": (self.kl_coefficient >= 0, "at least 0"),
                "max_gradient_norm": (
                    self.max_gradient_norm is None or self.max_gradient_norm > 0,
                    "greater than 0 or none",
                ),
                "update_every": (self.update_every is None or self.update_every >= 1, "at least 1 or none"),
                "warm_up_steps": (self.warm_up_steps >= 0, "at least 0"),
                "checkpoint_every": (self.checkpoint_every >= 1, "at least 1"),
                "seed": (0 <= self.seed <= LARGEST_SEED, f"from 0 to {LARGEST_SEED}"),
                "exploration": (self.exploration == "actions", "actions or parameters"),
            }
        )
        self._check_defaults(PARAMETER_OPTIONS, "exploration actions")
        if self.advantage == "episode":
            self._check(
                {
                    "update_every": (
                        self.update_every is None,
                        "none: the return is known after the episode",
                    ),
                    "warm_up_steps": (self.warm_up_steps == 0, "0: with advantage episode all steps count"),
                }
            )
        else:
            only_episode = "only advantage episode looks at later rewards"
            self._check(
                {
                    "reward_to_go": (not self.reward_to_go, f"False: {only_episode}"),
                    "discount": (self.discount == 1, f"1: {only_episode}"),
                    "branch_rewards": (
                        self.branch_rewards or self.advantage != "label",
                        "True: with advantage label every bit has a reward of its own",
                    ),
                }
            )

    def _check_parameters(self) -> None:
        """Refuse values that make no sense where parameters are explored."""
        self._check(
            {
                "episodes": (self.episodes >= 1, "at least 1"),
                "advantage": (
                    self.advantage in ("episode", "class"),
                    "exploring parameters, episode or class",
                ),
                "pairs": (self.pairs >= 1, "at least 1"),
                "deviation": (self.deviation > 0, "greater than 0"),
                "deviation_step": (self.deviation_step >= 0, "at least 0"),
                "step_size": (self.step_size > 0, "greater than 0"),
                "decay": (0 < self.decay <= 1, "greater than 0, at most 1"),
                "class_share": (0 <= self.class_share <= 1, "between 0 and 1"),
                "patience": (self.patience is None or self.patience >= 1, "at least 1 or none"),
                "rollout_workers": (self.rollout_workers >= 1, "at least 1"),
                "rollout_backend": (
                    self.rollout_backend == "process"
                    or (self.rollout_backend == "ray" and find_spec("ray") is not None),
                    "process, or ray where it is installed",
                ),
                "checkpoint_every": (self.checkpoint_every >= 1, "at least 1"),
                "seed": (0 <= self.seed <= LARGEST_SEED, f"from 0 to {LARGEST_SEED}"),
            }
        )
        self._check_defaults(ACTION_OPTIONS, "exploration parameters")

    def _check_defaults(self, options: tuple[str, ...], mode: str) -> None:
        """Raise InputError where an option is set that has no effect."""
        for option in fields(self):
            if option.name in options and getattr(self, option.name) != option.default:
                raise InputError(
                    f"option {option.name}: found {getattr(self, option.name)}, which has no effect with {mode}; "
                    "leave it away"
                )

    def check_resumes(self, saved: Mapping[str, Any], source: str) -> None:
        """Raise InputError if an option that shapes the run differs from a saved run's.

        Args:
            saved: its options, by name.
            source: of the saved run, for the message.
        """
        saved = asdict(ReinforceConfig()) | dict(saved)  # of a time when there were fewer options
        for name, value in asdict(self).items():
            if name not in CHANGEABLE and saved[name] != value:
                raise InputError(
                    f"{source}: trained with {name}={saved[name]}, found {name}={value}; "
                    "resume with the run's own options"
                )

    @property
    def needs_credit(self) -> bool:
        """Whether the environment has to tell the credit of every label."""
        return self.advantage == "label" or self.baseline in ("expected", "optimal")

    def _check(self, rules: dict[str, tuple[bool, str]]) -> None:
        """Raise InputError for the first option whose rule does not hold."""
        for name, (holds, expected) in rules.items():
            if not holds:
                raise InputError(f"option {name}: found {getattr(self, name)}, expected {expected}")


@dataclass(frozen=True)
class PresetReinforceConfig(ReinforceConfig):
    """Options of REINFORCE whose exploration a preset decides, once they are known.

    Until then nobody can say which of them have no effect; who knows the preset refuses those that it does not use.
    """

    def _check_defaults(self, options: tuple[str, ...], mode: str) -> None:
        if self.exploration == "parameters":
            super()._check_defaults(options, mode)
