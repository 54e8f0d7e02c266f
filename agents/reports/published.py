"""Results on LLP's test set as printed in the papers: facts to stand beside ours, measured on other data.

From RLLD, arXiv 2412.19563, Tables 1 and 2; single runs, no variance is reported anywhere. MA's event-level V is
54.4 as in JoMoLD's own table (the 57.4 of RLLD's table breaks Type = (A + V + AV) / 3). The event-level Type of
MM-Pyramid and of DHHN, printed so, break it as well.
"""

from collections.abc import Mapping
from typing import Final

PUBLISHED: Final[Mapping[str, tuple[float, ...]]] = {
    "AVE": (47.2, 37.1, 35.4, 39.9, 41.6, 40.4, 34.7, 31.6, 35.5, 36.5),
    "AVSDN": (47.8, 52.0, 37.1, 45.7, 50.8, 34.1, 46.3, 26.5, 35.6, 37.7),
    "HAN": (60.1, 52.9, 48.9, 54.0, 55.4, 51.3, 48.9, 43.0, 47.7, 48.0),
    "MM-Pyramid": (60.9, 54.4, 50.0, 55.1, 57.6, 52.7, 51.8, 44.4, 49.9, 50.5),
    "HAN + Co-teaching+": (59.4, 56.7, 52.0, 56.0, 56.3, 50.7, 53.9, 46.6, 50.4, 48.7),
    "HAN + JoCoR": (61.0, 58.2, 53.1, 57.4, 57.7, 52.8, 54.7, 46.7, 51.4, 50.3),
    "MGN": (60.8, 55.4, 50.4, 55.5, 57.2, 51.1, 52.4, 44.4, 49.3, 49.1),
    "CVCMS": (59.2, 59.9, 53.4, 57.5, 58.1, 51.3, 55.5, 46.2, 51.0, 49.7),
    "DHHN": (61.3, 58.3, 52.9, 57.5, 58.1, 54.0, 55.1, 47.3, 51.5, 51.5),
    "MA": (59.8, 57.5, 52.6, 56.6, 56.6, 52.1, 54.4, 45.8, 50.8, 49.4),
    "MA + CL": (60.3, 60.0, 55.1, 58.9, 57.9, 53.6, 56.4, 49.0, 53.0, 50.6),
    "JoMoLD": (60.6, 62.2, 56.0, 59.6, 58.6, 53.1, 58.9, 49.4, 53.8, 51.4),
    "JoMoLD + CL": (61.3, 63.8, 57.2, 60.8, 59.9, 53.9, 59.9, 49.6, 54.5, 52.5),
    "RLLD": (61.6, 64.6, 58.2, 61.5, 60.7, 54.9, 60.1, 50.6, 55.2, 53.4),
    "RLLD + CL": (63.4, 65.1, 58.7, 62.4, 61.9, 55.8, 61.2, 51.2, 56.1, 54.0),
    "CPSP": (58.5, 57.8, 52.6, 56.3, 55.8, 51.6, 54.0, 46.5, 50.7, 49.9),
    "CPSP + RLLD": (60.1, 59.0, 54.7, 57.9, 57.2, 53.1, 55.6, 47.9, 52.2, 51.3),
    "VALOR": (61.8, 65.9, 58.4, 62.0, 61.5, 55.4, 62.6, 52.2, 56.7, 54.2),
    "VALOR + RLLD": (62.2, 66.7, 59.3, 62.7, 62.4, 55.7, 63.1, 53.7, 57.5, 54.9),
    "RLLD w/o initialized labels": (61.2, 63.4, 57.0, 60.5, 58.3, 53.8, 58.4, 48.9, 53.7, 51.8),
    "RLLD w/o soft inter-reward": (61.8, 64.2, 57.5, 61.1, 60.1, 54.6, 59.3, 50.1, 54.6, 53.2),
}
"""Segment-level A, V, AV, Type, Event, then event-level, in percent."""
