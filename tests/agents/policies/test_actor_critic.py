"""The actor-critic that library adapters share: views, masks, index observations, gradients."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from rlld_agents.policies.actor_critic import ABSENT_LOGIT, HybridAttentionActorCritic
from rlld_gym.envs.wrappers import FlattenAction, ToMultiDiscrete

TINY: dict[str, Any] = {"data": "twin-tiny", "episode_length": 2, "time_feature": True}


def joint(observation: str = "features", batch_size: int = 6) -> gym.Env[Any, Any]:
    return gym.make("rlld_gym:rlld/LabelDenoising-v0", observation=observation, batch_size=batch_size, **TINY)


def tensors(observation: dict[str, Any]) -> dict[str, Tensor]:
    return {key: torch.from_numpy(np.asarray(value)) for key, value in observation.items()}


def make(env: Any, **options: Any) -> HybridAttentionActorCritic:
    return HybridAttentionActorCritic.for_spaces(
        env.observation_space, env.action_space, hidden_size=8, **options
    )


@pytest.mark.parametrize("wrapper", [None, FlattenAction, ToMultiDiscrete])
def test_logits_have_the_actions_shape_in_every_form(wrapper: Any) -> None:
    env = joint()
    raw = make(env)
    observation = tensors(env.reset(seed=0)[0])
    wrapped = env if wrapper is None else wrapper(env)
    model = make(wrapped)
    logits, value = model(observation)
    assert logits.shape == wrapped.action_space.shape
    assert value.shape == ()
    torch.testing.assert_close(logits.flatten(), raw(observation)[0].flatten())


def test_one_video_at_a_time_gives_what_the_batch_gives() -> None:
    env = joint()
    model = make(env)
    observation = tensors(env.reset(seed=0)[0])
    envs = gym.make_vec("rlld_gym:rlld/LabelDenoisingPerVideo-v0", num_envs=6, **TINY)
    single = HybridAttentionActorCritic.for_spaces(
        envs.single_observation_space, envs.single_action_space, hidden_size=8
    )
    single.load_state_dict(model.state_dict())
    views = tensors(envs.reset(seed=0)[0])
    logits, values = single(views)
    assert logits.shape == (6, 50)
    torch.testing.assert_close(logits.reshape(6, 2, 25), model(observation)[0])
    torch.testing.assert_close(values.mean(), model(observation)[1])
    one = single({key: value[2] for key, value in views.items()})
    torch.testing.assert_close(one[0], logits[2])
    assert one[1].shape == ()


def test_indices_give_what_features_give() -> None:
    model, by_index = make(joint()), make(joint("indices"), data="twin-tiny")
    by_index.load_state_dict(model.state_dict())
    features, indices = (tensors(joint(mode).reset(seed=3)[0]) for mode in ("features", "indices"))
    torch.testing.assert_close(by_index(indices), model(features))
    stacked = {
        key: torch.stack([value.float()] * 4).reshape(2, 2, *value.shape) for key, value in indices.items()
    }
    logits, values = by_index(stacked)
    assert (logits.shape, values.shape) == ((2, 2, 6, 2, 25), (2, 2))


def test_absent_labels_are_never_removed_and_give_no_gradient() -> None:
    env = joint()
    observation, info = env.reset(seed=0)
    free = torch.from_numpy(info["action_mask"] == 2)
    masked, bare = make(env), make(env, mask_absent=False)
    logits = masked(tensors(observation))[0]
    assert (logits[~free] == ABSENT_LOGIT).all()
    torch.testing.assert_close(logits[free], bare(tensors(observation))[0][free])
    distribution = torch.distributions.Bernoulli(logits=logits)
    assert distribution.entropy()[~free].max() < 1e-6
    assert distribution.log_prob(torch.zeros_like(logits))[~free].abs().max() < 1e-6
    logits[~free].sum().backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in masked.parameters())


def test_the_critic_sees_progress_and_second_derivatives_exist() -> None:
    """Trust-region methods differentiate twice."""
    env = joint()
    model = make(env)
    observation = tensors(env.reset(seed=0)[0])
    logits, value = model(observation)
    assert value != model({**observation, "progress": torch.ones(1)})[1]
    weight = model.policy.audio_labels.weight
    (gradient,) = torch.autograd.grad(torch.sigmoid(logits).sum(), weight, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), weight)
    assert second.abs().sum() > 0


def test_weights_depend_on_the_seed_alone() -> None:
    state = torch.get_rng_state()
    first, second, other = make(joint()), make(joint()), make(joint(), seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])
    assert any(not torch.equal(w, other.state_dict()[name]) for name, w in first.state_dict().items())


def test_without_labels_in_the_observation_nothing_is_masked() -> None:
    env = gym.make(
        "rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", batch_size=3, initialized_labels=False
    )
    model = make(env, initialized_labels=False)
    logits = model(tensors(env.reset(seed=0)[0]))[0]
    assert logits.shape == (3, 2, 25)
    assert (logits > ABSENT_LOGIT + 1).all()


def test_wrong_spaces_are_refused() -> None:
    env = joint()
    with pytest.raises(ValueError, match="data"):
        make(joint("indices"))
    with pytest.raises(ValueError, match="a bit for each of 6 videos"):
        HybridAttentionActorCritic.for_spaces(env.observation_space, spaces.MultiBinary(7))
    with pytest.raises(ValueError, match="observation Dict"):
        HybridAttentionActorCritic.for_spaces(spaces.Box(0, 1, (3,)), env.action_space)
