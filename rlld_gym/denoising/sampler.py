"""Which videos make up each state: a new batch keeps a part of the last one."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray


class Draw(NamedTuple):
    """One batch of videos.

    Attributes:
        indices: (B,) int64, distinct rows of the training split; carried videos come first.
        carried_rows: (K,) int64, where ``indices[:K]`` were in the batch before (K = 0 in a first batch).
    """

    indices: NDArray[np.int64]
    carried_rows: NDArray[np.int64]


class OverlapSampler:
    """Draws batches of distinct videos, each keeping a part of the one before.

    RLLD (arXiv 2412.19563) keeps a quarter of a state in the next. The carried videos are chosen at random
    from the last batch; new ones walk through a shuffled order of the episode's videos, shuffled again
    when it is used up. A video that is already in the batch waits for its turn.

    Args:
        videos: (M,) distinct indices of the episode's videos, M >= batch_size.
        batch_size: videos in a batch, B.
        num_carried: videos that a batch keeps of the one before, 0 to B - 1.

    Raises:
        ValueError: sizes that do not fit together.
    """

    def __init__(self, videos: NDArray[np.int64], batch_size: int, num_carried: int) -> None:
        if not 0 <= num_carried < batch_size:
            raise ValueError(f"num_carried is {num_carried}; expected 0 to {batch_size - 1}")
        if len(videos) < batch_size:
            raise ValueError(f"{len(videos)} videos cannot fill a batch of {batch_size} distinct videos")
        self.videos = np.asarray(videos, dtype=np.int64)
        self.batch_size = batch_size
        self.num_carried = num_carried
        self.waiting = np.empty(0, dtype=np.int64)
        self.batch = np.empty(0, dtype=np.int64)

    def draw(self, generator: np.random.Generator) -> Draw:
        """Return the next batch; ``generator`` is the only source of randomness."""
        num_carried = self.num_carried if len(self.batch) else 0
        rows = generator.permutation(len(self.batch))[:num_carried]
        chosen = self.batch[rows]
        while len(chosen) < self.batch_size:
            if not len(self.waiting):
                self.waiting = generator.permutation(self.videos)
            chosen = np.concatenate((chosen, self._take(self.batch_size - len(chosen), chosen)))
        self.batch = chosen
        return Draw(chosen.copy(), rows)

    def _take(self, count: int, excluded: NDArray[np.int64]) -> NDArray[np.int64]:
        """Remove from the waiting order, and return, its first ``count`` videos that are not excluded."""
        # More than this many need not be looked at: at worst all excluded videos come first.
        window = self.waiting[: count + len(excluded)]
        # A set: np.isin takes several times as long for so few.
        members = set(excluded.tolist())
        positions = [row for row, video in enumerate(window.tolist()) if video not in members][:count]
        taken = window[positions]
        if len(taken) < count:
            # Nothing but excluded videos left: they are in this batch, that was their turn; a new round begins.
            self.waiting = self.waiting[:0]
            return taken
        # The few that are passed over move up to the rest, in place: copying a long order would take milliseconds.
        passed = np.delete(window[: positions[-1] + 1], positions)
        window[count : count + len(passed)] = passed
        self.waiting = self.waiting[count:]
        return taken

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides future batches, apart from the generator, as int64 tensors."""
        return {
            "videos": torch.from_numpy(self.videos.copy()),
            "waiting": torch.from_numpy(self.waiting.copy()),
            "batch": torch.from_numpy(self.batch.copy()),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to a state that `get_state` returned."""
        self.videos = state["videos"].numpy().copy()
        self.waiting = state["waiting"].numpy().copy()
        self.batch = state["batch"].numpy().copy()
