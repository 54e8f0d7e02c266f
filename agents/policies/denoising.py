"""From a trained policy to revised labels of a whole split."""

import torch
from torch import Tensor, nn

from rlld_agents.labels.removal_rule import RemovalRule
from rlld_agents.labels.revised import RevisedLabels
from rlld_gym.data import FeatureStore
from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.denoising.labels import EmptyRule
from rlld_gym.errors import InputError
from rlld_gym.profiling import timed_part
from rlld_gym.torch_settings import own_torch_settings


@own_torch_settings()
@timed_part("policy")
def denoise(
    policy: nn.Module,
    store: FeatureStore | StoreTensors,
    *,
    split: str = "train",
    threshold: float = 0.5,
    batch_size: int = 128,
    empty_rule: EmptyRule = "video",
    device: str | torch.device | None = None,
) -> RevisedLabels:
    """Remove the labels whose removal probability is above a threshold (last step of RLLD, arXiv 2412.19563).

    The policy sees each video once, with its original labels, as in training.

    Args:
        policy: module that maps float32 ``audio`` (B, T, Da + C) and ``visual`` (B, T, Dv + C) to removal
            logits (B, 2, C); where its attribute ``initialized_labels`` is False it is shown no labels.
        store: the data set, or its tensors where they are on the device already.
        split: which videos to denoise.
        threshold: probability, in (0, 1).
        batch_size: videos at a time; no effect on the result.
        empty_rule: "video" undoes the removals of a video that would lose its last label in both modalities,
            "modality" those of a modality that would lose its last label.
        device: where to compute; None: where the policy is.

    Returns:
        The revised labels, in the order of the split's videos.

    Raises:
        InputError: the policy's numbers are not finite.
        ValueError: for a threshold outside (0, 1), an unknown empty rule or a batch size below 1.
    """
    rule = RemovalRule(threshold, empty_rule)
    batch_size = int(batch_size)
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; expected at least 1")
    device = next(policy.parameters()).device if device is None else torch.device(device)
    policy.to(device)
    tensors = (store.to(device) if isinstance(store, FeatureStore) else store)[split]
    was_training = policy.training
    policy.eval()
    try:
        batches = removal_logits(policy, tensors, torch.arange(len(tensors), device=device), batch_size)
    finally:
        policy.train(was_training)
    # Sigmoid before cat: its last bit depends on where a number stands in its tensor.
    probability = torch.cat([torch.sigmoid(logits) for logits in batches]) * tensors.labels.unsqueeze(1)
    if not bool(torch.isfinite(probability).all()):
        raise InputError(
            "the policy's removal probabilities are not finite: its training diverged; train it again"
        )
    revision = rule.revise(tensors.labels, probability)
    return RevisedLabels(
        audio=revision.audio.bool().cpu().numpy(),
        visual=revision.visual.bool().cpu().numpy(),
        removal_probability=probability.cpu().numpy(),
    )


def removal_logits(
    policy: nn.Module, split: SplitTensors, indices: Tensor, batch_size: int = 128
) -> list[Tensor]:
    """Return the log-odds (B, 2, C) of removing each label of some videos, batch by batch, without a graph.

    Args:
        policy: as `denoise` takes it, on the split's device; its mode is left as it is.
        split: where the videos are.
        indices: (V,) int64, which ones.
        batch_size: videos at a time.
    """
    initialized_labels = getattr(policy, "initialized_labels", True)
    # Where a policy reads evidence, of the whole split: a batch has no others to compare a video with.
    evidence_of = getattr(policy, "evidence_of", None)
    with torch.no_grad():
        logits = []
        for batch in torch.split(indices, batch_size):
            state = observe(split, batch, initialized_labels)
            found = () if evidence_of is None else (evidence_of(split, batch),)
            # Detached, because logits that are a view of a weight would ask for a gradient all the same.
            logits.append(policy(*state, *found).detach())
        return logits


def observe(split: SplitTensors, indices: Tensor, initialized_labels: bool = True) -> tuple[Tensor, Tensor]:
    """Return the state of some videos (Eq. 1): features, then, unless a policy goes without them, the labels."""
    audio, visual = split.features(indices)
    if not initialized_labels:
        return audio, visual
    return with_labels(audio, visual, split.labels.index_select(0, indices))


def with_labels(audio: Tensor, visual: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return states (B, T, D + C) of features (B, T, D): the labels (B, C) repeated over the segments (Eq. 1)."""
    repeated = labels.unsqueeze(1).expand(-1, audio.shape[1], -1)
    return torch.cat((audio, repeated), dim=-1), torch.cat((visual, repeated), dim=-1)
