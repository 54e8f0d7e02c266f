"""Works in processes beside the caller."""

import os
import signal
from dataclasses import dataclass

from rlld_agents.sweep.cells import Progress
from rlld_agents.sweep.processes import Processes


@dataclass(frozen=True)
class Report:
    """Returns its number, process and threads; or fails."""

    number: int
    killed: bool = False

    def __call__(self, progress: Progress) -> tuple[int, int, str]:
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
