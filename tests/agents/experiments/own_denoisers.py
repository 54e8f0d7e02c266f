"""Denoisers that the tests bring along as a user would."""

from dataclasses import dataclass

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


class NoDenoiser:
    """Has no method denoise."""
