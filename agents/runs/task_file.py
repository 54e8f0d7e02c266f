"""A trained task network as one file: see `rlld_gym.parsing.task_file`."""

from rlld_gym.parsing.task_file import (
    FORMAT,
    NAME,
    VERSION,
    TaskNetworkInfo,
    check_fits,
    load_task_network,
    read_metadata,
    save_task_network,
)

__all__ = [
    "FORMAT",
    "NAME",
    "VERSION",
    "TaskNetworkInfo",
    "check_fits",
    "load_task_network",
    "read_metadata",
    "save_task_network",
]
