"""What a step's info says about the batch that was acted upon."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlld_gym.denoising.process import StepResult


def step_info(result: StepResult, labels: torch.Tensor) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """Return the rewards and counts of a step, and the next state's labels on the host.

    A branch's reward is the mean over the videos of what each is paid, plus its terminal reward (Eq. 11 of RLLD,
    arXiv 2412.19563).

    Args:
        result: what the process returned.
        labels: (B, 2, C) bool labels of the next state, on the device.

    Returns:
        The entries of info, documented in the environment's class, and labels (B, 2, C) bool.
    """
    per_video_reward, counts, host_labels, credit = _to_host(result, labels)
    inter = per_video_reward.mean(axis=0, dtype=np.float64)
    audio, visual = (float(inter[branch]) + result.terminal[branch] for branch in range(2))
    info = {
        "inter_reward": float(inter.mean()),
        "terminal_reward": sum(result.terminal) / 2,
        "reward_audio": audio,
        "reward_visual": visual,
        "per_video_reward": per_video_reward,
        "n_removed_audio": int(counts[0]),
        "n_removed_visual": int(counts[1]),
        "n_reverted": int(counts[2]),
        **({} if credit is None else {"label_credit": credit}),
        **(result.scores or {}),
    }
    return info, host_labels


def _to_host(
    result: StepResult, labels: torch.Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32] | None]:
    """Fetch what a step's info needs in one transfer.

    Returns:
        Rewards (B, 2) float32; labels removed from audio, from visual, and videos reverted, (3,) float32;
        labels (B, 2, C) of the next state, bool; credit (B, 2, C) float32 of the last state's labels, if any.
    """
    reverted = result.revision.reverted.any(dim=1).sum()
    counts = torch.cat((result.removed, reverted.unsqueeze(0))).float()
    parts = [result.per_video_reward.flatten(), counts, labels.flatten().float()]
    if result.credit is not None:
        parts.append(result.credit.flatten())
    packed = torch.cat(parts).cpu().numpy()
    batch = len(labels)
    begins = 2 * batch, 2 * batch + 3, 2 * batch + 3 + labels.numel()
    rewards, counts_here, flat_labels, credit = np.split(packed, begins)
    # Rewards and credit are copied because views of one buffer would share memory with each other.
    return (
        rewards.reshape(batch, 2).copy(),
        counts_here,
        flat_labels.reshape(labels.shape).astype(np.bool_),
        None if result.credit is None else credit.reshape(labels.shape).copy(),
    )
