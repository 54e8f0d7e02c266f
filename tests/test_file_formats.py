"""Every kind of file that says what it is refuses other kinds and other versions in the same words."""

import json
import re
from pathlib import Path

import pytest

from rlld_gym.errors import InputError
from rlld_gym.file_formats import FileFormat
from rlld_gym.files import write_sealed_json

KIND = FileFormat("rlld-thing", 3, "a thing", "make it again", version_key="format_version")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_sealed_json(tmp_path / "thing.json", {**KIND.head, "size": 4})
    assert json.loads((tmp_path / "thing.json").read_text())["format_version"] == 3
    assert KIND.read_json(tmp_path / "thing.json") == {"format": "rlld-thing", "format_version": 3, "size": 4}
    KIND.check({"format": "rlld-thing", "format_version": "3"}, "a file whose entries are texts")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "not a thing (format None; expected 'rlld-thing'); make it again"),
        (
            {"format": "other", "format_version": 3},
            "not a thing (format 'other'; expected 'rlld-thing'); make",
        ),
        ({"format": "rlld-thing"}, "format version None; expected 3; upgrade rlld-gym"),
        ({"format": "rlld-thing", "format_version": 4}, "format version 4; expected 3; upgrade rlld-gym"),
    ],
)
def test_what_is_of_another_kind_or_version_is_refused_by_name(
    tmp_path: Path, entries: dict[str, object], message: str
) -> None:
    path = tmp_path / "thing.json"
    path.write_text(json.dumps(entries))
    with pytest.raises(InputError, match=re.escape(f"{path}: {message}")):
        KIND.read_json(path)


def test_a_kind_without_versions(tmp_path: Path) -> None:
    kind = FileFormat("rlld-note", None, "a note", "delete it")
    assert kind.head == {"format": "rlld-note"}
    kind.check({"format": "rlld-note"}, tmp_path)
