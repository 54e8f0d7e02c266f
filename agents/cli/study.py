"""What the commands that run a study share: ``rlld benchmark`` and ``rlld compare``."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.runs.folder import CONFIG_NAME, fingerprint_of, read_config
from rlld_gym.errors import InputError


@dataclass(frozen=True)
class StudyCommand:
    """A command that runs or resumes a study in its folder."""

    quick_study: ClassVar[StudyConfig]
    """What --quick changes."""

    out: Path | None = None
    """Folder; None: runs/COMMAND-DATA, or the next free name. A folder that holds a run is not overwritten."""
    resume: Path | None = None
    """Go on with the study in this folder; options that are not given are its own."""
    quick: bool = False
    """Small defaults for a check in a minute."""
    study: StudyConfig = field(default_factory=StudyConfig)
    """Options of the study."""

    def with_context(self) -> Self | None:
        """Return where options that are not given come from: the resumed study, or the quick defaults."""
        if self.resume is not None:
            if self.out is not None:
                raise InputError(f"--out: a resumed {self.study.noun} stays in its folder; leave --out away")
            if self.quick:
                raise InputError(
                    f"--quick: a resumed {self.study.noun} keeps its options; leave --quick away"
                )
            return dataclasses.replace(self, study=self._config_of(self.resume))
        return dataclasses.replace(self, study=self.quick_study) if self.quick else None

    def run(self) -> int:
        """Run or resume the study; return 1 if a cell failed, else 0."""
        from rlld_agents.experiments.study.study import Study
        from rlld_agents.runs.inputs import compared_places
        from rlld_agents.runs.lock import run_folder

        command = self.study.command
        begun_with = None
        if self.resume is not None:
            described = read_config(self.resume, command)
            begun_with = fingerprint_of(described, self.resume)
            self.study.check_resumes(self._config_of(self.resume), compared_places(described, begun_with))
        default = Path("runs") / f"{command.split()[-1]}-{Path(self.study.data).stem}"
        with run_folder(command, default, out=self.out, resume=self.resume) as folder:
            return 1 if Study(self.study, folder, begun_with=begun_with).run() else 0

    def _config_of(self, folder: Path) -> StudyConfig:
        """Return the options of a study that has begun."""
        options = read_config(folder, self.study.command)["experiment"]
        return type(self.study).from_dict(options, str(folder / CONFIG_NAME))
