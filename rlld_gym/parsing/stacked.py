"""Task networks of one architecture whose training steps run as one set of kernels.

The weights of K networks are the rows of one tensor. `torch.func.vmap` turns the loss of one network into that of
all of them, and every product of matrices into a batched one, so that any registered network can be stacked whose
``forward`` vmap understands and that keeps no running statistics in buffers. A formulation written out for one
architecture would save what vmap adds, which is little where stacking pays at all: see docs/stacked.md.

Networks and optimizers remain ordinary objects: their tensors are views of the stack's.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.networks.parts.dropout import member_generators
from rlld_gym.parsing.objectives import Batch
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import task_loss

_MOMENTS = ("exp_avg", "exp_avg_sq")


class NetworkStack:
    """K task networks, each with its own weights, Adam moments and number of steps.

    A network that has joined can be evaluated, read and differentiated like any other; its weights change with
    every step of the stack. Its own optimizer must not train it any more, but holds the state to be stored.

    Args:
        networks: K of one architecture, on one device.
        optimizers: Adam of each (see ``make_optimizer``).
        recipe: loss weights, clamp, contrastive loss and the largest norm of a member's gradient.

    Attributes:
        networks: the members.
        weights: (K, P), all parameters of a network in a row.
        optimizer: fused Adam of the rows; set its rate with ``set_learning_rate``.

    Raises:
        ValueError: networks of different architectures, or no network.
    """

    def __init__(
        self, networks: Sequence[TaskNetwork], optimizers: Sequence[torch.optim.Optimizer], recipe: Recipe
    ) -> None:
        if not networks:
            raise ValueError("there is no network to stack")
        # Kept for its code only: its parameters are replaced whenever it is called.
        self._loss = _Loss(copy.deepcopy(networks[0]), recipe)
        self._shapes = parameter_shapes(networks[0])
        self.networks, self._optimizers = list(networks), list(optimizers)
        self.weights = torch.stack([flat_weights(network) for network in networks])
        self._rows = [nn.Parameter(row) for row in self.weights]
        group = optimizers[0].param_groups[0]
        self.optimizer = torch.optim.Adam(
            self._rows, lr=group["lr"], betas=group["betas"], weight_decay=group["weight_decay"], fused=True
        )
        self._clip = recipe.gradient_clip
        for row in self._rows:
            step = torch.zeros((), dtype=torch.float32, device=row.device)
            moments = {name: torch.zeros_like(row.detach()) for name in _MOMENTS}
            self.optimizer.state[row] = {"step": step, **moments}
        for member, (network, optimizer) in enumerate(zip(networks, optimizers, strict=True)):
            self.replace(member, network, optimizer)

    def replace(self, member: int, network: TaskNetwork, optimizer: torch.optim.Optimizer) -> None:
        """Let a network take a member's place, with the weights and the optimizer's state that it has.

        The network that leaves keeps its weights, and its optimizer its state, as they are.

        Raises:
            ValueError: it has another architecture.
        """
        if parameter_shapes(network) != self._shapes:
            raise ValueError(
                "a network has other parameters than the first one: only equal ones can be stacked"
            )
        leaver, its_optimizer = self.networks[member], self._optimizers[member]
        self.networks[member], self._optimizers[member] = network, optimizer
        if not any(stays is leaver for stays in self.networks):  # else it has moved to another place
            _release(leaver, its_optimizer)
        self.weights[member].copy_(flat_weights(network))
        point_at(network, self.weights[member])
        stacked, sizes = self.optimizer.state[self._rows[member]], self._sizes
        parameters = list(network.parameters())
        known = [optimizer.state.get(parameter) for parameter in parameters]
        for name in _MOMENTS:
            # A parameter that has never been stepped has no moments: they are 0.
            for part, state in zip(stacked[name].split(sizes), known, strict=True):
                part.copy_(state[name].flatten()) if state else part.zero_()
        stacked["step"].copy_(known[0]["step"]) if known[0] else stacked["step"].zero_()
        views = zip(*(stacked[name].split(sizes) for name in _MOMENTS), strict=True)
        for parameter, moments in zip(parameters, views, strict=True):
            optimizer.state[parameter] = {"step": stacked["step"]} | {
                name: part.view(parameter.shape) for name, part in zip(_MOMENTS, moments, strict=True)
            }

    def train_step(
        self,
        batch: Batch,
        targets: Targets,
        generators: Sequence[torch.Generator],
        members: Sequence[int] | None = None,
    ) -> Tensor:
        """Take one optimiser step of M members at once; nothing waits for the device.

        Args:
            batch: features of each member's videos, (M, B, T, D) each.
            targets: (M, B, C) each.
            generators: each member's own, for its dropout masks on a CPU. On other devices, and for networks that
                do not use `rlld_gym.parsing.networks.parts.dropout`, masks come from the global one.
            members: distinct; None: all K, in order.

        Returns:
            (M,) losses before the step, on the device.
        """
        rows = self._rows if members is None else [self._rows[member] for member in members]
        weights = self.weights if members is None else torch.stack([row.detach() for row in rows])
        weights = weights.detach().requires_grad_()
        with member_generators(generators):
            losses: Tensor = vmap(self._loss_of, randomness="different")(weights, batch, targets)
        # The losses have no weights in common: the gradient of their sum holds that of each.
        (gradient,) = torch.autograd.grad(losses.sum(), weights)
        if self._clip is not None:  # as clip_grad_norm_ does, but each member's on its own
            norms = gradient.norm(dim=1, keepdim=True)
            gradient = gradient * (self._clip / (norms + 1e-6)).clamp(max=1.0)
        self.optimizer.zero_grad(set_to_none=True)
        for row, part in zip(rows, gradient, strict=True):
            row.grad = part
        self.optimizer.step()  # leaves rows without a gradient alone
        return losses.detach()

    @property
    def _sizes(self) -> list[int]:
        return [shape.numel() for shape in self._shapes.values()]

    def _loss_of(self, weights: Tensor, batch: Batch, targets: Targets) -> Tensor:
        """Return the loss, scalar, of the network with the weights (P,)."""
        parts = zip(self._shapes.items(), torch.split(weights, self._sizes), strict=True)
        parameters = {f"network.{name}": part.view(shape) for (name, shape), part in parts}
        loss: Tensor = functional_call(self._loss, parameters, (batch, targets))
        return loss


class _Loss(nn.Module):
    """``task_loss`` as a module, which is what ``functional_call`` takes."""

    def __init__(self, network: TaskNetwork, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe

    def forward(self, batch: Batch, targets: Targets) -> Tensor:
        return task_loss(self.network, batch, targets, self.recipe)


def parameter_shapes(network: nn.Module) -> dict[str, torch.Size]:
    """Return the shapes of a network's parameters, by name."""
    return {name: parameter.shape for name, parameter in network.named_parameters()}


def flat_weights(network: nn.Module) -> Tensor:
    """Return a copy of a network's parameters in a row, (P,)."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def point_at(network: nn.Module, weights: Tensor) -> None:
    """Make a network's parameters views of (P,) weights."""
    parameters = list(network.parameters())
    parts = torch.split(weights, [parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part.view(parameter.shape)


def _release(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Give a network and its optimizer tensors of their own."""
    for parameter in network.parameters():
        parameter.data = parameter.detach().clone()
        state = optimizer.state[parameter]
        optimizer.state[parameter] = {name: part.clone() for name, part in state.items()}
