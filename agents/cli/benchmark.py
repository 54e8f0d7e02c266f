"""``rlld benchmark``: label denoisers and controls, the same evaluator, several seeds."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from rlld_agents.experiments.benchmark.config import BenchmarkConfig
from rlld_agents.runs.folder import CONFIG_NAME, check_new, read_config
from rlld_gym.errors import InputError

QUICK = BenchmarkConfig(
    data="twin-tiny",
    methods=("weak", "no_visual_speech", "jomold", "joint", "oracle"),
    seeds=2,
    rlld_episodes=2,
)
"""What --quick changes."""


@dataclass(frozen=True)
class Benchmark:
    """Let every label denoiser remove labels of the same videos, train a parser on what each leaves, and test it.

    Rows: weak labels, label smoothing, random, no visual Speech, Co-teaching+, JoCoR, cleanlab, MA, JoMoLD, RLLD,
    supervised on validation, joint loop, oracle. Tables in Markdown and LaTeX, a CSV with a line for every run,
    bars and a map of the removals per class are written to the folder.
    """

    out: Path | None = None
    """Folder; None: runs/benchmark-DATA. A folder that holds a run is not overwritten."""
    resume: Path | None = None
    """Go on with the benchmark in this folder; options that are not given are its own."""
    quick: bool = False
    """Small defaults for a check in a minute: twin-tiny, five rows, two seeds, parsers of two epochs."""
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    """Options of the benchmark."""

    def with_context(self) -> "Benchmark | None":
        """Return where options that are not given come from: the resumed benchmark, or the quick defaults."""
        if self.resume is not None:
            if self.out is not None:
                raise InputError("--out: a resumed benchmark stays in its folder; leave --out away")
            if self.quick:
                raise InputError("--quick: a resumed benchmark keeps its options; leave --quick away")
            return dataclasses.replace(self, benchmark=_config_of(self.resume))
        return dataclasses.replace(self, benchmark=QUICK) if self.quick else None

    def run(self) -> int:
        """Run or resume the benchmark; return 1 if a cell failed, else 0."""
        from rlld_agents.experiments.benchmark.benchmark import Benchmark as Run  # noqa: PLC0415 (torch)

        if self.resume is None:
            check_new(self.folder(), "rlld benchmark")
        else:
            self.benchmark.check_resumes(_config_of(self.resume))
        return 1 if Run(self.benchmark, self.folder()).run() else 0

    def resume_hint(self) -> str | None:
        """Return the command that goes on with this benchmark, if it has begun."""
        folder = self.folder()
        if not (folder / CONFIG_NAME).exists():
            return None
        return f"rlld benchmark --resume {shlex.quote(str(folder))}"

    def folder(self) -> Path:
        """Return the folder."""
        return self.resume or self.out or Path("runs") / f"benchmark-{Path(self.benchmark.data).stem}"


def _config_of(folder: Path) -> BenchmarkConfig:
    """Return the options of a benchmark."""
    return BenchmarkConfig.from_dict(
        read_config(folder, "rlld benchmark")["experiment"], str(folder / CONFIG_NAME)
    )
