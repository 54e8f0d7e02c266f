"""Options that are declared once: a field of a dataclass with its default, its help text and its check.

Constructor, documentation, command line and stored states read the declaration; nothing repeats it.
"""

import dataclasses
import inspect
import math
import os
import re
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from rlld_gym.errors import InputError

Default = TypeVar("Default")
LARGEST_SEED: Final = 2**32 - 1
"""That numpy, torch and all else take."""
LARGEST_WIDTH: Final = 2**20
"""Of a network: one square matrix has 4 TiB."""

Check = Callable[[str, Any], None]
"""From an option's name and value; raises InputError where the value cannot be used."""


def option(default: Default, help: str, check: Check | None = None, shown: str | None = None) -> Default:
    """Declare a field of a dataclass as an option.

    Args:
        default: its default, immutable.
        help: what it means, for the command line and, as Markdown, for the documentation.
        check: of its value. None: a value of a Literal or a bool must be one; any other is accepted.
        shown: the default as Python that the documentation shows; None: its ``repr``.
    """
    plain = re.sub(r"\[(.+?)\]\(.+?\)", r"\1", help).replace("`", "")  # without links and quotes
    texts = {"help": plain, "markdown": help, "shown": shown}  # tyro reads "help"
    return dataclasses.field(default=default, metadata={**texts, "check": check})


def check_options(options: Any) -> None:
    """Check every option of a dataclass; its numbers of numpy and its paths become plain ones (see `plain`).

    Raises:
        InputError: a value of the wrong type or out of range; it names the option, what was found and expected.
    """
    make_plain(options)
    hints = get_type_hints(type(options))
    for field in dataclasses.fields(options):
        value, check = getattr(options, field.name), field.metadata.get("check")
        if check is not None:
            check(field.name, value)
        elif get_origin(hints[field.name]) is Literal or hints[field.name] is bool:
            _check_listed(field.name, value, hints[field.name])
        elif any(get_origin(part) is Literal for part in get_args(hints[field.name])) and value is not None:
            _check_listed(field.name, value, get_args(hints[field.name])[0])


def options_from(cls: type[Default], owner: str, **values: Any) -> Default:
    """Return options from keywords.

    Args:
        cls: a dataclass of options.
        owner: what takes the keywords, for the message.
        **values: the options; the others have their defaults.

    Raises:
        TypeError: there is no such option.
        InputError: a value cannot be used.
    """
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    unknown = [name for name in values if name not in known]
    if unknown:
        raise TypeError(
            f"{owner} got an unexpected keyword argument {unknown[0]!r}; expected some of {', '.join(known)}"
        )
    return cls(**values)


def signature(cls: type[Any]) -> inspect.Signature:
    """Return the signature of a constructor that takes options: the first by position, too, the others by name."""
    kinds = [inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY]
    hints = get_type_hints(cls)
    return inspect.Signature(
        [
            inspect.Parameter(
                field.name,
                kinds[min(position, 1)],
                default=field.default,
                annotation=hints[field.name],
            )
            for position, field in enumerate(dataclasses.fields(cls))
        ],
        return_annotation=None,
    )


def markdown_table(cls: type[Any]) -> list[str]:
    """Return the lines of a table of options: name, default and meaning."""
    lines = ["| Argument | Default | Meaning |", "|---|---|---|"]
    for field in dataclasses.fields(cls):
        shown = field.metadata["shown"] or repr(field.default).replace("'", '"')
        lines.append(f"| `{field.name}` | `{shown}` | {field.metadata['markdown']} |")
    return lines


def plain(value: Any) -> Any:
    """Return numbers and truth values of numpy and torch as those of Python, paths as texts; all else as it is."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, tuple | list):
        return type(value)(map(plain, value)) if type(value) in (tuple, list) else value
    # Also arrays and tensors without dimensions, without an import of what they are made with.
    if not isinstance(value, type) and getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    if not isinstance(value, type) and len(getattr(value, "shape", ())) == 1 and hasattr(value, "tolist"):
        return tuple(value.tolist())
    return value


def make_plain(options: Any) -> None:
    """Replace the values of a frozen dataclass by plain ones (see `plain`).

    Raises:
        InputError: a number is NaN or infinite: most comparisons let it pass, and no configuration file takes it.
    """
    for field in dataclasses.fields(options):
        value = plain(getattr(options, field.name))
        if isinstance(value, float):
            require_number(field.name, value)
        object.__setattr__(options, field.name, value)


def require_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise InputError where an option is none of its choices."""
    if value not in choices:
        raise InputError(f"{name} is {value!r}; expected one of {', '.join(choices)}")


def require_count(name: str, value: Any, lowest: int = 1, highest: int | None = None) -> None:
    """Raise InputError where an option is no integer of at least ``lowest`` (and at most ``highest``)."""
    value = plain(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < lowest or (highest is not None and value > highest):
        limit = "" if highest is None else f" and at most {highest}"
        raise InputError(f"{name} is {value!r}; expected an integer of at least {lowest}{limit}")


def require_width(name: str, value: Any) -> None:
    """Raise InputError where an option is no width of a network, 1 to 2 ** 20."""
    require_count(name, value, highest=LARGEST_WIDTH)


def require_seed(name: str, value: Any) -> None:
    """Raise InputError where an option is no seed that all generators take, 0 to 2 ** 32 - 1."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_SEED:
        raise InputError(f"{name} is {value!r}; expected a seed, an integer from 0 to {LARGEST_SEED}")


def require_number(name: str, value: Any) -> None:
    """Raise InputError where an option is no finite number."""
    if not _is_number(value):
        raise InputError(f"{name} is {value!r}; expected a finite number")


def require_pair(name: str, value: Any) -> None:
    """Raise InputError where an option is no pair of finite numbers."""
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(map(_is_number, value)):
        raise InputError(f"{name} is {value!r}; expected two finite numbers")


def or_none(check: Check) -> Check:
    """Return a check that also accepts None."""

    def accept(name: str, value: Any) -> None:
        if value is not None:
            try:
                check(name, value)
            except InputError as error:
                raise InputError(f"{error} or None") from None

    return accept


def share(*, zero: bool, one: bool) -> Check:
    """Return a check for numbers from 0 to 1, with or without the ends."""
    bounds = f"{'of at least' if zero else 'above'} 0 and {'at most' if one else 'below'} 1"

    def accept(name: str, value: Any) -> None:
        if (
            not _is_number(value)
            or not 0 <= value <= 1
            or (value == 0 and not zero)
            or (value == 1 and not one)
        ):
            raise InputError(f"{name} is {value!r}; expected a share {bounds}")

    return accept


def _check_listed(name: str, value: Any, hint: Any) -> None:
    if hint is not bool:
        require_choice(name, value, get_args(hint))
    elif not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; expected True or False")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
