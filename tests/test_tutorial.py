"""The tutorial: its page runs from beginning to end, and so does the notebook that is made of it."""

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import DOCS, blocks, run

SHORTER = {
    "train": ["--parser-epochs", "1", "--workers", "1"],
    "train-parser": ["--epochs", "1"],
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Go to an empty working directory; modules that are written there are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("my_parser", None)
    yield tmp_path
    sys.modules.pop("my_parser", None)


def fewer_episodes(code: str) -> str:
    return code.replace("EPISODES = 64", "EPISODES = 8")


@pytest.mark.filterwarnings("ignore:.*have no event in either file")
def test_the_page_runs_from_beginning_to_end(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"__name__": "tutorial"}
    for language, block in blocks("tutorial.md"):
        run(language, fewer_episodes(block), names, SHORTER)
    for file in ("learning_curve.png", "runs/own/denoised_labels.csv", "runs/own/report.html"):
        assert (here / file).stat().st_size
    printed = capsys.readouterr().out
    assert "own.h5: ok" in printed  # made-up files are as they should be: nothing found
    assert "keep all" in printed


def test_the_notebook_is_the_page() -> None:
    module = runpy.run_path(str(DOCS / "make_notebook.py"))
    assert (DOCS / "tutorial.ipynb").read_text(encoding="utf-8") == module["tutorial"]()


@pytest.mark.long
@pytest.mark.usefixtures("here")
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.delenv("MPLBACKEND")  # figures appear in the notebook
    notebook = nbformat.read(DOCS / "tutorial.ipynb", as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        cell.source = fewer_episodes(cell.source)
        cell.source = cell.source.replace("--out runs/own", "--parser-epochs 1 --workers 1 --out runs/own")
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
