"""One run, one folder, one writer."""

import errno
import fcntl
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rlld_agents.runs.folder import CONFIG_NAME, LOCK_NAME
from rlld_agents.runs.lock import only_writer, run_folder
from rlld_agents.runs.signals import ASKING, Terminated, orderly_end
from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path


def in_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def enter(folder):
    with only_writer(folder):
        return "entered"


def test_a_second_writer_is_told_who_is_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rlld", "train", "--data", "my data"])
    with only_writer(tmp_path):
        assert enter(tmp_path / ".") == "entered", "the same thread may, however the folder is called"
        with pytest.raises(InputError) as refusal:
            in_thread(lambda: enter(tmp_path))
    for part in (f"{tmp_path}: process {os.getpid()} on ", "(rlld train --data 'my data', since 2"):
        assert part in str(refusal.value)
    assert in_thread(lambda: enter(tmp_path)) == "entered"
    assert list(tmp_path.iterdir()) == []


def test_a_dead_writers_lock_is_taken_over_and_its_unfinished_files_are_removed(tmp_path):
    child = os.fork()
    if child == 0:
        block = only_writer(tmp_path)
        block.__enter__()
        (tmp_path / f"config.json.{os.getpid()}.partial").touch()  # as it was called before
        with atomic_path(tmp_path / "result.json"):
            (tmp_path / "theirs.partial").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(tmp_path.glob("*.partial"))) == 3
    assert (tmp_path / LOCK_NAME).exists()
    with only_writer(tmp_path) as taken_over:
        assert taken_over
        assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK_NAME, "theirs.partial"]
    with only_writer(tmp_path) as taken_over:
        assert not taken_over


def test_a_block_that_writes_nothing_leaves_no_folder(tmp_path):
    with pytest.raises(InputError, match="refused"), only_writer(tmp_path / "runs" / "new"):
        raise InputError("refused")
    assert list(tmp_path.iterdir()) == []
    with only_writer(tmp_path / "runs" / "new"):
        (tmp_path / "runs" / "new" / "file").touch()
    assert (tmp_path / "runs" / "new" / "file").exists()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_a_warning(number, tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with only_writer(tmp_path):
        assert list(tmp_path.iterdir()) == []
    assert "no locks" in capsys.readouterr().err


def test_a_default_folder_that_is_taken_moves_on(tmp_path, capsys):
    default = tmp_path / "runs" / "toy"
    for expected in ("toy", "toy-2", "toy-3"):
        with run_folder("rlld train", default, out=None, resume=None) as folder:
            assert folder.name == expected
            (folder / CONFIG_NAME).touch()
    assert "is taken; this run is in" in capsys.readouterr().err
    with pytest.raises(InputError, match="go on with 'rlld train --resume"):
        run_folder("rlld train", default, out=default, resume=None).__enter__()
    with only_writer(tmp_path / "toy"), pytest.raises(InputError, match="is writing there"):
        in_thread(lambda: run_folder("rlld train", default, out=tmp_path / "toy", resume=None).__enter__())


def test_a_default_folder_in_use_moves_on_too(tmp_path):
    def other():
        with run_folder("rlld train", tmp_path / "toy", out=None, resume=None) as folder:
            return folder.name

    with only_writer(tmp_path / "toy"):
        assert in_thread(other) == "toy-2"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
def test_an_interruption_says_how_to_go_on(kind, tmp_path):
    with pytest.raises(kind) as interruption, run_folder("rlld train", tmp_path, out=None, resume=None):
        raise kind
    assert not str(interruption.value), "nothing has begun"
    (tmp_path / "a run").mkdir()
    (tmp_path / "a run" / CONFIG_NAME).touch()
    with (
        pytest.raises(kind, match=f"rlld train --resume '{tmp_path}/a run'"),
        run_folder("rlld train", tmp_path, out=None, resume=tmp_path / "a run"),
    ):
        raise kind


@pytest.mark.parametrize("number", ASKING)
def test_who_is_asked_to_end_ends_in_order(number):
    before = signal.signal(number, signal.SIG_DFL)  # the tests themselves may run under nohup
    try:
        with pytest.raises(Terminated), orderly_end():
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)
        with orderly_end():
            os.kill(os.getpid(), number)  # as under nohup
    finally:
        signal.signal(number, before)


def test_in_a_thread_signals_are_left_alone():
    def block():
        with orderly_end():
            return signal.getsignal(signal.SIGTERM)

    assert in_thread(block) == signal.SIG_DFL


def test_folders_that_cannot_be_written_to_say_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        enter(Path(tmp_path / "file" / "run"))
