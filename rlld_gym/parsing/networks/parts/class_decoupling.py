"""From segments to classes: MM-CSE's decoupling of a modality's sequence (Zhao et al., AAAI 2025)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.parts.classwise import ClasswiseLinear
from rlld_gym.parsing.networks.parts.dropout import dropout


class ClassDecoupling(nn.Module):
    """One feature a class and one for the background; a gate mixes the background into every class.

    Args:
        hidden_size: width of the sequence.
        class_size: width of a class's feature.
        num_classes: number of event classes C.
        depth: layers of a class's head: 1 for audio, 2 for the visual modality, with dropout between.
        dropout: probability there and in the gate.
    """

    def __init__(
        self, hidden_size: int, class_size: int, num_classes: int, depth: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.dropout = dropout
        sizes = [hidden_size] + [class_size] * depth
        self.heads = nn.ModuleList(
            ClasswiseLinear(num_classes + 1, sizes[layer], sizes[layer + 1]) for layer in range(depth)
        )
        self.gate_in = nn.Linear(hidden_size, class_size)
        self.gate_out = nn.Linear(class_size, 1)
        self.reduce = nn.Linear(2 * class_size, class_size)

    def forward(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        """Decouple a sequence (B, T, hidden_size).

        Returns:
            Features of the classes, the background's mixed in, (B, T, C, class_size), and the features before that
            with the background's as the last, (B, T, C + 1, class_size). None is negative.
        """
        active = sequence.relu()
        first, *others = self.heads
        decoupled: Tensor = first.from_shared(active).relu()  # type: ignore[operator]
        for head in others:
            decoupled = head(self._drop(decoupled)).relu()
        gate = self.gate_out(self._drop(self.gate_in(active).relu())).sigmoid().unsqueeze(-1)
        classes, background = decoupled[..., :-1, :], decoupled[..., -1:, :]
        mixed = torch.cat((gate * classes, ((1 - gate) * background).expand_as(classes)), -1)
        return self.reduce(mixed).relu(), decoupled

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(values, self.dropout, self.training)


class Reconstruction(nn.Sequential):
    """What makes a sequence (B, T, hidden_size) of its decoupled features (B, T, C + 1, class_size) again.

    Args:
        hidden_size: width of the sequence.
        class_size: width of a class's feature.
        num_classes: number of event classes C.
    """

    def __init__(self, hidden_size: int, class_size: int, num_classes: int) -> None:
        super().__init__(
            nn.Flatten(-2),
            nn.Linear((num_classes + 1) * class_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
        )


def background_cosines(decoupled: Tensor) -> Tensor:
    """Return the cosine of each class's feature with the background's, (B, T, C), of (B, T, C + 1, class_size)."""
    return functional.cosine_similarity(decoupled[..., :-1, :], decoupled[..., -1:, :], dim=-1)


def background_cosine(decoupled: Tensor) -> Tensor:
    """Return the cosine of the classes' mean feature with the background's, (B, T)."""
    return functional.cosine_similarity(decoupled[..., :-1, :].mean(-2), decoupled[..., -1, :], dim=-1)
