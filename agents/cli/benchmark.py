"""``rlld benchmark``: label denoisers and controls, the same evaluator, several seeds."""

from dataclasses import dataclass, field
from typing import ClassVar

from rlld_agents.cli.study import StudyCommand
from rlld_agents.experiments.study.config import BenchmarkConfig
from rlld_gym.envs.options import EnvironmentOptions


@dataclass(frozen=True)
class Benchmark(StudyCommand):
    """Let every label denoiser remove labels of the same videos, train a parser on what each leaves, and test it.

    Rows: weak labels, label smoothing, random, no visual Speech, Co-teaching+, JoCoR, cleanlab, MA, JoMoLD, RLLD,
    supervised on validation, joint loop, oracle, and denoisers and agents of your own. Tables in Markdown and
    LaTeX, a CSV with a line for every run, bars and a map of the removals per class are written to the folder.
    With --preset systems: published parsers, each on label sets that are made once for a seed.
    """

    quick_study: ClassVar[BenchmarkConfig] = BenchmarkConfig(
        data="twin-tiny",
        methods=("weak", "no_visual_speech", "jomold", "joint", "oracle"),
        seeds=2,
        rlld_episodes=2,
        environment=EnvironmentOptions(batch_size=32),
    )

    quick: bool = False
    """Small defaults for a check in a minute or two: twin-tiny, five rows, two seeds, two episodes of RLLD."""
    study: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    """Options of the benchmark."""
