"""The folder of a run: what it was started with, how long stages took, and whether it may be written to."""

import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.errors import InputError
from rlld_gym.file_formats import FileFormat
from rlld_gym.files import read_json, write_json, write_sealed_json

CONFIG_NAME = "config.json"
RESULT_NAME = "result.json"
CONTROLS_NAME = "control_returns.json"
"""What fixed ways of removing labels earn in the run's environment."""
SECONDS_NAME = "seconds.json"
LOCK_NAME = "run.lock"
"""Is there while somebody writes to the folder, see `rlld_agents.runs.lock`; also after one that was killed."""
FORMAT = FileFormat("rlld-run", 1, "the configuration of a run", "name a folder that rlld train wrote")
PACKAGES = ("rlld-gym", "torch", "numpy", "gymnasium", "safetensors", "h5py")


def check_new(folder: str | os.PathLike[str], command: str = "rlld train") -> None:
    """Raise InputError unless a new run may be written to a folder: it is missing or empty.

    Args:
        folder: the folder.
        command: what resumes a run that is there, for the message.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder")
    if (folder / RESULT_NAME).exists():
        raise InputError(f"--out {folder}: holds a finished run; choose another --out, or delete the folder")
    if (folder / CONFIG_NAME).exists():
        raise InputError(
            f"--out {folder}: holds a run already; go on with '{command} --resume {folder}' "
            "or choose another --out"
        )
    # Lock and unfinished files are all that a run leaves that was killed before it began.
    if folder.is_dir() and any(
        path.name != LOCK_NAME and path.suffix != ".partial" for path in folder.iterdir()
    ):
        raise InputError(f"--out {folder}: the folder is not empty; choose another --out")


def write_config(
    folder: str | os.PathLike[str], experiment: Mapping[str, Any], command: str, data: Mapping[str, Any]
) -> None:
    """Write config.json: the resolved options, the command that makes the run anew, data, versions."""
    write_sealed_json(
        Path(folder) / CONFIG_NAME,
        {
            **FORMAT.head,
            "command": command,
            "experiment": dict(experiment),
            "data": dict(data),
            "versions": _versions(),
        },
    )


def read_config(folder: str | os.PathLike[str], command: str = "rlld train") -> dict[str, Any]:
    """Return the content of a run folder's config.json.

    Args:
        folder: the run folder.
        command: that must have made the run.

    Raises:
        InputError: if the folder is no run, of another command, or of a newer version.
    """
    path = Path(folder) / CONFIG_NAME
    if not path.exists():
        raise InputError(
            f"{folder}: not a run folder, there is no {CONFIG_NAME}; name a folder that '{command}' wrote"
        )
    config = FORMAT.read_json(path)
    made_with = " ".join(str(config.get("command", "")).split()[: len(command.split())])
    if made_with != command:
        raise InputError(
            f"{folder}: is a run of '{made_with}', expected one of '{command}'; "
            f"only '{made_with} --resume' goes on with it"
        )
    if not isinstance(config.get("experiment"), dict):
        raise InputError(f"{path}: holds no options of an experiment; the file is damaged")
    return config


def fingerprint_of(config: Mapping[str, Any], folder: str | os.PathLike[str]) -> DataFingerprint | None:
    """Return what identifies the data of a run; None where an older version wrote its configuration.

    Args:
        config: what `read_config` returned.
        folder: of the run, for messages.

    Raises:
        InputError: it is damaged.
    """
    data = config.get("data")
    stored = data.get("fingerprint") if isinstance(data, dict) else None
    return None if stored is None else DataFingerprint.from_dict(stored, str(Path(folder) / CONFIG_NAME))


class Stopwatch:
    """Adds up the seconds of stages over all sessions of a run, kept in the run folder.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self._path = Path(folder) / SECONDS_NAME
        self.seconds: dict[str, float] = {}
        if self._path.is_file():
            found = read_json(self._path, "the seconds of a run")
            if not all(isinstance(value, int | float) for value in found.values()):
                raise InputError(f"{self._path}: holds other things than numbers; delete it and go on")
            self.seconds = {name: float(value) for name, value in found.items()}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the wall-clock time of the block to a stage, also when the block is interrupted."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)
            write_json(self._path, self.seconds)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
