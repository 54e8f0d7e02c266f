"""Every option of a benchmark, as data that goes into its config.json and comes back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from rlld_gym.errors import InputError

CHANGEABLE = ("preset", "methods", "seeds", "backend", "workers", "device")
"""Options that may change when a benchmark is resumed: none of them changes a result that is there already."""


@dataclass(frozen=True)
class BenchmarkConfig:
    """A benchmark: methods, each with every seed."""

    data: str = "twin-small"
    """Data set: twin-tiny, twin-small, twin-full, or the path of a store that 'rlld data' wrote."""
    data_seed: int = 0
    """Seed of a twin; no effect on a file."""
    dense_videos: int | None = None
    """Validation videos to keep, drawn anew for each seed; None: all."""
    dense_shift: float = 0.0
    """How strongly they are drawn so that classes are seen more or less often than in the other splits."""
    preset: Literal["main", "ablation", "learning"] = "main"
    """Rows: all methods; RLLD with and without its parts; imitation with and without rewards."""
    methods: tuple[str, ...] | None = None
    """Rows by name; None: those of the preset."""
    seeds: int = 5
    """Seeds 0, 1, ... of every method and its parser."""
    recipe: str | None = None
    """How parsers are trained; None: what the data set recommends."""
    hidden_size: int | None = None
    """Width of parsers and policies; None: what the data set recommends."""
    parser_epochs: int | None = None
    """Epochs of a parser, the recipe's schedule shrunk to fit; None: the recipe's own."""
    rlld_episodes: int = 20
    """Episodes of REINFORCE in the rows of RLLD."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes the first GPU there is."""
    backend: Literal["process", "ray"] = "process"
    """What runs the cells side by side: processes of this machine, or Ray Tune."""
    workers: int | None = None
    """How many at a time; None: as many as there are cores."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        for name in ("seeds", "workers", "parser_epochs", "hidden_size", "rlld_episodes", "dense_videos"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name.replace('_', '-')}: found {value}, expected at least 1")
        if self.dense_shift and self.dense_videos is None:
            raise InputError(f"--dense-shift {self.dense_shift}: needs --dense-videos, how many to keep")

    def row_names(self) -> tuple[str, ...]:
        """Return the rows' names, in table order.

        Raises:
            InputError: for an unknown one.
        """
        from rlld_agents.experiments.benchmark.rows import PRESETS, row_of  # noqa: PLC0415 (torch)

        names = tuple(PRESETS[self.preset]) if self.methods is None else self.methods
        for name in names:
            row_of(name)
        return names

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str) -> "BenchmarkConfig":
        """Return the options that `as_dict` gave; InputError for unknown or impossible ones."""
        try:
            methods = values["methods"]
            return cls(**{**values, "methods": None if methods is None else tuple(methods)})
        except (KeyError, TypeError) as error:
            raise InputError(f"{source}: options do not fit this version of the program ({error})") from error

    def command_line(self) -> list[str]:
        """Return the words of an ``rlld benchmark`` command with these options; defaults are left out."""
        words = ["rlld", "benchmark"]
        for option in fields(self):
            value = getattr(self, option.name)
            if value != option.default:
                values = value if isinstance(value, tuple) else (value,)
                words += [f"--{option.name.replace('_', '-')}", *map(str, values)]
        return words

    def check_resumes(self, original: "BenchmarkConfig") -> None:
        """Raise InputError if an option differs that results of a started benchmark depend on."""
        for option in fields(self):
            mine, theirs = getattr(self, option.name), getattr(original, option.name)
            if option.name not in CHANGEABLE and mine != theirs:
                raise InputError(
                    f"--{option.name.replace('_', '-')} {mine}: the benchmark was started with {theirs}; resume "
                    "without this option, or start a new one in another folder"
                )
