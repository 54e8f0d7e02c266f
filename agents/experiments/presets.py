"""How the main experiment trains its policy: the presets "joint" and "paper"."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

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
from rlld_agents.policies.files import load_policy, save_policy
from rlld_agents.reinforce.paper import make_reinforce
from rlld_agents.reinforce.reinforce import POLICY_NAME
from rlld_agents.runs.checkpoint import CHECKPOINT_NAME
from rlld_agents.runs.log import RunLog
from rlld_agents.runs.setting import Setting
from rlld_gym.errors import InputError
from rlld_gym.files import write_json

ESTIMATE_NAME = "estimate.json"
"""How good the removals are, as far as the validation videos can tell; in the run folder."""


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

    def __init__(self, config: ExperimentConfig, setting: Setting) -> None:
        self.config = config
        self.policy, self.agent = make_reinforce(
            {**setting.environment_arguments(), **dataclasses.asdict(config.environment)},
            config.agent,
            hidden_size=setting.hidden_size,
            visual_3d_size=setting.store.visual_3d_size,
            initial_removal=config.initial_removal,
        )

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

    def __init__(self, config: ExperimentConfig, setting: Setting) -> None:
        self.config = config
        self.setting = setting
        self.loop = JointConfig(rounds=config.rounds)
        if setting.store.split("val").dense_audio is None:
            raise InputError(
                f"--preset joint: the validation videos of {setting.store.name} have no dense labels to learn "
                "from; use --preset paper"
            )

    def describe(self) -> str:
        """Return what is going to be done."""
        return f"joint loop: {self.loop.rounds} rounds of parser and policy at most"

    def learn(self, folder: Path, progress: bool) -> Learned:
        """Play the rounds; a run that was interrupted in the middle plays them again, to the same result."""
        if (folder / POLICY_NAME).exists() and (folder / ESTIMATE_NAME).exists():
            estimate = json.loads((folder / ESTIMATE_NAME).read_text(encoding="utf-8"))
            return Learned(load_policy(folder, self.setting.device), estimate)
        setting = self.setting
        total = epochs_of_rounds(setting.recipe, self.loop, len(setting.tensors["val"]))
        with (
            RunLog(folder) as log,
            tqdm(total=total, unit="epoch", disable=not progress, file=sys.stderr) as bar,
        ):
            bar.set_description("joint loop")
            best = best_round(self._logged_rounds(log, bar))
        estimate = {
            "round": best.number,
            "threshold": self.config.threshold,
            **best.warm.as_dict(),
        }
        write_json(folder / ESTIMATE_NAME, estimate)
        save_policy(best.policy, folder / POLICY_NAME)
        return Learned(best.policy, estimate, best.revised)

    def fine_tune(self) -> FineTune | None:
        """Return what goes on with a round's policy after its warm start; None: nothing."""
        config = self.config
        environment = self.setting.environment_arguments() | {"empty_rule": config.environment.empty_rule}
        return credit_after_rounds(environment, episodes=config.credit_episodes, seed=config.agent.seed)

    def _logged_rounds(self, log: RunLog, bar: "tqdm[Any]") -> Iterator[JointRound]:
        """Play the rounds and log each."""
        setting = self.setting

        def advance(done: int, _: int) -> None:
            bar.update(done - bar.n)

        for outcome in joint_rounds(
            setting.tensors,
            setting.recipe,
            self.loop,
            hidden_size=setting.hidden_size,
            seed=self.config.agent.seed,
            classes=setting.store.classes,
            rule=self.config.removal_rule,
            fine_tune=self.fine_tune(),
            progress=advance,
        ):
            log.write(self._row(outcome, int(bar.n)))
            yield outcome

    def _row(self, outcome: JointRound, epochs: int) -> dict[str, float]:
        """Return what is logged of a round; a round takes the place of an episode."""
        weak = int(self.setting.tensors["train"].labels.sum())
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


def make_preset(config: ExperimentConfig, setting: Setting) -> Preset:
    """Return the preset that the options name.

    Raises:
        InputError: the options or the data do not fit it.
    """
    return (JointPreset if config.preset == "joint" else PaperPreset)(config, setting)
