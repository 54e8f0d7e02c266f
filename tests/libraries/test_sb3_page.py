"""The snippets of the page on Stable-Baselines3."""

import re
from pathlib import Path

import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "libraries" / "stable_baselines3.md"


def test_python_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(snippets) == 2
    for snippet in snippets:
        exec(compile(snippet, PAGE.name, "exec"), {})
