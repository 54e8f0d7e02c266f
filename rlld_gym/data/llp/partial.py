"""A store file that is being filled, so that an interrupted import can go on."""

import errno
import glob
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.llp.npy_scan import FileProblem
from rlld_gym.data.split import TEACHERS
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.layout import FEATURES
from rlld_gym.data.store.opening import writable_file
from rlld_gym.data.store.structure import append_structure
from rlld_gym.data.store.writing import create_datasets, write_attributes
from rlld_gym.errors import InputError
from rlld_gym.files import write_json
from rlld_gym.os_errors import error_number, explain


class PartialStore:
    """``OUT.partial``, an HDF5 file whose first ``done`` rows are written, and a JSON file that says so.

    Rows that were reported as done are in the file even if the process is killed: the structure of the HDF5
    file does not change after it was created, and the JSON file is written after the rows.

    Attributes:
        done: rows written so far; of a new file 0.
        problems: problems found in these rows.
    """

    done: int
    problems: list[FileProblem]

    def __init__(
        self,
        out: Path,
        header: StoreHeader,
        filenames: Sequence[str],
        fixed: Mapping[str, NDArray[Any]],
        fingerprint: str,
    ) -> None:
        """Go on with a partial file of the same fingerprint, or begin a new one.

        Args:
            out: the final file.
            header: of the store to be.
            filenames: N names.
            fixed: whole datasets that are known already: "labels", "dense_audio", "dense_visual" and "dense_known",
                bool, and those of teachers, if there are any.
            fingerprint: identifies the input; a partial file of another input is replaced.

        Raises:
            InputError: the file cannot be written, for example because another import writes it.
        """
        if out.is_dir():
            raise InputError(f"{out}: is a folder; name a file")
        out = Path(os.path.realpath(out)) if out.is_symlink() else out  # a link is followed, not replaced
        self.out, self.header, self.fingerprint = out, header, fingerprint
        self.path = out.with_name(f"{out.name}.partial")
        self.state_path = out.with_name(f"{out.name}.partial.json")
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _said_by_the_system(self.path):
                file = self._resume() or self._begin(filenames, fixed)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InputError(
                f"{self.path}: cannot be written: {explain(error) or error}; if no other import writes it, delete "
                "it and begin anew"
            ) from error
        self._file: h5py.File = file

    def write(
        self,
        audio: NDArray[np.floating[Any]],
        visual: NDArray[np.floating[Any]],
        problems: Sequence[FileProblem],
    ) -> None:
        """Append rows: audio (n, T, Da), visual (n, T, D2 + D3), and the problems found in them."""
        rows = slice(self.done, self.done + len(audio))
        with _said_by_the_system(self.path):
            self._file["audio"][rows] = audio
            self._file["visual"][rows] = visual
            self._file.flush()
        self.done = rows.stop
        self.problems.extend(problems)
        self._write_state()

    def finish(self) -> None:
        """Add attributes and checksums, and rename the file to its final name."""
        # First: attributes change the structure, and a file that is left in the middle of that is begun anew.
        self.state_path.unlink(missing_ok=True)
        with _said_by_the_system(self.path):
            write_attributes(self._file, self.header)
            self._file.close()
            append_structure(self.path, FEATURES)
        with self.path.open("rb+") as raw:
            os.fsync(raw.fileno())
        os.replace(self.path, self.out)
        for begun in self.out.parent.glob(f"{glob.escape(self.state_path.name)}.*.partial"):
            begun.unlink(missing_ok=True)  # by an import that was killed

    def discard(self) -> None:
        """Remove the partial file and its state."""
        self._file.close()
        self.state_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _said_by_the_system(self.path) if error is None else suppress(OSError, RuntimeError):
            self._file.close()

    def _resume(self) -> h5py.File | None:
        """Return the partial file of the same input, open for writing, or None where there is none."""
        try:
            state = json.loads(self.state_path.read_text(encoding="utf-8"))
            if state["fingerprint"] != self.fingerprint or not self.path.is_file():
                return None
            self.done = int(state["done"])
            self.problems = [FileProblem(**problem) for problem in state["problems"]]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        if not h5py.is_hdf5(self.path):
            return None
        return writable_file(self.path, "r+")

    def _begin(self, filenames: Sequence[str], fixed: Mapping[str, NDArray[Any]]) -> h5py.File:
        self.done, self.problems = 0, []
        self.state_path.unlink(missing_ok=True)
        file = writable_file(self.path)
        create_datasets(file, self.header, filenames, teachers=TEACHERS[0] in fixed)
        for key, value in fixed.items():
            file[key][...] = value.view(np.uint8) if value.dtype == np.bool_ else value
        # The first write of a row allocates a contiguous dataset as a whole; after it the structure is final.
        for key in ("audio", "visual"):
            file[key][0] = 0
        file.flush()
        self._write_state()
        return file

    def _write_state(self) -> None:
        problems = [asdict(problem) for problem in self.problems]
        write_json(
            self.state_path, {"fingerprint": self.fingerprint, "done": self.done, "problems": problems}
        )


@contextmanager
def _said_by_the_system(path: Path) -> Iterator[None]:
    """Raise what the operating system told HDF5, such as a full disk, as its own error."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = error_number(error)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from None
