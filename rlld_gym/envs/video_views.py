"""What a batch looks like video by video: spaces, observations and infos of the per-video environment.

Functions that take what `rlld_gym.envs.label_denoising.LabelDenoisingEnv` hands out and return it in the layout of
`gymnasium.vector`: one row for each video.
"""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlld_gym.denoising.labels import FREE, EmptyRule, revise_labels
from rlld_gym.envs.observations import Observation
from rlld_gym.envs.step_info import paid_per_video
from rlld_gym.parsing.metrics import SCORE_NAMES

Infos = dict[str, Any]


def video_space(joint: spaces.Dict) -> spaces.Dict:
    """Return the observation space of one video, given that of a batch.

    Args:
        joint: observation space of the joint environment, in either mode.

    Returns:
        Its spaces without the axis of videos; ``index`` and ``progress`` have shape (1,).
    """
    parts: dict[str, spaces.Space[Any]] = {}
    for key, space in joint.items():
        assert isinstance(space, spaces.Box)
        if key == "progress":
            parts[key] = space
        elif key == "index":
            parts[key] = spaces.Box(space.low[:1], space.high[:1], dtype=np.int64)
        else:
            parts[key] = spaces.Box(space.low[0], space.high[0], dtype=space.dtype.type)
    return spaces.Dict(parts)


def batched_space(joint: spaces.Dict, single: spaces.Dict, num_videos: int) -> spaces.Dict:
    """Return what ``gymnasium.vector.utils.batch_space(single, num_videos)`` returns.

    Spaces of features are those of the joint environment: the same ones again would take 70 MB at LLP's sizes.
    """
    return spaces.Dict(
        {
            key: batch_space(space, num_videos) if key in ("index", "progress") else joint[key]
            for key, space in single.items()
        }
    )


def video_observation(observation: Observation, num_videos: int) -> Observation:
    """Return an observation of the joint environment as one of ``num_videos`` sub-environments."""
    views = dict(observation)
    if "index" in views:
        views["index"] = views["index"][:, None]
    if "progress" in views:
        views["progress"] = np.tile(views["progress"], (num_videos, 1))
    return views


def split_observation(observation: Observation, num_videos: int) -> NDArray[np.object_]:
    """Return ``final_obs``: an array (num_videos,) of single observations, views of the given one."""
    split = np.empty(num_videos, dtype=object)
    for video in range(num_videos):
        split[video] = {key: value[video] for key, value in observation.items()}
    return split


def state_infos(info: dict[str, Any]) -> Infos:
    """Return what the joint environment's info says about a state, video by video."""
    mask = info["action_mask"]
    return {"indices": info["indices"], "action_mask": mask.reshape(len(mask), -1)}


def step_infos(
    info: dict[str, Any],
    shown: NDArray[np.int8],
    action: NDArray[np.bool_],
    empty_rule: EmptyRule,
    inter_factor: float,
) -> Infos:
    """Return what the joint environment's info says about a step, video by video.

    The mean over the videos of any reward, and the sum over the videos of any count, is the joint
    environment's.

    Args:
        info: of the joint environment's step.
        shown: (B, 2, C) action mask of the state that was acted upon.
        action: (B, 2, C) the action.
        empty_rule: the environment's.
        inter_factor: what a step pays per unit of inter-reward.
    """
    own = paid_per_video(info, inter_factor)
    # Eq. 11 of RLLD: what a branch is paid beyond the mean over its videos is the validation reward.
    shared = np.array([info["reward_audio"], info["reward_visual"]]) - own.mean(axis=0)
    rewards = own + shared
    num_videos = len(own)
    labels = torch.from_numpy(shown == FREE)
    revision = revise_labels(labels[:, 0], labels[:, 1], torch.from_numpy(action), empty_rule)
    revised = torch.stack((revision.audio, revision.visual), dim=1)
    removed = (labels & ~revised).sum(dim=2).numpy()
    return {
        "inter_reward": info["per_video_reward"].mean(axis=1, dtype=np.float64),
        "terminal_reward": np.full(num_videos, info["terminal_reward"]),
        "reward_audio": rewards[:, 0].copy(),
        "reward_visual": rewards[:, 1].copy(),
        "per_video_reward": info["per_video_reward"],
        "n_removed_audio": removed[:, 0].copy(),
        "n_removed_visual": removed[:, 1].copy(),
        "n_reverted": revision.reverted.any(dim=1).numpy().astype(np.int64),
        **{name: info[name] for name in ("per_video_credit", "label_credit", "own_reward") if name in info},
        **{name: np.full(num_videos, info[name]) for name in SCORE_NAMES if name in info},
        **{name: np.tile(info[name], (num_videos, 1, 1)) for name in ("class_contribution",) if name in info},
        **state_infos(info),
    }


def with_masks(infos: Infos, num_videos: int) -> Infos:
    """Add, for every key, ``_key``: which sub-environments have the entry. Here always all of them."""
    return {
        name: value
        for key, entry in infos.items()
        for name, value in ((key, entry), (f"_{key}", np.ones(num_videos, dtype=np.bool_)))
    }
