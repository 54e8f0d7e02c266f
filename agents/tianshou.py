"""Tianshou: actor, critic and distribution for its on-policy algorithms, and a vector environment over videos."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

from rlld_agents.policies.actor_critic import HybridAttentionActorCritic

try:
    from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
    from tianshou.env import BaseVectorEnv
    from tianshou.utils.net.common import ActionReprNet
except ImportError as error:
    raise ImportError(
        f'rlld_agents.tianshou needs Tianshou ({error}): pip install "rlld-gym[tianshou]"'
    ) from error

Reset = tuple[NDArray[np.object_], NDArray[np.object_]]
Step = tuple[NDArray[np.object_], NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.object_]]


class RemovalDistribution(Independent):
    """Independent Bernoulli variables, one for each bit of an action, as one distribution with a mode.

    torch's own Bernoulli has NaN for a mode where the probability is exactly 1/2; here such a label is kept.

    Args:
        logits: (N, ...) log-odds of removing; every axis after the first belongs to one action.
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(Bernoulli(logits=logits), logits.dim() - 1)  # type: ignore[no-untyped-call]

    @property
    def mode(self) -> Tensor:
        """The most probable action, (N, ...) float32 of 0 and 1."""
        return (self.base_dist.logits > 0).float()

    @property
    def stddev(self) -> Tensor:
        """Standard deviation of a bit, the mean over an action's bits, (N, 1) float32.

        Collectors make statistics of every column in every step, which for 6 400 columns would take longer than
        the step.
        """
        return self.base_dist.stddev.flatten(1).mean(1, keepdim=True)


class Actor(ActionReprNet):
    """The removal logits of a `HybridAttentionActorCritic`, in the form that Tianshou's policies call.

    Args:
        model: the network.
    """

    def __init__(self, model: HybridAttentionActorCritic) -> None:
        super().__init__()
        self.model = model

    def forward(self, obs: Any, state: Any = None, info: Any = None) -> tuple[Tensor, Any]:
        """Return logits (N, *action shape), float32, and the state as it came (there is none).

        Args:
            obs: Batch of N observations.
            state: passed on.
            info: not used.
        """
        return self.model(_tensors(obs, self.model))[0], state


class Critic(nn.Module):
    """The values of a `HybridAttentionActorCritic`, in the form that Tianshou's algorithms call.

    Args:
        model: the network, the actor's.
    """

    def __init__(self, model: HybridAttentionActorCritic) -> None:
        super().__init__()
        self.model = model

    def forward(self, obs: Mapping[str, Any]) -> Tensor:
        """Return values (N,), float32, of a Batch of N observations."""
        values: Tensor = self.model(_tensors(obs, self.model))[1]
        return values


def make_policy(
    observation_space: gymnasium.Space[Any],
    action_space: gymnasium.Space[Any],
    *,
    deterministic_eval: bool = True,
    **options: Any,
) -> tuple[ProbabilisticActorPolicy, Critic]:
    """Make a policy and a critic for Tianshou's Reinforce, A2C and PPO.

    Both share one network, ``policy.actor.model``; the policy inside it, ``policy.actor.model.policy``, is what
    `rlld_agents.denoise` and `rlld_agents.policies.files.save_policy` take.

    Args:
        observation_space: of the joint environment or of one video, with features or indices.
        action_space: of the joint environment or of one video.
        deterministic_eval: outside of training steps take the most probable action, not a sampled one.
        **options: of `HybridAttentionActorCritic.for_spaces`: ``data`` (needed with indices), ``seed``,
            ``hidden_size``, ``initial_removal``, ...

    Raises:
        ValueError: other spaces, or indices without ``data``.
    """
    model = HybridAttentionActorCritic.for_spaces(observation_space, action_space, **options)
    policy = ProbabilisticActorPolicy(
        actor=Actor(model),
        dist_fn=RemovalDistribution,
        deterministic_eval=deterministic_eval,
        action_space=action_space,
        observation_space=observation_space,
        action_scaling=False,
        action_bound_method=None,
    )
    return policy, Critic(model)


