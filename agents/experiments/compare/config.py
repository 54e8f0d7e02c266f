"""Every option of a comparison, as data that goes into its config.json and comes back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from rlld_agents.experiments.config import EnvironmentOptions
from rlld_gym.errors import InputError

AgentName = Literal["reinforce", "reinforce-baseline", "ppo", "a2c", "maskable-ppo", "trpo"]
ControlName = Literal["keep-all", "random", "no-visual-speech", "oracle"]
Backend = Literal["process", "ray"]

CHANGEABLE = ("agents", "agent", "controls", "seeds", "backend", "workers", "device")
"""Options that may change when a comparison is resumed: none of them changes a result that is there already."""


@dataclass(frozen=True)
class CompareConfig:
    """A comparison: agents and controls, each with every seed."""

    data: str = "twin-small"
    """Data set: twin-tiny, twin-small, twin-full, or the path of a store that 'rlld data' wrote."""
    data_seed: int = 0
    """Seed of a twin; no effect on a file."""
    agents: tuple[AgentName, ...] = ("reinforce", "reinforce-baseline", "ppo", "a2c", "maskable-ppo", "trpo")
    """Bundled agents to compare."""
    agent: tuple[str, ...] = ()
    """Agents of your own, each as module:Class; see docs/compare.md."""
    controls: tuple[ControlName, ...] = ("keep-all", "random", "no-visual-speech", "oracle")
    """Label sets without an agent; those that the data cannot offer are left out."""
    seeds: int = 5
    """Seeds 0, 1, ... of every agent and control."""
    steps: int = 640
    """Environment steps that every agent may learn for."""
    recipe: str | None = None
    """Training recipe of task network and parsers; None: what the data set recommends."""
    hidden_size: int | None = None
    """Width of task network, parsers and policies; None: what the data set recommends."""
    parser_epochs: int | None = None
    """Epochs of a parser, the recipe's schedule shrunk to fit; None: the recipe's own."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes the first GPU there is."""
    backend: Backend = "process"
    """What runs the seeds side by side: processes of this machine, or Ray Tune."""
    workers: int | None = None
    """How many at a time; None: as many as there are cores."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        rules = {
            "seeds": (self.seeds >= 1, "at least 1"),
            "steps": (self.steps >= 1, "at least 1"),
            "workers": (self.workers is None or self.workers >= 1, "at least 1"),
            "parser_epochs": (self.parser_epochs is None or self.parser_epochs >= 1, "at least 1"),
            "hidden_size": (self.hidden_size is None or self.hidden_size >= 1, "at least 1"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                option = name.replace("_", "-")
                raise InputError(f"--{option}: found {getattr(self, name)}, expected {expected}")

    @property
    def budget(self) -> int:
        """Return the steps of the whole episodes that fit into ``steps``."""
        length = self.environment.episode_length
        return self.steps // length * length

    def environment_arguments(self) -> dict[str, Any]:
        """Return the arguments of the environment, but for the device and what an agent chooses itself."""
        own = {name: getattr(self, name) for name in ("data", "data_seed", "recipe", "hidden_size")}
        return own | asdict(self.environment)

    def as_dict(self) -> dict[str, Any]:
        """Return the options as nested plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str) -> "CompareConfig":
        """Return the options that `as_dict` gave.

        Args:
            values: the options, possibly with lists for tuples, as JSON has them.
            source: their file, for the message.

        Raises:
            InputError: for missing, unknown or impossible options.
        """
        try:
            environment = dict(values["environment"])
            environment["inter_weights"] = tuple(environment["inter_weights"])
            changed: dict[str, Any] = {"environment": EnvironmentOptions(**environment)}
            changed |= {name: tuple(values[name]) for name in ("agents", "agent", "controls")}
            return cls(**{**values, **changed})
        except (KeyError, TypeError) as error:
            raise InputError(f"{source}: options do not fit this version of the program ({error})") from error

    def command_line(self) -> list[str]:
        """Return the words of an ``rlld compare`` command with these options; defaults are left out."""
        words = ["rlld", "compare"]
        defaults = _flat(CompareConfig())
        for name, value in _flat(self).items():
            option = name.replace("_", "-")
            if value == defaults[name]:
                continue
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            else:
                words += [f"--{option}", *map(str, value if isinstance(value, tuple) else (value,))]
        return words

    def check_resumes(self, original: "CompareConfig") -> None:
        """Raise InputError if an option differs that results of a started comparison depend on."""
        mine, theirs = _flat(self), _flat(original)
        for name, value in mine.items():
            if name not in CHANGEABLE and value != theirs[name]:
                option = name.replace("_", "-")
                raise InputError(
                    f"--{option} {value}: the comparison was started with {theirs[name]}; resume without this "
                    "option, or start a new one in another folder"
                )


def _flat(config: CompareConfig) -> dict[str, Any]:
    """Return all options in one dictionary, by the names that the command line gives them."""
    top = {f.name: getattr(config, f.name) for f in fields(config) if f.name != "environment"}
    return top | asdict(config.environment)
