"""The videos of a report page as one compressed block that its script unpacks.

The block is gzip of: four bytes, the length L of a header (little endian); L bytes of JSON; the arrays that the
header lists, one after another. There is a row for each class of each video that is a weak label, predicted or
true; almost all pairs of video and class are none of these, so 10 000 videos take a few hundred kilobytes.
"""

import gzip
import json
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rlld_agents.reports.page.content import Videos

WEAK, REMOVED, UNCERTAIN_BIT, GIVEN_BACK = 1, 2, 8, 32
"""Bits of a row's flags: is a weak label; removed, uncertain and given back, the next bit for visual."""

ALIGNMENT: Final = 4
"""The arrays begin at a multiple, and the widest numbers come first, as typed arrays in a browser need it."""


def pack_videos(videos: Videos) -> bytes:
    """Return the videos as a compressed block; the same videos give the same bytes."""
    arrays = _rows(videos)
    header: dict[str, Any] = {
        "names": list(videos.names),
        "classes": list(videos.classes),
        "clips": list(videos.clips),
        "segments": _segments(videos),
        "boundary": None if videos.boundary is None else np.round(videos.boundary, 4).tolist(),
        "probabilities": videos.scores_are_probabilities,
        "knows": {
            "scores": videos.scores is not None,
            "predictions": videos.predicted is not None,
            "truth": videos.dense is not None,
        },
        "arrays": [[name, array.dtype.name, array.size] for name, array in arrays.items()],
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    parts = [len(text).to_bytes(4, "little"), text]
    parts += [array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays.values()]
    return gzip.compress(b"".join(parts), compresslevel=9, mtime=0)


def _rows(videos: Videos) -> dict[str, NDArray[Any]]:
    """Return the arrays of a block, widest numbers first.

    Returns:
        ``offsets`` (N + 1,) uint32, the first row of each video; ``classes`` (R,) uint16; ``flags`` (R,) uint8;
        ``scores`` (R * 2,) uint8, 255 = certainly remove; ``cells`` (R * 2 * T,) uint8, six bits of probability,
        the parser's decision, the truth.
    """
    cells = _cells(videos)
    decided = (cells & 0b11).any(axis=(1, 2))
    video, label = np.nonzero(videos.weak | decided)
    flags = videos.weak[video, label] * WEAK
    uncertain, given_back = videos.uncertain, videos.given_back
    for modality in (0, 1):
        flags |= videos.removed[video, modality, label] * (REMOVED << modality)
        flags |= uncertain[video, modality, label] * (UNCERTAIN_BIT << modality)
        flags |= given_back[video, modality, label] * (GIVEN_BACK << modality)
    scores = np.zeros(videos.removed.shape) if videos.scores is None else videos.scores
    return {
        "offsets": np.searchsorted(video, np.arange(len(videos.names) + 1)).astype(np.uint32),
        "classes": label.astype(np.uint16),
        "flags": flags.astype(np.uint8),
        "scores": np.rint(np.clip(scores[video, :, label], 0, 1) * 255).astype(np.uint8).ravel(),
        "cells": cells[video, :, :, label].transpose(0, 2, 1).ravel(),
    }


def _cells(videos: Videos) -> NDArray[np.uint8]:
    """Return what is predicted and true of every segment, (N, T, 2, C) uint8."""
    shape = (len(videos.names), _segments(videos), 2, len(videos.classes))
    cells = np.zeros(shape, np.uint8) if videos.predicted is None else videos.predicted
    return cells if videos.dense is None else cells | videos.dense.astype(np.uint8)


def _segments(videos: Videos) -> int:
    """Return how many segments the page shows; 0 where nothing is known of segments."""
    known = videos.predicted if videos.predicted is not None else videos.dense
    return 0 if known is None else known.shape[1]
