"""The environment ``rlld/LabelDenoisingPerVideo-v0``: a batch of videos as sub-environments."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rlld_gym.data.catalog import absolute_data
from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.denoising.labels import EmptyRule
from rlld_gym.envs.checks import checked_autoreset_mode
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.envs.observations import Observation
from rlld_gym.envs.plain_spec import PlainSpec
from rlld_gym.envs.video_views import (
    Infos,
    batched_space,
    split_observation,
    state_infos,
    step_infos,
    video_observation,
    video_space,
    with_masks,
)
from rlld_gym.errors import InputError
from rlld_gym.options import require_count

Actions = NDArray[np.int8]
Step = tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Infos]


class PerVideoVectorEnv(PlainSpec, VectorEnv[Observation, Actions, NDArray[Any]], EzPickle):
    """Label denoising with one sub-environment for each video of the batch.

    The process is that of `rlld_gym.envs.label_denoising.LabelDenoisingEnv`: equal seeds and equal actions give
    equal labels, rewards and task networks. Only what is handed in and out is arranged by video: a sub-environment
    sees the features and labels of one video, removes labels of it, and is paid for it. The sub-environments are
    not independent: they share the task network, the validation reward and the end of the episode.

    A video's observation is a Dict of ``audio`` (T, Da + C) and ``visual`` (T, Dv + C), or with
    ``observation="indices"`` of ``index`` (1,), ``labels_audio`` (C,) and ``labels_visual`` (C,); ``progress`` (1,)
    with ``time_feature=True``. Its action is MultiBinary(2C): bits of the C audio labels, then of the C visual
    ones; 1 removes. Its reward is the mean over the two branches of its own inter-reward (Eq. 9 of RLLD, arXiv
    2412.19563, or -1 where its labels were given back), scaled by ``inter_scale`` as in the joint environment, plus
    the validation reward (Eq. 10), which all videos share. The mean over the videos is the joint environment's
    reward.

    Infos have the joint environment's keys with one row for each video, and Gymnasium's masks ``_key`` beside them.
    The mean over the videos of a reward and the sum of a count are the joint environment's.

    Args:
        num_envs: videos of a batch.
        autoreset_mode: what happens after an episode, a `gymnasium.vector.AutoresetMode` or its value: "NextStep":
            the next step ignores its actions, resets and pays 0; "SameStep": the last step returns the next
            episode's first observation, and its own in ``infos["final_obs"]`` and ``infos["final_info"]``;
            "Disabled": the caller resets.
        batch_size: the same as ``num_envs``, if given.
        **arguments: the joint environment's other arguments.

    Raises:
        InputError: ``num_envs`` and ``batch_size`` differ, ``num_envs`` is 1 without ``batch_size=1``, or an
            argument is wrong.
    """

    def __init__(
        self,
        num_envs: int = 128,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        batch_size: int | None = None,
        **arguments: Any,
    ) -> None:
        arguments = absolute_data(arguments)
        EzPickle.__init__(self, num_envs, autoreset_mode=autoreset_mode, batch_size=batch_size, **arguments)
        _check_sizes(num_envs, batch_size)
        self.autoreset_mode = checked_autoreset_mode(autoreset_mode)
        self._joint = self._make_joint(num_envs, arguments)
        self._empty_rule: EmptyRule = arguments.get("empty_rule", "video")
        self.metadata = {**self._joint.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = self._joint.render_mode
        self.num_envs = num_envs
        joint_space = self._joint.observation_space
        assert isinstance(joint_space, spaces.Dict)
        assert isinstance(self._joint.action_space, spaces.MultiBinary)
        self._action_shape = self._joint.action_space.shape
        self.single_observation_space = video_space(joint_space)
        self.observation_space = batched_space(joint_space, self.single_observation_space, num_envs)
        self.single_action_space = spaces.MultiBinary(2 * self._action_shape[2])
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._shown: NDArray[np.int8] = np.zeros(self._action_shape, np.int8)
        self._ended = False

    @property
    def data_fingerprint(self) -> DataFingerprint:
        """What identifies the data set."""
        fingerprint: DataFingerprint = self._joint.data_fingerprint
        return fingerprint

    @property
    def np_random(self) -> np.random.Generator:
        """The one source of randomness of all sub-environments."""
        generator: np.random.Generator = self._joint.np_random
        return generator

    @np_random.setter
    def np_random(self, value: np.random.Generator) -> None:
        self._joint.np_random = value

    @property
    def np_random_seed(self) -> int | None:
        """Seed of ``np_random``, -1 where unknown."""
        seed: int | None = self._joint.np_random_seed
        return seed

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Infos]:
        """Begin an episode of all sub-environments.

        Args:
            seed: one seed for the whole process; it restores everything. None goes on at random.
            options: may hold ``reset_mask``, bool (num_envs,). It must be all True, because sub-environments
                begin and end together.

        Raises:
            ValueError: several seeds, or a mask that leaves some sub-environments out.
            TypeError: the mask is no bool array.
        """
        if seed is not None and not isinstance(seed, int | np.integer):
            raise ValueError(f"seed is {seed!r}; expected one integer: all videos share one process")
        if options is not None and "reset_mask" in options:
            _check_reset_mask(options["reset_mask"], self.num_envs)
        return self._state(*self._joint.reset(seed=None if seed is None else int(seed)))

    def step(self, actions: Actions) -> Step:
        """Remove labels of every video and train the task network once on the others.

        Args:
            actions: (num_envs, 2C) of 0 and 1: C audio bits, then C visual bits; 1 removes.

        Returns:
            Observations, rewards (num_envs,) float64, terminations and truncations (num_envs,) bool, infos.

        Raises:
            ValueError: the actions have another shape or other values.
            ResetNeeded: before the first reset, or after the last step if autoreset is disabled.
        """
        if self._ended and self.autoreset_mode == AutoresetMode.NEXT_STEP:
            return self._outcome(*self.reset(), np.zeros(self.num_envs), ended=False)
        bits = np.asarray(actions)
        if bits.shape != self.action_space.shape:
            raise ValueError(
                f"actions have shape {bits.shape}; expected {self.action_space.shape}: videos, then a bit for each "
                "audio label and a bit for each visual label"
            )
        bits = bits.reshape(self._action_shape)
        joint_observation, _, ended, _, info = self._joint.step(bits)
        infos = with_masks(
            step_infos(info, self._shown, bits.astype(np.bool_), self._empty_rule, self._joint.inter_factor),
            self.num_envs,
        )
        rewards = (infos["reward_audio"] + infos["reward_visual"]) / 2
        self._shown, self._ended = info["action_mask"].copy(), ended
        observation = video_observation(joint_observation, self.num_envs)
        if ended and self.autoreset_mode == AutoresetMode.SAME_STEP:
            final = {"final_obs": split_observation(observation, self.num_envs), "final_info": infos}
            observation, infos = self.reset()
            infos = {**with_masks(final, self.num_envs), **infos}
        return self._outcome(observation, infos, rewards, ended)

    def render(self) -> tuple[Any, ...] | None:
        """Return the last step's table or picture, which shows the whole batch, once for each sub-environment.

        Raises:
            ResetNeeded: before the first reset.
        """
        frame = self._joint.render()
        return None if frame is None else (frame,) * self.num_envs

    def close_extras(self, **kwargs: Any) -> None:
        """Let go of the task network; a later reset would build everything anew."""
        # Gymnasium 1.2 closes vector environments when they are deleted, also half-built ones.
        if hasattr(self, "_joint"):
            self._joint.close()

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future; the joint environment understands it, too.

        Raises:
            ResetNeeded: before the first reset.
        """
        state: dict[str, Any] = self._joint.get_state()
        return state

    def set_state(self, state: dict[str, Any]) -> tuple[Observation, Infos]:
        """Go back to a state that `get_state` returned; no reset is needed before.

        Args:
            state: of this or of the joint environment, with the same arguments and the same data.

        Returns:
            The observation that the next actions are for, and its infos as `reset` would return them.

        Raises:
            InputError: it is no such state, or the other environment had other arguments or data.
        """
        observation, infos = self._state(*self._joint.set_state(state))
        self._ended = self._has_ended(state)
        return observation, infos

    def _make_joint(self, num_envs: int, arguments: dict[str, Any]) -> Any:
        """Return the environment whose batch is shown video by video; a subclass may have another one."""
        return LabelDenoisingEnv(batch_size=num_envs, **arguments)

    def _has_ended(self, state: dict[str, Any]) -> bool:
        """Return whether a state of the joint environment is that after an episode's last step."""
        process = state["process"]
        return bool(process["steps"] >= process["config"]["episode_length"])

    def _state(self, observation: Observation, info: dict[str, Any]) -> tuple[Observation, Infos]:
        """Return the first observation of an episode and its infos, and remember its labels."""
        self._shown, self._ended = info["action_mask"].copy(), False
        return video_observation(observation, self.num_envs), with_masks(state_infos(info), self.num_envs)

    def _outcome(
        self,
        observation: Observation,
        infos: Infos,
        rewards: NDArray[np.float64],
        ended: bool,
    ) -> Step:
        """Return a step's result; all sub-environments end together and none is ever truncated."""
        terminations = np.full(self.num_envs, ended, dtype=np.bool_)
        return observation, rewards, terminations, np.zeros(self.num_envs, dtype=np.bool_), infos


def _check_sizes(num_envs: int, batch_size: int | None) -> None:
    require_count("num_envs", num_envs)
    if batch_size is None and num_envs == 1:
        raise InputError(
            "num_envs is 1, what make_vec passes if it is left out; expected the videos of a batch: "
            "pass num_envs=128, or batch_size=1 as well if one video is meant"
        )
    if batch_size is not None and batch_size != num_envs:
        raise InputError(
            f"num_envs is {num_envs} and batch_size is {batch_size!r}; expected the same number, because every "
            "video of a batch is a sub-environment: pass num_envs only"
        )


def _check_reset_mask(mask: Any, num_envs: int) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError(f"reset_mask is {mask!r}; expected a numpy array of bool")
    if mask.shape != (num_envs,):
        raise ValueError(f"reset_mask has shape {mask.shape}; expected ({num_envs},)")
    if not mask.all():
        raise ValueError(
            f"reset_mask is True for {int(mask.sum())} of {num_envs} sub-environments; expected all: they are the "
            "videos of one batch and begin and end together"
        )
