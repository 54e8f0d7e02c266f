"""TorchRL's environments: the joint environment natively and through its wrapper, videos, states, processes."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("torchrl")
from torchrl.collectors import Collector
from torchrl.data import Binary
from torchrl.envs import GymEnv, GymWrapper, ParallelEnv
from torchrl.envs.utils import check_env_specs

from rlld_agents.torchrl import JointEnv, make_policy, network
from rlld_gym.envs.wrappers import FlattenAction, ToMultiDiscrete
from rlld_gym.errors import InputError

TINY = {"data": "twin-tiny", "episode_length": 2}
PLANTED = "rlld_gym:rlld/PlantedNoise-v0"
DENOISING = "rlld_gym:rlld/LabelDenoising-v0"
VIDEOS = "rlld_gym:rlld/PlantedNoisePerVideo-v0"


def planted(**options: Any) -> JointEnv:
    return JointEnv(gym.make(PLANTED, **options))


def collect(env: Any, policy: Any, frames: int) -> Any:
    collector = Collector(
        env, policy, frames_per_batch=frames, total_frames=-1, auto_register_policy_transforms=False
    )
    return next(iter(collector))


@pytest.mark.parametrize("options", [{}, {"observation": "indices"}, {"time_feature": True}])
def test_specs_of_the_real_task_hold(options: dict[str, Any]) -> None:
    env = JointEnv(gym.make(DENOISING, batch_size=4, **TINY, **options))
    check_env_specs(env, seed=0)
    check_env_specs(env, break_when_any_done="both")
    assert env.action_spec == Binary(shape=torch.Size((4, 2, 25)), dtype=torch.int8)
    steps = env.rollout(4, break_when_any_done=False)
    measured = torch.isfinite(steps["next", "info", "segment_audio"]).squeeze(-1)
    assert measured.tolist() == [False, True, False, True]  # the last steps of two episodes
    assert not steps["info", "reward_audio"][0].isfinite()  # after a reset
    branches = (steps["next", "info", "reward_audio"] + steps["next", "info", "reward_visual"]) / 2
    torch.testing.assert_close(branches, steps["next", "reward"])


@pytest.mark.parametrize(("env_id", "options"), [(PLANTED, {}), (DENOISING, {"batch_size": 4, **TINY})])
def test_the_process_is_that_of_the_wrapped_environment(env_id: str, options: dict[str, Any]) -> None:
    env, twin = JointEnv(gym.make(env_id, **options)), gym.make(env_id, **options)
    env.set_seed(11)
    steps = env.rollout(5, break_when_any_done=False)
    observation, info = twin.reset(seed=11)
    for row in steps:
        for key, value in observation.items():
            np.testing.assert_array_equal(row[key], value)
        np.testing.assert_array_equal(row["indices"], info["indices"])
        np.testing.assert_array_equal(row["action_mask"], info["action_mask"] == 2)
        observation, reward, terminated, truncated, info = twin.step(row["action"].numpy())
        assert row["next", "reward"].item() == np.float32(reward)
        assert row["next", "terminated"].item() == row["next", "done"].item() == terminated
        assert row["next", "truncated"].item() == truncated
        if terminated:
            observation, info = twin.reset()


def test_flat_actions_go_through_the_wrapper_of_torchrl() -> None:
    flat = FlattenAction(gym.make(DENOISING, batch_size=4, **TINY))
    env = GymWrapper(flat)
    check_env_specs(env)
    assert env.action_spec.shape == (200,)
    actor, _ = make_policy(flat.observation_space, flat.action_space)
    assert env.rollout(2, actor)["action"].shape == (2, 200)


@pytest.mark.parametrize("mode", ["Disabled", "SameStep"])
@pytest.mark.parametrize("observation", ["features", "indices"])
def test_videos_go_through_the_wrapper_of_torchrl(mode: str, observation: str) -> None:
    envs = gym.make_vec(
        "rlld_gym:rlld/LabelDenoisingPerVideo-v0",
        num_envs=4,
        observation=observation,
        autoreset_mode=mode,
        **TINY,
    )
    env = GymWrapper(envs)
    check_env_specs(env, break_when_any_done="both")
    actor, _ = make_policy(envs.single_observation_space, envs.single_action_space, data="twin-tiny")
    data = collect(env, actor, 16)
    assert data["action"].shape == (4, 4, 50)
    assert data["next", "done"].squeeze(-1).tolist() == [[False, True] * 2] * 4


def test_same_step_loses_what_the_page_says() -> None:
    steps = {}
    for mode in ("Disabled", "SameStep"):
        env = GymWrapper(gym.make_vec(VIDEOS, num_envs=2, episode_length=2, autoreset_mode=mode))
        env.set_seed(0)
        steps[mode] = env.rollout(
            3, lambda td: td.set("action", torch.zeros(2, 6)), break_when_any_done=False
        )
    one, other = steps["Disabled"], steps["SameStep"]
    assert torch.equal(one["next", "reward"][:, :2], other["next", "reward"][:, :2])
    assert not other["next", "audio"][:, 1].any()  # the last observation is zeros
    assert one["next", "audio"][:, 1].any()
    assert not torch.equal(one["audio"][:, 2], other["audio"][:, 2])  # an episode was begun and dropped


def test_a_collector_seeds_too_late() -> None:
    # The page says so: the first observation is that of before, the environment behind it is a new one.
    env = GymWrapper(gym.make_vec(VIDEOS, num_envs=2, autoreset_mode="Disabled"))
    collector = Collector(env, frames_per_batch=4, total_frames=-1, auto_register_policy_transforms=False)
    collector.set_seed(0)
    twin = gym.make_vec(VIDEOS, num_envs=2, autoreset_mode="Disabled")
    observation, _ = twin.reset(seed=0)
    data = next(iter(collector))
    assert not np.array_equal(data["audio"][:, 0], observation["audio"])
    observation, *_ = twin.step(data["action"][:, 0].numpy())
    np.testing.assert_array_equal(data["audio"][:, 1], observation["audio"])


def test_a_state_after_the_end_goes_on_with_the_next_episode() -> None:
    env, other = planted(), planted()
    env.set_seed(3)
    assert env.rollout(4)["next", "done"][-1]
    other.set_state(env.get_state())
    assert torch.equal(env.reset()["audio"], other.reset()["audio"])


def test_damaged_states_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected what JointEnv.get_state\(\) returned"):
        planted().set_state({"steps": 3})


def make_planted() -> JointEnv:
    return planted(episode_length=3)


@pytest.mark.long
def test_runs_in_processes() -> None:
    env = ParallelEnv(2, make_planted, mp_start_method="spawn")
    single = make_planted()
    actor, _ = make_policy(single.observation_space, single.action_space)
    try:
        data = collect(env, actor, 12)
    finally:
        env.close(raise_if_closed=False)
    assert data["action"].shape == (2, 6, 4, 2, 3)


def test_other_environments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"found MultiDiscrete"):
        JointEnv(ToMultiDiscrete(gym.make(PLANTED)))
    with pytest.raises(TypeError, match=r"MultiBinary\(\(B, 2, C\)\)"):
        JointEnv(FlattenAction(gym.make(PLANTED)))
    with pytest.raises(TypeError, match="not 'tuple'"):  # the page says so; TorchRL may learn it
        GymEnv(PLANTED)
    with pytest.raises(RuntimeError, match="must be one of SAME_STEP or DISABLED"):
        GymWrapper(gym.make_vec(VIDEOS, num_envs=4))
    with pytest.raises(InputError, match="expected an actor of make_policy"):
        network(torch.nn.Linear(1, 1))
