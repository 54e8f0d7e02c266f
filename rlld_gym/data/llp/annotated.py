"""Which videos an import is to have: all of its input that can be refused without looking at features."""

import os

from rlld_gym.data.llp.annotations import Annotations, load_annotations
from rlld_gym.data.llp.layout import DataLayout
from rlld_gym.data.llp.selection import Selection, first_videos
from rlld_gym.errors import InputError


def annotated_videos(
    annotations: str | os.PathLike[str],
    layout: DataLayout,
    *,
    dtype: str,
    strict: bool,
    limit: int | None,
    never_visible: str | None,
) -> tuple[Annotations, Selection]:
    """Read the annotation files, and refuse options that do not fit.

    Args:
        annotations: folder of annotation files, see `load_annotations`.
        layout: classes, segments, and how files are named.
        dtype: "float16" or "float32", as which features are to be stored.
        strict: refuse annotation files with broken rows instead of repairing them.
        limit: take only the first ``limit`` training videos; None: all.
        never_visible: a class, or None.

    Returns:
        What the files say, and the videos to import.

    Raises:
        InputError: an option or an annotation file cannot be used.
    """
    if dtype not in ("float16", "float32"):
        raise InputError(f"dtype {dtype!r}: expected float16 or float32")
    if limit is not None and limit < 1:
        raise InputError(f"limit {limit}: expected at least 1 training video")
    if never_visible is not None and never_visible not in layout.classes:
        raise InputError(
            f"never visible {never_visible!r}: no such class; expected one of {', '.join(layout.classes)}"
        )
    loaded = load_annotations(annotations, strict, layout)
    return loaded, first_videos(loaded, limit)
