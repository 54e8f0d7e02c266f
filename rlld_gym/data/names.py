"""Names of classes and videos: which ones cannot be told apart or written."""

from collections.abc import Sequence


def class_name_problem(names: Sequence[str]) -> str | None:
    """Return why names of classes cannot be used, None where they can."""
    if not names:
        return "there is no class; a data set needs one at least"
    return _problem(names, "class")


def video_name_problem(names: Sequence[str]) -> str | None:
    """Return why names of videos cannot be used, None where they can."""
    return _problem(names, "video")


def _problem(names: Sequence[str], what: str) -> str | None:
    """Return the first problem: an empty name, one that is no text, one that two have."""
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if not name.strip():
            return f"{what} {number} has no name ({name!r}); every {what} needs a name of its own"
        try:
            name.encode()
        except UnicodeEncodeError:
            return f"the name of {what} {number}, {name!r}, cannot be written as UTF-8"
        if name in first:
            return (
                f"{what}s {first[name]} and {number} have the same name {name!r}; give each a name of its own"
            )
        first[name] = number
    return None
