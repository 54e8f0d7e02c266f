"""Decision processes side by side, whose task networks are trained in one set of kernels."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rlld_gym.denoising.process import DenoisingProcess, Preparation, StepResult
from rlld_gym.denoising.task import Lesson, TaskLearner
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.randomness import seeded_random_state
from rlld_gym.parsing.stacked import NetworkStack


class MemberProcess(DenoisingProcess):
    """A process whose task network somebody else trains, with those of other processes.

    Every `step` is preceded by `begin` with the same actions and by `trained`.
    """

    _preparation: Preparation | None = None
    _loss: Tensor | None = None

    def begin(self, actions: Tensor) -> Lesson:
        """Return the training step of the coming `step` with these actions."""
        self._preparation = self.prepare(actions)
        return self._preparation.lesson

    def trained(self, loss: Tensor) -> None:
        """Take note that the training step was taken, with its loss."""
        self._loss = loss

    def step(self, actions: Tensor) -> StepResult:
        """Finish the step that was begun.

        Raises:
            RuntimeError: none was begun, or its training step was not taken.
        """
        if self._preparation is None or self._loss is None:
            raise RuntimeError("the task network is trained with others: call begin() and trained() before")
        preparation, loss = self._preparation, self._loss
        self._preparation = self._loss = None
        return self.finish(preparation, loss)


class LearnerStack:
    """Trains the task networks of K learners together, or one after the other where they cannot be stacked.

    Each gets what its own ``train`` would give it, up to rounding, with the same dropout masks on a CPU. On a GPU
    all masks are drawn at once, from the first lesson's seed.
    """

    def __init__(self) -> None:
        self._stack: NetworkStack | None = None

    def train(self, learners: Sequence[TaskLearner], lessons: Mapping[int, Lesson]) -> dict[int, Tensor]:
        """Take one gradient step of some learners; nothing waits for the device.

        Args:
            learners: all K, of equal recipe, width and data; new networks are taken up.
            lessons: the training steps of some, by their position among the learners; of equal batch sizes.

        Returns:
            The losses before the step, detached scalars on the device, by position.
        """
        if not all(learner.stackable for learner in learners):
            return {member: learners[member].train(lesson) for member, lesson in lessons.items()}
        stack = self._with_networks_of(learners)
        members = list(lessons)
        chosen = list(lessons.values())
        audio, visual_2d, visual_3d = (
            torch.stack(parts) for parts in zip(*(lesson.features for lesson in chosen), strict=True)
        )
        targets = Targets(
            *(torch.stack(parts) for parts in zip(*(lesson.targets for lesson in chosen), strict=True))
        )
        device = learners[0].data.device
        generators = [torch.Generator().manual_seed(lesson.seed) for lesson in chosen]
        with seeded_random_state(chosen[0].seed, device, own=learners[0].draws_own):
            losses = stack.train_step(
                (audio, visual_2d, visual_3d),
                targets,
                generators,
                None if members == list(range(len(learners))) else members,
            )
        return dict(zip(members, losses.unbind(), strict=True))

    def _with_networks_of(self, learners: Sequence[TaskLearner]) -> NetworkStack:
        """Return the stack, after learners' networks that are new to it have joined."""
        born = [learner.born() for learner in learners]
        if self._stack is None or len(self._stack.networks) != len(learners):
            networks, optimizers = zip(*born, strict=True)
            self._stack = NetworkStack(networks, optimizers, learners[0].recipe)
        for member, (network, optimizer) in enumerate(born):
            if network is not self._stack.networks[member]:
                self._stack.replace(member, network, optimizer)
        return self._stack
