"""Damaged files: never a traceback, never a wrong result in silence.

``RLLD_TRIALS=500 pytest tests/reliability/test_damaged_files.py`` is the long form: so many trials of each kind.
"""

import os
import warnings
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from rlld_gym.data.store.check import check_store
from rlld_gym.data.store.structure import structure_problem
from rlld_gym.errors import InputError
from tests.reliability.damage import STORE, damaged, make_files, read_file

TRIALS = int(os.environ.get("RLLD_TRIALS", "40"))
KINDS = ("store", "policy", "task network", "checkpoint", "config", "labels", "rows", "about", "cell")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_refused_or_harmless(files: dict[str, Path], kind: str) -> None:
    path = files[kind]
    content, expected = path.read_bytes(), read_file(kind, path)
    generator = np.random.default_rng(zlib.crc32(kind.encode()))
    refused = 0
    try:
        for trial in range(TRIALS):
            how, changed = damaged(content, generator)
            path.write_bytes(changed)
            place = f"{kind}, trial {trial}: {how}"
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                try:
                    found = read_file(kind, path)
                except InputError as error:
                    refused += 1
                    if "\n" in str(error):
                        pytest.fail(f"{place}: more than one line: {error}")
                    continue
                except Exception as error:
                    pytest.fail(f"{place}: {type(error).__name__}: {error}")
            # Label files are there to be worked with: changed labels are a warning. Who deletes what a label file
            # belongs to ends the comparison.
            assert found == expected or any("were changed" in str(w.message) for w in warned), place
    finally:
        path.write_bytes(content)
    assert refused > TRIALS // 4


def test_data_check_finds_what_opening_does_not_read(files: dict[str, Path]) -> None:
    """Every bit of the features, also of stores that are too large to be verified whenever they are opened."""
    path = files["store"]
    content = path.read_bytes()
    assert check_store(path) == []
    generator = np.random.default_rng(1)
    start = content.index(np.ascontiguousarray(_features()).tobytes()[:64])
    try:
        for _ in range(10):
            place = start + int(generator.integers(400))
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert any("checksum differs" in problem for problem in check_store(path))
    finally:
        path.write_bytes(content)


def test_a_damaged_structure_never_reaches_hdf5(files: dict[str, Path]) -> None:
    """It may wait for ever on one; what was changed with HDF5 itself has no checksum of its structure any more."""
    path = files["store"]
    content = path.read_bytes()
    try:
        for place in range(600, 9000, 601):
            path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
            problem = structure_problem(path)
            assert problem is None or "structure differs" in problem
            assert problem is not None or any("checksum" in line for line in check_store(path))
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            file.attrs["extra"] = '{"note": 1}'
        assert structure_problem(path) is None
        assert "were changed after the file was written" in check_store(path)[0]
    finally:
        path.write_bytes(content)


def _features() -> np.ndarray:
    return STORE.split("train").audio
