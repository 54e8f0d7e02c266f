"""Bidirectional LSTMs, written out so that they can be differentiated in every way."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

_DIRECTIONS = ("", "_reverse")


class BidirectionalLSTM(nn.Module):
    """One layer with the parameters, names and initialisation of ``torch.nn.LSTM(..., bidirectional=True)``.

    Fused kernels have no forward-mode derivative, which the credit of labels needs.

    Args:
        input_size: width of the sequences that it reads.
        hidden_size: width of either direction.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(hidden_size)
        for direction in _DIRECTIONS:
            shapes = {"weight_ih": (input_size,), "weight_hh": (hidden_size,), "bias_ih": (), "bias_hh": ()}
            for name, columns in shapes.items():
                values = torch.empty(4 * hidden_size, *columns).uniform_(-bound, bound)
                self.register_parameter(f"{name}_l0{direction}", nn.Parameter(values))

    def forward(self, sequence: Tensor) -> Tensor:
        """Read (B, T, input_size) from both ends; return (B, T, 2 hidden_size), the forward direction first."""
        return run_together((self,), (sequence,))[0]

    def part(self, name: str) -> Tensor:
        """Return a parameter of both directions, e.g. "weight_ih": (2, 4 hidden_size, input_size)."""
        return torch.stack([getattr(self, f"{name}_l0{direction}") for direction in _DIRECTIONS])


def run_together(layers: Sequence[BidirectionalLSTM], sequences: Sequence[Tensor]) -> list[Tensor]:
    """Run K layers of equal sizes, each on its own sequence (B, T, input_size), in one loop over time.

    Returns:
        K sequences (B, T, 2 hidden_size).
    """
    parts = {
        name: torch.cat([layer.part(name) for layer in layers])
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    inputs = torch.cat([torch.stack((sequence, sequence.flip(1))) for sequence in sequences])
    count, batch, length, _ = inputs.shape
    bias = (parts["bias_ih"] + parts["bias_hh"]).unsqueeze(1)
    projected = torch.baddbmm(bias, inputs.flatten(1, 2), parts["weight_ih"].mT).view(
        count, batch, length, -1
    )
    hidden = cell = inputs.new_zeros(count, batch, parts["weight_hh"].shape[-1])
    steps = []
    for step in projected.unbind(2):
        gates = torch.baddbmm(step, hidden, parts["weight_hh"].mT).chunk(4, -1)
        enter, forget, candidate, leave = gates
        cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
        hidden = leave.sigmoid() * cell.tanh()
        steps.append(hidden)
    outputs = torch.stack(steps, 2)
    return [
        torch.cat((outputs[2 * number], outputs[2 * number + 1].flip(1)), -1) for number in range(len(layers))
    ]