class PerVideoEnvs(BaseVectorEnv):
    """The per-video environment as one of Tianshou's vector environments, with no processes behind it.

    All videos begin and end together. Collect steps in multiples of the number of videos (``n_step``), or as many
    episodes as there are videos or a multiple (``n_episode``).

    Args:
        envs: made with ``autoreset_mode="Disabled"``, because Tianshou's collectors reset by themselves.

    Raises:
        ValueError: it has another autoreset mode.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode != AutoresetMode.DISABLED:
            raise ValueError(
                f'autoreset_mode is {mode}; expected a per-video environment made with "Disabled"'
            )
        # Not the base's constructor: it makes a worker for each environment, and here there are none.
        self.envs = envs
        self.env_num = envs.num_envs
        self.is_async = False
        self.is_closed = False

    def get_env_attr(self, key: str, id: Any = None) -> list[Any]:
        """Return an attribute once for each video asked for; spaces are those of one video."""
        self._assert_is_not_closed()
        name = f"single_{key}" if key in ("action_space", "observation_space") else key
        return [getattr(self.envs, name)] * len(self._wrap_id(id))

    def set_env_attr(self, key: str, value: Any, id: Any = None) -> None:
        """Refuse: an attribute cannot be set for single videos."""
        raise ValueError(f"{key} cannot be set: videos are no environments of their own")

    def reset(self, env_id: Any = None, **kwargs: Any) -> Reset:
        """Begin an episode of all videos.

        Args:
            env_id: all videos or None.
            **kwargs: ``seed`` and ``options`` of the environment.

        Returns:
            Two arrays (num_envs,) of dicts: observations and infos.

        Raises:
            ValueError: some videos are left out.
        """
        self._require_all(env_id)
        observation, infos = self.envs.reset(**kwargs)
        return self._by_video(observation), self._by_video(infos)

    def step(self, action: Any, id: Any = None) -> Step:
        """Act on all videos.

        Args:
            action: (num_envs, 2C) of 0 and 1.
            id: all videos or None.

        Returns:
            Observations, rewards (num_envs,) float64, terminations, truncations and infos.

        Raises:
            ValueError: some videos are left out.
        """
        self._require_all(id)
        observation, rewards, terminated, truncated, infos = self.envs.step(np.asarray(action))
        return self._by_video(observation), rewards, terminated, truncated, self._by_video(infos)

    def seed(self, seed: Any = None) -> list[Any]:
        """Reset with one seed for all videos (the first one of a list); return it."""
        first = seed if seed is None or isinstance(seed, int) else seed[0]
        self.reset(seed=first)
        return [first] * self.env_num

    def render(self, **kwargs: Any) -> list[Any]:
        """Return the picture of the batch once for each video."""
        return list(self.envs.render() or [])

    def close(self) -> None:
        """Close the environment."""
        self._assert_is_not_closed()
        self.envs.close()
        self.is_closed = True

    def _require_all(self, ids: Any) -> None:
        self._assert_is_not_closed()
        if ids is not None and list(np.atleast_1d(ids)) != list(range(self.env_num)):
            raise ValueError(
                f"asked for videos {ids} of {self.env_num}; expected all: they begin and end together. Collect "
                f"n_step or n_episode in multiples of {self.env_num}"
            )

    def _by_video(self, entries: Mapping[str, Any]) -> NDArray[np.object_]:
        """Return an array (num_envs,) of dicts of a dict of arrays, without the masks ``_key``."""
        rows = np.empty(self.env_num, dtype=object)
        for video in range(self.env_num):
            rows[video] = {key: value[video] for key, value in entries.items() if not key.startswith("_")}
        return rows


def _tensors(observation: Mapping[str, Any], model: nn.Module) -> dict[str, Tensor]:
    """Return a Batch of arrays or tensors as a dict of tensors where the model is."""
    device = next(model.parameters()).device
    return {key: torch.as_tensor(observation[key], device=device) for key in observation.keys()}  # noqa: SIM118
