"""Independent copies of ``rlld/LabelDenoising-v0`` whose task networks are trained in one set of kernels."""

from typing import Any, cast

import torch
from gymnasium.utils import EzPickle
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from rlld_gym.data.catalog import absolute_data, shared_tensors
from rlld_gym.denoising.stacked import LearnerStack, MemberProcess
from rlld_gym.denoising.task import TaskLearner
from rlld_gym.devices import resolved_device
from rlld_gym.envs import checks
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.forks import require_threads
from rlld_gym.options import require_count
from rlld_gym.torch_settings import own_torch_settings


class StackedVectorEnv(SyncVectorEnv, EzPickle):
    """Copies of `rlld_gym.envs.label_denoising.LabelDenoisingEnv` that are trained together.

    What is handed in and out is what ``gymnasium.vector.SyncVectorEnv`` hands in and out for the same environments
    and seeds, in all three autoreset modes: equal observations and labels, and rewards that are equal up to the
    rounding of the task networks' training. On a GPU dropout masks differ, too: they are drawn for all at once.

    ```python
    import gymnasium as gym

    envs = gym.make_vec("rlld_gym:rlld/LabelDenoisingStacked-v0", num_envs=4, data="twin-tiny", batch_size=16)
    observations, infos = envs.reset(seed=0)  # the copies have the seeds 0, 1, 2 and 3
    observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
    ```

    Args:
        num_envs: copies, K.
        autoreset_mode: what happens after an episode, a `gymnasium.vector.AutoresetMode` or its value.
        **arguments: of every copy.

    Raises:
        InputError: an argument is wrong.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **arguments: Any,
    ) -> None:
        require_count("num_envs", num_envs)
        mode = checks.checked_autoreset_mode(autoreset_mode)
        arguments = absolute_data(arguments)
        SyncVectorEnv.__init__(
            self, [lambda: self._member(**arguments) for _ in range(num_envs)], autoreset_mode=mode
        )
        # After the other, which would pass on to it and store no arguments.
        EzPickle.__init__(self, num_envs, autoreset_mode=mode.value, **arguments)
        self._stack = LearnerStack()

    @own_torch_settings()
    def step(self, actions: Any) -> Any:
        """Remove labels in every copy and train all task networks at once on the others.

        Args:
            actions: (K, B, 2, C) of 0 and 1; 1 removes.

        Returns:
            Observations, rewards (K,) float64, terminations and truncations (K,) bool, infos.

        Raises:
            ValueError: the actions have another shape or other values.
            ResetNeeded: before the first reset, or after the last step if autoreset is disabled.
        """
        checked = self._checked(actions)
        self._train(checked)
        return super().step(checked)

    def _member(self, **arguments: Any) -> Any:
        """Return a copy; it says whether it has ``ended``."""
        return StackedMember(**arguments)

    def _checked(self, actions: Any) -> NDArray[Any]:
        """Return actions as they are handed to the copies; ValueError where they cannot be."""
        shape = self.action_space.shape
        assert shape is not None
        return checks.checked_action(actions, shape)

    def _stepping(self) -> dict[int, Any]:
        """Return the copies, by number, that the coming step will not reset instead."""
        resets = self.autoreset_mode == AutoresetMode.NEXT_STEP
        members = cast(list[Any], self.envs)
        return {number: member for number, member in enumerate(members) if not (resets and member.ended)}

    def _train(self, actions: NDArray[Any]) -> None:
        """Take the training step of every copy that is not about to be reset instead."""
        members = cast(list[StackedMember], self.envs)
        # All before any: a copy that cannot be stepped must leave the others as they are.
        running = {number: member.running() for number, member in self._stepping().items()}
        if not running:
            return
        lessons = {
            number: process.begin(torch.from_numpy(actions[number]).to(process.data.device))
            for number, process in running.items()
        }
        losses = self._stack.train([member.learner for member in members], lessons)
        for number, process in running.items():
            process.trained(losses[number])


class StackedMember(LabelDenoisingEnv):
    """A copy whose process leaves the training of its task network to the vector environment."""

    @property
    def ended(self) -> bool:
        """Whether the last step of an episode was taken."""
        return self._process is not None and self._process.terminated

    @property
    def learner(self) -> TaskLearner:
        """The task network and its optimizer, after the first reset."""
        assert self._process is not None
        return self._process.task

    def running(self) -> MemberProcess:
        """Return the process.

        Raises:
            ResetNeeded: before the first reset, or after the last step of an episode.
        """
        process = self._running_process()
        assert isinstance(process, MemberProcess)
        return process

    def _make_process(self) -> MemberProcess:
        require_threads()
        data, data_seed = self._data
        tensors = shared_tensors(data, resolved_device(self._device), data_seed)
        return MemberProcess(tensors, self._config)
