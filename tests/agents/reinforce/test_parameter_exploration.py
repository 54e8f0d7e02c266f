"""REINFORCE over parameters: it learns a task whose best policy is known, exactly as often as it is asked to."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from rlld_agents.reinforce import Reinforce, ReinforceConfig
from rlld_agents.reinforce.acceptance import explored_values, keep_if_better
from rlld_agents.reinforce.branch_rewards import BranchRewards
from rlld_agents.reinforce.parameter_exploration import ParameterExploration
from rlld_gym.errors import InputError
from tests.agents.reinforce.evidence_env import LIMITS, EvidenceEnv, LimitPolicy


def config(**changes: Any) -> ReinforceConfig:
    """Return options that explore parameters."""
    options: dict[str, Any] = {
        "exploration": "parameters",
        "advantage": "class",
        "deviation": 0.5,
        "decay": 0.95,
    }
    return ReinforceConfig(**{**options, **changes})


def learned_limits(env: EvidenceEnv, **changes: Any) -> tuple[np.ndarray, list[dict[str, float]]]:
    """Return what the policy's limits become, and the rows of the log."""
    policy = LimitPolicy()
    rows = Reinforce(policy, env, config(**changes)).learn()
    return policy.limits.detach().numpy(), rows


@pytest.mark.parametrize(("advantage", "tolerance"), [("class", 0.25), ("episode", 0.35)])
def test_it_learns_the_limits(advantage: str, tolerance: float) -> None:
    errors = []
    for seed in range(3):
        limits, rows = learned_limits(EvidenceEnv(), advantage=advantage, episodes=480, seed=seed)
        errors.append(np.abs(limits - LIMITS).mean())
        assert rows[-1]["rollout/ep_rew_mean"] > rows[0]["rollout/ep_rew_mean"]
    assert np.mean(errors) < tolerance, errors  # they begin at .5


def test_the_two_of_a_pair_play_the_same_episode_and_pairs_differ() -> None:
    env = EvidenceEnv()
    learned_limits(env, episodes=16, pairs=4, seed=3)
    assert env.seeds[::2] == env.seeds[1::2]
    assert len(set(env.seeds)) == 8


def test_nothing_but_the_explored_parameters_moves_and_only_by_updates() -> None:
    policy = LimitPolicy()
    before = policy.limits.detach().clone()

    class Failing(EvidenceEnv):
        def step(self, action: Any) -> Any:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        Reinforce(policy, Failing(), config(episodes=8)).learn()
    assert torch.equal(policy.limits, before)
    Reinforce(policy, EvidenceEnv(), config(episodes=8)).learn()
    assert not torch.equal(policy.limits, before)
    assert policy.unexplored.item() == 0


@pytest.mark.parametrize("deviation_step", [0.0, 0.3])
def test_a_resumed_run_equals_an_uninterrupted_one(deviation_step: float, tmp_path: Path) -> None:
    long, short = (config(episodes=episodes, deviation_step=deviation_step) for episodes in (40, 16))
    whole = LimitPolicy()
    rows = Reinforce(whole, EvidenceEnv(), long).learn()
    first, second = LimitPolicy(), LimitPolicy()
    begun = Reinforce(first, EvidenceEnv(), short).learn(tmp_path)
    rest = Reinforce(second, EvidenceEnv(), long).learn(tmp_path, resume=True)
    torch.testing.assert_close(whole.limits, second.limits, rtol=0, atol=0)
    timed = ("time/fps",)
    for one, other in zip([*begun, *rest], rows, strict=True):
        assert {k: v for k, v in one.items() if k not in timed} == {
            k: v for k, v in other.items() if k not in timed
        }


def test_the_policy_ends_with_the_mean_of_the_later_half() -> None:
    policy = LimitPolicy()
    agent = Reinforce(policy, EvidenceEnv(), config(episodes=40))
    agent.learn()
    assert agent.exploration is not None
    later = torch.stack([values["limits"] for values in agent.exploration.trajectory[2:]])
    assert len(later) == 3
    torch.testing.assert_close(policy.limits.detach(), later.mean(0))
    agent.learn()  # nothing is left to do
    torch.testing.assert_close(policy.limits.detach(), later.mean(0))


def test_it_stops_when_the_return_no_longer_rises() -> None:
    rows = learned_limits(EvidenceEnv(), episodes=4000, patience=4)[1]
    assert rows[-1]["episode"] < 4000
    returns = [row["rollout/ep_rew_mean"] for row in rows]
    assert sum(returns[-4:]) <= sum(returns[-8:-4])
    assert all(sum(returns[n - 4 : n]) > sum(returns[n - 8 : n - 4]) for n in range(8, len(returns)))


