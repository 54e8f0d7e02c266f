"""How the main experiment trains its policy: the presets "joint" and "paper"."""

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import gymnasium
import torch
from tqdm import tqdm

from rlld_gym.data import FeatureStore
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import Recipe

from .checkpoint import CHECKPOINT_NAME
from .experiment_config import ExperimentConfig
from .joint import JointConfig, JointRound, epochs_of_rounds, joint_rounds
from .policy import HybridAttentionPolicy, load_policy, save_policy
from .reinforce import POLICY_NAME, Reinforce
from .runlog import RunLog

ENVIRONMENT_ID = "rlld_gym:rlld/LabelDenoising-v0"


@dataclass(frozen=True, eq=False)
class Setting:
    """What a preset works on.

    Attributes:
        config: the options of the experiment.
        store: the data set.
        data: returns its tensors on the device, which are loaded at the first call.
        recipe: how parsers are trained.
        hidden_size: width of parsers and policy.
        device: where to train.
    """

    config: ExperimentConfig
    store: FeatureStore
    data: Callable[[], StoreTensors]
    recipe: Recipe
    hidden_size: int
    device: torch.device


class Preset(Protocol):
    """A way to train a policy."""

    stage: str
    """What result.json calls the time that it takes."""

    def describe(self) -> str:
        """Return what is going to be done, in a few words."""

    def learn(self, folder: Path, progress: bool) -> HybridAttentionPolicy:
        """Train, or go on where an interrupted run stopped; the policy is also in the folder afterwards."""


class PaperPreset:
    """RLLD as published (arXiv 2412.19563): REINFORCE in the environment, from random weights."""

    stage = "reinforce"

    def __init__(self, setting: Setting) -> None:
        config = setting.config
        self.config = config
        env = gymnasium.make(
            ENVIRONMENT_ID,
            data=config.data,
            data_seed=config.data_seed,
            recipe=config.recipe,
            hidden_size=config.hidden_size,
            device=str(setting.device),
            **dataclasses.asdict(config.environment),
        )
        self.policy = HybridAttentionPolicy.for_spaces(
            env.observation_space,
            env.action_space,
            seed=config.agent.seed,
            hidden_size=setting.hidden_size,
            visual_3d_size=setting.store.visual_3d_size,
            initial_removal=config.initial_removal,
            initialized_labels=config.environment.initialized_labels,
        ).to(setting.device)
        self.agent = Reinforce(self.policy, env, config.agent)

    def describe(self) -> str:
        """Return what is going to be done."""
        return f"REINFORCE: {self.config.agent.episodes} episodes"

    def learn(self, folder: Path, progress: bool) -> HybridAttentionPolicy:
        """Play the episodes, from the folder's checkpoint on if there is one."""
        self.agent.learn(folder, resume=(folder / CHECKPOINT_NAME).exists(), progress=progress)
        return self.policy


class JointPreset:
    """Parser and policy take turns and start from each other (`rlld_agents.joint`)."""

    stage = "joint"

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.config = JointConfig(rounds=setting.config.rounds)
        if setting.store.split("val").dense_audio is None:
            raise InputError(
                f"--preset joint: the validation videos of {setting.store.name} have no dense labels to learn "
                "from; use --preset paper"
            )

    def describe(self) -> str:
        """Return what is going to be done."""
        return f"joint loop: {self.config.rounds} rounds of parser and policy"

    def learn(self, folder: Path, progress: bool) -> HybridAttentionPolicy:
        """Play the rounds; a run that was interrupted in the middle plays them again, to the same result."""
        setting = self.setting
        if (folder / POLICY_NAME).exists():
            return load_policy(folder, setting.device)
        total = epochs_of_rounds(setting.recipe, self.config)
        with (
            RunLog(folder) as log,
            tqdm(total=total, unit="epoch", disable=not progress, file=sys.stderr) as bar,
        ):

            def advance(done: int, _: int) -> None:
                bar.update(done - bar.n)

            bar.set_description("joint loop")
            for outcome in joint_rounds(
                setting.data(),
                setting.recipe,
                self.config,
                hidden_size=setting.hidden_size,
                seed=setting.config.agent.seed,
                threshold=setting.config.threshold,
                empty_rule=setting.config.environment.empty_rule,
                progress=advance,
            ):
                log.write(self._row(outcome, int(bar.n)))
        save_policy(outcome.policy, folder / POLICY_NAME)
        return outcome.policy

    def _row(self, outcome: JointRound, epochs: int) -> dict[str, float]:
        """Return what is logged of a round; a round takes the place of an episode."""
        weak = int(self.setting.data()["train"].labels.sum())
        left = {"audio": outcome.revised.audio, "visual": outcome.revised.visual}
        return {
            "episode": outcome.number,
            "time/total_timesteps": epochs,
            **{f"removed/{name}": 1 - int(labels.sum()) / weak for name, labels in left.items()},
            **{f"validation/{name}": value for name, value in outcome.validation.items()},
        }


def make_preset(setting: Setting) -> Preset:
    """Return the preset that the options name.

    Raises:
        InputError: the options or the data do not fit it.
    """
    return JointPreset(setting) if setting.config.preset == "joint" else PaperPreset(setting)
