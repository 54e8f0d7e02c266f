"""Policies of the make that fits a parser: its encoder already knows what events look and sound like."""

from collections.abc import Mapping
from typing import Any

from rlld_agents.policies.base import StartablePolicy
from rlld_agents.policies.files import HybridAttentionPolicy
from rlld_agents.policies.network import NetworkPolicy
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.randomness import seeded_weights


def startable_policy(
    split: SplitTensors,
    *,
    hidden_size: int,
    seed: int,
    network: str = "han",
    options: Mapping[str, Any] | None = None,
    parser: TaskNetwork | None = None,
) -> StartablePolicy:
    """Return a policy for some data, on their device.

    Args:
        split: any split of the data set.
        hidden_size: width.
        seed: of the weights; the global random state is left alone.
        network: registered name of the task network whose encoder it takes: "han" as published gives the paper's
            `HybridAttentionPolicy`, all others a `NetworkPolicy`.
        options: further arguments of the network's constructor, its flavour included.
        parser: such a network, trained on the weak or on denoised labels, to start from; it is copied, not shared.

    Raises:
        InputError: no network has that name.
        ValueError: the parser is not the named network, or of another width.
    """
    sizes: dict[str, Any] = {
        "audio_size": split.audio.shape[-1],
        "visual_size": split.visual.shape[-1],
        "num_classes": split.labels.shape[-1],
        "hidden_size": hidden_size,
        "visual_3d_size": split.visual.shape[-1] - split.visual_2d_size,
    }
    policy: StartablePolicy
    with seeded_weights(seed):
        if takes_the_papers_policy(network, options or {}):
            policy = HybridAttentionPolicy(**sizes)
        else:
            policy = NetworkPolicy(network, **sizes, options=options)
    policy.to(split.labels.device)
    if parser is not None:
        policy.start_from(parser)
    return policy


def takes_the_papers_policy(network: str, options: Mapping[str, Any]) -> bool:
    """Return whether one attention layer with one head, as the paper's policy has it, is a network's whole encoder.

    Args:
        network: registered name.
        options: arguments of its constructor besides sizes.
    """
    layers = options.get("num_layers", 1) if options.get("flavour") == "jomold" else 1
    return network == "han" and options.get("heads", 1) == 1 and layers == 1
