"""How the main experiment trains its policy: the presets "joint" and "paper"."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import torch
from tqdm import tqdm

from rlld_agents.environment_id import ENVIRONMENT_ID
from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.imitation.fine_tuning import credit_after_rounds
from rlld_agents.imitation.joint import (
    FineTune,
    JointConfig,
    JointRound,
    best_round,
    epochs_of_rounds,
    joint_rounds,
)
from rlld_agents.labels.revised import RevisedLabels
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.files import HybridAttentionPolicy, load_policy, save_policy
from rlld_agents.reinforce.reinforce import POLICY_NAME, Reinforce
from rlld_agents.runs.checkpoint import CHECKPOINT_NAME
from rlld_agents.runs.log import RunLog
from rlld_gym.data import FeatureStore
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.errors import InputError
from rlld_gym.files import write_json
from rlld_gym.parsing.recipes import Recipe

ESTIMATE_NAME = "estimate.json"
"""How good the removals are, as far as the validation videos can tell; in the run folder."""


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


@dataclass(frozen=True, eq=False)
class Learned:
    """What a preset leaves; the policy is also in the run folder.

    Attributes:
        policy: the trained policy.
        estimate: how good its removals are, estimated without the truth of the training labels; JSON-able. None
            where the preset makes no estimate.
        revised: the training videos' labels after its removals, where they are known already.
    """

    policy: RemovalPolicy
    estimate: dict[str, Any] | None = None
    revised: RevisedLabels | None = None


class Preset(Protocol):
    """A way to train a policy."""

    stage: str
    """What result.json calls the time that it takes."""

    def describe(self) -> str:
        """Return what is going to be done, in a few words."""

    def learn(self, folder: Path, progress: bool) -> Learned:
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

    def learn(self, folder: Path, progress: bool) -> Learned:
        """Play the episodes, from the folder's checkpoint on if there is one."""
        self.agent.learn(folder, resume=(folder / CHECKPOINT_NAME).exists(), progress=progress)
        return Learned(self.policy)


class JointPreset:
    """Parser and policy take turns and start from each other (`rlld_agents.imitation.joint`)."""

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
        return f"joint loop: {self.config.rounds} rounds of parser and policy at most"

    def learn(self, folder: Path, progress: bool) -> Learned:
        """Play the rounds; a run that was interrupted in the middle plays them again, to the same result."""
        if (folder / POLICY_NAME).exists() and (folder / ESTIMATE_NAME).exists():
            estimate = json.loads((folder / ESTIMATE_NAME).read_text(encoding="utf-8"))
            return Learned(load_policy(folder, self.setting.device), estimate)
        setting = self.setting
        total = epochs_of_rounds(setting.recipe, self.config, len(setting.data()["val"]))
        with (
            RunLog(folder) as log,
            tqdm(total=total, unit="epoch", disable=not progress, file=sys.stderr) as bar,
        ):
            bar.set_description("joint loop")
            best = best_round(self._logged_rounds(log, bar))
        estimate = {
            "round": best.number,
            "threshold": setting.config.threshold,
            **best.warm.as_dict(),
        }
        write_json(folder / ESTIMATE_NAME, estimate)
        save_policy(best.policy, folder / POLICY_NAME)
        return Learned(best.policy, estimate, best.revised)

    def fine_tune(self) -> FineTune | None:
        """Return what goes on with a round's policy after its warm start; None: nothing."""
        config = self.setting.config
        environment = {
            "data": config.data,
            "data_seed": config.data_seed,
            "recipe": self.setting.recipe.name,
            "hidden_size": self.setting.hidden_size,
            "device": str(self.setting.device),
            "empty_rule": config.environment.empty_rule,
        }
        return credit_after_rounds(environment, episodes=config.credit_episodes, seed=config.agent.seed)

    def _logged_rounds(self, log: RunLog, bar: "tqdm[Any]") -> Iterator[JointRound]:
        """Play the rounds and log each."""
        setting = self.setting

        def advance(done: int, _: int) -> None:
            bar.update(done - bar.n)

        for outcome in joint_rounds(
            setting.data(),
            setting.recipe,
            self.config,
            hidden_size=setting.hidden_size,
            seed=setting.config.agent.seed,
            classes=setting.store.classes,
            threshold=setting.config.threshold,
            empty_rule=setting.config.environment.empty_rule,
            fine_tune=self.fine_tune(),
            progress=advance,
        ):
            log.write(self._row(outcome, int(bar.n)))
            yield outcome

    def _row(self, outcome: JointRound, epochs: int) -> dict[str, float]:
        """Return what is logged of a round; a round takes the place of an episode."""
        weak = int(self.setting.data()["train"].labels.sum())
        left = {"audio": outcome.revised.audio, "visual": outcome.revised.visual}
        estimate = outcome.warm.estimate.as_dict()
        return {
            "episode": outcome.number,
            "time/total_timesteps": epochs,
            **{f"removed/{name}": 1 - int(labels.sum()) / weak for name, labels in left.items()},
            "estimate/quality": outcome.quality,
            "estimate/epochs": outcome.warm.epochs,
            **{
                f"estimate/{modality}_{name}": value
                for modality in left
                for name, value in estimate[modality].items()
                if value is not None
            },
            **{f"validation/{name}": value for name, value in outcome.validation.items()},
        }


def make_preset(setting: Setting) -> Preset:
    """Return the preset that the options name.

    Raises:
        InputError: the options or the data do not fit it.
    """
    return JointPreset(setting) if setting.config.preset == "joint" else PaperPreset(setting)
