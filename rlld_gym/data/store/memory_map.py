"""Features of a store file mapped into memory: pages are loaded when touched and shared by all processes."""

import mmap
import os
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rlld_gym.errors import InputError


def map_datasets(
    file: h5py.File, names: tuple[str, ...], *, writable: bool = True
) -> dict[str, NDArray[Any]]:
    """Map datasets of an open HDF5 file; the arrays stay valid when the file is closed, renamed or replaced.

    What an array is written to stays in this process (copy on write) and is never written to the file. A dataset
    that is not one uncompressed piece of the file, aligned as its type demands, is read instead.

    Args:
        file: opened for reading with h5py's standard driver.
        names: datasets of the file.
        writable: whether the arrays can be written to; Linux does not let files be mapped so that are larger than
            memory and swap together.

    Returns:
        The datasets by name.

    Raises:
        InputError: the file has become shorter than its datasets; touching a missing page would end the process.
    """
    descriptor = (
        file.id.get_vfd_handle()
    )  # the very file whose structure was checked, whatever has its name now
    size = os.fstat(descriptor).st_size
    extents = {name: _extent(file[name]) for name in names}
    for name, extent in extents.items():
        if extent is not None and extent[1] > size:
            raise InputError(
                f"feature store {file.filename}: truncated: {size} bytes, but dataset {name!r} ends at byte "
                f"{extent[1]}; make it again with 'rlld data import' or 'rlld data twin'"
            )
    whole = mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY if writable else mmap.ACCESS_READ)
    return {
        name: file[name][...] if extent is None else _view(whole, file[name], extent[0])
        for name, extent in extents.items()
    }


def _extent(dataset: h5py.Dataset) -> tuple[int, int] | None:
    """Return the first byte of a dataset and the one after its last, None where it cannot be mapped."""
    start: int | None = dataset.id.get_offset()
    if start is None or start % dataset.dtype.itemsize:
        return None
    return start, start + dataset.dtype.itemsize * dataset.size


def _view(whole: mmap.mmap, dataset: h5py.Dataset, start: int) -> NDArray[Any]:
    flat: NDArray[Any] = np.frombuffer(whole, dataset.dtype, count=dataset.size, offset=start)
    return flat.reshape(dataset.shape)
