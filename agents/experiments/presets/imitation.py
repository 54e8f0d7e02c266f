"""The preset "imitation": parser and policy in turns, the policy learning from dense validation labels."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.presets.base import Learned, require_dense_labels
from rlld_agents.imitation.fine_tuning import credit_after_rounds
from rlld_agents.imitation.joint import (
    FineTune,
    JointConfig,
    JointRound,
    best_round,
    epochs_of_rounds,
    joint_rounds,
)
from rlld_agents.policies.files import load_policy, save_policy
from rlld_agents.reinforce.reinforce import POLICY_NAME
from rlld_agents.runs.log import RunLog
from rlld_agents.runs.setting import Setting
from rlld_gym.data.store.problems import FEWEST_VALIDATION
from rlld_gym.errors import InputError
from rlld_gym.files import read_json, write_sealed_json
from rlld_gym.progress import ProgressBar

ESTIMATE_NAME = "estimate.json"
"""How good the removals are, as far as the validation videos can tell; in the run folder."""


class ImitationPreset:
    """Parser and policy take turns and start from each other (`rlld_agents.imitation.joint`)."""

    stage = "imitation"

    def __init__(self, config: ExperimentConfig, setting: Setting) -> None:
        self.config = config
        self.setting = setting
        self.loop = JointConfig(rounds=config.rounds)
        require_dense_labels(str(config.preset), setting, " to learn from")
        found = setting.dense_videos
        if found < FEWEST_VALIDATION:
            raise InputError(
                f"--preset {config.preset}: {setting.store.name} has {found} validation video; imitation needs at "
                f"least {FEWEST_VALIDATION}, to learn from some and try itself on the others; use --preset rlld"
            )

    def describe(self) -> str:
        """Return what is going to be done."""
        return f"imitation: {self.loop.rounds} rounds of parser and policy at most"

    def learn(self, folder: Path, progress: bool) -> Learned:
        """Play the rounds; a run that was interrupted in the middle plays them again, to the same result."""
        if (folder / POLICY_NAME).exists() and (folder / ESTIMATE_NAME).exists():
            estimate = read_json(folder / ESTIMATE_NAME, "an estimate of removals")
            return Learned(load_policy(folder, self.setting.device), estimate)
        best = self.best_round(folder, progress)
        estimate = self.estimate(best)
        write_sealed_json(folder / ESTIMATE_NAME, estimate)
        best.policy.data = self.setting.store.fingerprint
        save_policy(best.policy, folder / POLICY_NAME)
        return Learned(best.policy, estimate, best.revised)

    def best_round(self, folder: Path, progress: bool) -> JointRound:
        """Play the rounds, log each in the folder, and return the best one."""
        setting = self.setting
        total = epochs_of_rounds(setting.recipe, self.loop, len(setting.tensors["val"]))
        with (
            RunLog(folder) as log,
            ProgressBar(total, "epoch", "imitation", shown=progress) as bar,
        ):
            return best_round(self._logged_rounds(log, bar))

    def estimate(self, outcome: JointRound) -> dict[str, Any]:
        """Return what is known of a round's removals without the truth, JSON-able."""
        return {"round": outcome.number, "threshold": self.config.threshold, **outcome.warm.as_dict()}

    def fine_tune(self) -> FineTune | None:
        """Return what goes on with a round's policy after its warm start; None: nothing."""
        config = self.config
        environment = self.setting.environment_arguments() | {"empty_rule": config.environment.empty_rule}
        return credit_after_rounds(environment, episodes=config.credit_episodes, seed=config.agent.seed)

    def _logged_rounds(self, log: RunLog, bar: ProgressBar) -> Iterator[JointRound]:
        """Play the rounds and log each."""
        setting = self.setting

        def advance(done: int, _: int) -> None:
            bar.update_to(done)

        for outcome in joint_rounds(
            setting.tensors,
            setting.recipe,
            self.loop,
            hidden_size=setting.hidden_size,
            seed=self.config.agent.seed,
            never_visible=setting.store.header.never_visible_index,
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
