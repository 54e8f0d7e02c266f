"""LLP's video names: an 11-character id, then the seconds of the clip."""

import re
from typing import Final

ID_LENGTH: Final = 11
"""Characters of a video id; ids may contain ``_`` and ``-``, so a name is never split at those."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{11}_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)", re.ASCII)
_SECONDS: Final = 10


def is_video_name(name: str) -> bool:
    """Return whether ``name`` is an 11-character id followed by _START_END with END - START = 10 seconds."""
    match = _NAME.fullmatch(name)
    return match is not None and abs(float(match[2]) - float(match[1]) - _SECONDS) < 1e-6