def test_policies_and_environments_that_cannot_do_it_are_refused() -> None:
    with pytest.raises(InputError, match=r"names no parameters .* explored_parameters\(\)"):
        Reinforce(torch.nn.Linear(1, 1), EvidenceEnv(), config())
    with pytest.raises(InputError, match=r'does not say what a class contributes.*use advantage "episode"'):
        learned_limits(EvidenceEnv(says_classes=False), episodes=8)
    assert len(learned_limits(EvidenceEnv(says_classes=False), episodes=8, advantage="episode")[1]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exploration": "parameters", "advantage": "video"}, "advantage: found video"),
        ({"exploration": "parameters", "baseline": "ema"}, "baseline: found ema, which has no effect"),
        ({"exploration": "parameters", "pairs": 0}, "pairs: found 0, expected at least 1"),
        ({"pairs": 2}, "pairs: found 2, which has no effect with exploration actions"),
        ({"advantage": "class"}, "advantage: found class"),
        ({"exploration": "both"}, "exploration: found both"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ReinforceConfig(**options)


def test_a_perturbation_that_explains_everything_moves_by_the_step_size() -> None:
    """One pair whose class advantages all have the sign of the perturbation: a correlation of one, up to |e|."""
    policy = LimitPolicy()
    exploration = ParameterExploration(policy, config(pairs=1, advantage="episode", step_size=0.3))
    noise = {"limits": torch.ones(2, 3)}
    exploration.update([noise], [(rollout_of(2.0), rollout_of(1.0))])
    torch.testing.assert_close(policy.limits.detach(), torch.full((2, 3), 0.3))


def rollout_of(earned: float) -> Any:
    """Return what an update looks at of an episode whose branches both earned so much."""
    return type("Rollout", (), {"returns": torch.full((2,), earned, dtype=torch.float64)})()


@pytest.mark.parametrize(("near", "far", "grows"), [(1.0, 2.0, True), (2.0, 1.0, False), (1.0, 1.0, None)])
def test_deviations_grow_where_large_perturbations_earn_more(
    near: float, far: float, grows: bool | None
) -> None:
    options = {"pairs": 2, "advantage": "episode", "deviation_step": 0.5}
    exploration = ParameterExploration(LimitPolicy(), config(**options))
    noise = [{"limits": torch.full((2, 3), 0.1)}, {"limits": torch.full((2, 3), 2.0)}]
    exploration.update(noise, [(rollout_of(near),) * 2, (rollout_of(far),) * 2])
    # Half of (2^2 - 1) - (.1^2 - 1) is the covariance, divided by the returns' deviation.
    exponent = {True: 0.5 * 3.99 / 2, False: -0.5 * 3.99 / 2, None: 0.0}[grows]
    found = exploration.deviations["limits"]
    torch.testing.assert_close(found, torch.full((2, 3), 0.5 * float(np.exp(exponent))))


def test_without_a_step_deviations_stay() -> None:
    agent = Reinforce(LimitPolicy(), EvidenceEnv(), config(episodes=16))
    agent.learn()
    assert agent.exploration is not None
    assert (agent.exploration.deviations["limits"] == 0.5).all()


def test_a_changed_reward_is_what_is_learned_from() -> None:
    env: gymnasium.Env[Any, Any] = gymnasium.wrappers.TransformReward(
        EvidenceEnv(), lambda reward: -100 * reward
    )
    policy, plain = LimitPolicy(), LimitPolicy()
    with pytest.warns(UserWarning, match="both branches learn from the reward alone") as warned:
        Reinforce(policy, env, config(episodes=16, advantage="episode")).learn()
    assert len(warned) == 1
    Reinforce(plain, EvidenceEnv(), config(episodes=16, advantage="episode")).learn()
    assert ((policy.limits * plain.limits).sum() < 0).item(), "paid for the opposite, it goes the other way"


def test_branches_are_split_where_their_mean_is_the_reward() -> None:
    split = BranchRewards(separate=True)
    assert split(0.5, {"reward_audio": 0.25, "reward_visual": 0.75}) == (0.25, 0.75)
    assert split(0.5, {}) == (0.5, 0.5)
    assert BranchRewards(separate=False)(0.5, {"reward_audio": 0.25, "reward_visual": 0.75}) == (0.5, 0.5)


def test_what_was_learned_stays_where_it_earns_more() -> None:
    policy = LimitPolicy()
    agent = Reinforce(policy, EvidenceEnv(), config(episodes=160))
    before = explored_values(agent)
    agent.learn()
    learned = policy.limits.detach().clone()
    assert keep_if_better(agent, before)
    assert torch.equal(policy.limits, learned)
    assert not keep_if_better(agent, explored_values(agent)), "no gain"
    with torch.no_grad():
        policy.limits.copy_(-learned)
    assert not keep_if_better(agent, {"limits": learned})
    assert torch.equal(policy.limits, learned)
