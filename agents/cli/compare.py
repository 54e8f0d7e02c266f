"""``rlld compare``: agents and controls on one data set, one budget of environment steps, several seeds."""

from dataclasses import dataclass, field
from typing import ClassVar

from rlld_agents.cli.study import StudyCommand
from rlld_agents.experiments.study.config import CompareConfig
from rlld_gym.envs.options import EnvironmentOptions


@dataclass(frozen=True)
class Compare(StudyCommand):
    """Let agents of several libraries learn with the same budget, and compare the labels that they leave.

    Every agent learns for the same number of environment steps; then it denoises the training videos, and a
    parser is trained on what is left and tested. Controls go through the same parser. Tables with intervals over
    the seeds, learning curves and bars are written to the folder.
    """

    quick_study: ClassVar[CompareConfig] = CompareConfig(
        data="twin-tiny",
        agents=("reinforce", "ppo"),
        seeds=2,
        steps=16,
        parser_epochs=1,
        environment=EnvironmentOptions(batch_size=32, episode_length=4),
    )

    quick: bool = False
    """Small defaults for a check in a minute: twin-tiny, two agents, two seeds, four episodes of 4 steps, and
    parsers of one epoch: they are undertrained, and scores say nothing about the agents."""
    study: CompareConfig = field(default_factory=CompareConfig)
    """Options of the comparison."""
