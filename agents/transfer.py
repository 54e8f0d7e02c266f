"""A policy that starts from a trained parser, whose encoder already knows what events look and sound like."""

import torch

from rlld_gym.parsing.networks import HAN, TaskNetwork

from .policy import HybridAttentionPolicy

REMOVAL_PER_EVIDENCE = 0.5
"""How strongly, before any training, evidence for an event speaks against removing its label."""


@torch.no_grad()
def start_from_parser(policy: HybridAttentionPolicy, network: TaskNetwork) -> None:
    """Give a policy the encoder of a parser, and heads that remove what the parser does not find.

    Policy and parser are of one make ("2 x MMIL" in the paper, RLLD, arXiv 2412.19563): stem and attention layer
    are copied. A head attends to segments as the parser's pooling does, and the log-odds of removal start as minus
    half the parser's log-odds of the event. The label projections start at zero: at first only what is heard and
    seen counts. Policy and parser stay separate networks.

    Args:
        policy: changed in place.
        network: a HAN of the policy's sizes, trained on the weak or on denoised labels.

    Raises:
        ValueError: the network is another one, or of other sizes.
    """
    if not isinstance(network, HAN):
        raise ValueError(
            f"a policy can start from a HAN, whose encoder it shares; found {type(network).__name__}"
        )
    try:
        policy.stem.load_state_dict(network.stem.state_dict())
        policy.layer.load_state_dict(network.layers[-1].state_dict())
        for head in (policy.audio_head, policy.visual_head):
            head.attention.load_state_dict(network.pooling.time_attention.state_dict())
            head.logit.weight.copy_(-REMOVAL_PER_EVIDENCE * network.pooling.classifier.weight)
            head.logit.bias.copy_(-REMOVAL_PER_EVIDENCE * network.pooling.classifier.bias)
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:200]
        raise ValueError(
            f"policy and parser have different sizes ({detail}); give both the same hidden_size and visual_3d_size"
        ) from error
    if policy.initialized_labels:
        policy.audio_labels.weight.zero_()
        policy.visual_labels.weight.zero_()
