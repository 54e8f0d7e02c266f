"""Episodes of perturbed policies in other processes: the same rollouts, the same policy."""

from typing import Any

import gymnasium
import pytest
import torch

from rlld_agents.reinforce import Reinforce
from rlld_agents.reinforce.reward_only import make_reward_only, reward_only_config
from rlld_agents.runs.setting import Setting
from rlld_gym.errors import InputError
from tests.agents.reinforce.evidence_env import EvidenceEnv, LimitPolicy
from tests.agents.reinforce.test_parameter_exploration import config

ENVIRONMENT: dict[str, Any] = {"episode_length": 4, "batch_size": 16, "task_start_epochs": 1}


def learned_shift(rollout_workers: int) -> tuple[torch.Tensor, list[dict[str, float]]]:
    """Return what is learned on twin-tiny, and the rows of the log."""
    setting = Setting("twin-tiny", hidden_size=8, device="cpu")
    policy, agent = make_reward_only(
        {**setting.environment_arguments(), **ENVIRONMENT},
        reward_only_config(episodes=4, pairs=1, rollout_workers=rollout_workers),
        setting.tensors,
        setting.hidden_size,
    )
    rows = agent.learn()
    return policy.shift.detach().clone(), rows


@pytest.mark.long
def test_processes_play_what_this_one_would() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone, rows = learned_shift(1)
        together, others = learned_shift(2)
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)
    assert [row["episode"] for row in rows] == [row["episode"] for row in others] == [2, 4]
    returns = [[row["rollout/ep_rew_mean"] for row in part] for part in (rows, others)]
    assert returns[0] == pytest.approx(returns[1], rel=1e-3)


def test_an_environment_that_cannot_be_made_again_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"rollout_workers: .* make it with gymnasium\.make, or use one worker"
    ):
        Reinforce(LimitPolicy(), EvidenceEnv(), config(episodes=8, rollout_workers=2)).learn()


def test_wrappers_go_along() -> None:
    """The spec of a wrapped environment makes the wrapper, too."""
    env = gymnasium.make("rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", evidence="start", **ENVIRONMENT)
    assert env.spec is not None
    assert gymnasium.make(env.spec).spec == env.spec
