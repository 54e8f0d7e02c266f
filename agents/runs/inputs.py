"""Files that options name: a run goes on with what it was begun with, wherever that lies now."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rlld_agents.runs.folder import CONFIG_NAME
from rlld_agents.runs.options import DATA_PLACE
from rlld_agents.runs.setting import Setting
from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.denoising.task_start import FRESH, PRETRAINED
from rlld_gym.errors import InputError
from rlld_gym.files import checksum_of, read_json
from rlld_gym.parsing.recipe_file import SUFFIX
from rlld_gym.parsing.task_file import content_checksum

INPUTS_KEY: Final = "inputs"
"""Entry of a run's config.json: options that name files, and checksums of what is in these."""


def input_checksums(setting: Setting, recipe: str | None, task_start: str) -> dict[str, str]:
    """Return a checksum of each file that a run's options name, by the option.

    Args:
        setting: of the run.
        recipe: the option; only that of a file counts, the package's own recipes are known by name.
        task_start: the option of the environment.

    Raises:
        InputError: a file cannot be read.
    """
    found = {}
    if recipe is not None and recipe.endswith(SUFFIX):
        found["recipe"] = checksum_of({**asdict(setting.whole_recipe), "name": ""})  # that of the file
    if task_start not in (PRETRAINED, FRESH):
        found["task_start"] = content_checksum(task_start)
    return found


def known_inputs(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums in what `rlld_agents.runs.folder.read_config` returned; older versions wrote none."""
    data = config.get("data")
    stored = data.get(INPUTS_KEY) if isinstance(data, dict) else None
    return {str(name): str(value) for name, value in stored.items()} if isinstance(stored, dict) else {}


def compared_places(config: Mapping[str, Any], begun_with: DataFingerprint | None) -> frozenset[str]:
    """Return the options that may name other places than a run's, because what lies there is compared.

    Args:
        config: of the run, as `rlld_agents.runs.folder.read_config` returned it.
        begun_with: what identifies its data; None: not known.
    """
    return frozenset(known_inputs(config)) | (frozenset() if begun_with is None else DATA_PLACE)


def require_same_inputs(folder: Path, found: Mapping[str, str]) -> None:
    """Refuse to go on with another file than the run in a folder was begun with.

    Args:
        folder: of the run; nothing is known where it has not begun.
        found: what `input_checksums` returns now.

    Raises:
        InputError: the content of a file differs.
    """
    path = folder / CONFIG_NAME
    for name, checksum in known_inputs(read_json(path, "a configuration") if path.is_file() else {}).items():
        if found.get(name) != checksum:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{folder}: the run was begun with another {option} file, changed or replaced since; put the "
                f"first one back, name it with {option}, or start anew in another folder"
            )
