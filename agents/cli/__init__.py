"""The command ``rlld``: rlld train, evaluate, compare, denoise, report, data import, ...; see `COMMANDS`.

A command's module is imported only when the command is called, and imports torch, h5py and what needs them inside
its functions: ``rlld --help``, usage errors and completion do not wait for them.
"""

import argparse
import importlib
import io
import os
import re
import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from rlld_agents.cli.stderr import forgiving_stderr
from rlld_agents.cli.stdout import lasting_stdout
from rlld_agents.runs.signals import Terminated, orderly_end
from rlld_gym.errors import InputError
from rlld_gym.os_errors import explain, is_out_of_memory, one_line

COMMANDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "train": ("rlld_agents.cli.train", "Train", "train a denoiser, denoise, train parsers, and show a table"),
    "evaluate": (
        "rlld_agents.cli.evaluate",
        "Evaluate",
        "scores of a trained parser or policy on a data set",
    ),
    "compare": (
        "rlld_agents.cli.compare",
        "Compare",
        "agents of several libraries against controls, with seeds and intervals",
    ),
    "benchmark": (
        "rlld_agents.cli.benchmark",
        "Benchmark",
        "label denoisers against each other and against controls, one table",
    ),
    "denoise": (
        "rlld_agents.cli.denoise",
        "Denoise",
        "let a policy or another method revise the labels of a data set",
    ),
    "report": (
        "rlld_agents.cli.report",
        "Report",
        "a finished run as one HTML page",
    ),
    "train-parser": ("rlld_agents.cli.train_parser", "TrainParser", "train parsers on labels from a file"),
    "completion": (
        "rlld_agents.cli.completion",
        "Completion",
        "print a script that completes commands and options",
    ),
}
"""Module, class and one line of help of every command."""

_DATA: Final = "rlld_agents.cli.data"
DATA_COMMANDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "extract": ("rlld_agents.cli.extract", "Extract", "make npy folders of features from raw videos"),
    "import": (_DATA, "Import", "make a feature store from npy folders and annotation files"),
    "check": (_DATA, "Check", "verify a feature store"),
    "info": (_DATA, "Info", "show what is in a feature store"),
    "shard": (_DATA, "Shard", "write a feature store as a folder of shards, for data larger than memory"),
    "twin": (_DATA, "Twin", "write a synthetic twin of LLP as a store or as npy folders"),
}
"""Module, class and one line of help of every command of ``rlld data``."""

INPUT_ERROR, INTERRUPTED, TERMINATED = 2, 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; None takes those of the process.

    Returns:
        The exit status: 0, 2 for input that cannot be used and for files that the system does not let us read
        or write (one line on stderr), 130 after Ctrl-C, 143 where it is asked to end.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files and classes that a terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    # Read when torch loads OpenMP. Threads that spin while they wait make a busy machine ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with warnings.catch_warnings(), forgiving_stderr(), orderly_end(), lasting_stdout() as stdout:
            warnings.showwarning = _show_warning
            status = _run(arguments)
        return status if stdout is None or stdout.error is None else _lost(stdout.error)
    except InputError as error:
        _tell(f"rlld: error: {error}")
        return INPUT_ERROR
    except KeyboardInterrupt as interruption:
        hint = str(interruption) or shlex.join(["rlld", *arguments])
        terminated = isinstance(interruption, Terminated)
        what = "asked to end" if terminated else "interrupted"
        _tell(f"\nrlld: {what}; go on with: {hint}")
        return TERMINATED if terminated else INTERRUPTED
    except (OSError, MemoryError, RuntimeError) as error:
        explained = _explained(error)
        if explained is None:
            raise
        _tell(f"rlld: error: {explained}")
        return INPUT_ERROR
    except SystemExit as end:  # help, version and usage errors
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _lost(error: OSError) -> int:
    """Say why what was printed is lost, unless its reader has gone, as in "rlld ... | head"; return the status."""
    if isinstance(error, BrokenPipeError):
        return 1
    _tell(f"rlld: error: standard output: {explain(error)}; what was printed is lost, files are written")
    return INPUT_ERROR


def _explained(error: Exception) -> str | None:
    """Return what the system refused and what helps, in one line; None where it is a fault of ours."""
    if is_out_of_memory(error):
        return (
            f"not enough memory ({one_line(error)}); take a smaller --batch-size or --hidden-size, fewer "
            "--workers, or close other programs"
        )
    # No permission, a folder in the file's place, a full disk; a RuntimeError where HDF5 closes a file.
    explained = explain(error)
    names = (getattr(error, name, None) for name in ("filename2", "filename"))
    return explained and f"{next(filter(None, names), 'input or output')}: {explained}"


def _tell(text: str) -> None:
    """Print a line on stderr, if anybody can see it."""
    with forgiving_stderr():
        print(text, file=sys.stderr)


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Print a warning as one line, without the place in the code that issued it."""
    kind = "" if category is UserWarning else f"{category.__name__}: "
    _tell(f"rlld: warning: {kind}{message}")


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Raise InputError with a usage error."""
        usage = " ".join(self.format_usage().split())
        raise InputError(f"{message}; {usage} (see {self.prog} --help)")


def _run(arguments: list[str]) -> int:
    """Find the command, parse its options and run it."""
    for option, value in zip(["", *arguments], arguments, strict=False):
        if value == "" or re.fullmatch("--[a-z0-9-]+=", value):
            raise InputError(
                f"{value or option or 'command'}: found an empty text; name something, or leave it away"
            )
    parser = _Parser(
        prog="rlld",
        description="Label denoising for audio-visual video parsing by reinforcement learning (RLLD).",
        epilog="'rlld COMMAND --help' lists the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    subcommands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, _, text) in COMMANDS.items():
        subcommands.add_parser(name, help=text, add_help=False)
    subcommands.add_parser("data", help="make, verify and describe feature stores", add_help=False)
    command = parser.parse_args(arguments[:1]).command
    rest = arguments[1:]
    if command == "data":
        data_parser = _Parser(prog="rlld data", description="Make, verify and describe feature stores.")
        data_subcommands = data_parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
        for name, (_, _, text) in DATA_COMMANDS.items():
            data_subcommands.add_parser(name, help=text, add_help=False)
        name = data_parser.parse_args(rest[:1]).command
        module, class_name, _ = DATA_COMMANDS[name]
        return _call(module, class_name, f"rlld data {name}", rest[1:])
    module, class_name, _ = COMMANDS[command]
    return _call(module, class_name, f"rlld {command}", rest)


def _call(module: str, class_name: str, program: str, arguments: list[str]) -> int:
    try:
        from rlld_agents.cli.common import run_command
    except ImportError as error:
        raise InputError(
            f"the command line needs {error.name}; install it: pip install 'rlld-gym[train]'"
        ) from error
    return run_command(getattr(importlib.import_module(module), class_name), program, arguments)


def _version() -> str:
    from rlld_gym import __version__

    return __version__
