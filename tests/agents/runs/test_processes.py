"""Works in processes beside the caller."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rlld_agents.experiments.study.sweep import run_in_processes
from rlld_agents.runs.processes import Processes, Share, available_cores


@dataclass(frozen=True)
class Report:
    """Returns its number, process and threads; or fails."""

    number: int
    killed: bool = False

    def __call__(self, progress: Share) -> tuple[int, int, str]:
        progress(0.5)
        if self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.number, os.getpid(), os.environ["OMP_NUM_THREADS"]


def run(works: list[Report], *, serve_once: bool = False) -> tuple[list[tuple[int, int, str]], list[float]]:
    seen: list[float] = []
    with Processes(works, 1, 3, serve_once=serve_once) as processes:
        processes.wait(seen.append)
    return processes.results, seen


def test_a_process_goes_on_with_the_next_work_unless_it_is_to_serve_once() -> None:
    for serve_once in (False, True):
        results, seen = run([Report(number) for number in range(3)], serve_once=serve_once)
        assert [number for number, _, _ in results] == [0, 1, 2]
        assert len({process for _, process, _ in results}) == (3 if serve_once else 1)
        assert {threads for _, _, threads in results} == {"3"}
        assert seen == sorted(seen)
        assert seen[-1] == 3


def test_a_killed_process_loses_its_own_work_only() -> None:
    results, seen = run([Report(0), Report(1, killed=True), Report(2)])
    assert [number for number, _, _ in results] == [0, 2]
    assert seen[-1] == 3, "it has ended, too"


def test_what_is_waiting_can_be_taken_and_added() -> None:
    with Processes([Report(0), Report(1)], 0, 1) as processes:
        processes.add([Report(2)])
        taken = [processes.take() for _ in range(4)]
        processes.wait(lambda _: None)
    assert taken == [Report(0), Report(1), Report(2), None]


@dataclass(frozen=True)
class Square:
    """A cell; with a function that does not pickle, one that cannot be sent to a process."""

    seed: int
    function: Callable[[], None] | None = None
    name: str = "square"

    def run(self, folder: Path, progress: Share) -> dict[str, Any]:
        return {"square": self.seed**2}


def test_what_keeps_a_process_from_its_work_is_raised(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="pickle"):
        run_in_processes([Square(0, lambda: None), Square(1)], tmp_path, 1, lambda _: None)
    # Whoever does not wait, or ignores what `wait` raises, is told at the end of the block.
    works = [lambda _: None]
    with pytest.raises(Exception, match="pickle"), Processes(works, 2, 1) as processes, suppress(Exception):
        processes.wait(lambda _: None)
    with pytest.raises(KeyError), Processes([lambda _: None], 2, 1):
        raise KeyError("the block's own error comes first")


@dataclass(frozen=True)
class Meeting:
    """Ends when both works have begun; with a load larger than the buffer of a pipe."""

    folder: Path
    number: int
    load: bytes

    def __call__(self, progress: Share) -> int:
        (self.folder / str(self.number)).touch()
        while len(list(self.folder.iterdir())) < 2:
            time.sleep(0.01)
        return len(self.load)


def test_large_works_run_side_by_side(tmp_path: Path) -> None:
    with Processes([Meeting(tmp_path, number, bytes(10**6)) for number in range(2)], 2, 1) as processes:
        processes.wait(lambda _: None)
    assert processes.results == [10**6, 10**6]


@dataclass(frozen=True)
class Endless:
    """Never ends."""

    def __call__(self, progress: Share) -> None:
        progress(0.5)
        time.sleep(3600)


def test_what_runs_is_stopped_when_the_block_ends() -> None:
    with Processes([Endless()] * 3, 2, 1) as processes:
        while processes.progress() < 1:
            time.sleep(0.01)
        assert processes.take() == Endless()
    assert processes.results == []


def script(path: Path, text: str) -> "subprocess.CompletedProcess[str]":
    """Run a script; wait until its children, too, have closed stderr."""
    path.write_text(f"from rlld_agents.runs.processes import Processes\n{text}")
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_script_that_would_run_again_in_its_own_processes_is_told(tmp_path: Path) -> None:
    found = script(
        tmp_path / "unguarded.py",
        "with Processes([print], 1, 1) as processes:\n"
        "    print('within')\n"
        "    processes.wait(lambda _: None)\n",
    )
    assert found.returncode == 0
    assert found.stdout.split() == ["within"], "once, by the parent"
    assert 'if __name__ == "__main__"' in found.stderr.splitlines()[-1]


def test_a_worker_ends_with_its_parent_in_silence(tmp_path: Path) -> None:
    found = script(
        tmp_path / "killed.py",
        "import os, signal, time\n"
        "def work(progress):\n"
        "    progress(0.5)\n"
        "    time.sleep(3600)\n"
        "if __name__ == '__main__':\n"
        "    with Processes([work], 1, 1) as processes:\n"
        "        while not processes.progress():\n"
        "            time.sleep(0.01)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n",
    )
    assert found.returncode == -signal.SIGKILL
    assert "Traceback" not in found.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_cores_that_this_process_may_not_use_do_not_count() -> None:
    before = os.sched_getaffinity(0)
    assert available_cores() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
