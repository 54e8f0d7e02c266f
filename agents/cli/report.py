"""``rlld report``: a finished run as one HTML page."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Report:
    """Write a run of 'rlld train' as one HTML page: tables, curves, classes, and a browser over its videos.

    The page needs no network and no server: open it in a browser. Removals can be accepted and vetoed there by
    hand; the edited label file that it downloads goes into 'rlld train-parser --labels'.
    """

    run_folder: tyro.conf.Positional[Path]
    """The run folder."""
    out: Path | None = None
    """The page; None: report.html in the run folder."""
    videos: Path | None = None
    """Folder of the videos' clips, called as the videos are (or their ids); the page plays them from there."""
    data: str | None = None
    """Where the run's data set is now; None: where it was."""
    device: str | None = None
    """cpu, cuda, ...; None: as in the run."""

    def run(self) -> int:
        """Write the page and say where it is; return the exit status."""
        from rlld_agents.cli.common import begins_with, require_replaceable
        from rlld_agents.experiments.run_report import write_report

        if self.out is not None:
            require_replaceable(
                "--out", self.out, lambda path: begins_with(path, b"<!doctype html"), "a page"
            )
        path = write_report(self.run_folder, self.out, clips=self.videos, data=self.data, device=self.device)
        print(f"wrote {path}")
        return 0
