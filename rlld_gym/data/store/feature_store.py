"""Feature stores: the features and labels of one data set, in memory, in one HDF5 file, or in several."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.fingerprint import FEATURES, LABELS, DataFingerprint, array_checksums
from rlld_gym.data.split import Split
from rlld_gym.data.store.header import StoreHeader, header_of
from rlld_gym.profiling import timed_part

__all__ = ["FeatureStore", "Split", "StoreHeader"]

if TYPE_CHECKING:
    import torch

    from rlld_gym.data.tensors import StoreTensors


class FeatureStore:
    """Features and labels of one data set: three splits and what is needed to interpret them.

    A store made by ``open`` reads its arrays at once, whole, on the first use of a split or of ``to``, or maps
    them then; it pickles without its arrays.

    Attributes:
        path: the file or the folder of shards, None for a store in memory.
        header: sizes, classes, counts and attributes.
    """

    path: Path | None
    header: StoreHeader

    def __init__(
        self,
        splits: Mapping[str, Split],
        *,
        classes: tuple[str, ...],
        visual_2d_size: int,
        attributes: Mapping[str, Any],
        name: str,
        path: Path | None = None,
    ) -> None:
        """Put three splits together.

        Args:
            splits: "train", "val" and "test", none of them empty, of equal sizes and dtypes.
            classes: the C class names.
            visual_2d_size: how many of the visual features, from the first, are 2D features.
            attributes: JSON-able notes; "hidden_size" and "recipe" (the recommended width and recipe; by
                default `recommended_training` decides) and "sources" are read by this package.
            name: name of the data set, as tables show it.
            path: the file that the splits were read from.

        Raises:
            ValueError: a split is missing or empty, or shapes or dtypes do not agree.
        """
        self.path = path
        self.header = header_of(splits, tuple(classes), visual_2d_size, attributes, name)
        self._splits: Mapping[str, Split] | None = dict(splits)
        self._memory_map = False

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, memory_map: bool = False) -> Self:
        """Open a store file: its structure is checked now, its arrays are read when they are needed.

        Of a folder of shards, the index is read and the presence of the files checked now; their structure is
        checked when labels are read, and features are always mapped.

        Args:
            path: the file, or the folder of shards.
            memory_map: map the features instead of reading them. Each page is loaded when it is first used, and
                processes on one machine share it. While mapped, the file may be renamed, replaced or deleted, but
                not shortened in place: a process that touches a page that is gone is killed (SIGBUS).

        Raises:
            InputError: the file is missing, not HDF5, truncated, of another format or a newer version, or its
                datasets have unexpected dtypes or shapes, or a split is empty; or the index of a folder is
                damaged, or a shard is missing or another one.
        """
        from rlld_gym.data.store.reading import read_header  # noqa: PLC0415 (h5py only where a file is read)
        from rlld_gym.data.store.shards.index import read_index  # noqa: PLC0415

        store = cls.__new__(cls)
        store.path = Path(
            os.path.realpath(path)
        )  # Path.resolve has an exception of its own for circles of links
        store.header = read_index(store.path).header if store.path.is_dir() else read_header(store.path)
        store._splits = None
        store._memory_map = memory_map
        return store

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.header.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The C class names."""
        return self.header.classes

    @property
    def num_segments(self) -> int:
        """T, into how many segments a video is cut."""
        return self.header.num_segments

    @property
    def audio_size(self) -> int:
        """Da."""
        return self.header.audio_size

    @property
    def visual_2d_size(self) -> int:
        """D2."""
        return self.header.visual_2d_size

    @property
    def visual_3d_size(self) -> int:
        """D3, 0 where there is no 3D stream."""
        return self.header.visual_3d_size

    @property
    def visual_size(self) -> int:
        """D2 + D3."""
        return self.header.visual_2d_size + self.header.visual_3d_size

    @cached_property
    def fingerprint(self) -> DataFingerprint:
        """What identifies the data set: kept in the file, else computed once."""
        stored: Mapping[str, str] = {} if self.path is None else self.header.attributes.get("checksums", {})
        complete = set(LABELS + FEATURES) <= set(stored)
        return self.header.fingerprint(stored if complete else array_checksums(self._loaded()))

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Notes such as "sources", "checksums", "hidden_size" and "recipe"."""
        return self.header.attributes

    def split(self, name: str) -> Split:
        """Return the split "train", "val" or "test"; ValueError for another name."""
        if name not in SPLITS:
            raise ValueError(f"split {name!r}: expected one of {', '.join(SPLITS)}")
        return self._loaded()[name]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the store to one HDF5 file, atomically; the features' dtype is kept.

        A store of several files becomes one of one file, block by block.
        """
        from rlld_gym.data.store.writing import write_store  # noqa: PLC0415

        write_store(path, self.header, self._loaded())

    @timed_part("data")
    def to(self, device: "str | torch.device") -> "StoreTensors":
        """Return the store as tensors on ``device``.

        On the CPU the tensors of features and dense labels share memory with this store's arrays: treat them as
        read-only.
        """
        from rlld_gym.data.tensors import store_tensors  # noqa: PLC0415 (torch only where tensors are wanted)

        return store_tensors(self._loaded(), self.visual_2d_size, device, lambda: self.fingerprint)

    @timed_part("data")
    def _loaded(self) -> Mapping[str, Split]:
        if self._splits is None:
            from rlld_gym.data.store.reading import read_splits  # noqa: PLC0415
            from rlld_gym.data.store.shards.reading import read_shard_splits  # noqa: PLC0415

            assert self.path is not None
            self._splits = (
                read_shard_splits(self.path, self.header)
                if self.path.is_dir()
                else read_splits(self.path, self.header, memory_map=self._memory_map)
            )
        return self._splits

    def __getstate__(self) -> dict[str, Any]:
        """Leave out arrays that the file holds."""
        return self.__dict__ | ({} if self.path is None else {"_splits": None})

    def __repr__(self) -> str:
        counts = "/".join(str(count) for count in self.header.counts.values())
        sizes = f"{self.audio_size} + {self.visual_2d_size} + {self.visual_3d_size}"
        grid = f"{self.num_segments} segments, {len(self.classes)} classes"
        return f"FeatureStore({self.name!r}, {counts} videos, {grid}, sizes {sizes})"
