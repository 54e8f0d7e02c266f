"""What a step's info says about the batch that was acted upon."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlld_gym.denoising.process import StepResult


def step_info(
    result: StepResult, labels: torch.Tensor, inter_factor: float
) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """Return the rewards and counts of a step, and the next state's labels on the host.

    A branch's reward is the mean over the videos of what each is paid, plus its terminal reward (Eq. 11 of RLLD,
    arXiv 2412.19563).

    Args:
        result: what the process returned.
        labels: (B, 2, C) bool labels of the next state, on the device.
        inter_factor: what a step pays per unit of inter-reward, see `paid_per_video`.

    Returns:
        The entries of info, documented in the environment's class, and labels (B, 2, C) bool.
    """
    per_video_reward, counts, host_labels, credit = _to_host(result, labels)
    info: dict[str, Any] = {"per_video_reward": per_video_reward, **credit}
    paid = paid_per_video(info, inter_factor).mean(axis=0)
    audio, visual = (float(paid[branch]) + result.terminal[branch] for branch in range(2))
    info = {
        "inter_reward": float(per_video_reward.mean(axis=0, dtype=np.float64).mean()),
        "terminal_reward": sum(result.terminal) / 2,
        "reward_audio": audio,
        "reward_visual": visual,
        **info,
        "n_removed_audio": int(counts[0]),
        "n_removed_visual": int(counts[1]),
        "n_reverted": int(counts[2]),
        **(result.scores or {}),
    }
    if result.class_contribution is not None:
        info["class_contribution"] = result.class_contribution.to("cpu", copy=True).numpy()
    return info, host_labels


def paid_per_video(info: dict[str, Any], inter_factor: float) -> NDArray[np.float64]:
    """Return what each video and branch is paid in a step, apart from the terminal reward.

    Args:
        info: of the step.
        inter_factor: what a step pays per unit of inter-reward; 0 where the reward has none.

    Returns:
        (B, 2): the user's own reward, if there is one; else the scaled inter-reward and the credit earned, if there
        is any.
    """
    if "own_reward" in info:
        own: NDArray[np.float64] = info["own_reward"].astype(np.float64)
        return own
    paid: NDArray[np.float64] = inter_factor * info["per_video_reward"].astype(np.float64)
    return paid + info["per_video_credit"] if "per_video_credit" in info else paid


def _to_host(
    result: StepResult, labels: torch.Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], dict[str, NDArray[np.float32]]]:
    """Fetch what a step's info needs in one transfer.

    Returns:
        Inter-rewards (B, 2) float32; labels removed from audio, from visual, and videos reverted, (3,) float32;
        labels (B, 2, C) of the next state, bool; the entries about credit and an own reward, if any.
    """
    reverted = result.revision.reverted.any(dim=1).sum()
    counts = torch.cat((result.removed, reverted.unsqueeze(0)))
    parts = {"reward": result.per_video_reward, "counts": counts, "labels": labels}
    if result.credit is not None and result.per_video_credit is not None:
        parts |= {"label_credit": result.credit, "per_video_credit": result.per_video_credit}
    if result.own_reward is not None:
        parts["own_reward"] = result.own_reward
    packed = torch.cat([part.flatten().float() for part in parts.values()]).cpu().numpy()
    ends = np.cumsum([part.numel() for part in parts.values()])[:-1]
    # Copied because views of one buffer would share memory with each other.
    fetched = {
        name: values.reshape(part.shape).copy()
        for (name, part), values in zip(parts.items(), np.split(packed, ends), strict=True)
    }
    return (
        fetched.pop("reward"),
        fetched.pop("counts"),
        fetched.pop("labels").astype(np.bool_),
        fetched,
    )
