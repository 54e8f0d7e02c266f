"""Progress in a notebook that a program runs: an output of one line for each bar, whatever has been redrawn."""

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

PROGRAM = """
import time
from rlld_gym.progress import ProgressBar

with ProgressBar(30, "epoch", "parsers") as bar:
    for epoch in range(30):
        time.sleep(0.03)
        bar.note(f"reward {epoch}")
        bar.update()
with ProgressBar(None, "video", "scan", leave=False) as bar:
    bar.update(7)
with ProgressBar(3, "epoch", "next") as bar:
    bar.update(2)
"""


def outputs(code):
    """Return what a cell has put out: kind and text."""
    cell = nbformat.v4.new_code_cell(code)
    nbclient.NotebookClient(nbformat.v4.new_notebook(cells=[cell]), timeout=120).execute()
    return [
        (output.output_type, output.data["text/plain"] if "data" in output else output.text)
        for output in cell.outputs
    ]


@pytest.fixture(scope="module")
def shown():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TQDM_DISABLE", raising=False)
        return outputs(PROGRAM)


def test_a_bar_is_one_output_that_ends_with_the_last_state(shown):
    assert {kind for kind, _ in shown} == {"display_data"}
    texts = [text for _, text in shown if text]
    assert len(texts) == 2
    for text, parts in zip(texts, (("parsers", "30/30", "reward 29"), ("next", "2/3")), strict=True):
        assert all(part in text for part in parts)


def test_no_output_has_more_than_a_line(shown):
    assert not any(mark in text for _, text in shown for mark in "\r\n\x1b")
    assert all(len(text) < 100 for _, text in shown)


@pytest.mark.long
def test_nothing_is_shown_where_that_is_asked_for(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert outputs(
        "from rlld_gym.progress import ProgressBar\nProgressBar(1, 'epoch').close()\nprint(1)"
    ) == [("stream", "1\n")]
