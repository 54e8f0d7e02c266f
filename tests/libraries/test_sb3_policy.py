"""The hybrid attention policy in Stable-Baselines3 and sb3-contrib, on both views and both observations."""

import csv
import re
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")
from sb3_contrib import TRPO, MaskablePPO
from sb3_contrib.common.maskable.distributions import MaskableBernoulliDistribution
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from rlld_agents.sb3 import (
    ActionMasks,
    HybridAttentionActorCriticPolicy,
    HybridAttentionMaskableActorCriticPolicy,
    PerVideoVecEnv,
    SinglePassTRPO,
)
from rlld_agents.sb3.maskable import MaskableRemovalDistribution
from rlld_agents.sb3.policy import RemovalDistribution
from rlld_gym.envs.wrappers import FlattenAction

TINY = {"data": "twin-tiny", "episode_length": 2}
SMALL = {"data": "twin-tiny", "hidden_size": 8, "seed": 0}
ALGORITHMS: list[tuple[Any, dict[str, Any]]] = [
    (PPO, {"n_steps": 4, "batch_size": 8, "n_epochs": 2}),
    (A2C, {"n_steps": 4}),
    (TRPO, {"n_steps": 4, "batch_size": 8, "cg_max_steps": 2, "n_critic_updates": 1}),
    (MaskablePPO, {"n_steps": 4, "batch_size": 8, "n_epochs": 2}),
]


def joint_env(**arguments: Any) -> Any:
    env = gym.make("rlld_gym:rlld/LabelDenoising-v0", **{"batch_size": 8, **TINY, **arguments})
    return FlattenAction(env)


def make_envs(view: str, **arguments: Any) -> Any:
    if view == "per_video":
        return PerVideoVecEnv(8, **{**TINY, **arguments})
    return DummyVecEnv([lambda: ActionMasks(joint_env(**arguments))] * 2)


def make_model(algorithm: Any, envs: Any, options: dict[str, Any] | None = None, **arguments: Any) -> Any:
    maskable = algorithm is MaskablePPO
    policy = HybridAttentionMaskableActorCriticPolicy if maskable else HybridAttentionActorCriticPolicy
    return algorithm(policy, envs, seed=0, device="cpu", policy_kwargs=SMALL | (options or {}), **arguments)


