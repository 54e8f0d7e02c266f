"""The decision process of label denoising: states are labelled videos, actions remove labels."""

import dataclasses
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.config import ProcessConfig
from rlld_gym.denoising.evidence import EvidenceSource, evidence, known_evidence
from rlld_gym.denoising.labels import Revision, revise_labels
from rlld_gym.denoising.own_reward import is_own_reward, load_reward, per_video
from rlld_gym.denoising.rewards import branch_rewards, credit_rewards, terminal_rewards
from rlld_gym.denoising.sampler import OverlapSampler
from rlld_gym.denoising.task import Lesson, TaskLearner
from rlld_gym.denoising.task_start import start_fingerprint, start_network
from rlld_gym.errors import InputError
from rlld_gym.parsing.objectives import Batch
from rlld_gym.parsing.training import try_own_network
from rlld_gym.plugins import within_plugin


@dataclass(frozen=True, eq=False)
class State:
    """One state: a batch of videos with the labels that they show (Eq. 1 of RLLD, arXiv 2412.19563).

    Attributes:
        indices: (B,) int64 rows of the training split, on the host.
        features: audio (B, T, Da), visual 2D (B, T, D2) and 3D (B, T, D3), float32, on the device.
        labels: (B, 2, C) bool labels of the audio and of the visual branch, on the device.
        original: (B, C) float32 noisy labels of the data set, on the device.
    """

    indices: NDArray[np.int64]
    features: Batch
    labels: Tensor
    original: Tensor


@dataclass(frozen=True, eq=False)
class StepResult:
    """What an action brought about; tensors stay on the device.

    Attributes:
        shown: (B, 2, C) bool labels of the state that was acted upon.
        revision: its labels after the action.
        per_video_reward: (B, 2) float32, inter-reward of each video and branch, not scaled: Eq. 9, or -1 where it
            was reverted.
        per_video_credit: (B, 2) float32, what each video and branch earns with the credit of its removed labels;
            None where the reward is the paper's.
        own_reward: (B, 2) float32, what a reward of the user's own pays each video in either branch; None where the
            reward is another, and while that function is called with the result.
        removed: (2,) int64, labels removed from the audio and from the visual branch.
        task_loss: scalar, loss of the task network's training step.
        terminal: validation reward of the audio and of the visual branch, 0.0 where none was paid.
        credit: (B, 2, C) float32, normalised credit of the shown labels before the training step, 0 for absent
            ones, see `rlld_gym.denoising.credit`; None where the reward is the paper's.
        scores: the ten validation F-scores in percent, where the step validated.
        class_contribution: (2, C) float32 in percent, what the predictions of each class add to the segment-level F
            of each modality, where the step validated.
        terminated: the episode is over.
    """

    shown: Tensor
    revision: Revision
    per_video_reward: Tensor
    per_video_credit: Tensor | None
    own_reward: Tensor | None
    removed: Tensor
    task_loss: Tensor
    terminal: tuple[float, float]
    credit: Tensor | None
    scores: dict[str, float] | None
    class_contribution: Tensor | None
    terminated: bool


class Preparation(NamedTuple):
    """A step up to the training of the task network.

    Attributes:
        revision: the state's labels after the action.
        credit: (B, 2, C) float32 credit of the shown labels, None where the reward is the paper's.
        lesson: the training step to take.
    """

    revision: Revision
    credit: Tensor | None
    lesson: Lesson


