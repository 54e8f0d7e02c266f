"""``rlld train``: the main experiment, from one command to tables and figures."""

import dataclasses
import shlex
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.runs.folder import CONFIG_NAME, fingerprint_of, read_config
from rlld_gym.errors import InputError

QUICK = ExperimentConfig(data="twin-tiny")
"""What --quick changes."""


@dataclass(frozen=True)
class Train:
    """Train a denoiser, denoise the training videos, train parsers on the outcome, test them.

    Parsers are trained on the weak labels, on the rule "no visual Speech", on the denoised labels and, where
    the truth is known, on the true labels. Tables and figures are written to the run folder.
    """

    out: Path | None = None
    """Run folder; None: runs/DATA-seedSEED, or the next free name. A folder that holds a run is not overwritten."""
    resume: Path | None = None
    """Go on with the run in this folder; options that are not given are those of the run."""
    quick: bool = False
    """A small data set for a check in a minute: twin-tiny; without effect beside other --data."""
    report: bool = True
    """Write report.html at the end: the run as one page, with a browser over its videos ('rlld report')."""
    experiment: ExperimentConfig = field(default_factory=ExperimentConfig)
    """Options of the experiment."""

    def with_context(self) -> "Train | None":
        """Return where options that are not given come from: the resumed run, or the quick defaults."""
        if self.resume is not None:
            if self.out is not None:
                raise InputError("--out: a resumed run stays in its folder; leave --out away")
            resumed = _config_of(self.resume)
            if self.quick:
                raise InputError("--quick: a resumed run keeps its options; leave --quick away")
            return dataclasses.replace(self, experiment=resumed)
        return dataclasses.replace(self, experiment=QUICK) if self.quick else None

    def run(self) -> int:
        """Run or resume the experiment; return the exit status."""
        from rlld_agents.experiments.experiment import Experiment
        from rlld_agents.runs.inputs import compared_places
        from rlld_agents.runs.lock import run_folder
        from rlld_agents.runs.processes import available_cores

        if self.quick and self.experiment.data != QUICK.data:
            print(
                f"rlld: --quick is {QUICK.data} and has no effect beside --data {self.experiment.data}; "
                "small settings are --recipe compact-tiny --hidden-size 32 --rounds 1",
                file=sys.stderr,
            )
        experiment = self.experiment
        if experiment.preset is None:
            setting = experiment.setting()
            experiment = experiment.with_preset(setting.train_videos, setting.dense_videos)
        experiment.check_used()
        begun_with = None
        if self.resume is not None:
            described = read_config(self.resume)
            begun_with = fingerprint_of(described, self.resume)
            experiment.check_resumes(_config_of(self.resume), compared_places(described, begun_with))
        with run_folder("rlld train", self.default_folder(), out=self.out, resume=self.resume) as folder:
            Experiment(experiment, folder, cores=available_cores(), begun_with=begun_with).run()
            if self.report:
                _report(folder)
        return 0

    def default_folder(self) -> Path:
        """Return the run folder where none is named."""
        # The name of a twin, or that of a file, which may have no suffix.
        return Path("runs") / f"{Path(self.experiment.data).stem}-seed{self.experiment.agent.seed}"


def _report(folder: Path) -> None:
    """Write the report page of a finished run; a run whose page fails has not failed."""
    from rlld_agents.experiments.run_report import write_report

    try:
        print(f"report: {write_report(folder)}", file=sys.stderr)
    except Exception as error:
        again = f"rlld report {shlex.quote(str(folder))}"
        warnings.warn(f"no report page ({type(error).__name__}: {error}); try again: {again}", stacklevel=2)


def _config_of(folder: Path) -> ExperimentConfig:
    """Return the options of a run."""
    return ExperimentConfig.from_dict(read_config(folder)["experiment"], str(folder / CONFIG_NAME))
