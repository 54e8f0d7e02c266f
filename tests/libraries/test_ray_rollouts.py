"""Pairs of episodes on Ray: the rollouts of this process, also where a worker is killed in the middle."""

import os
import signal
from typing import Any

import gymnasium
import pytest
import torch

pytest.importorskip("ray")
from rlld_agents.reinforce.branch_rewards import BranchRewards
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.ray_rollouts import Player, rollouts_on_ray
from rlld_agents.reinforce.reward_only import evidence_policy, paid_environment
from rlld_agents.reinforce.rollout_pool import rollouts_of
from rlld_agents.runs.setting import Setting

ENVIRONMENT: dict[str, Any] = {"episode_length": 4, "batch_size": 16, "task_start_epochs": 1}


class DiesOnce(Player):
    """Ends its process in the middle of the first episode that it, or the one that replaces it, is given."""

    def play(self, job: bytes) -> bytes:
        mark = os.environ["MARK"]
        if not os.path.exists(mark):
            open(mark, "x").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().play(job)


@pytest.mark.parametrize("player", [pytest.param(Player, marks=pytest.mark.long), DiesOnce])
def test_ray_plays_what_this_process_would(
    player: type[Player], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", str(tmp_path / "killed"))
    monkeypatch.setattr("rlld_agents.reinforce.ray_rollouts.Player", player)
    setting = Setting("twin-tiny", hidden_size=16, device="cpu")
    arguments = {**setting.environment_arguments(), **ENVIRONMENT}
    policy = evidence_policy(arguments, setting.tensors, setting.hidden_size)
    env: gymnasium.Env[Any, Any] = paid_environment(arguments)
    shift = policy.shift.detach()
    jobs = [({"shift": shift + sign * 0.3}, seed) for seed in (1, 2) for sign in (1, -1)]
    rewards = BranchRewards(True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with rollouts_of(policy, env, ReinforceConfig(), rewards) as play:
            alone = play(jobs)
    finally:
        torch.set_num_threads(threads)
    with rollouts_on_ray(policy, env, 2, rewards) as play:
        together = play(jobs)
    assert (tmp_path / "killed").exists() == (player is DiesOnce)
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(other.returns, one.returns, rtol=1e-3, atol=1e-3)
        assert torch.equal(other.removed, one.removed)
