"""Copies of ``rlld/LabelDenoisingRates-v0`` whose task networks are trained in one set of kernels."""

from collections.abc import Generator
from typing import Any, ClassVar, cast

import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rlld_gym.denoising.stacked import MemberProcess
from rlld_gym.denoising.task import Lesson, TaskLearner
from rlld_gym.envs.class_statistics import Vector
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.envs.rates import LabelDenoisingRatesEnv
from rlld_gym.envs.removal_rates import Rates
from rlld_gym.envs.stacked import StackedMember, StackedVectorEnv

Decision = tuple[Vector, Any, bool, bool, dict[str, Any]]


class StackedRatesVectorEnv(StackedVectorEnv):
    """Copies of `rlld_gym.envs.rates.LabelDenoisingRatesEnv` that are trained together.

    What is handed in and out is what ``gymnasium.vector.SyncVectorEnv`` hands in and out for the same environments
    and seeds, in all three autoreset modes, with rewards that are equal up to the rounding of the task networks'
    training. Unlike there, the default mode is ``SAME_STEP``: an episode is one step, and every step is one.

    ```python
    import gymnasium as gym

    envs = gym.make_vec("rlld_gym:rlld/LabelDenoisingRatesStacked-v0", num_envs=4, data="twin-tiny", batch_size=16)
    observations, infos = envs.reset(seed=0)  # the copies have the seeds 0, 1, 2 and 3
    observations, episode_returns, terminations, truncations, infos = envs.step(envs.action_space.sample())
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
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        **arguments: Any,
    ) -> None:
        super().__init__(num_envs, autoreset_mode=autoreset_mode, **arguments)

    def step(self, actions: Any) -> Any:
        """Decide in every copy, and train all task networks at once, step by step.

        Args:
            actions: (K, 2, C) numbers from -1 (remove nothing) to 1 (everything).

        Returns:
            Observations, rewards (K,) float64, terminations and truncations (K,) bool, infos.

        Raises:
            ValueError: the actions have another shape, or are not finite.
            ResetNeeded: before the first reset, or after the end of an episode if autoreset is disabled.
        """
        return super().step(actions)

    def _member(self, **arguments: Any) -> "_RatesMember":
        return _RatesMember(**arguments)

    def _checked(self, actions: Any) -> NDArray[Any]:
        rates = np.asarray(actions)
        if rates.shape != self.action_space.shape:
            raise ValueError(f"actions have shape {rates.shape}; expected {self.action_space.shape}")
        return rates

    def _train(self, actions: NDArray[Any]) -> None:
        """Play the decisions of all copies that are not about to be reset instead."""
        members = cast(list[_RatesMember], self.envs)
        # All before any: a copy that cannot be stepped must leave the others as they are.
        playing = {number: member.decided(actions[number]) for number, member in self._stepping().items()}
        while playing:
            for number in [number for number, steps in playing.items() if _is_over(steps)]:
                del playing[number]
            lessons = {number: members[number].begin(actions[number]) for number in playing}
            if lessons:
                losses = self._stack.train([member.learner for member in members], lessons)
                for number in playing:
                    members[number].process.trained(losses[number])


def _is_over(steps: Generator[None, None, None]) -> bool:
    """Go on to the next pause; return whether there is none."""
    try:
        next(steps)
    except StopIteration:
        return True
    return False


class _RatesMember(LabelDenoisingRatesEnv):
    """A copy that plays a decision in pauses, so that others are trained with it, and hands it out afterwards."""

    videos_class: ClassVar[type[LabelDenoisingEnv]] = StackedMember
    _played: Decision | None = None

    @property
    def process(self) -> MemberProcess:
        """The process; ResetNeeded before the first reset, or after the last step of an episode."""
        return cast(StackedMember, self._videos).running()

    @property
    def ended(self) -> bool:
        """Whether the last step of an episode was taken."""
        return cast(StackedMember, self._videos).ended

    @property
    def learner(self) -> TaskLearner:
        """The task network and its optimizer, after the first reset."""
        return cast(StackedMember, self._videos).learner

    def decided(self, action: Rates) -> Generator[None, None, None]:
        """Check an action; return what plays it and pauses before every step of the task network."""
        _ = self.process, self._rates.bits(action)
        return self._play(action)

    def _play(self, action: Rates) -> Generator[None, None, None]:
        self._played = self._decisions.shown(*(yield from self._repeated.step_by_step(action)))

    def begin(self, action: Rates) -> Lesson:
        """Return the training step that comes next."""
        process = self.process
        return process.begin(torch.from_numpy(self._rates.bits(action)).bool().to(process.data.device))

    def step(self, action: Rates) -> Decision:
        """Hand out the decision that was played last.

        Raises:
            ResetNeeded: none was.
        """
        played, self._played = self._played, None
        if played is None:
            raise ResetNeeded("no decision was played since the last one")
        return played
