"""What all commands share: from arguments to a command object, and finding the data of a checkpoint."""

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import tyro

from rlld_gym.errors import InputError
from rlld_gym.os_errors import explain
from rlld_gym.progress import ProgressBar

if TYPE_CHECKING:
    from rlld_agents.labels.removal_rule import RemovalRule
    from rlld_gym.data.fingerprint import DataFingerprint

CONFIG = (tyro.conf.OmitArgPrefixes,)
"""Options of nested dataclasses go by their own names: --episodes, not --experiment.agent.episodes."""


class Command(Protocol):
    """A dataclass of options with something to do."""

    def run(self) -> int:
        """Do it; return the exit status."""


C = TypeVar("C")


def parse(command: type[C], program: str, arguments: Sequence[str], default: C | None = None) -> C:
    """Return the command object that arguments describe; SystemExit for --help.

    Args:
        command: dataclass of the options.
        program: what usage lines start with.
        arguments: the arguments.
        default: values of the options that are not given; None: the class's own.

    Raises:
        InputError: for options that are unknown, missing or impossible.
    """
    defaults: dict[str, Any] = {} if default is None else {"default": default}
    stderr = io.StringIO()
    try:
        with contextlib.ExitStack() as stack:
            if not {"-h", "--help"} & set(arguments):
                stack.enter_context(_wide())
                stack.enter_context(contextlib.redirect_stdout(_Plain()))
            elif os.environ.get("NO_COLOR"):  # see no-color.org
                stack.callback(tyro._experimental_options.update, tyro._experimental_options.copy())
                tyro._experimental_options["ansi_codes"] = False
            stack.enter_context(contextlib.redirect_stderr(stderr))
            parsed: C = tyro.cli(command, prog=program, args=list(arguments), config=CONFIG, **defaults)
            return parsed
    except SystemExit as end:
        if not end.code:
            raise
        raise InputError(f"{_message_in_box(stderr.getvalue())} (see {program} --help)") from end


@contextlib.contextmanager
def _wide() -> Iterator[None]:
    """Keep tyro from breaking lines, where they become one line of ours."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100000"
    try:
        yield
    finally:
        os.environ.pop("COLUMNS", None)
        if before is not None:
            os.environ["COLUMNS"] = before


class _Plain(io.StringIO):
    """Takes the place of stdout, by which tyro decides about colours and about the characters of its boxes."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Boxes are drawn with the same characters everywhere."""
        return "utf-8"


def _message_in_box(text: str) -> str:
    """Return what tyro says inside its box about a usage error, as one line without colours."""
    message = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()[1:]:
        content = line.strip("│╰╯ ")
        if content.startswith("─"):  # the rule before hints, or the lower edge
            break
        message.append(content)
    return " ".join(message)


def run_command(command: type[Any], program: str, arguments: Sequence[str]) -> int:
    """Parse arguments and run the command.

    A method is optional: ``with_context() -> instance | None`` names, once parsed, other values for the options
    that were not given, such as those of a run that is resumed.

    Raises:
        KeyboardInterrupt: after Ctrl-C, with the command that goes on as its text, if the command knows one.
    """
    parsed = parse(command, program, arguments)
    default = parsed.with_context() if hasattr(parsed, "with_context") else None
    if default is not None:
        parsed = parse(command, program, arguments, default)
    return int(parsed.run())


@contextlib.contextmanager
def epochs_bar(name: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar of epochs on stderr; yield what to call after each.

    Args:
        name: what is trained.
        total: epochs in all; None: not known, because several networks are trained one after another.
    """
    with ProgressBar(total, "epoch", name) as bar:

        def advance(_done: int, _total: int) -> None:
            bar.update(1)

        yield advance


def require_replaceable(option: str, path: Path, is_one: Callable[[Path], bool], what: str) -> None:
    """Refuse to write over a file of another kind, which may be an input, or a part of a run.

    Args:
        option: that names the file.
        path: the file; where there is none, or an empty one, nothing is refused.
        is_one: whether a file is of the kind that is to be written.
        what: the kind is, for the message.

    Raises:
        InputError: the file is of another kind, or cannot be read.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return
    try:
        replaceable = is_one(path)
    except OSError as error:
        raise InputError(f"{option} {path}: {explain(error)}") from error
    if not replaceable:
        raise InputError(
            f"{option} {path}: is there already and is not {what}; choose another name, or delete it"
        )


def begins_with(path: Path, start: bytes) -> bool:
    """Return whether a file begins with these bytes."""
    with path.open("rb") as file:
        return file.read(len(start)) == start


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5, as a store is."""
    from rlld_gym.data.store.structure import SIGNATURE

    return begins_with(path, SIGNATURE)


def run_folder_of(checkpoint: Path) -> Path | None:
    """Return the run folder that a checkpoint is or lies in; None where there is none."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    return folder if (folder / "config.json").is_file() else None


def data_of(checkpoint: Path, data: str | None, seed: int | None) -> tuple[str, int]:
    """Return name or path and seed of the data to use with a checkpoint.

    Args:
        checkpoint: a run folder or a file.
        data: the data that was asked for; None: what the checkpoint's run was trained on.
        seed: the twin's seed that was asked for; None: the run's, else 0.

    Raises:
        InputError: if no data was asked for and the checkpoint lies in no run folder.
    """
    folder = run_folder_of(checkpoint)
    if folder is None:
        if data is None:
            raise InputError(
                f"--data: needed, because {checkpoint} lies in no run folder that names its data set"
            )
        return data, seed or 0
    from rlld_agents.runs.folder import read_config

    experiment = read_config(folder).get("experiment", {})
    run_data, run_seed = str(experiment.get("data")), int(experiment.get("data_seed", 0))
    if data is None:
        data = run_data
    if seed is None:
        seed = run_seed if data == run_data else 0
    return data, seed


def data_learned_from(checkpoint: Path, own: "DataFingerprint | None") -> "DataFingerprint | None":
    """Return what identifies the data that a network learned from.

    Args:
        checkpoint: a run folder or a file.
        own: what the network's file says. A run folder's word goes first: a run may learn from a part of its data.
    """
    folder = run_folder_of(checkpoint)
    if folder is None:
        return own
    from rlld_agents.runs.folder import fingerprint_of, read_config

    return fingerprint_of(read_config(folder), folder) or own


def removal_rule_of(
    checkpoint: Path, threshold: float | None, empty_rule: Literal["video", "modality"] | None
) -> "RemovalRule":
    """Return the rule by which a policy is to denoise.

    Args:
        checkpoint: a run folder or a file.
        threshold: what was asked for; None: what the checkpoint's run denoised with, else 0.5.
        empty_rule: what was asked for; None: the one of the checkpoint's run, else "video".

    Raises:
        InputError: a threshold outside (0, 1).
    """
    from rlld_agents.experiments.config import ExperimentConfig
    from rlld_agents.labels.removal_rule import DEFAULT_RULE, RemovalRule
    from rlld_agents.runs.folder import read_config

    folder, rule = run_folder_of(checkpoint), DEFAULT_RULE
    if folder is not None and (threshold is None or empty_rule is None):
        source = str(folder / "config.json")
        rule = ExperimentConfig.from_dict(read_config(folder)["experiment"], source).removal_rule
    return RemovalRule(rule.threshold if threshold is None else threshold, empty_rule or rule.empty_rule)
