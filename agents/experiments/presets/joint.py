"""The preset "joint": imitation, then REINFORCE over parameters from there."""

import dataclasses
from pathlib import Path

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.presets.base import Learned
from rlld_agents.experiments.presets.imitation import ESTIMATE_NAME, ImitationPreset
from rlld_agents.experiments.presets.reward_only import write_control_returns
from rlld_agents.imitation.rewarded import better_start, combined_policy
from rlld_agents.policies.combined import CombinedPolicy
from rlld_agents.policies.files import POLICY_NAME, load_policy, save_policy
from rlld_agents.reinforce.acceptance import explored_values, keep_if_better
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_agents.reinforce.reward_only import paid_environment, reward_only_config
from rlld_agents.runs.checkpoint import CHECKPOINT_NAME
from rlld_agents.runs.setting import Setting
from rlld_gym.files import read_json, write_sealed_json

START_NAME = "imitation.safetensors"
"""The policy with which REINFORCE begins; in the run folder."""

LOG_FOLDER = "imitation"
"""Where the rounds of imitation are logged."""


class JointPreset:
    """The policy imitates dense validation labels; then the reward moves how much evidence each class needs."""

    stage = "joint"

    def __init__(self, config: ExperimentConfig, setting: Setting) -> None:
        self.imitation = ImitationPreset(config, setting)
        self.setting = setting
        self.agent_config = reward_only_config(config.agent)
        self.environment = {**setting.environment_arguments(), **dataclasses.asdict(config.environment)}
        # Data or options that its episodes do not fit are refused before imitation, not after.
        paid_environment(self.environment).close()

    def describe(self) -> str:
        """Return what is going to be done."""
        return f"{self.imitation.describe()}, then REINFORCE over parameters: {self.agent_config.episodes} episodes"

    def learn(self, folder: Path, progress: bool) -> Learned:
        """Imitate and play the episodes, or go on where an interrupted run stopped."""
        start = folder / START_NAME
        if not start.exists():
            self._imitate(folder, progress)
        policy = load_policy(start, self.setting.device)
        estimate = read_json(folder / ESTIMATE_NAME, "an estimate of removals")
        agent = Reinforce(policy, paid_environment(self.environment), self.agent_config)
        before = explored_values(agent)
        agent.learn(folder, resume=(folder / CHECKPOINT_NAME).exists(), progress=progress)
        write_control_returns(folder, self.environment)
        # Evidence alone begins with guessed shares: there is nothing to go back to, as in reward alone.
        imitated = isinstance(policy, CombinedPolicy)
        estimate["rewards_kept"] = not imitated or keep_if_better(agent, before)
        write_sealed_json(folder / ESTIMATE_NAME, estimate)
        save_policy(policy, folder / POLICY_NAME)
        if not imitated:
            return Learned(policy, estimate, final="online")
        return Learned(policy, estimate, evidence_weight=estimate["evidence_weight"])

    def _imitate(self, folder: Path, progress: bool) -> None:
        """Leave the policy to begin with, and the estimate of imitation, in the folder."""
        setting = self.setting
        best = self.imitation.best_round(folder / LOG_FOLDER, progress)
        policy, weight = combined_policy(
            best,
            self.environment,
            setting.tensors,
            setting.hidden_size,
            setting.store.header.never_visible_index,
        )
        start = better_start(
            policy, self.environment, self.agent_config, setting.tensors, setting.hidden_size
        )
        estimate = {
            **self.imitation.estimate(best),
            "evidence_weight": weight,
            "imitation_kept": start is policy,
        }
        write_sealed_json(folder / ESTIMATE_NAME, estimate)
        start.data = setting.store.fingerprint
        save_policy(start, folder / START_NAME)
