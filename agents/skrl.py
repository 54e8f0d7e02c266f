"""skrl: environments in the form it takes, a model of independent bits, and checkpoints without unpickling."""

import os
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from torch import Tensor
from torch.distributions import Bernoulli, Independent

from rlld_agents.policies.actor_critic import HybridAttentionActorCritic
from rlld_agents.reinforce.same_data import data_of
from rlld_agents.runs.checkpoint import load_weights
from rlld_gym.data.fingerprint import DataFingerprint, require_same_meaning
from rlld_gym.envs.wrappers import ToMultiDiscrete
from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path, read_json, write_sealed_json
from rlld_gym.os_errors import one_line

try:
    from skrl.agents.torch import Agent
    from skrl.envs.wrappers.torch.gymnasium_envs import GymnasiumWrapper
    from skrl.models.torch import Model
    from skrl.utils.spaces.torch import unflatten_tensorized_space
except ImportError as error:
    raise ImportError(f'rlld_agents.skrl needs skrl ({error}): pip install "rlld-gym[skrl]"') from error


class MultiDiscreteVideos(VectorWrapper[Any, Any, Any, Any, Any]):
    """Calls the bits of every sub-environment's action choices of two, because skrl knows no MultiBinary.

    Args:
        env: single actions MultiBinary(n); they become MultiDiscrete([2] * n).

    Raises:
        TypeError: its single actions are others.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        single = env.single_action_space
        if not isinstance(single, spaces.MultiBinary) or len(single.shape) != 1:
            raise TypeError(f"MultiDiscreteVideos needs single actions MultiBinary(n), found {single}")
        super().__init__(env)
        self.single_action_space = spaces.MultiDiscrete(np.full(single.shape, 2))
        self.action_space = batch_space(self.single_action_space, env.num_envs)


def wrap(env: gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> GymnasiumWrapper:
    """Return an environment in the form that skrl's trainers take, on the device ``skrl.config.torch.device``.

    Args:
        env: the joint environment, the per-video environment, or copies of the joint environment under
            `rlld_gym.envs.wrappers.ToMultiDiscrete`. Vector environments must be made with
            ``autoreset_mode="SameStep"``: skrl takes every step for an ordinary one.

    Raises:
        ValueError: another autoreset mode.
        TypeError: an action space of another kind.
    """
    wrapped: Any = env
    if isinstance(env, VectorEnv):
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(f'autoreset_mode is {mode}; expected an environment made with "SameStep"')
        if not isinstance(env.single_action_space, spaces.MultiDiscrete):
            wrapped = MultiDiscreteVideos(env)
    elif not isinstance(env.action_space, spaces.MultiDiscrete):
        wrapped = ToMultiDiscrete(env)
    return GymnasiumWrapper(wrapped)


class RemovalModel(Model):
    """A `HybridAttentionActorCritic` as skrl's model of the policy and of the value; give it for both.

    ``model.network.policy`` is what `rlld_agents.denoise` and `rlld_agents.save_policy` take.

    Args:
        env: what `wrap` returned.
        **options: of `HybridAttentionActorCritic.for_spaces`: ``data`` (needed with indices), ``seed``,
            ``hidden_size``, ``initial_removal``, ...

    Raises:
        ValueError: other spaces, or indices without ``data``.
    """

    def __init__(self, env: GymnasiumWrapper, **options: Any) -> None:
        super().__init__(
            observation_space=env.observation_space, action_space=env.action_space, device=env.device
        )
        self.network = HybridAttentionActorCritic.for_spaces(
            env.observation_space, env.action_space, **options
        ).to(self.device)
        self._distribution: Independent | None = None

    def compute(self, inputs: dict[str, Any], *, role: str = "") -> tuple[Tensor, dict[str, Any]]:
        """Return removal logits (N, bits), or values (N, 1) where ``role`` is "value"; float32.

        Args:
            inputs: with ``observations`` (N, size of an observation), flat as skrl keeps them.
            role: "policy" or "value".
        """
        observation = unflatten_tensorized_space(self.observation_space, inputs["observations"])
        logits, values = self.network(observation)
        return (values.unsqueeze(-1) if role == "value" else logits), {}

    def act(self, inputs: dict[str, Any], *, role: str = "") -> tuple[Tensor, dict[str, Any]]:
        """Sample actions, or value observations.

        Args:
            inputs: with ``observations`` and, to get the log-probability of other actions than the sampled ones,
                ``taken_actions`` (N, bits).
            role: "policy" or "value".

        Returns:
            Actions (N, bits) float32 of 0 and 1 and a dict of ``log_prob`` (N, 1) and ``mean_actions`` (N, bits),
            the most probable actions; or values (N, 1) and an empty dict.
        """
        output, outputs = self.compute(inputs, role=role)
        if role == "value":
            return output, outputs
        self._distribution = Independent(Bernoulli(logits=output), 1)
        actions = self._distribution.sample()
        log_prob = self._distribution.log_prob(inputs.get("taken_actions", actions)).unsqueeze(-1)
        return actions, {"log_prob": log_prob, "mean_actions": (output > 0).float()}

    def get_entropy(self, *, role: str = "") -> Tensor:
        """Return the entropy of the last actions' distribution, (N, 1), in nats."""
        return self.distribution(role=role).entropy().unsqueeze(-1)

    def distribution(self, *, role: str = "") -> Independent:
        """Return the last actions' distribution.

        Raises:
            ValueError: no action was asked for yet.
        """
        if self._distribution is None:
            raise ValueError("there is no distribution before the first call of act()")
        return self._distribution


