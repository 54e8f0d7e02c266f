"""What appears in a terminal, in a log file, and where nobody sees it."""

import contextlib
import errno
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios

import pytest

from rlld_agents.cli import main
from rlld_agents.cli.stderr import forgiving_stderr
from rlld_gym.progress import ProgressBar
from tests.reliability.toys import toy_store


class Terminal(io.StringIO):
    def isatty(self):
        return True


@contextlib.contextmanager
def terminal(monkeypatch):
    """A terminal in the place of stdout and stderr."""
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "xterm-256color")
        for name in ("stdout", "stderr"):
            patch.setattr(sys, name, Terminal())
        yield sys.stdout, sys.stderr


@pytest.mark.parametrize("columns", ["25", "300"])
@pytest.mark.parametrize(
    "words",
    [
        ["train", "--episods", "3"],
        ["train", "--episodes", "x" * 150],
        ["denoise"],
        ["data", "twin", "--scale", "tiniest"],
        ["tain"],
        ["data"],
        [],
    ],
)
def test_usage_errors_are_one_plain_line(words, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    with terminal(monkeypatch) as (_, stderr):
        assert main(words) == 2
    assert re.fullmatch(r"rlld: error: [^\n\x1b│╭╰─]+ \(see rlld[a-z -]* --help\)\n", stderr.getvalue())
    assert ("x" * 150 in stderr.getvalue()) == ("x" * 150 in words)
    assert os.environ["COLUMNS"] == columns


@pytest.mark.parametrize("setting", ["", "1"])
def test_help_is_coloured_unless_it_must_not_be(setting, monkeypatch):
    monkeypatch.setenv("NO_COLOR", setting)
    with terminal(monkeypatch) as (stdout, _):
        assert main(["denoise", "--help"]) == 0
    assert ("\x1b[" in stdout.getvalue()) == (not setting)


def count(total=4, **options):
    with ProgressBar(total, "epoch", "parsers", **options) as bar:
        for _ in range(3):
            bar.update()
        bar.note("reward 0.5")
        bar.update_to(3.6)
    return bar.n


def test_a_log_file_has_lines(monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    count()
    assert re.fullmatch(
        r"parsers: 4 of 4 epochs \(90 %\), 0:00 elapsed, 0:00 left, reward 0.5\n", capsys.readouterr().err
    )
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    count(decimals=1)
    lines = capsys.readouterr().err
    assert "\r" not in lines
    assert [line.split(" (")[0] for line in lines.splitlines()] == [
        f"parsers: {done} of 4.0 epochs" for done in ("1.0", "2.0", "3.0", "3.6", "3.6")
    ]
    count(None)
    assert capsys.readouterr().err.startswith("parsers: 1 epochs, 0:00 elapsed\n")
    count(lines=False)
    count(delay=60.0, initial=0)
    assert capsys.readouterr().err.count("\n") > 0


@pytest.mark.parametrize("value", ["1", "true"])
def test_nothing_is_shown_where_that_is_asked_for(value, monkeypatch):
    with terminal(monkeypatch) as (_, stderr):
        monkeypatch.setenv("TQDM_DISABLE", value)
        assert count() == 3.6, "but it counts"
        monkeypatch.delenv("TQDM_DISABLE")
        assert count(shown=False) == 3.6
    assert stderr.getvalue() == ""


@pytest.mark.parametrize("columns", [20, 60])
def test_a_bar_fits_into_the_window(columns, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        count()
        stderr.flush()
        text = os.read(ours, 10**5).decode()
    os.close(ours)
    shown = [part for part in re.split(r"[\r\n]", text) if part.strip()]
    assert "parsers" in shown[-1]
    assert all(len(part) <= columns for part in shown)


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, _):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("tty", [False, True])
def test_a_stderr_that_takes_nothing_does_not_end_the_work(tty, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    full = Full()
    full.isatty = lambda: tty
    closed = io.StringIO()
    closed.close()
    for stderr in (full, closed, None):
        monkeypatch.setattr(sys, "stderr", stderr)
        assert count() == 3.6
        with forgiving_stderr():
            print("lost", file=sys.stderr, flush=True)
        assert main(["tain"]) == 2


class Broken(io.StringIO):
    """Takes nothing."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 2), (errno.EPIPE, 1)])
def test_files_are_written_though_nobody_can_read_what_is_printed(
    number, status, tmp_path, monkeypatch, capsys
):
    """As with "> /dev/full", and with "| head" whose reader has gone."""
    toy_store().save(tmp_path / "toy.h5")
    monkeypatch.setattr(sys, "stdout", Broken(number))
    words = ["denoise", "--with", "weak", "--data", str(tmp_path / "toy.h5"), "--out", str(tmp_path / "out")]
    assert main(words) == status
    assert (tmp_path / "out" / "denoised_labels.csv").is_file()
    lost = "what was printed is lost, files are written"
    assert (lost in capsys.readouterr().err) == (number == errno.ENOSPC)