class DenoisingProcess:
    """Algorithm 1 of RLLD (arXiv 2412.19563) as the agent sees it.

    A step revises labels, trains the task network on them and pays rewards. All tensors stay on the device
    of the data. Everything random comes from the numpy generator given to `reset`; torch's global random
    state is left alone.

    Args:
        data: the data set on the device where everything is to happen.
        config: the options.

    Raises:
        InputError: the data set is too small for the options.
    """

    def __init__(self, data: StoreTensors, config: ProcessConfig) -> None:
        self.data = data
        self.config = config
        self.steps = 0
        self._num_drawn = config.subset_size(len(data["train"]))
        self._labels_checksum = zlib.crc32(np.packbits(data["train"].labels.bool().cpu().numpy()).tobytes())
        self._start_fingerprint = start_fingerprint(config)
        try_own_network(config.recipe, data["train"], config.hidden_size)
        self._task = TaskLearner(data, config.recipe, config.hidden_size, start_network(data, config))
        self._own_reward = load_reward(config.reward) if is_own_reward(config.reward) else None
        self._generator: np.random.Generator | None = None
        self._sampler: OverlapSampler | None = None
        self._state: State | None = None

    @property
    def state(self) -> State:
        """The state that the next action is for."""
        if self._state is None:
            raise RuntimeError("the process has no state yet: call reset() first")
        return self._state

    @property
    def terminated(self) -> bool:
        """Whether the episode is over."""
        return self.steps >= self.config.episode_length

    def evidence(self, source: EvidenceSource) -> Tensor:
        """Return the evidence about the state's videos, see `rlld_gym.denoising.evidence`.

        Args:
            source: "start": of the parser that episodes start from; "current": of the task network as it is, which
                takes one more pass of it.

        Returns:
            (B, 2, C) float32 on the device.

        Raises:
            RuntimeError: there is no parser that episodes start from.
        """
        train = self.data["train"]
        rows = torch.from_numpy(self.state.indices).to(self.data.device)
        if source == "current":
            return evidence(self._task.born()[0], train, rows)
        if self._task.start is None:
            raise RuntimeError("new task networks have no parser in common that they start from")
        return known_evidence(self._task.start, train).index_select(0, rows)

    @property
    def task(self) -> TaskLearner:
        """The task network and its optimizer."""
        return self._task

    def reset(self, generator: np.random.Generator, *, new_run: bool = True) -> State:
        """Begin an episode: draw its videos, build the task network (or go on with it), draw the first state.

        Args:
            generator: the source of all randomness until the next reset.
            new_run: False keeps the task network of the last episode if ``task_lifespan`` is "run".
        """
        self._generator = generator
        self.steps = 0
        videos = generator.permutation(len(self.data["train"]))[: self._num_drawn]
        if new_run or self.config.task_lifespan == "episode" or self._task.network is None:
            self._task.renew(_draw_seed(generator))
        self._sampler = OverlapSampler(videos, self.config.batch_size, self.config.num_carried)
        self._state = self._next_state(None)
        return self._state

    def step(self, actions: Tensor) -> StepResult:
        """Remove labels, train the task network on the rest, and move to the next state.

        Args:
            actions: (B, 2, C) bool or 0/1, on the process's device; 1 removes.

        Returns:
            The step's result; the next state is in `state`.

        Raises:
            RuntimeError: before the first reset, or when the episode is over.
        """
        preparation = self.prepare(actions)
        return self.finish(preparation, self._task.train(preparation.lesson))

    def prepare(self, actions: Tensor) -> Preparation:
        """Do what comes before the training step; `finish` must follow with its loss.

        Whoever calls the two instead of `step` trains the task network in between.

        Args:
            actions: as for `step`.

        Raises:
            RuntimeError: before the first reset, or when the episode is over.
        """
        state, config = self.state, self.config
        if self._generator is None or self.terminated:
            raise RuntimeError("the episode is over: call reset() first")
        revision = revise_labels(state.labels[:, 0], state.labels[:, 1], actions, config.empty_rule)
        # Before the training step: it is about the network that is to be trained on these labels.
        credit = self._credit(state) if config.pays_credit else None
        seed = _draw_seed(self._generator)
        videos = torch.from_numpy(state.indices).to(self.data.device)
        lesson = self._task.lesson(state.features, revision, state.original, seed, videos)
        return Preparation(revision, credit, lesson)

    def finish(self, preparation: Preparation, loss: Tensor) -> StepResult:
        """Do what comes after the training step: pay rewards and move to the next state.

        Args:
            preparation: what `prepare` returned.
            loss: of the training step, a scalar on the device.
        """
        self.steps += 1
        state = self.state
        revision, credit, _ = preparation
        revised = torch.stack((revision.audio, revision.visual), dim=1)
        validation = self._task.validate() if self._validates() else None
        scores = None if validation is None else validation.scores
        result = StepResult(
            shown=state.labels,
            revision=revision,
            per_video_reward=branch_rewards(state.original, revision, self.config.inter_weights),
            per_video_credit=self._earned(state, revision, credit),
            own_reward=None,
            removed=(state.labels & ~revised).sum(dim=(0, 2)),
            task_loss=loss,
            terminal=self._terminal_rewards(scores),
            credit=credit,
            scores=scores,
            class_contribution=None if validation is None else validation.class_contribution,
            terminated=self.terminated,
        )
        if self._own_reward is not None:
            # A copy of what it could change; the other parts are not handed out.
            shown = dataclasses.replace(result, scores=None if scores is None else dict(scores))
            with within_plugin(f"reward {self.config.reward}"):
                value = self._own_reward(shown)
            paid = per_video(value, result.per_video_reward, self.config.reward)
            result = dataclasses.replace(result, own_reward=paid)
        self._state = self._next_state(revised)
        return result

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future, as tensors on the CPU and plain values.

        Raises:
            RuntimeError: before the first reset.
        """
        state = self.state
        assert self._generator is not None
        assert self._sampler is not None
        return {
            "config": self._fingerprint(),
            "steps": self.steps,
            "generator": self._generator.bit_generator.state,
            "sampler": self._sampler.get_state(),
            "labels": state.labels.to("cpu", copy=True),
            "task": self._task.get_state(),
        }

    def set_state(self, state: dict[str, Any], generator: np.random.Generator) -> None:
        """Go back to a state that `get_state` returned, of a process with the same options and data.

        Args:
            state: the stored state; it is copied.
            generator: is given the stored random state and becomes the source of all randomness.

        Raises:
            InputError: the state belongs to a process with other options, or data of other sizes or labels.
        """
        own = self._fingerprint()
        # A state that was stored before an option existed is that of what was done then, mostly the default.
        defaults = dataclasses.asdict(ProcessConfig()) | {"task_start": "fresh", "inter_scale": 1.0}
        stored = defaults | state["config"]
        stored["recipe"] = defaults["recipe"] | stored["recipe"]
        for name in ("features_checksum", "classes"):
            stored.setdefault(name, own[name])
        different = [name for name in own if stored.get(name) != own[name]]
        if different:
            found = "; ".join(f"{name} {stored.get(name)!r}, here {own[name]!r}" for name in different)
            raise InputError(f"the state belongs to a process with other options: {found}")
        generator.bit_generator.state = state["generator"]
        self._generator = generator
        self.steps = state["steps"]
        self._task.set_state(state["task"])
        self._sampler = OverlapSampler(
            np.arange(self._num_drawn), self.config.batch_size, self.config.num_carried
        )
        self._sampler.set_state(state["sampler"])
        self._state = self._state_of(self._sampler.batch.copy())
        self._state.labels.copy_(state["labels"])

    def _credit(self, state: State) -> Tensor:
        """Return the credit (B, 2, C) of a state's labels, along the gradient of newly drawn validation videos."""
        assert self._generator is not None
        num_videos, wanted = len(self.data["val"]), self.config.credit_videos
        videos = None
        if wanted < num_videos:
            drawn = self._generator.choice(num_videos, wanted, replace=False)
            videos = torch.from_numpy(drawn).to(self.data.device)
        return self._task.credit(state.features, state.labels, videos, self.config.credit_loss)

    def _earned(self, state: State, revision: Revision, credit: Tensor | None) -> Tensor | None:
        """Return what each video earns in either branch, (B, 2), with the labels removed from it."""
        if credit is None:
            return None
        return credit_rewards(credit, state.labels, revision, self.config.credit_scale)

    def _terminal_rewards(self, scores: dict[str, float] | None) -> tuple[float, float]:
        if scores is None or not self.config.pays_paper:
            return 0.0, 0.0
        return terminal_rewards(scores, self.config.terminal_scale)

    def _validates(self) -> bool:
        every = self.config.terminal_every
        return self.terminated or (every is not None and self.steps % every == 0)

    def _next_state(self, revised: Tensor | None) -> State:
        """Draw the next batch; carried videos show rows of ``revised`` (B, 2, C) if the options say so."""
        assert self._generator is not None
        assert self._sampler is not None
        draw = self._sampler.draw(self._generator)
        state = self._state_of(draw.indices)
        carried = len(draw.carried_rows)
        if revised is not None and carried and self.config.overlap_labels == "revised":
            rows = torch.from_numpy(draw.carried_rows).to(self.data.device)
            state.labels[:carried] = revised.index_select(0, rows)
        return state

    def _state_of(self, indices: NDArray[np.int64]) -> State:
        """Return the state that shows these videos with their original labels."""
        train = self.data["train"]
        rows = torch.from_numpy(indices).to(self.data.device)
        original = train.labels.index_select(0, rows)
        labels = torch.stack((original.bool(),) * 2, dim=1)
        return State(indices, train.batch(rows), labels, original)

    def _fingerprint(self) -> dict[str, Any]:
        """Return, as plain values, the options and what of the data a stored state depends on."""
        train, known = self.data["train"], self.data.fingerprint
        sizes = {
            "features_checksum": None if known is None else known.features,
            "classes": None if known is None else list(known.classes),
            "num_videos": len(train),
            "num_classes": train.labels.shape[-1],
            "audio_size": train.audio.shape[-1],
            "visual_size": train.visual.shape[-1],
            "labels_checksum": self._labels_checksum,
        }
        return {**dataclasses.asdict(self.config), "task_start": self._start_fingerprint, **sizes}


def _draw_seed(generator: np.random.Generator) -> int:
    """Return a seed for torch: dropout takes no generator, so every training step is seeded anew."""
    return int(generator.integers(2**63 - 1))
