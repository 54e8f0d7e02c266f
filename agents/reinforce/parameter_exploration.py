"""Parameter-exploring policy gradients: one perturbation of the policy for a whole episode.

REINFORCE with the Gaussian over parameters (Williams, 1992; Sehnke et al., "Parameter-exploring policy gradients",
Neural Networks 2010). Thousands of independent action bits average out: whatever is drawn, a class loses about the
same share of its labels, and the validation score says nothing. A perturbed policy that acts deterministically
moves shares by tens of per cent, and the score shows it.

Perturbations come in antithetic pairs, theta + e and theta - e, on the same seed: the same videos and dropout
masks, so that half the difference of their returns, the advantage, has no other cause. The gradient of a parameter
is the mean over the pairs of advantage times e / sigma; divided by the size of the advantages it is a correlation,
and the step is that correlation times ``step_size``. (Where a class's advantages are small beside the others',
chance is their larger part: it moves less.) The advantage of

- a parameter of shape (2, C), one for each branch and class, is its branch's return or, with ``advantage="class"``,
  a mixture with what its own class earned: its contribution to the F-score, in units of reward, less the price of
  the labels that were removed. The price is what the rest of the branch's return lost per label, fitted over pairs;
- a parameter of shape (2, 1), one for each branch, is its branch's return;
- any other parameter is the mean of both.

With ``deviation_step``, deviations adapt, too (Sehnke et al.): where pairs with large perturbations of a parameter
earned more than the others, on average of the two, its deviation grows, otherwise it shrinks.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.policy_rollout import PolicyRollout, explored_parameters, set_parameters
from rlld_agents.reinforce.rollout_jobs import Play
from rlld_gym.errors import InputError

Pair = tuple[PolicyRollout, PolicyRollout]
"""The rollouts of theta + e and of theta - e."""

Noise = dict[str, Tensor]
"""A perturbation of each explored parameter, by name."""

SHRINKAGE = 0.25
"""How much of the classes' mean square advantage is added to each one's own, before it divides."""

TINY = 1e-12
"""Keeps correlations of returns that do not differ at all finite (they are 0)."""


class ParameterExploration:
    """Draws perturbations of a policy's explored parameters and moves them by what the perturbations earned.

    Args:
        policy: names them by ``explored_parameters()``; trained in place.
        config: ``pairs``, ``deviation``, ``deviation_step``, ``step_size``, ``decay``, ``advantage``,
            ``class_share`` and ``patience``.

    Raises:
        InputError: the policy names no parameters.
    """

    def __init__(self, policy: nn.Module, config: ReinforceConfig) -> None:
        self.config = config
        self.parameters = explored_parameters(policy)
        self.deviations = {
            name: torch.full_like(value, config.deviation, device="cpu")
            for name, value in self.parameters.items()
        }
        self.returns: list[float] = []
        self.trajectory: list[dict[str, Tensor]] = []

    @property
    def scale(self) -> float:
        """What the step size is multiplied with by now."""
        return float(self.config.decay ** len(self.trajectory))

    @property
    def converged(self) -> bool:
        """Whether the return has stopped rising: the last ``patience`` updates earned no more than those before."""
        patience = self.config.patience
        if patience is None or len(self.returns) < 2 * patience:
            return False
        recent, before = self.returns[-patience:], self.returns[-2 * patience : -patience]
        return sum(recent) <= sum(before)

    def play_and_update(
        self, play: Play, generator: torch.Generator, seed: int
    ) -> tuple[list[PolicyRollout], dict[str, float]]:
        """Play an update's episodes and move the parameters.

        Args:
            play: plays an episode with each of some values of the explored parameters, on a seed.
            generator: of the perturbations, on the CPU.
            seed: of the first pair's episodes; the next pairs have the next seeds.

        Returns:
            The episodes, pair by pair, and what is logged of the update.
        """
        noise = [
            {name: torch.randn(value.shape, generator=generator) for name, value in self.parameters.items()}
            for _ in range(self.config.pairs)
        ]
        rollouts = play(
            [
                (self._perturbed(drawn, sign), seed + number)
                for number, drawn in enumerate(noise)
                for sign in (1, -1)
            ]
        )
        return rollouts, self.update(noise, list(zip(rollouts[::2], rollouts[1::2], strict=True)))

    @torch.no_grad()
    def _perturbed(self, noise: Noise, sign: int) -> dict[str, Tensor]:
        """Return the explored parameters, moved along a perturbation or against it, on the CPU."""
        return {
            name: value.cpu() + sign * self.deviations[name] * noise[name]
            for name, value in self.parameters.items()
        }

    @torch.no_grad()
    def update(self, noise: Sequence[Noise], pairs: Sequence[Pair]) -> dict[str, float]:
        """Move the parameters; return what is logged.

        Args:
            noise: the perturbations, in units of the deviation.
            pairs: what they earned, in the same order.

        Raises:
            InputError: ``advantage="class"``, but the environment does not say what a class contributes.
        """
        branch = torch.stack([(plus.returns - minus.returns) / 2 for plus, minus in pairs])
        classes = _class_advantages(pairs) if self.config.advantage == "class" else None
        means = torch.stack([(plus.returns + minus.returns) / 2 for plus, minus in pairs])
        moved = 0.0
        for name, value in self.parameters.items():
            drawn = torch.stack([part[name] for part in noise]).double()
            gradient = self._correlation(drawn, branch, classes)
            deviation = self.deviations[name]
            step = self.config.step_size * self.scale * gradient * (deviation / self.config.deviation)
            value.add_(step.to(value))
            moved += float(step.square().sum())
            if self.config.deviation_step:
                growth = self._correlation(drawn.square() - 1, means - means.mean(0), None)
                deviation.mul_((self.config.deviation_step * self.scale * growth).exp().to(deviation))
        self.trajectory.append({name: value.clone() for name, value in self.parameters.items()})
        self.returns.append(float(means.mean()))
        return {
            "train/parameter_step": moved**0.5,
            "train/advantage_audio": float(branch[:, 0].square().mean().sqrt()),
            "train/advantage_visual": float(branch[:, 1].square().mean().sqrt()),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return what the next updates depend on, beside the policy."""
        return {
            "returns": list(self.returns),
            "trajectory": [dict(values) for values in self.trajectory],
            "deviations": dict(self.deviations),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.returns = [float(value) for value in state["returns"]]
        # Checkpoints that have none did not adapt them.
        for name, value in state.get("deviations", {}).items():
            self.deviations[name] = value.to(self.deviations[name])
        self.trajectory = [
            {name: value.to(self.parameters[name]) for name, value in values.items()}
            for values in state["trajectory"]
        ]

    def settle(self) -> None:
        """Give the parameters the mean of what they were after the later half of the updates.

        Updates go on to fluctuate about where they lead to (Polyak and Juditsky, 1992).
        """
        later = self.trajectory[len(self.trajectory) // 2 :]
        if later:
            means = {name: torch.stack([values[name] for values in later]).mean(0) for name in later[0]}
            set_parameters(self.parameters, means)

    def _correlation(self, drawn: Tensor, branch: Tensor, classes: Tensor | None) -> Tensor:
        """Return the correlation of perturbations (P, ...) with what they earned, of a parameter's shape."""
        if drawn.dim() < 3 or drawn.shape[1] != 2:
            both = branch.mean(1).view(-1, *[1] * (drawn.dim() - 1))
            return _correlate(drawn, both)
        of_branch = _correlate(drawn, branch.view(*branch.shape, *[1] * (drawn.dim() - 2)))
        if classes is None or drawn.shape[1:] != classes.shape[1:]:
            return of_branch
        share = self.config.class_share
        return (1 - share) * of_branch + share * _correlate(drawn, classes, SHRINKAGE)


def _correlate(drawn: Tensor, advantage: Tensor, shrinkage: float = 0.0) -> Tensor:
    """Return the mean over pairs of advantage times perturbation, in units of the advantage's size.

    Args:
        drawn: (P, ...) perturbations in units of the deviation.
        advantage: (P, ...), to be broadcast.
        shrinkage: part of the mean square of all advantages that is added to each one's own.
    """
    squares = advantage.square()
    size = (squares.mean(0) + shrinkage * squares.mean()).sqrt()
    return (advantage * drawn).mean(0) / (size + TINY)


def _class_advantages(pairs: Sequence[Pair]) -> Tensor:
    """Return half the difference of what each class earned, (P, 2, C) float64, in units of reward."""
    contributions = []
    for plus, minus in pairs:
        if plus.contribution is None or minus.contribution is None:
            raise InputError(
                'advantage "class": the environment does not say what a class contributes '
                '(info["class_contribution"]); use advantage "episode"'
            )
        contributions.append((plus.contribution, minus.contribution))
    # In units of reward: together the classes' contributions are worth what the steps that validated paid.
    paid = torch.stack([plus.terminal + minus.terminal for plus, minus in pairs]).sum(0)
    found = torch.stack([(plus + minus).sum(1) for plus, minus in contributions]).sum(0)
    unit = torch.where(found.abs() > TINY, paid / found, torch.zeros_like(paid))
    earned = torch.stack([(plus - minus) / 2 for plus, minus in contributions]) * unit[:, None]
    removed = torch.stack([(plus.removed - minus.removed) / 2 for plus, minus in pairs])
    rest = torch.stack(
        [(plus.returns - plus.terminal - minus.returns + minus.terminal) / 2 for plus, minus in pairs]
    )
    labels = removed.sum(2)
    price = (rest * labels).sum(0) / labels.square().sum(0).clamp(min=1.0)
    return earned + price[:, None] * removed
