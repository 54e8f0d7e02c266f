"""Bidirectional LSTMs, written out so that they can be differentiated in every way."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlld_gym.errors import InputError

_DIRECTIONS = ("", "_reverse")

States = tuple[Tensor, Tensor]
"""Hidden and cell states of both directions, (2, B, hidden_size) each."""


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

    def with_states(self, sequence: Tensor, start: States | None = None) -> tuple[Tensor, States]:
        """Read a sequence from given states, or zeros; return what ``forward`` does, and the last states."""
        outputs, states = _run((self,), (sequence,), start)
        return outputs[0], states

    def part(self, name: str) -> Tensor:
        """Return a parameter of both directions, e.g. "weight_ih": (2, 4 hidden_size, input_size)."""
        return torch.stack([getattr(self, f"{name}_l0{direction}") for direction in _DIRECTIONS])


def run_together(layers: Sequence[BidirectionalLSTM], sequences: Sequence[Tensor]) -> list[Tensor]:
    """Run K layers of equal sizes, each on its own sequence (B, T, input_size), in one loop over time.

    Returns:
        K sequences (B, T, 2 hidden_size).
    """
    return _run(layers, sequences, None)[0]


def _run(
    layers: Sequence[BidirectionalLSTM], sequences: Sequence[Tensor], start: States | None
) -> tuple[list[Tensor], States]:
    """Return K output sequences and the states (2 K, B, hidden_size) after the last step, from given ones."""
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
    zeros = inputs.new_zeros(count, batch, parts["weight_hh"].shape[-1])
    hidden, cell = (zeros, zeros) if start is None else start
    steps = []
    for step in projected.unbind(2):
        gates = torch.baddbmm(step, hidden, parts["weight_hh"].mT).chunk(4, -1)
        enter, forget, candidate, leave = gates
        cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
        hidden = leave.sigmoid() * cell.tanh()
        steps.append(hidden)
    outputs = torch.stack(steps, 2)
    read = [
        torch.cat((outputs[2 * number], outputs[2 * number + 1].flip(1)), -1) for number in range(len(layers))
    ]
    return read, (hidden, cell)


def require_even(hidden_size: int) -> None:
    """Raise InputError where a width has no half for each direction."""
    if hidden_size < 2 or hidden_size % 2:
        raise InputError(
            f"hidden_size is {hidden_size}: expected an even number, half of it a direction of the LSTM"
        )
