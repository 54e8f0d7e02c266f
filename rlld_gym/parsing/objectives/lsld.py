"""LSLD's loss: cross-entropies of segments towards soft labels from language prompts (NeurIPS 2023)."""

from torch import Tensor
from torch.nn import functional

from rlld_gym.parsing.losses import LossWeights, Targets
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.objectives.base import Batch, StepContext, encoded
from rlld_gym.parsing.objectives.teachers import TeacherObjective, segment_targets


class LSLDObjective(TeacherObjective):
    """Segments towards the teachers' labels, in both modalities, and the video towards its label; any network.

    A segment's target is the label of its video and modality times what the teacher says, so that revised labels
    act on it (ours; the publication also keeps faint labels of other classes).
    """

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class."""
        output = network.head(*encoded(network, batch, self.recipe))
        labels = segment_targets(targets, context.teachers, output.segment.shape[1])
        return soft_segment_loss(output, labels, targets.video, self.recipe.loss_weights, self.recipe.clamp)


def soft_segment_loss(
    output: ParsingOutput, labels: Tensor, video_labels: Tensor, weights: LossWeights, clamp: float = 1e-7
) -> Tensor:
    """Return the weighted sum of the cross-entropies of audio segments, visual segments and videos.

    Args:
        output: probabilities of B videos; only the video's are clamped.
        labels: (B, T, 2, C) float in [0, 1].
        video_labels: (B, C) float in [0, 1].
        weights: one weight a term; each term is a mean over its entries.
        clamp: the video's probabilities are clamped to [clamp, 1 - clamp].

    Returns:
        Scalar.
    """
    per_entry = functional.binary_cross_entropy(output.segment, labels, reduction="none")
    audio, visual = per_entry.mean(dim=(0, 1, 3)).unbind()
    video = functional.binary_cross_entropy(output.video.clamp(clamp, 1 - clamp), video_labels)
    return weights.video * video + weights.audio * audio + weights.visual * visual
