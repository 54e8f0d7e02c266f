"""Denoisers that the tests bring along as a user would."""

from dataclasses import dataclass

import numpy as np

from rlld_agents.baselines import Context, Denoised
from rlld_agents.baselines.base import weak_labels


@dataclass(frozen=True)
class DropLast:
    """Removes every visual label of the last class."""

    @property
    def name(self) -> str:
        return "drop-last"

    def denoise(self, context: Context) -> Denoised:
        weak = weak_labels(context)
        visual = weak.copy()
        visual[:, -1] = False
        return Denoised(weak, visual)


@dataclass(frozen=True)
class RemovesAll:
    """Trusts no label."""

    @property
    def name(self) -> str:
        return "removes-all"

    def denoise(self, context: Context) -> Denoised:
        nothing = np.zeros_like(weak_labels(context))
        return Denoised(nothing, nothing.copy())


class NoDenoiser:
    """Has no method denoise."""
