"""Several class names in one field of text: joined by commas; a name that holds a comma or a quote is quoted."""

import csv
from collections.abc import Sequence
from io import StringIO


def join_names(names: Sequence[str]) -> str:
    """Return names as one field, such as ``Dog,"Siren, ambulance"``; the empty text for none."""
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def split_names(field: str) -> list[str]:
    """Return the names of a field that `join_names` wrote.

    Raises:
        ValueError: the field has an odd number of quotes, or text beside a quoted name.
    """
    if '"' not in field:
        return field.split(",") if field else []
    try:
        (names,) = csv.reader([field], strict=True)
    except csv.Error as error:
        raise ValueError(f"{field!r}: {error}") from error
    return names
