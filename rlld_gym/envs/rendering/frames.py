"""What there is to see of the decision process, as the frames that `rlld_gym.envs.rendering.drawing` draws."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from rlld_gym.denoising.process import DenoisingProcess, StepResult
from rlld_gym.envs.rendering.drawing import Frame

SHOWN_REWARDS: Final = ("inter_reward", "terminal_reward", "reward_audio", "reward_visual")


def state_frame(process: DenoisingProcess, labels: NDArray[np.bool_], classes: Sequence[str]) -> Frame:
    """Return what there is to see before a step.

    Args:
        process: after a reset.
        labels: (B, 2, C) of its state, on the host.
        classes: names of the C classes.
    """
    return Frame(process.steps, process.config.episode_length, shown=labels, classes=classes)


def step_frame(before: Frame, steps: int, result: StepResult, info: Mapping[str, Any]) -> Frame:
    """Return what there is to see of a step.

    Fetches labels from the device: only for where something is rendered.

    Args:
        before: the frame before the step.
        steps: that are done in this episode.
        result: of the step.
        info: what the environment says about it.
    """
    return replace(
        before,
        step=steps,
        shown=result.shown.cpu().numpy(),
        revised=torch.stack((result.revision.audio, result.revision.visual), dim=1).cpu().numpy(),
        reverted=result.revision.reverted.cpu().numpy(),
        rewards={name: info[name] for name in SHOWN_REWARDS},
        scores=result.scores or before.scores,
    )