def save_agent(agent: Agent, path: str | os.PathLike[str], env: Any = None) -> None:
    """Write ``agent.save`` to a file atomically.

    Args:
        agent: any agent of skrl.
        path: the file.
        env: what the agent acts on, as `wrap` takes or returns it; what identifies its data is then written
            beside the file, as PATH.data.json, because the form of the file is skrl's.
    """
    with atomic_path(path) as temporary:
        agent.save(os.fspath(temporary))
    data = None if env is None else data_of(env)
    if data is None:
        _data_path(path).unlink(missing_ok=True)  # of an earlier agent
    else:
        write_sealed_json(_data_path(path), data.as_dict())


def load_agent(agent: Agent, path: str | os.PathLike[str], env: Any = None) -> None:
    """Read what `save_agent`, ``agent.save`` or a trainer wrote; unlike ``agent.load``, unpickle no code.

    Args:
        agent: an agent of the same kind and sizes; its models, optimizer and preprocessors are restored.
        path: the file.
        env: what the agent is to act on, to be compared with what `save_agent` wrote of its data, if anything.

    Raises:
        InputError: the file is missing, damaged, of another agent, or of data that mean something else.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; expected a checkpoint of skrl, such as agent_1000.pt")
    data, about = None if env is None else data_of(env), _data_path(path)
    if data is not None and about.is_file():
        known = DataFingerprint.from_dict(read_json(about, "what an agent learned from"), str(about))
        require_same_meaning(known, data, "the agent", path)
    modules = load_weights(path, agent.device)
    expected = set(agent.checkpoint_modules)
    if not isinstance(modules, dict) or set(modules) != expected:
        found = sorted(modules) if isinstance(modules, dict) else type(modules).__name__
        raise InputError(f"{path}: holds {found}, expected {sorted(expected)}; use an agent of the same kind")
    try:
        for name, module in agent.checkpoint_modules.items():
            module.load_state_dict(modules[name])
    except (KeyError, ValueError, RuntimeError) as error:
        detail = one_line(error)
        raise InputError(f"{path}: does not fit this agent ({detail}); use its own data and sizes") from error


def _data_path(path: str | os.PathLike[str]) -> Path:
    """Return the file that says which data an agent's checkpoint belongs to."""
    return Path(f"{os.fspath(path)}.data.json")
