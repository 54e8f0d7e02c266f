"""Task networks whose modalities see only themselves, and the pooled probabilities of a whole split."""

import torch
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork


class Unimodal(TaskNetwork):
    """A task network without its cross-attention, which it shares the weights of.

    Args:
        network: the task network, evaluated and trained as it is, but for the cross-attention.
    """

    def __init__(self, network: TaskNetwork) -> None:
        super().__init__()
        self.network = network
        self.train(network.training)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Encode features without cross-attention, whatever is asked for; see the base class."""
        return self.network.encode(audio, visual_2d, visual_3d, cross_attention=False)

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences; see the base class."""
        return self.network.head(audio_sequence, visual_sequence)


@torch.no_grad()
def pooled_probabilities(network: TaskNetwork, split: SplitTensors, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return a network's pooled audio and visual probabilities of all videos of a split.

    Args:
        network: on the split's device, in evaluation mode.
        split: N videos.
        batch_size: videos in a pass; it does not matter for the result.

    Returns:
        Two (N, C) float32 tensors in [0, 1], in the split's order.
    """
    every = torch.arange(len(split), device=split.labels.device)
    outputs = [network(*split.batch(indices)) for indices in torch.split(every, batch_size)]
    return torch.cat([output.audio for output in outputs]), torch.cat([output.visual for output in outputs])
