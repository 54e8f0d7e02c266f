"""``rlld compare``: agents and controls on one data set, one budget of environment steps, several seeds."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from rlld_agents.experiments.compare.config import CompareConfig
from rlld_agents.experiments.config import EnvironmentOptions
from rlld_agents.runs.folder import CONFIG_NAME, check_new, read_config
from rlld_gym.errors import InputError

QUICK = CompareConfig(
    data="twin-tiny",
    agents=("reinforce", "ppo"),
    seeds=2,
    steps=16,
    parser_epochs=1,
    environment=EnvironmentOptions(batch_size=32, episode_length=4),
)
"""What --quick changes."""


@dataclass(frozen=True)
class Compare:
    """Let agents of several libraries learn with the same budget, and compare the labels that they leave.

    Every agent learns for the same number of environment steps; then it denoises the training videos, and a
    parser is trained on what is left and tested. Controls go through the same parser. Tables with intervals over
    the seeds, learning curves and bars are written to the folder.
    """

    out: Path | None = None
    """Folder; None: runs/compare-DATA. A folder that holds a run is not overwritten."""
    resume: Path | None = None
    """Go on with the comparison in this folder; options that are not given are its own."""
    quick: bool = False
    """Small defaults for a check in seconds: twin-tiny, two agents, two seeds, four episodes of 4 steps."""
    comparison: CompareConfig = field(default_factory=CompareConfig)
    """Options of the comparison."""

    def with_context(self) -> "Compare | None":
        """Return where options that are not given come from: the resumed comparison, or the quick defaults."""
        if self.resume is not None:
            if self.out is not None:
                raise InputError("--out: a resumed comparison stays in its folder; leave --out away")
            if self.quick:
                raise InputError("--quick: a resumed comparison keeps its options; leave --quick away")
            return dataclasses.replace(self, comparison=_config_of(self.resume))
        return dataclasses.replace(self, comparison=QUICK) if self.quick else None

    def run(self) -> int:
        """Run or resume the comparison; return 1 if a cell failed, else 0."""
        from rlld_agents.experiments.compare.comparison import Comparison  # noqa: PLC0415 (torch)

        if self.resume is None:
            check_new(self.folder(), "rlld compare")
        else:
            self.comparison.check_resumes(_config_of(self.resume))
        return 1 if Comparison(self.comparison, self.folder()).run() else 0

    def resume_hint(self) -> str | None:
        """Return the command that goes on with this comparison, if it has begun."""
        folder = self.folder()
        if not (folder / CONFIG_NAME).exists():
            return None
        return f"rlld compare --resume {shlex.quote(str(folder))}"

    def folder(self) -> Path:
        """Return the folder."""
        return self.resume or self.out or Path("runs") / f"compare-{Path(self.comparison.data).stem}"


def _config_of(folder: Path) -> CompareConfig:
    """Return the options of a comparison."""
    return CompareConfig.from_dict(
        read_config(folder, "rlld compare")["experiment"], str(folder / CONFIG_NAME)
    )