@pytest.mark.parametrize("view", ["per_video", pytest.param("joint", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("algorithm", "arguments"), ALGORITHMS, ids=lambda value: getattr(value, "__name__", "")
)
def test_features_and_indices_train_the_same_policy(algorithm: Any, arguments: Any, view: str) -> None:
    states = []
    for observation in ("features", "indices"):
        model = make_model(algorithm, make_envs(view, observation=observation), **arguments)
        before = {name: value.clone() for name, value in model.policy.state_dict().items()}
        states.append(model.learn(2 * 4 * model.n_envs).policy.state_dict())
        heads = [name for name in before if "_head." in name and name.endswith("weight")]
        assert any(not torch.equal(before[name], states[-1][name]) for name in heads)
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("view", ["per_video", "joint"])
def test_parameters_do_not_grow_with_the_bits(view: str) -> None:
    model = make_model(PPO, make_envs(view), n_steps=4, batch_size=8)
    shapes = [tuple(parameter.shape) for parameter in model.policy.parameters()]
    assert max(max(shape) for shape in shapes if shape) <= max(
        model.policy.actor_critic.policy.visual_size, 4 * 8, 25
    )
    network = model.policy.actor_critic
    assert sum(map(np.prod, shapes)) == sum(value.numel() for value in network.parameters())
    optimized = [value for group in model.policy.optimizer.param_groups for value in group["params"]]
    assert {id(value) for value in optimized} == {id(value) for value in network.parameters()}


def test_both_views_and_maskable_ppo_share_weights() -> None:
    models = [
        make_model(PPO, make_envs("per_video"), n_steps=4, batch_size=8),
        make_model(PPO, make_envs("joint"), n_steps=4, batch_size=8),
        make_model(MaskablePPO, make_envs("per_video"), n_steps=4, batch_size=8),
    ]
    for model in models[1:]:
        model.policy.load_state_dict(models[0].policy.state_dict())
    envs = make_envs("joint")
    observation = envs.reset()
    videos = {key: value[1] for key, value in observation.items()}
    kept = envs.env_method("action_masks")[1].reshape(8, -1)
    joint, _ = models[1].predict(observation, deterministic=True)
    per_video, _ = models[0].predict(videos, deterministic=True)
    masked, _ = models[2].predict(videos, deterministic=True, action_masks=kept)
    np.testing.assert_array_equal(joint[1], per_video.reshape(-1))
    np.testing.assert_array_equal(masked, per_video)
    labels = np.stack((videos["audio"][:, 0, -25:], videos["visual"][:, 0, -25:]), 1).reshape(8, -1)
    assert not (per_video[labels == 0] > 0).any()


def test_log_probabilities_entropies_and_divergences_are_those_of_whole_actions() -> None:
    envs = make_envs("per_video")
    policy = make_model(PPO, envs, {"initial_removal": 0.5}, n_steps=4, batch_size=8).policy
    observation, _ = policy.obs_to_tensor(envs.reset())
    actions, values, log_prob = policy(observation)
    logits, expected_values = policy.actor_critic(observation)
    probability = torch.where(actions > 0, logits.sigmoid(), 1 - logits.sigmoid())
    torch.testing.assert_close(log_prob, probability.log().sum(1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(values, expected_values.unsqueeze(-1))
    again, evaluated, entropy = policy.evaluate_actions(observation, actions)
    torch.testing.assert_close(evaluated, log_prob)
    torch.testing.assert_close(again, values)
    labels = observation["audio"][:, 0, -25:].sum(1) + observation["visual"][:, 0, -25:].sum(1)
    torch.testing.assert_close(entropy, labels * np.log(2), rtol=1e-2, atol=1e-2)
    one, other = (RemovalDistribution(50).proba_distribution(logits + shift) for shift in (0.0, 1.0))
    divergence = torch.distributions.kl_divergence(one.distribution, other.distribution)
    p, q = logits.double().sigmoid(), (logits.double() + 1).sigmoid()
    bits = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    torch.testing.assert_close(divergence.double(), bits.sum(1), rtol=1e-3, atol=1e-4)


def test_masked_bits_are_as_in_the_library() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 7, generator=generator)
    masks = torch.rand(5, 7, 2, generator=generator) < 0.5
    masks[..., 0] |= ~masks[..., 1]
    own = MaskableRemovalDistribution().proba_distribution(logits)
    theirs = MaskableBernoulliDistribution(7)
    theirs.proba_distribution(torch.stack((torch.zeros_like(logits), logits), -1).flatten(1))
    for masked in (masks.flatten(1), masks.flatten(1).numpy(), None):
        own.apply_masking(masked)
        theirs.apply_masking(masked)
        actions = theirs.sample()
        torch.testing.assert_close(own.log_prob(actions), theirs.log_prob(actions))
        torch.testing.assert_close(own.entropy(), theirs.entropy())
        torch.testing.assert_close(own.mode(), theirs.mode().float())
    own.apply_masking(masks.flatten(1))
    samples = torch.stack([own.sample() for _ in range(200)])
    assert not samples[:, ~masks[..., 1]].any()
    assert samples[:, ~masks[..., 0]].all()


def test_integers_reach_the_network_unscaled() -> None:
    envs = make_envs("per_video", observation="indices")
    policy = make_model(PPO, envs, n_steps=4, batch_size=8).policy
    observation = envs.reset()
    observation["index"][:, 0] = [0, 1, 255, 256, 1000, 1597, 1598, 1599]
    tensors, _ = policy.obs_to_tensor(observation)
    handed_on = policy.extract_features(tensors)
    assert handed_on["index"].flatten().tolist() == [0, 1, 255, 256, 1000, 1597, 1598, 1599]
    assert set(handed_on["labels_audio"].unique().tolist()) == {0.0, 1.0}


def test_the_algorithm_seed_decides_the_initial_weights() -> None:
    envs = make_envs("per_video", observation="indices")
    first, second, other = (
        PPO(
            HybridAttentionActorCriticPolicy,
            envs,
            n_steps=4,
            batch_size=8,
            seed=seed,
            policy_kwargs={"data": "twin-tiny", "hidden_size": 8},
        ).policy.state_dict()
        for seed in (1, 1, 2)
    )
    name = "mlp_extractor.actor_critic.value_head.0.weight"
    assert torch.equal(first[name], second[name])
    assert not torch.equal(first[name], other[name])


def test_policies_save_and_load_by_themselves(tmp_path: Path) -> None:
    policy = make_model(A2C, make_envs("per_video")).policy
    policy.save(tmp_path / "policy.pth")
    loaded = HybridAttentionActorCriticPolicy.load(tmp_path / "policy.pth")
    for one, other in zip(policy.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.filterwarnings("ignore:.*image.*:UserWarning", "ignore:.*unconventional shape.*:UserWarning")
def test_the_flattened_environment_passes_the_check() -> None:
    for observation in ("features", "indices"):
        check_env(joint_env(observation=observation))


def test_monitor_writes_scores_of_the_joint_environment(tmp_path: Path) -> None:
    keywords = ("segment_audio", "terminal_reward")
    env = Monitor(joint_env(observation="indices"), str(tmp_path / "run"), info_keywords=keywords)
    make_model(A2C, env, n_steps=2).learn(4)
    lines = (tmp_path / "run.monitor.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = list(csv.DictReader(lines))
    assert [row["l"] for row in rows] == ["2", "2"]
    assert all(0 < float(row["segment_audio"]) < 100 for row in rows)
    assert len({row["terminal_reward"] for row in rows}) == 2


def test_other_spaces_and_options_are_refused() -> None:
    raw = gym.make("rlld_gym:rlld/LabelDenoising-v0", batch_size=4, **TINY)
    spaces = raw.observation_space, raw.action_space
    with pytest.raises(ValueError, match="FlattenAction"):
        HybridAttentionActorCriticPolicy(*spaces, lambda _: 1e-3)
    envs = make_envs("per_video", observation="indices")
    with pytest.raises(ValueError, match="need data"):
        HybridAttentionActorCriticPolicy(envs.observation_space, envs.action_space, lambda _: 1e-3)
    with pytest.raises(ValueError, match="use_sde"):
        HybridAttentionActorCriticPolicy(
            envs.observation_space, envs.action_space, lambda _: 1e-3, use_sde=True
        )


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("rlld_agents.sb3")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(ImportError, match=re.escape('pip install "rlld-gym[sb3]"')):
        import rlld_agents.sb3  # noqa: F401, PLC0415


@pytest.mark.parametrize("observation", ["features", "indices"])
@pytest.mark.parametrize("view", ["per_video", "joint"])
def test_values_know_the_progress_where_it_is_observed(view: str, observation: str) -> None:
    envs = make_envs(view, observation=observation, time_feature=True)
    model = make_model(A2C, envs, n_steps=2).learn(2 * envs.num_envs)
    tensors, _ = model.policy.obs_to_tensor(envs.reset())
    later = {**tensors, "progress": tensors["progress"] + 0.5}
    assert (model.policy.predict_values(tensors) != model.policy.predict_values(later)).all()


def test_labels_may_be_hidden_where_masks_come_from_the_environment() -> None:
    envs = make_envs("per_video", initialized_labels=False)
    model = make_model(
        MaskablePPO, envs, {"initialized_labels": False, "initial_removal": 0.9}, n_steps=4, batch_size=8
    )
    model.learn(32)
    observation = envs.reset()
    masks = envs.action_masks()
    actions, _ = model.predict(observation, action_masks=masks)
    assert not actions[~masks.reshape(8, 50, 2)[:, :, 1]].any()
    assert actions.any()


def test_single_pass_trpo_makes_the_updates_of_sb3_contrib() -> None:
    states = []
    for algorithm in (TRPO, SinglePassTRPO):
        arguments = {
            "n_steps": 4,
            "batch_size": 8,
            "cg_max_steps": 4,
            "n_critic_updates": 1,
            "target_kl": 0.1,
        }
        model = make_model(algorithm, make_envs("per_video", observation="indices"), **arguments)
        before = {name: value.clone() for name, value in model.policy.state_dict().items()}
        states.append(model.learn(32).policy.state_dict())
        heads = [name for name in before if "audio_head." in name and name.endswith("weight")]
        assert heads
        assert all(not torch.equal(states[-1][name], before[name]) for name in heads)
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-3, atol=1e-5, msg=name)
