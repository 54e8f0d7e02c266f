"""Results on LLP's test set as printed in the papers: facts to stand beside ours, measured on other data.

From RLLD, arXiv 2412.19563, Table 1 and 2; single runs, no variance is reported anywhere. MA's event-level V is
54.4 as in JoMoLD's own table (the 57.4 of RLLD's table breaks Type = (A + V + AV) / 3).
"""

from collections.abc import Mapping
from typing import Final

PUBLISHED: Final[Mapping[str, tuple[float, ...]]] = {
    "HAN": (60.1, 52.9, 48.9, 54.0, 55.4, 51.3, 48.9, 43.0, 47.7, 48.0),
    "HAN + Co-teaching+": (59.4, 56.7, 52.0, 56.0, 56.3, 50.7, 53.9, 46.6, 50.4, 48.7),
    "HAN + JoCoR": (61.0, 58.2, 53.1, 57.4, 57.7, 52.8, 54.7, 46.7, 51.4, 50.3),
    "MA": (59.8, 57.5, 52.6, 56.6, 56.6, 52.1, 54.4, 45.8, 50.8, 49.4),
    "MA + CL": (60.3, 60.0, 55.1, 58.9, 57.9, 53.6, 56.4, 49.0, 53.0, 50.6),
    "JoMoLD": (60.6, 62.2, 56.0, 59.6, 58.6, 53.1, 58.9, 49.4, 53.8, 51.4),
    "JoMoLD + CL": (61.3, 63.8, 57.2, 60.8, 59.9, 53.9, 59.9, 49.6, 54.5, 52.5),
    "RLLD": (61.6, 64.6, 58.2, 61.5, 60.7, 54.9, 60.1, 50.6, 55.2, 53.4),
    "RLLD + CL": (63.4, 65.1, 58.7, 62.4, 61.9, 55.8, 61.2, 51.2, 56.1, 54.0),
    "RLLD w/o initialized labels": (61.2, 63.4, 57.0, 60.5, 58.3, 53.8, 58.4, 48.9, 53.7, 51.8),
    "RLLD w/o soft inter-reward": (61.8, 64.2, 57.5, 61.1, 60.1, 54.6, 59.3, 50.1, 54.6, 53.2),
}
"""Segment-level A, V, AV, Type, Event, then event-level, in percent."""
