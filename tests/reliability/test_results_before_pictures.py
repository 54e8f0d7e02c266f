"""Figures and events that fail cost a warning; figures draw any name and leave the caller's matplotlib alone."""

import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from rlld_agents.cli import main
from rlld_agents.labels.removal import removal_quality
from rlld_agents.reports import canvas, figures
from rlld_agents.runs.log import RunLog, read_rows
from rlld_gym.parsing.metrics import SCORE_NAMES
from tests.reliability.toys import RUN, toy_store

NAMES = ("$x_1$ 100 %", "_hidden_", "日本語の名前", "long " * 60, "a^{b}\\frac", "two\nlines")
SCORES = {name: [dict.fromkeys(SCORE_NAMES, 50.0)] for name in NAMES}


def test_any_name_is_drawn_without_the_users_settings(tmp_path: Path) -> None:
    weak = np.ones((5, len(NAMES)), np.bool_)
    quality = removal_quality(weak, weak, weak, None, None)
    curves = {name: [{score: np.arange(3.0) for score in SCORE_NAMES}] for name in NAMES[:3]}
    with matplotlib.rc_context({"text.usetex": True, "figure.dpi": 7, "font.family": "nowhere"}):
        before = dict(matplotlib.rcParams)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figures.plot_scores(tmp_path / "scores.png", SCORES, " ".join(NAMES))
            figures.plot_removal(tmp_path / "removal.png", quality, NAMES, NAMES[0])
            figures.plot_convergence(tmp_path / "curves.png", curves, NAMES[3])
        assert dict(matplotlib.rcParams) == before
    assert {path.read_bytes()[:4] for path in tmp_path.iterdir()} == {b"\x89PNG"}


def test_results_are_written_where_pictures_and_events_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a test split without dense labels has no table."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no latex\nhere")

    def hide(key: str, arrays: dict[str, object]) -> None:
        if key == "test":
            arrays.update(dense_audio=None, dense_visual=None)

    monkeypatch.setattr(canvas, "save_figure", fail)
    monkeypatch.setattr(figures, "save_figure", fail)
    events = find_spec("tensorboard") is not None
    if events:
        monkeypatch.setattr("rlld_agents.runs.event_file.EventFile", fail)
    toy_store(change=hide).save(tmp_path / "s.h5")
    run = tmp_path / "run"
    assert main(["train", "--data", str(tmp_path / "s.h5"), *RUN, "--out", str(run)]) == 0
    printed = capsys.readouterr()
    assert "removal.png was not drawn (RuntimeError: no latex here); all results are written" in printed.err
    assert ("no more TensorBoard events (RuntimeError: no latex here)" in printed.err) == events
    assert "The test split of toy has no dense labels: there are no test scores." in printed.out
    for name in ("result.json", "results.md", "removal_per_class.csv", "denoised_labels.csv", "metrics.csv"):
        assert (run / name).stat().st_size > 0
    assert not (run / "figures").exists()


def test_events_that_fail_later_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    with RunLog(tmp_path) as log:
        assert log._events is not None
        monkeypatch.setattr(log._events, "add", lambda *_: os.stat("/nowhere"))
        with pytest.warns(UserWarning, match="no more TensorBoard events"):
            log.write({"episode": 1, "time/total_timesteps": 1})
        log.write({"episode": 2, "time/total_timesteps": 2})
    assert len(read_rows(tmp_path / "metrics.jsonl")) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no limit on the size of files here")
def test_events_on_a_full_disk_end_with_one_line(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    code = (
        "import resource, signal, sys\n"
        "from rlld_agents.runs.log import RunLog\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "with RunLog(sys.argv[1]) as log:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "    log.write({'episode': 1, 'time/total_timesteps': 1, **{f'a/{i}': 1.0 for i in range(5)}})\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ended.stderr.count("no more TensorBoard events (OSError: [Errno 27] File too large") == 1
    assert "Traceback" not in ended.stderr


def test_matplotlib_is_imported_whatever_backend_is_named(tmp_path: Path) -> None:
    """As a notebook names one that only it has; pyplot, which would use it, is never imported."""
    code = (
        "import sys; from pathlib import Path; from rlld_agents.reports.canvas import *\n"
        "with own_style(): save_figure(new_figure(2, 2), Path(sys.argv[1]))\n"
        "import os; assert os.environ['MPLBACKEND'] == 'module://nowhere'\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    path = tmp_path / "figure.png"
    environment = {**os.environ, "MPLBACKEND": "module://nowhere"}
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, env=environment)
    assert path.is_file()
