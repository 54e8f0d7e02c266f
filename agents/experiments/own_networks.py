"""Which networks belong to the result in a run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rlld_agents.policies import files as policy_files
from rlld_agents.runs.folder import RESULT_NAME
from rlld_gym.errors import InputError
from rlld_gym.parsing import task_file

NETWORKS_KEY: Final = "networks"
"""Entry of a run's result.json: checksums of the weights of its networks, by their file names."""

_CHECKSUMS: Final = {
    policy_files.POLICY_NAME: policy_files.content_checksum,
    task_file.NAME: task_file.content_checksum,
}


def network_checksums(folder: Path) -> dict[str, str]:
    """Return a checksum of the weights of each network in a run folder, by its file name."""
    return {
        name: checksum(folder / name) for name, checksum in _CHECKSUMS.items() if (folder / name).is_file()
    }


def require_own_networks(folder: Path, result: Mapping[str, Any]) -> None:
    """Refuse networks of another run.

    Args:
        folder: of the run.
        result: what its result.json says; older versions say nothing of networks, and nothing is checked.

    Raises:
        InputError: a network has other weights than the one that made the result.
    """
    known = result.get(NETWORKS_KEY)
    if not isinstance(known, dict):
        return
    for name, checksum in network_checksums(folder).items():
        if known.get(name, checksum) != checksum:
            raise InputError(
                f"{folder / name}: is not the network behind {RESULT_NAME}: it is of another run, or this one was "
                f"resumed and did not end; put the run's own back, or finish it: rlld train --resume {folder}"
            )
