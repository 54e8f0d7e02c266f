"""A checksum of a store file's structure, behind the end of what HDF5 reads of it.

HDF5 does not verify its own structure, and a damaged one can make it wait for ever. So the last 512 bytes of a
store file, which HDF5 ignores, say where its features lie and what the checksum of all other bytes is; it is
compared before HDF5 sees the file. Whoever changes a file with HDF5 cuts these bytes off, and files of older
versions have none: then only the checksums inside the file hold.
"""

import hashlib
import json
import struct
from pathlib import Path
from typing import BinaryIO, Final

import h5py

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
_MARK: Final = b"rlld-structure "
_SIZE: Final = 512
_END_AT: Final = 40
"""Where a superblock of version 0 says where the file ends, in 8 bytes."""


def append_structure(path: Path, features: tuple[str, ...]) -> None:
    """Append the checksum to a store file that is complete and closed.

    Args:
        path: the file.
        features: datasets that have checksums of their own and are left out.
    """
    with h5py.File(path, "r", locking=False) as file:
        offsets = {name: file[name].id.get_offset() for name in features}
        extents = sorted(
            [int(start), int(start) + file[name].dtype.itemsize * int(file[name].size)]
            for name, start in offsets.items()
            if start is not None
        )
    with path.open("r+b") as raw:
        if _hdf5_end(raw) != path.stat().st_size:
            return  # another layout of HDF5 than is written here
        about = json.dumps({"features": extents, "sha256": _checksum(raw, extents, path.stat().st_size)})
        raw.seek(0, 2)
        raw.write((_MARK + about.encode()).ljust(_SIZE))


def structure_problem(path: Path) -> str | None:
    """Return what is wrong with the structure of a file, None where it is sound or nothing is known of it."""
    size = path.stat().st_size
    with path.open("rb") as raw:
        end = _hdf5_end(raw)
        if end is None or size <= end:
            return None
        raw.seek(max(0, size - _SIZE))
        trailer = raw.read()
        try:
            if not trailer.startswith(_MARK):
                raise ValueError
            about = json.loads(trailer[len(_MARK) :])
            extents = [(int(start), int(stop)) for start, stop in about["features"]]
            stored = about["sha256"]
        except (ValueError, TypeError, KeyError):
            return "its last bytes, the checksum of its structure, cannot be read"
        if size != end + _SIZE or stored != _checksum(raw, extents, end):
            return "the checksum of its structure differs"
    return None


def _hdf5_end(raw: BinaryIO) -> int | None:
    """Return where HDF5's part of a file ends, None where the file does not say it in the way that is known."""
    raw.seek(0)
    head = raw.read(_END_AT + 8)
    if len(head) < _END_AT + 8 or not head.startswith(SIGNATURE) or head[8] != 0:
        return None
    return int(struct.unpack_from("<Q", head, _END_AT)[0])


def _checksum(raw: BinaryIO, extents: list[tuple[int, int]] | list[list[int]], end: int) -> str:
    """Return the SHA-256, in hexadecimal, of where the features lie and of all other bytes up to an end."""
    digest = hashlib.sha256(json.dumps([list(extent) for extent in extents]).encode())
    position = 0
    for start, stop in [*extents, (end, end)]:
        raw.seek(position)
        digest.update(raw.read(max(0, start - position)))
        position = stop
    return digest.hexdigest()
