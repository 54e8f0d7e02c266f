"""Every option of a study, as data that goes into its config.json and comes back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal, Self

from rlld_agents.baselines.rows import (
    AGENT_ROWS,
    CONTROL_ROWS,
    PRESETS,
    Row,
    agent_row,
    known_rows,
    plugin_row,
)
from rlld_agents.experiments.config import EnvironmentOptions
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_gym.errors import InputError
from rlld_gym.plugins import is_plugin, load_plugin

AgentName = Literal["reinforce", "reinforce-baseline", "ppo", "a2c", "maskable-ppo", "trpo"]
ControlName = Literal["keep-all", "weak", "random", "no-visual-speech", "no_visual_speech", "oracle"]
Backend = Literal["process", "ray"]

CHANGEABLE = ("preset", "methods", "agents", "agent", "controls", "seeds", "backend", "workers", "device")
"""Options that may change when a study is resumed: none of them changes a result that is there already."""


@dataclass(frozen=True)
class StudyConfig:
    """Rows, each with every seed, on one data set and with one evaluator."""

    command: ClassVar[str] = "rlld benchmark"
    """What makes and resumes such a study."""
    noun: ClassVar[str] = "study"
    """What messages call it."""
    first: ClassVar[Mapping[str, Row]] = {}
    """Rows that have precedence where a name is used twice."""

    data: str = "twin-small"
    """Data set: twin-tiny, twin-small, twin-full, or the path of a store that 'rlld data' wrote."""
    data_seed: int = 0
    """Seed of a twin; no effect on a file."""
    dense_videos: int | None = None
    """Validation videos to keep, drawn anew for each seed; None: all."""
    dense_shift: float = 0.0
    """How strongly they are drawn so that classes are seen more or less often than in the other splits."""
    agents: tuple[AgentName, ...] = ()
    """Bundled agents: rows that learn by acting on the environment."""
    agent: tuple[str, ...] = ()
    """Agents of your own, each as module:Class or an entry point rlld.agents; see docs/compare.md."""
    methods: tuple[str, ...] | None = ()
    """Other rows: denoisers by name, or your own as module:Class or an entry point rlld.denoisers."""
    controls: tuple[ControlName, ...] = ()
    """Label sets that nobody has to learn; those that the data cannot offer are left out."""
    seeds: int = 5
    """Seeds 0, 1, ... of every row and its parser."""
    steps: int = 640
    """Environment steps that every agent may learn for."""
    rlld_episodes: int = ReinforceConfig.episodes
    """Episodes of REINFORCE in the rows of RLLD."""
    recipe: str | None = None
    """How task network and parsers are trained; None: what the data set recommends."""
    hidden_size: int | None = None
    """Width of task network, parsers and policies; None: what the data set recommends."""
    parser_epochs: int | None = None
    """Epochs of a parser, the recipe's schedule shrunk to fit; None: the recipe's own."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes the first GPU there is."""
    backend: Backend = "process"
    """What runs the cells side by side: processes of this machine, or Ray Tune."""
    workers: int | None = None
    """How many at a time; None: as many as there are cores."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment, for agents and the rows of RLLD."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        counts = (
            "seeds",
            "steps",
            "workers",
            "parser_epochs",
            "hidden_size",
            "rlld_episodes",
            "dense_videos",
        )
        for name in counts:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name.replace('_', '-')}: found {value}, expected at least 1")
        if self.dense_shift and self.dense_videos is None:
            raise InputError(f"--dense-shift {self.dense_shift}: needs --dense-videos, how many to keep")

    def subject(self, videos: int) -> str:
        """Return what titles call the work, for a number of training videos."""
        return f"{videos} training videos"

    # ------------------------------------------------------------------ rows

    def preset_rows(self) -> tuple[str, ...]:
        """Return the rows of a study whose ``methods`` are not named."""
        return ()

    def named(self) -> list[tuple[str, str]]:
        """Return (option, name) of each row, in table order; the option is "" where nobody asked for the row."""
        methods = [("", name) for name in self.preset_rows()]
        if self.methods is not None:
            methods = [("--methods", name) for name in self.methods]
        agents = [("--agents", name) for name in self.agents] + [("--agent", name) for name in self.agent]
        found = {
            name: option for option, name in (*agents, *methods, *(("--controls", c) for c in self.controls))
        }
        return [(option, name) for name, option in found.items()]

    def row_names(self) -> tuple[str, ...]:
        """Return the rows' names, in table order; InputError for an unknown one."""
        names = tuple(name for _, name in self.named())
        for name in names:
            self.row(name)
        return names

    def row(self, name: str) -> Row:
        """Return the row of a name.

        Raises:
            InputError: there is none.
        """
        if name in self.agent:
            return agent_row(name)
        known = known_rows(self.first)
        if name in known:
            return known[name]
        if is_plugin(name, "rlld.denoisers"):
            return plugin_row(name)
        raise InputError(f"--methods {name}: unknown; expected some of {', '.join(known)}, or module:Class")

    def check_plugins(self) -> None:
        """Raise InputError where an agent or a method of one's own cannot be loaded."""
        for name in self.agent:
            if name not in AGENT_ROWS:
                load_plugin(name, "--agent", "rlld.agents", methods=("learn", "act"))
        for name in self.methods or ():
            if self.row(name).method == name and is_plugin(name, "rlld.denoisers"):
                load_plugin(name, "--methods", "rlld.denoisers", methods=("denoise",))

    # ------------------------------------------------------------------ as data

    def as_dict(self) -> dict[str, Any]:
        """Return the options as nested plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str) -> Self:
        """Return the options that `as_dict` gave.

        Args:
            values: the options, possibly with lists for tuples, as JSON has them.
            source: their file, for the message.

        Raises:
            InputError: for unknown or impossible options.
        """
        try:
            plain = {name: _tuples(value) for name, value in values.items()}
            if "environment" in plain:
                environment = {name: _tuples(value) for name, value in plain["environment"].items()}
                plain["environment"] = EnvironmentOptions(**environment)
            return cls(**plain)
        except (AttributeError, TypeError) as error:
            raise InputError(f"{source}: options do not fit this version of the program ({error})") from error

    def command_line(self) -> list[str]:
        """Return the words of the command with these options; defaults are left out."""
        words = self.command.split()
        defaults = _flat(type(self)())
        for name, value in _flat(self).items():
            option = name.replace("_", "-")
            if value == defaults[name]:
                continue
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            else:
                words += [f"--{option}", *map(str, value if isinstance(value, tuple) else (value,))]
        return words

    def check_resumes(self, original: Self) -> None:
        """Raise InputError if an option differs that results of a started study depend on."""
        mine, theirs = _flat(self), _flat(original)
        for name, value in mine.items():
            if name not in CHANGEABLE and value != theirs[name]:
                raise InputError(
                    f"--{name.replace('_', '-')} {value}: the {self.noun} was started with {theirs[name]}; resume "
                    "without this option, or start a new one in another folder"
                )


@dataclass(frozen=True)
class BenchmarkConfig(StudyConfig):
    """A benchmark: methods, each with every seed."""

    noun: ClassVar[str] = "benchmark"

    preset: Literal["main", "ablation", "learning"] = "main"
    """Rows: all methods; RLLD with and without its parts; imitation with and without rewards."""
    methods: tuple[str, ...] | None = None
    """Rows by name, or denoisers of your own as module:Class or an entry point rlld.denoisers; None: those of the
    preset."""

    def preset_rows(self) -> tuple[str, ...]:
        """Return the rows of the preset."""
        return tuple(PRESETS[self.preset])


@dataclass(frozen=True)
class CompareConfig(StudyConfig):
    """A comparison: agents and controls, each with every seed."""

    command: ClassVar[str] = "rlld compare"
    noun: ClassVar[str] = "comparison"
    first: ClassVar[Mapping[str, Row]] = CONTROL_ROWS

    agents: tuple[AgentName, ...] = ("reinforce", "reinforce-baseline", "ppo", "a2c", "maskable-ppo", "trpo")
    """Bundled agents to compare."""
    controls: tuple[ControlName, ...] = ("keep-all", "random", "no-visual-speech", "oracle")
    """Label sets without an agent; those that the data cannot offer are left out."""

    def subject(self, videos: int) -> str:
        """Return the budget."""
        return f"{self.steps} environment steps"


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _flat(config: StudyConfig) -> dict[str, Any]:
    """Return all options in one dictionary, by the names that the command line gives them."""
    top = {f.name: getattr(config, f.name) for f in fields(config) if f.name != "environment"}
    return top | asdict(config.environment)
