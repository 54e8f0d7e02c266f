"""Reference files (annotations, golden vectors) that lie beside a development checkout, where present."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_path(name: str) -> Path:
    """Return a reference file's path, or skip the calling test where the file is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"reference file {name} is not beside this checkout")
    return path
