"""Every option of a study, as data that goes into its config.json and comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from rlld_agents.baselines.rows import (
    AGENT_ROWS,
    CONTROL_ROWS,
    PRESETS,
    Preset,
    Row,
    agent_row,
    known_rows,
    plugin_row,
)
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.runs.options import SettingOptions
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.errors import InputError
from rlld_gym.plugins import is_plugin, load_plugin

AgentName = Literal[
    "reinforce",
    "reinforce-baseline",
    "reinforce-parameters",
    "ppo",
    "a2c",
    "maskable-ppo",
    "trpo",
    "ppo-rates",
    "sac-rates",
]
ControlName = Literal["keep-all", "weak", "random", "no-visual-speech", "no_visual_speech", "oracle"]
Backend = Literal["process", "ray"]

CHANGEABLE = frozenset(
    ("preset", "methods", "agents", "agent", "controls", "seeds", "backend", "workers", "device")
)
"""Options that may change when a study is resumed: none of them changes a result that is there already."""

COUNTS = ("seeds", "steps", "workers", "rlld_episodes", "dense_videos")
"""Options that are numbers of things."""


@dataclass(frozen=True)
class StudyConfig(SettingOptions):
    """Rows, each with every seed, on one data set and with one evaluator."""

    command: ClassVar[str] = "rlld benchmark"
    noun: ClassVar[str] = "study"
    changeable: ClassVar[frozenset[str]] = CHANGEABLE
    first: ClassVar[Mapping[str, Row]] = {}
    """Rows that have precedence where a name is used twice."""
    plays_controls: ClassVar[bool] = False
    """Whether the removals of controls are played in the environment, for a return beside those of agents."""

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
    steps: int = 2048
    """Environment steps that every agent may learn for."""
    rlld_episodes: int = ReinforceConfig.episodes
    """Episodes of REINFORCE in the rows of RLLD."""
    backend: Backend = "process"
    """What runs the cells side by side: processes of this machine, or Ray Tune."""
    workers: int | None = None
    """How many at a time; None: as many as there are cores."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment, for agents and the rows of RLLD."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        super().__post_init__()
        counts = {name: getattr(self, name) for name in COUNTS}
        self.refuse({name: (value is None or value >= 1, "at least 1") for name, value in counts.items()})
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

    @property
    def has_own_code(self) -> bool:
        """Whether a row is code from outside, which may change its process."""
        names = [name for _, name in self.named()]
        own = any(self.row(name).method == name and is_plugin(name, "rlld.denoisers") for name in names)
        return own or any(name not in AGENT_ROWS for name in self.agent)

    def check_plugins(self) -> None:
        """Raise InputError where an agent or a method of one's own cannot be loaded."""
        for name in self.agent:
            if name not in AGENT_ROWS:
                load_plugin(name, "--agent", "rlld.agents", methods=("learn", "act"))
        for name in self.methods or ():
            if self.row(name).method == name and is_plugin(name, "rlld.denoisers"):
                load_plugin(name, "--methods", "rlld.denoisers", methods=("denoise",))


@dataclass(frozen=True)
class BenchmarkConfig(StudyConfig):
    """A benchmark: methods, each with every seed."""

    noun: ClassVar[str] = "benchmark"

    preset: Preset = "main"
    """Rows: all methods; RLLD with and without its parts; imitation with and without rewards; published parsers on
    label sets that HAN helped to make."""
    systems: tuple[str, ...] | None = None
    """With the preset "systems", the parsers; None: all."""
    label_sets: tuple[str, ...] | None = None
    """With the preset "systems", the label sets; None: all."""
    methods: tuple[str, ...] | None = None
    """Rows by name, or denoisers of your own as module:Class or an entry point rlld.denoisers; None: those of the
    preset."""

    def preset_rows(self) -> tuple[str, ...]:
        """Return the rows of the preset.

        Raises:
            InputError: an unknown system or label set, or the preset has none.
        """
        rows = PRESETS[self.preset]
        for name, part in (("systems", "system"), ("label_sets", "labels")):
            wanted = getattr(self, name)
            if wanted is not None:
                known = {getattr(row, part) for row in rows.values()} - {None}
                unknown = [value for value in wanted if value not in known]
                expected = ", ".join(sorted(known)) or "--preset systems with it"
                self.refuse({name: (not unknown, expected)})
                rows = {key: row for key, row in rows.items() if getattr(row, part) in wanted}
        return tuple(rows)


@dataclass(frozen=True)
class CompareConfig(StudyConfig):
    """A comparison: agents and controls, each with every seed."""

    command: ClassVar[str] = "rlld compare"
    noun: ClassVar[str] = "comparison"
    first: ClassVar[Mapping[str, Row]] = CONTROL_ROWS
    plays_controls: ClassVar[bool] = True

    agents: tuple[AgentName, ...] = (
        "reinforce",
        "reinforce-parameters",
        "ppo",
        "a2c",
        "ppo-rates",
        "sac-rates",
    )
    """Bundled agents to compare."""
    controls: tuple[ControlName, ...] = ("keep-all", "random", "no-visual-speech", "oracle")
    """Label sets without an agent; those that the data cannot offer are left out."""

    def subject(self, videos: int) -> str:
        """Return the budget."""
        return f"{self.steps} environment steps"
