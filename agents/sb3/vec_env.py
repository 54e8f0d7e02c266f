"""The videos of a batch as the parallel environments of Stable-Baselines3."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from rlld_agents.sb3.action_masks import pairs
from rlld_gym.envs.per_video import PerVideoVectorEnv
from rlld_gym.errors import InputError

PER_VIDEO_ID = "rlld_gym:rlld/LabelDenoisingPerVideo-v0"


class PerVideoVecEnv(VecEnv):
    """`PerVideoVectorEnv` for Stable-Baselines3: one environment of the VecEnv for each video of the batch.

    Observations are a Dict of arrays with a row for each video, actions (num_envs, 2C) of 0 and 1, rewards
    (num_envs,) float32. All videos end together, never by truncation; the last step returns the next episode's
    first observations, and the info of each video has its ``terminal_observation``, a view of one array.

    Infos have the vector environment's scalars, one number for each video: ``indices``, ``inter_reward``,
    ``reward_audio``, ``reward_visual``, ``terminal_reward``, ``n_removed_audio``, ``n_removed_visual``,
    ``n_reverted`` and, after an episode's last step, the F-scores. Arrays (``action_mask``,
    ``per_video_reward``, ``label_credit``) are left out; masks come from `action_masks`.

    Args:
        num_envs: videos of a batch.
        id: a vector environment of `PerVideoVectorEnv` or a subclass: this project's per-video ids.
        **arguments: of the environment, as ``gymnasium.make_vec`` takes them; not ``autoreset_mode``.

    Raises:
        InputError: an argument of the environment is wrong.
        TypeError: another environment.

    Examples:
        >>> from rlld_agents.sb3 import PerVideoVecEnv
        >>> PerVideoVecEnv(16, data="twin-tiny", observation="indices").action_space
        MultiBinary(50)
    """

    def __init__(self, num_envs: int = 128, *, id: str = PER_VIDEO_ID, **arguments: Any) -> None:
        if "autoreset_mode" in arguments:
            raise InputError("autoreset_mode: Stable-Baselines3 needs SameStep; leave it out")
        # batch_size says that a single video is meant where num_envs is 1.
        envs: Any = gymnasium.make_vec(
            id, num_envs=num_envs, batch_size=num_envs, autoreset_mode="SameStep", **arguments
        )
        if not isinstance(envs.unwrapped, PerVideoVectorEnv):
            raise TypeError(f"{id} makes {type(envs.unwrapped).__name__}; expected a PerVideoVectorEnv")
        self.envs = envs
        self._actions: NDArray[Any] | None = None
        self._mask: NDArray[np.int8] | None = None
        super().__init__(num_envs, envs.single_observation_space, envs.single_action_space)
        self.metadata = dict(envs.metadata)

    def reset(self) -> VecEnvObs:
        """Begin an episode, from the seed that `seed` was given since the last one, if any."""
        options = self._options[0] or None
        observation, infos = self.envs.reset(seed=self._seeds[0], options=options)
        self._reset_seeds()
        self._reset_options()
        self._remember(infos)
        return observation  # type: ignore[no-any-return]

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take actions (num_envs, 2C) of 0 and 1, of any dtype, for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Remove the labels that `step_async` was given and train the task network once.

        Returns:
            Observations; rewards (num_envs,) float32; whether the episode ended, (num_envs,) bool; one info for
            each video.

        Raises:
            ValueError: the actions have another shape or other values.
            ResetNeeded: before the first reset.
        """
        observation, rewards, terminated, _, infos = self.envs.step(self._actions)
        ended = bool(terminated[0])
        per_video = _scalars(infos["final_info"] if ended else infos, self.num_envs)
        for info in per_video:
            info["TimeLimit.truncated"] = False
        if ended:
            for info, last in zip(per_video, infos["final_obs"], strict=True):
                info["terminal_observation"] = last
            infos = {key: value for key, value in infos.items() if key not in ("final_info", "final_obs")}
        self._remember(infos, begins=ended)
        return observation, rewards.astype(np.float32), terminated, per_video

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which choices are open in the current state: bool (num_envs, 4C).

        A pair for each bit of the action, as sb3-contrib lays masks out: whether 0 (keep) and whether 1 (remove)
        is open. Absent labels can only be kept.

        Raises:
            RuntimeError: before the first reset.
        """
        if self._mask is None:
            raise RuntimeError("no state to mask yet: call reset() first")
        return pairs(self._mask)

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future, as `PerVideoVectorEnv.get_state` does."""
        state: dict[str, Any] = self.envs.get_state()
        return state

    def set_state(self, state: dict[str, Any]) -> VecEnvObs:
        """Go back to a state of `get_state`; return the observation that the next actions are for.

        An algorithm that has begun training keeps the observation it saw last: set ``model._last_obs`` to the
        one returned here.

        Raises:
            InputError: it is no such state, or of an environment with other arguments or data.
        """
        observation, infos = self.envs.set_state(state)
        self._remember(infos)
        return observation  # type: ignore[no-any-return]

    def close(self) -> None:
        """Let go of the task network."""
        self.envs.close()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next `reset`: one seed for all videos, which share one process.

        Args:
            seed: None draws one from NumPy's global generator.

        Returns:
            The seed, once for each video.
        """
        first = super().seed(seed)[0]
        self._seeds = [first] * self.num_envs
        return self._seeds

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return the picture of the batch, once: every video would show the same."""
        return [self.render()]

    def render(self, mode: str | None = None) -> Any:
        """Return the table or picture of the last step, which shows the whole batch.

        Args:
            mode: the render mode that the environment was made with, or "human" to show its picture with OpenCV.
        """
        if self.render_mode is None or mode not in (None, self.render_mode):
            return super().render(mode)
        frames = self.envs.render()
        return None if frames is None else frames[0]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of the vector environment, or of this class, once for each index.

        Raises:
            AttributeError: there is none.
        """
        return [self._attribute(attr_name)] * len(self._rows(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the vector environment, which all videos share.

        Raises:
            ValueError: not for all videos.
        """
        if len(self._rows(indices)) != self.num_envs:
            raise ValueError(f"{attr_name} cannot be set for some videos only: they share one environment")
        setattr(self.envs.unwrapped, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the vector environment once and return its result for each index.

        Args:
            method_name: ``action_masks`` gives each video its own (4C,) bool; others give the same to all.
            *method_args: passed on.
            indices: videos; all if None.
            **method_kwargs: passed on.
        """
        rows = self._rows(indices)
        result = self._attribute(method_name)(*method_args, **method_kwargs)
        if method_name == "action_masks":
            return [result[row] for row in rows]
        return [result] * len(rows)

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return False for each index: there is nothing to wrap; `VecMonitor` takes the place of `Monitor`."""
        return [False] * len(self._rows(indices))

    def _attribute(self, name: str) -> Any:
        own = ("action_masks", "get_state", "set_state", "render")
        return getattr(self if name in own else self.envs, name)

    def _rows(self, indices: VecEnvIndices) -> list[int]:
        return list(self._get_indices(indices))

    def _remember(self, infos: dict[str, Any], begins: bool = True) -> None:
        """Keep the mask of a state and, where an episode begins, its infos."""
        self._mask = infos["action_mask"]
        if begins:
            self.reset_infos = _scalars(infos, self.num_envs)


def _scalars(infos: dict[str, Any], num_envs: int) -> list[dict[str, Any]]:
    """Return the entries of vector infos that have one number for each video, video by video."""
    columns = {
        key: value.tolist() for key, value in infos.items() if not key.startswith("_") and value.ndim == 1
    }
    if not columns:
        return [{} for _ in range(num_envs)]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
