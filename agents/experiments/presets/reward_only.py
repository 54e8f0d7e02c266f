"""The preset "rlld": the policy learns from the reward alone."""

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.presets.base import Learned, require_dense_labels
from rlld_agents.labels.control_returns import control_returns
from rlld_agents.reinforce.reward_only import make_reward_only, paid_arguments, reward_only_config
from rlld_agents.runs.checkpoint import CHECKPOINT_NAME
from rlld_agents.runs.folder import CONTROLS_NAME
from rlld_agents.runs.log import read_rows
from rlld_agents.runs.setting import Setting
from rlld_gym.files import read_json, write_json


def write_control_returns(folder: Path, environment: Mapping[str, Any]) -> None:
    """Play an episode with each of the fixed ways of removing labels, and leave their returns in the run folder."""
    path = folder / CONTROLS_NAME
    if not path.exists():
        arguments = paid_arguments(environment)
        del arguments["evidence"]
        write_json(path, control_returns(**arguments, episodes=1))


def warn_if_worse_than_nothing(folder: Path) -> None:
    """Say so where the last update's episodes, which still explore, earned less than keeping all labels."""
    keep = next(iter(read_json(folder / CONTROLS_NAME, "returns of controls").values()))
    rows = read_rows(folder / "metrics.jsonl")
    if rows and (earned := rows[-1]["rollout/ep_rew_mean"]) < keep:
        warnings.warn(
            f"the last episodes earned {earned:.2f}, keeping all labels {keep:.2f}: what the policy removes may do "
            "more harm than good; play more --episodes, take another --task-network, or --preset imitation",
            stacklevel=2,
        )


class RewardOnlyPreset:
    """REINFORCE over parameters in the environment; no dense label is seen but through F-scores."""

    stage = "reinforce"

    def __init__(self, config: ExperimentConfig, setting: Setting) -> None:
        require_dense_labels("rlld", setting, ", and their F-score is the reward")
        self.environment = environment = {
            **setting.environment_arguments(),
            **dataclasses.asdict(config.environment),
        }
        self.config = reward_only_config(config.agent)
        self.policy, self.agent = make_reward_only(
            environment, self.config, setting.tensors, setting.hidden_size
        )

    def describe(self) -> str:
        """Return what is going to be done."""
        return f"REINFORCE over parameters: {self.config.episodes} episodes"

    def learn(self, folder: Path, progress: bool) -> Learned:
        """Play the episodes, from the folder's checkpoint on if there is one."""
        self.agent.learn(folder, resume=(folder / CHECKPOINT_NAME).exists(), progress=progress)
        write_control_returns(folder, self.environment)
        warn_if_worse_than_nothing(folder)
        return Learned(self.policy, final="online")
