"""Code from outside by name: "module:name" here or installed, or an entry point of another installed package."""

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, Literal

from rlld_gym.errors import InputError

Group = Literal["rlld.denoisers", "rlld.agents", "rlld.task_networks"]
"""Group of entry points, by what they are: a package declares ``[project.entry-points."rlld.denoisers"]``."""

EXAMPLES: Final[dict[str, str]] = {
    "rlld.denoisers": "my_module:MyDenoiser",
    "rlld.agents": "my_module:MyAgent",
    "rlld.task_networks": "my_module:MyParser",
}


def load_plugin(text: str, option: str, group: Group | None = None, methods: Iterable[str] = ()) -> Any:
    """Return what a text names; modules in the working directory are found, too.

    Args:
        text: "module:name", or the name of an entry point of the group.
        option: where the text was given, such as "--agent", for the message.
        group: of the entry points; None: only "module:name" is a name.
        methods: what the class or object must have.

    Raises:
        InputError: there is no such module, name or method, or the module cannot be imported.
    """
    place = f"{option} {text}"
    if ":" in text:
        found = _from_module(text, place)
    elif text in (points := _entry_points(group)):
        found = _from_entry_point(points[text], place)
    else:
        known = f", or one of the entry points {', '.join(points)}" if points else ""
        example = EXAMPLES.get(group or "", "my_module:MyClass")
        raise InputError(f"{place}: expected module:Class, for example {example}{known}")
    wanted = list(methods)
    missing = [name for name in wanted if not callable(getattr(found, name, None))]
    if missing:
        raise InputError(f"{place}: has no method {' and no '.join(missing)}; needed: {', '.join(wanted)}")
    return found


@contextmanager
def within_plugin(place: str) -> Iterator[None]:
    """Call code from outside: it may not end the program, and the working directory is afterwards what it was.

    Args:
        place: what the code is, for the message.

    Raises:
        InputError: it called ``sys.exit``.
    """
    try:
        with chdir(Path.cwd()):
            yield
    except SystemExit as error:
        raise InputError(
            f"{place}: called sys.exit({error.code!r}); expected it to return, or to raise an exception"
        ) from error


def from_home(home: str) -> Any:
    """Import and return what "module:name" of this project names."""
    module, _, name = home.partition(":")
    return getattr(importlib.import_module(module), name)


def is_plugin(text: str, group: Group) -> bool:
    """Return whether a text has the form "module:name" or names an entry point of the group."""
    return ":" in text or text in _entry_points(group)


def plugin_names(group: Group) -> tuple[str, ...]:
    """Return the entry points of a group."""
    return tuple(_entry_points(group))


def _entry_points(group: str | None) -> dict[str, EntryPoint]:
    return {} if group is None else {point.name: point for point in entry_points(group=group)}


def _from_module(text: str, place: str) -> Any:
    module_name, _, name = text.partition(":")
    if not module_name or not name:
        raise InputError(f"{place}: expected module:Class, for example my_module:MyClass")
    if (directory := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, directory)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise InputError(f"{place}: there is no module {error.name!r} here or installed") from error
    except (Exception, SystemExit) as error:  # whatever code from outside does while it is imported
        raise _broken(place, error) from error
    if not hasattr(module, name):
        raise InputError(f"{place}: the module has no {name!r}")
    return getattr(module, name)


def _from_entry_point(point: EntryPoint, place: str) -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise _broken(f"{place} ({point.value})", error) from error


def _broken(place: str, error: BaseException) -> InputError:
    return InputError(f"{place}: cannot be imported ({type(error).__name__}: {error})")
