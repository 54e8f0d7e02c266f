"""Training the parsers of a run side by side: in this process, and in others beside it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from rlld_agents.experiments.parsers import ParserJob, known_scores, run_parser_job
from rlld_agents.experiments.profiling import Profile
from rlld_agents.runs.processes import Processes, Share, available_cores
from rlld_agents.runs.setting import Setting


@dataclass(frozen=True)
class ParserWork:
    """A parser to train in another process.

    Attributes:
        job: the parser.
        setting: data, recipe, width and device; the process opens the data itself.
        folder: the run folder.
        profiled: whether time is to be measured.
    """

    job: ParserJob
    setting: Setting
    folder: Path
    profiled: bool = False

    def __call__(self, progress: Share) -> dict[str, float]:
        """Train it, leave its result in the run folder, and return the seconds of the parts of a profile."""
        profile = Profile(self.setting.device)
        with profile.active() if self.profiled else nullcontext():
            run_parser_job(self.job, self.setting, self.folder, lambda done, total: progress(done / total))
        return profile.seconds


class ParserTeam:
    """Trains the parsers of a run; each leaves its result in the run folder, so none is trained twice.

    Args:
        setting: data, recipe, width and device.
        folder: the run folder.
        workers: processes at a time, this one included.
        profiled: whether the other processes measure their time.

    Attributes:
        threads: of each process, this one too, while the team works: its share of the cores.
    """

    def __init__(self, setting: Setting, folder: Path, workers: int, *, profiled: bool = False) -> None:
        self.workers = workers
        self.threads = max(1, min(torch.get_num_threads(), available_cores() // workers))
        self._setting, self._folder, self._profiled = setting, folder, profiled
        self._processes: Processes[ParserWork] = Processes([], 0, 1)
        self._number = 0

    @property
    def profiles(self) -> list[dict[str, float]]:
        """Seconds of the parts in each other process that has ended."""
        return list(self._processes.results)

    @contextmanager
    def started(self, jobs: Sequence[ParserJob]) -> Iterator[None]:
        """Train parsers in other processes while the block does something else; see `finish`.

        What is not done when the block ends is abandoned.

        Args:
            jobs: the first parsers.
        """
        before = torch.get_num_threads()
        works = self._missing(jobs)
        self._number = len(works)
        torch.set_num_threads(self.threads)
        try:
            with Processes(works, self.workers - 1, self.threads) as self._processes:
                yield
        finally:
            torch.set_num_threads(before)

    def finish(self, jobs: Sequence[ParserJob], advance: Callable[[float, float], None]) -> None:
        """Train more parsers, in this process as in the others, until all are done.

        Args:
            jobs: the rest of the parsers.
            advance: called with (parsers trained since the start, parsers to train in all); a parser in training
                counts in part.
        """
        works = self._missing(jobs)
        self._number += len(works)
        self._processes.add(works)
        done = 0

        def report(share: float) -> None:
            advance(done + share + self._processes.progress(), self._number)

        while (work := self._processes.take()) is not None:
            run_parser_job(work.job, self._setting, self._folder, lambda epoch, total: report(epoch / total))
            done += 1
        self._processes.wait(lambda _: report(0.0))

    def _missing(self, jobs: Sequence[ParserJob]) -> list[ParserWork]:
        """Return the work that is left of some jobs."""
        return [
            ParserWork(job, self._setting, self._folder, self._profiled)
            for job in jobs
            if known_scores(job, self._setting, self._folder) is None
        ]
