"""One episode of a policy that acts deterministically, and what it was paid."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlld_agents.reinforce.branch_rewards import BranchRewards
from rlld_agents.reinforce.distribution import MaskedBernoulli
from rlld_agents.reinforce.episode import EpisodeLog, Step
from rlld_gym.errors import InputError


@dataclass(frozen=True, eq=False)
class PolicyRollout:
    """An episode of a policy's most probable actions.

    Attributes:
        log: its rewards and infos.
        returns: (2,) float64, return of the audio and of the visual branch.
        terminal: (2,) float64, the part of it that was paid in steps that validated.
        removed: (2, C) float64, labels of each class that the actions removed.
        contribution: (2, C) float64, what each class adds to the F-scores, the sum over the steps that say so;
            None where none did.
    """

    log: EpisodeLog
    returns: Tensor
    terminal: Tensor
    removed: Tensor
    contribution: Tensor | None


def play_policy(
    policy: nn.Module, env: gymnasium.Env[Any, Any], seed: int, branch_rewards: BranchRewards
) -> PolicyRollout:
    """Play an episode in which every label is removed whose removal is more probable than not.

    Args:
        policy: as `rlld_agents.Reinforce` takes it.
        env: likewise; reset with the seed.
        seed: of the episode, which it decides alone.
        branch_rewards: splits a step's reward.
    """
    log = EpisodeLog()
    removed: Tensor | float = 0.0
    terminal = torch.zeros(2, dtype=torch.float64)
    contribution: Tensor | None = None
    observation, info = env.reset(seed=seed)
    done = False
    while not done:
        mask = torch.tensor(info["action_mask"]) if "action_mask" in info else None
        with torch.no_grad():  # around the policy alone: the environment trains a network in its step
            action = action_distribution(policy, observation, mask).mode().cpu()
        removed = removed + action.sum(0).double()
        following, reward, terminated, truncated, info = env.step(action.numpy())
        rewards = branch_rewards(float(reward), info)
        log.add(Step(observation, mask, action, rewards, float(reward), info))
        if "class_contribution" in info:
            terminal += torch.tensor(rewards, dtype=torch.float64)
            found = torch.from_numpy(info["class_contribution"]).double()
            contribution = found if contribution is None else contribution + found
        observation, done = following, terminated or truncated
    assert isinstance(removed, Tensor)
    returns = torch.tensor(log.rewards, dtype=torch.float64).sum(0)
    return PolicyRollout(log, returns, terminal, removed, contribution)


def action_distribution(
    policy: nn.Module, observation: dict[str, NDArray[Any]], mask: Tensor | None
) -> MaskedBernoulli:
    """Return a policy's action distribution for one observation, on the policy's device.

    A policy that says ``uses_evidence`` is given the observation's ``evidence``, if there is any, as third one.
    """
    device = next(policy.parameters()).device
    names = ["audio", "visual"]
    if getattr(policy, "uses_evidence", False) and "evidence" in observation:
        names.append("evidence")
    parts = [torch.from_numpy(np.asarray(observation[name], np.float32)).to(device) for name in names]
    return MaskedBernoulli(policy(*parts), None if mask is None else mask.to(device))


def explored_parameters(policy: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters of a policy that REINFORCE over parameters may change.

    Raises:
        InputError: the policy does not name any.
    """
    name_them = getattr(policy, "explored_parameters", None)
    found: dict[str, nn.Parameter] = {} if name_them is None else dict(name_them())
    if not found:
        raise InputError(
            f"exploration in parameters: {type(policy).__name__} names no parameters to explore; expected a method "
            "explored_parameters() that returns some by name, as EvidencePolicy has it"
        )
    return found


@contextmanager
def with_explored(policy: nn.Module, values: Mapping[str, Tensor]) -> Iterator[None]:
    """Give the explored parameters other values for the block."""
    parameters = explored_parameters(policy)
    own = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        set_parameters(parameters, values)
        yield
    finally:
        set_parameters(parameters, own)


@torch.no_grad()
def set_parameters(parameters: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Copy values into parameters of the same names."""
    for name, parameter in parameters.items():
        parameter.copy_(values[name])
