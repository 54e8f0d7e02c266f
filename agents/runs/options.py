"""Options of a command as data: they go into a run's config.json, into a command line, and come back."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_type_hints

from rlld_gym.errors import InputError
from rlld_gym.options import make_plain, require_seed

if TYPE_CHECKING:
    from rlld_agents.runs.setting import Setting


DATA_PLACE = frozenset({"data", "data_seed"})
"""Options that say where the data set is."""


@dataclass(frozen=True)
class Options:
    """Base of a command's options: a frozen dataclass of plain values, tuples, and dataclasses of such."""

    command: ClassVar[str]
    """What takes the options, such as "rlld train"."""
    noun: ClassVar[str] = "run"
    """What messages call that which has been started with them."""
    changeable: ClassVar[frozenset[str]] = frozenset()
    """Options that may differ when it is resumed: what is done already does not depend on them."""

    def as_dict(self) -> dict[str, Any]:
        """Return the options as nested plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str) -> Self:
        """Return the options that `as_dict` gave; those that are missing have their defaults.

        Args:
            values: the options, possibly with lists for tuples, as JSON has them.
            source: their file, for the message.

        Raises:
            InputError: for unknown or impossible options.
        """
        try:
            return cls(**_constructed(cls, values))
        except (AttributeError, TypeError) as error:
            raise InputError(f"{source}: options do not fit this version of the program ({error})") from error

    def flat(self) -> dict[str, Any]:
        """Return all options in one dictionary, by the names that the command line gives them; blocks come last."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        plain = {name: value for name, value in values.items() if not is_dataclass(value)}
        for value in values.values():
            if is_dataclass(value) and not isinstance(value, type):
                plain |= asdict(value)
        return plain

    def command_line(self) -> list[str]:
        """Return the words of a command with these options; defaults are left out."""
        words = self.command.split()
        defaults = type(self)().flat()
        for name, value in self.flat().items():
            if value == defaults[name]:
                continue
            if isinstance(value, bool):
                words.append(f"--{spelled(name)}" if value else f"--no-{spelled(name)}")
            else:
                values = value if isinstance(value, tuple) else (value,)
                words += [f"--{spelled(name)}", *map(str, values)]
        return words

    def check_resumes(self, original: Self, places: Iterable[str] = ()) -> None:
        """Raise InputError if an option differs on which depends what was started with the original ones.

        Args:
            original: the options.
            places: options that name files whose content is known and going to be compared: they may differ.
        """
        theirs, free = original.flat(), original.may_change() | set(places)
        for name, value in self.flat().items():
            if name not in free and value != theirs[name]:
                raise InputError(
                    f"--{spelled(name)} {value}: the {self.noun} was started with {theirs[name]}; resume without "
                    "this option, or start a new one in another folder"
                )

    def may_change(self) -> frozenset[str]:
        """Return the options that may differ when what was started with these is resumed."""
        return self.changeable

    def refuse(self, rules: Mapping[str, tuple[bool, str]]) -> None:
        """Raise InputError for the first option whose rule does not hold.

        Args:
            rules: for an option's name, whether it holds, and what was expected.
        """
        for name, (holds, expected) in rules.items():
            if not holds:
                raise InputError(f"--{spelled(name)}: found {getattr(self, name)}, expected {expected}")


@dataclass(frozen=True)
class SettingOptions(Options):
    """Options of a command that trains networks: on what, and how (`rlld_agents.runs.setting.Setting`)."""

    data: str = "twin-small"
    """Data set: twin-tiny, twin-small, twin-full, or the path of a store that 'rlld data' wrote."""
    data_seed: int = 0
    """Seed of a twin; no effect on a file."""
    recipe: str | None = None
    """Training recipe of task network and parsers, a name or a JSON file; None: that of the task network,
    or else what the data set recommends."""
    task_network: str | None = None
    """Task network and parsers: a name, with its own recipe where none is named; or my_module:MyParser; None: the
    recipe's."""
    hidden_size: int | None = None
    """Width of task network, parsers and policy; None: what the data set recommends."""
    parser_epochs: int | None = None
    """Epochs of a parser, the recipe's schedule shrunk to fit; None: the recipe's own."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes the first GPU there is."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        make_plain(self)
        counts = {"hidden_size": self.hidden_size, "parser_epochs": self.parser_epochs}
        self.refuse({name: (value is None or value >= 1, "at least 1") for name, value in counts.items()})
        require_seed("--data-seed", self.data_seed)

    def setting(
        self, data: str | None = None, data_seed: int = 0, *, changes: Mapping[str, Any] | None = None
    ) -> "Setting":
        """Return the setting that the options describe.

        Args:
            data: another data set, such as a file with a part of it; None: that of the options.
            data_seed: of the other data set.
            changes: fields of the recipe that parsers have otherwise.
        """
        from rlld_agents.runs.setting import Setting  # noqa: PLC0415 (torch)

        source = (self.data, self.data_seed) if data is None else (data, data_seed)
        return Setting(
            *source,
            recipe=self.recipe,
            task_network=self.task_network,
            hidden_size=self.hidden_size,
            epochs=self.parser_epochs,
            changes=changes,
            device=self.device,
        )


def spelled(name: str) -> str:
    """Return an option's name as the command line spells it."""
    return name.replace("_", "-")


def _constructed(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a dataclass from JSON: tuples for lists, dataclasses for dictionaries."""
    types = get_type_hints(kind)
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        block = types.get(name)
        if isinstance(block, type) and is_dataclass(block):
            arguments[name] = block(**_constructed(block, value))
        else:
            arguments[name] = tuple(value) if isinstance(value, list) else value
    return arguments
