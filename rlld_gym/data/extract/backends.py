"""Who makes the features: threads and one set of networks in this process, or workers of Ray.

Both take works and yield an outcome for each, after its files are written.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlld_gym.data.extract.notes import Note
from rlld_gym.data.extract.worker import ExtractOptions, FeatureExtractor, Prepared, VideoFeatures
from rlld_gym.files import atomic_path


@dataclass(frozen=True)
class Work:
    """A video, and stream -> the npy file to write."""

    path: Path
    targets: Mapping[str, Path]


@dataclass(frozen=True)
class Outcome:
    """What became of a video: stream -> shape of its array, none where it failed, and what was not as asked."""

    video: str
    shapes: Mapping[str, tuple[int, ...]]
    notes: tuple[Note, ...]


def write(work: Work, features: VideoFeatures) -> Outcome:
    """Write a video's files, each atomically: doing it twice does no harm."""
    for stream, array in features.arrays.items():
        with atomic_path(work.targets[stream]) as temporary, temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    shapes = {stream: array.shape for stream, array in features.arrays.items()}
    return Outcome(features.video, shapes, features.notes)


def in_this_process(
    options: ExtractOptions, works: Sequence[Work], at_a_time: int, threads: int
) -> Iterator[Outcome]:
    """Yield outcomes in order; threads decode the next videos while the networks run.

    Raises:
        InputError: at once, where the networks cannot be made.
    """
    return _in_threads(FeatureExtractor(options), works, at_a_time, threads)


def _in_threads(
    extractor: FeatureExtractor, works: Sequence[Work], at_a_time: int, threads: int
) -> Iterator[Outcome]:
    groups = [works[start : start + at_a_time] for start in range(0, len(works), at_a_time)]
    coming: list[Future[Prepared]] = []
    with ThreadPoolExecutor(threads) as pool:
        try:
            coming = [pool.submit(extractor.prepare, work.path) for work in groups[0]]
            for group, following in zip(groups, [*groups[1:], ()], strict=True):
                prepared = [future.result() for future in coming]
                coming = [pool.submit(extractor.prepare, work.path) for work in following]
                for work, features in zip(group, extractor.embed(prepared), strict=True):
                    yield write(work, features)
        finally:
            for future in coming:
                future.cancel()
