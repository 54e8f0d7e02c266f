"""The preset "paper": RLLD as published."""

import dataclasses
from pathlib import Path

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.presets.base import Learned, require_dense_labels
from rlld_agents.reinforce.paper import make_reinforce, published_start
from rlld_agents.runs.checkpoint import CHECKPOINT_NAME
from rlld_agents.runs.setting import Setting


class PaperPreset:
    """RLLD as published (arXiv 2412.19563): REINFORCE in the environment, from random weights."""

    stage = "reinforce"

    def __init__(self, config: ExperimentConfig, setting: Setting) -> None:
        require_dense_labels("paper", setting, ", and their F-score is a part of the reward")
        self.config = config
        self.policy, self.agent = make_reinforce(
            published_start({**setting.environment_arguments(), **dataclasses.asdict(config.environment)}),
            config.agent,
            hidden_size=setting.hidden_size,
            visual_3d_size=setting.store.visual_3d_size,
            initial_removal=config.initial_removal,
        )

    def describe(self) -> str:
        """Return what is going to be done."""
        return (
            f"REINFORCE as published: {self.config.agent.episodes} episodes; exploring bit by bit, from a new "
            "parser in each episode, it is not expected to learn much (--preset rlld does)"
        )

    def learn(self, folder: Path, progress: bool) -> Learned:
        """Play the episodes, from the folder's checkpoint on if there is one."""
        self.agent.learn(folder, resume=(folder / CHECKPOINT_NAME).exists(), progress=progress)
        return Learned(self.policy)
