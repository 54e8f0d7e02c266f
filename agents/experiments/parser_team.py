"""Training the parsers of a run side by side: in this process, and in others beside it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from rlld_agents.experiments.parsers import ParserJob, ParserSetting, known_scores, run_parser_job
from rlld_agents.experiments.profiling import Profile
from rlld_agents.experiments.study.cells import Progress
from rlld_agents.runs.cores import available_cores
from rlld_agents.runs.processes import Processes
from rlld_gym.data import open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.parsing.recipes import Recipe


@dataclass(frozen=True)
class ParserSource:
    """What another process needs to train the parsers of a run.

    Attributes:
        folder: the run folder.
        data: name or path of the data set.
        data_seed: of a twin.
        device: where to train.
        recipe: how.
        hidden_size: width of the parser.
        profiled: whether time is to be measured.
    """

    folder: Path
    data: str
    data_seed: int
    device: str
    recipe: Recipe
    hidden_size: int
    profiled: bool = False

    def setting(self) -> ParserSetting:
        """Return the same with the data in memory: one copy in each process."""
        store = open_data(self.data, self.data_seed)
        tensors = shared_tensors(self.data, self.device, self.data_seed)
        return ParserSetting(self.folder, store, tensors, self.recipe, self.hidden_size)


@dataclass(frozen=True)
class ParserWork:
    """A parser to train in another process."""

    job: ParserJob
    source: ParserSource

    def __call__(self, progress: Progress) -> dict[str, float]:
        """Train it, leave its result in the run folder, and return the seconds of the parts of a profile."""
        profile = Profile(torch.device(self.source.device))
        with profile.active() if self.source.profiled else nullcontext():
            run_parser_job(self.job, self.source.setting(), lambda done, total: progress(done / total))
        return profile.seconds


class ParserTeam:
    """Trains the parsers of a run; each leaves its result in the run folder, so none is trained twice.

    Args:
        source: data, folder and recipe.
        workers: processes at a time, this one included.

    Attributes:
        threads: of each process, this one too, while the team works: its share of the cores.
    """

    def __init__(self, source: ParserSource, workers: int) -> None:
        self.workers = workers
        self.threads = max(1, min(torch.get_num_threads(), available_cores() // workers))
        self.setting = source.setting()
        self._source = source
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
            run_parser_job(work.job, self.setting, lambda epoch, total: report(epoch / total))
            done += 1
        self._processes.wait(lambda _: report(0.0))

    def _missing(self, jobs: Sequence[ParserJob]) -> list[ParserWork]:
        """Return the work that is left of some jobs."""
        return [ParserWork(job, self._source) for job in jobs if known_scores(job, self.setting) is None]
