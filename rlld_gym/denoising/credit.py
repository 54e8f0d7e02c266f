"""What each label of a batch does to the validation loss: a learning signal for every single decision.

Train a task network for one plain gradient step, once with a label and once without. The validation losses of the
two differ, to first order, by a directional derivative that needs neither step: of the label's pooled logit, along
the gradient of the validation loss. One backward pass over the validation videos and one forward-mode pass over the
batch give it for all labels at once. This is the influence of a training label in the sense of Koh and Liang (ICML
2017) with the identity in place of the inverse Hessian, as in online re-weighting (Ren et al., ICML 2018).
"""

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, get_args

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.nn import functional

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.objectives import Batch
from rlld_gym.turns import in_turn

CreditLoss = Literal["segment_f1", "segment_bce", "video_bce"]
CREDIT_LOSSES: Final[tuple[CreditLoss, ...]] = get_args(CreditLoss)

CLAMP: Final = 1e-6
"""Probabilities are clamped to [CLAMP, 1 - CLAMP] before a logarithm; nothing has credit outside."""

CREDIT_LIMIT: Final = 5.0
"""Normalised credit is clipped to [-CREDIT_LIMIT, CREDIT_LIMIT]: a few labels with large credit would otherwise
decide a batch's gradient alone."""


def validation_loss(output: ParsingOutput, audio: Tensor, visual: Tensor, loss: CreditLoss) -> Tensor:
    """Return a differentiable measure of how badly validation videos are parsed.

    Args:
        output: of V validation videos.
        audio: (V, T, C) bool or float, which events are heard in which segment.
        visual: (V, T, C), which are seen.
        loss: "segment_f1": 1 - soft F-score over all segments and classes of a video and modality, the mean over
            both (true positives counted by probability, as in the soft Dice loss of Milletari et al., 3DV 2016;
            1 is added to numerator and denominator for videos without events). "segment_bce": binary
            cross-entropy of the segments. "video_bce": binary cross-entropy of the pooled audio and visual
            probabilities, the target of a modality being whether an event occurs in any segment.

    Returns:
        Scalar.

    Raises:
        ValueError: for an unknown loss.
    """
    truth = torch.stack((audio, visual), dim=2).to(output.segment.dtype)
    if loss == "segment_f1":
        hits = (output.segment * truth).sum(dim=(1, 3))
        sizes = (output.segment + truth).sum(dim=(1, 3))
        return 1 - ((2 * hits + 1) / (sizes + 1)).mean()
    if loss == "segment_bce":
        return functional.binary_cross_entropy(output.segment.clamp(CLAMP, 1 - CLAMP), truth)
    if loss == "video_bce":
        pooled = torch.stack((output.audio, output.visual), dim=1).clamp(CLAMP, 1 - CLAMP)
        return functional.binary_cross_entropy(pooled, truth.amax(dim=1))
    raise ValueError(f"loss is {loss!r}; expected one of {', '.join(CREDIT_LOSSES)}")


def validation_gradient(
    network: TaskNetwork, split: SplitTensors, indices: Tensor | None = None, loss: CreditLoss = "segment_f1"
) -> dict[str, Tensor]:
    """Return the gradient of the validation loss with respect to the network's parameters.

    The network is evaluated without dropout and left in the mode it was in; its ``grad`` fields are untouched.

    Args:
        network: on the split's device.
        split: validation videos with dense labels.
        indices: (V,) int64, the videos to use; None: all.
        loss: see `validation_loss`.

    Returns:
        A tensor for each parameter, by name; zeros for parameters that the loss does not depend on.

    Raises:
        ValueError: the split has no dense labels, or an unknown loss.
    """
    if split.dense_audio is None or split.dense_visual is None:
        raise ValueError("credit needs dense labels of the validation videos, this split has none")
    if indices is None:
        indices = torch.arange(len(split), device=split.labels.device)
    parameters = dict(network.named_parameters())
    with _Evaluating(network), torch.enable_grad():
        value = validation_loss(
            network(*split.batch(indices)), split.dense_audio[indices], split.dense_visual[indices], loss
        )
        gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient
        for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True)
    }


@in_turn()  # torch has one level of forward-mode differentiation for all threads
def label_credit(network: TaskNetwork, features: Batch, direction: Mapping[str, Tensor]) -> Tensor:
    """Return how much keeping a label, rather than removing it, would raise the validation loss.

    For one step of plain gradient descent with learning rate r on the mean cross-entropies (Eq. 7-8 of RLLD, arXiv
    2412.19563), with weight w of the label's modality, the validation loss with the label minus that without it is
    ``r * w / (B * C)`` times the credit, to first order. The video-level target is left out: it changes only
    when a label is removed from both modalities.

    The network is evaluated without dropout and left in the mode it was in.

    Args:
        network: whose parameters the step would change.
        features: audio (B, T, Da), visual 2D (B, T, D2) and 3D (B, T, D3), float32.
        direction: the validation gradient, from `validation_gradient`.

    Returns:
        (B, 2, C) float32, audio then visual; positive: the label does harm. Also given for labels that are absent,
        where it says what adding them would do.
    """
    _load_forward_ad()
    with _Evaluating(network), torch.no_grad(), forward_ad.dual_level():
        moving = {
            name: forward_ad.make_dual(parameter.detach(), direction[name])  # type: ignore[no-untyped-call]
            for name, parameter in network.named_parameters()
        }
        output = functional_call(network, moving, features)
        logits = torch.logit(torch.stack((output.audio, output.visual), dim=1), eps=CLAMP)
        # Where nothing depends on the parameters that move, there is no tangent.
        tangent: Tensor | None = forward_ad.unpack_dual(logits).tangent  # type: ignore[no-untyped-call]
        return torch.zeros_like(logits) if tangent is None else tangent


def normalised_credit(credit: Tensor, present: Tensor) -> Tensor:
    """Return credit in units of its mean size over the labels of the batch.

    Raw credit shrinks and grows with the gradients of a network in training, so a fixed factor would weigh the
    steps of an episode differently. The divisor is one positive number for the whole batch and does not depend on
    the action: signs, and the comparison of the batch's labels, stay as they are.

    Args:
        credit: (B, 2, C) floating point, from `label_credit`.
        present: (B, 2, C) bool, labels that are there.

    Returns:
        (B, 2, C) in the dtype of ``credit``: 0 where absent; elsewhere divided by the mean absolute credit of all
        present labels, both modalities together, and clipped to `CREDIT_LIMIT`. All 0 if that mean is 0.
    """
    known = torch.where(present, credit, torch.zeros_like(credit))
    size = known.abs().sum() / present.sum().clamp(min=1)
    # A mean of 0 is only there where all credit is 0; so small a number leaves it that.
    scale = size.clamp(min=torch.finfo(credit.dtype).tiny)
    return (known / scale).clamp(-CREDIT_LIMIT, CREDIT_LIMIT)


@cache
def _load_forward_ad() -> None:
    """Make the first dual tensor of the process: torch loads decompositions, in a way that it calls deprecated."""
    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        forward_ad.make_dual(torch.zeros(1), torch.zeros(1))  # type: ignore[no-untyped-call]


class _Evaluating:
    """Context in which a network is in evaluation mode."""

    def __init__(self, network: TaskNetwork) -> None:
        self._network = network
        self._was_training = network.training

    def __enter__(self) -> None:
        self._network.eval()

    def __exit__(self, *_: Any) -> None:
        self._network.train(self._was_training)
