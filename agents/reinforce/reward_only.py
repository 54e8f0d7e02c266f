"""Environment, evidence policy and REINFORCE over parameters put together: learning from the reward alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import gymnasium

from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_gym.data.catalog import open_data
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.task_start import start_network
from rlld_gym.environment_ids import LABEL_DENOISING
from rlld_gym.envs.options import EnvironmentArguments
from rlld_gym.errors import InputError
from rlld_gym.parsing.training import network_options

INTER_WEIGHT: Final = 2.0
"""Weight of the mean inter-reward beside the validation reward. A parser that starts from weak training gains by
unlearning, also labels that are right; with the mean inter-reward twice as dear the return is highest about where
as many labels go as are wrong."""


def reward_only_config(config: ReinforceConfig | None = None, **changes: Any) -> ReinforceConfig:
    """Return options of REINFORCE that explore parameters, with credit for each class.

    Args:
        config: other options; None: the defaults.
        **changes: options to change.
    """
    return replace(config or ReinforceConfig(), exploration="parameters", advantage="class", **changes)


def paid_environment(environment: Mapping[str, Any]) -> gymnasium.Env[Any, Any]:
    """Return the environment with `paid_arguments`."""
    return gymnasium.make(LABEL_DENOISING, **paid_arguments(environment))


def paid_arguments(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return an environment's arguments with evidence, and with inter-rewards of the weight `INTER_WEIGHT`.

    Args:
        environment: its arguments; an ``inter_scale`` that is given stays. With ``task_start="fresh"`` there is
            no such environment: a new network has no evidence.
    """
    arguments = {**environment, "evidence": "start"}
    if arguments.get("inter_scale") is None:
        arguments["inter_scale"] = INTER_WEIGHT / int(environment.get("episode_length", 32))
    return arguments


def make_reward_only(
    environment: Mapping[str, Any], config: ReinforceConfig, data: StoreTensors, hidden_size: int
) -> tuple[EvidencePolicy, Reinforce]:
    """Return a policy that reads the starting parser's evidence, and REINFORCE that is ready to train it.

    Args:
        environment: arguments of rlld/LabelDenoising-v0, with ``data``, ``recipe`` and ``device``.
        config: of REINFORCE.
        data: the same data set on that device.
        hidden_size: width of the environment's task network.
    """
    policy = evidence_policy(environment, data, hidden_size)
    return policy, Reinforce(policy, paid_environment(environment), config)


def evidence_policy(environment: Mapping[str, Any], data: StoreTensors, hidden_size: int) -> EvidencePolicy:
    """Return a policy that reads the evidence of the parser that an environment's episodes start from.

    Args:
        environment: arguments of rlld/LabelDenoising-v0, with ``data``.
        data: its data set, on the device of the policy.
        hidden_size: width of its task network.

    Raises:
        InputError: episodes start from new weights, or from a file that cannot be used.
    """
    header = open_data(environment["data"], environment.get("data_seed", 0)).header
    config = EnvironmentArguments(**{**environment, "hidden_size": hidden_size}).process_config(header)
    parser = start_network(data, config)
    if parser is None:
        raise InputError(
            "task_start is 'fresh': a new network has no evidence to decide by; use 'pretrained' or the path of a "
            "task.safetensors"
        )
    return EvidencePolicy.from_parser(
        parser,
        data["train"],
        network=config.recipe.network,
        hidden_size=hidden_size,
        options=network_options(config.recipe),
    )
