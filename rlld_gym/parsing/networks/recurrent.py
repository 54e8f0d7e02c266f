"""A bidirectional LSTM, written out so that it can be differentiated in every way."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.errors import InputError

States = tuple[Tensor, Tensor]
"""Hidden and cell states of both directions, (2, B, hidden_size / 2) each."""


class BidirectionalLSTM(nn.Module):
    """One bidirectional layer of long short-term memory (Hochreiter and Schmidhuber, 1997).

    Names of parameters, initialisation and result are those of ``torch.nn.LSTM(..., bidirectional=True,
    batch_first=True)``, whose kernels have no forward-mode derivative, no rule for `torch.func.vmap` and, on a
    GPU, no backward pass in evaluation mode. Sequences here are short, and both directions run side by side.

    Args:
        input_size: width of the input.
        hidden_size: width of the output, both directions together.

    Raises:
        InputError: ``hidden_size`` is odd or below 2.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        if hidden_size < 2 or hidden_size % 2:
            raise InputError(
                f"hidden_size is {hidden_size}: expected an even number, half for each direction of an LSTM"
            )
        size = hidden_size // 2
        for suffix in ("l0", "l0_reverse"):
            for name, shape in (
                ("weight_ih", (4 * size, input_size)),
                ("weight_hh", (4 * size, size)),
                ("bias_ih", (4 * size,)),
                ("bias_hh", (4 * size,)),
            ):
                bound = size**-0.5
                parameter = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
                self.register_parameter(f"{name}_{suffix}", parameter)

    def forward(self, sequence: Tensor, start: States | None = None) -> tuple[Tensor, States]:
        """Read a sequence in both directions.

        Args:
            sequence: (B, T, input_size) float.
            start: states before the first element that a direction reads; None: zeros.

        Returns:
            (B, T, hidden_size), the forward direction first, and the states after the last element.
        """
        recurrent = self._both("weight_hh").mT
        batch, length, _ = sequence.shape
        inputs = functional.linear(
            sequence,
            self._both("weight_ih").flatten(0, 1),
            (self._both("bias_ih") + self._both("bias_hh")).flatten(),
        )
        inputs = inputs.view(batch, length, 2, -1).permute(1, 2, 0, 3)  # (T, 2, B, 4 size)
        inputs = torch.stack((inputs[:, 0], inputs[:, 1].flip(0)), 1)
        if start is None:
            zeros = inputs.new_zeros(2, batch, recurrent.shape[1])
            start = (zeros, zeros)
        hidden, cell = start
        outputs = []
        for step in inputs.unbind():
            entry, forget, candidate, output = torch.baddbmm(step, hidden, recurrent).chunk(4, -1)
            cell = forget.sigmoid() * cell + entry.sigmoid() * candidate.tanh()
            hidden = output.sigmoid() * cell.tanh()
            outputs.append(hidden)
        forwards, backwards = torch.stack(outputs, 2).unbind()  # (B, T, size) each
        return torch.cat((forwards, backwards.flip(1)), -1), (hidden, cell)

    def _both(self, name: str) -> Tensor:
        """Return a parameter of both directions, stacked: (2, ...)."""
        # Not get_parameter(), which refuses what functional calls put in a parameter's place.
        return torch.stack([getattr(self, f"{name}_{suffix}") for suffix in ("l0", "l0_reverse")])
