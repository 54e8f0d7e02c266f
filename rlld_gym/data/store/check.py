"""Verification of a store's content, beyond the structure that opening it checks."""

import os
from pathlib import Path

from rlld_gym.data.store import problems
from rlld_gym.data.store.layout import split_rows
from rlld_gym.data.store.opening import open_store_file
from rlld_gym.data.store.reading import read_header
from rlld_gym.data.store.shards.check import check_shards
from rlld_gym.errors import InputError


def check_store(path: str | os.PathLike[str]) -> list[str]:
    """Verify everything in a store.

    Structure, checksums, finite features, teachers in [0, 1], flags that are 0 or 1, unique file names and video
    ids, at least one label per video, dense labels only where they are known, and agreement of weak and dense
    labels; in a folder of shards also that they belong together.

    Args:
        path: the store file, or the folder of shards. It is read in blocks of 16 MiB.

    Returns:
        The problems, one line each; empty for a sound store. A file that cannot be opened is one problem.
    """
    path = Path(path)
    return check_shards(path) if path.is_dir() else _check_file(path)


def _check_file(path: Path) -> list[str]:
    try:
        header = read_header(path)
        with open_store_file(path) as file:
            return [
                *problems.checksum_problems(file, header),
                *problems.value_problems(file),
                *problems.name_problems(file),
                *problems.number_problems(file, header),
                *(
                    problem
                    for name, rows in split_rows(header.counts).items()
                    for problem in problems.label_problems(file, name, rows)
                ),
            ]
    except InputError as error:
        return [str(error)]
