"""The environment ``rlld/LabelDenoising-v0``."""

import os
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from rlld_gym.data.catalog import absolute_data, open_data, shared_tensors
from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.denoising.labels import FREE
from rlld_gym.denoising.process import DenoisingProcess
from rlld_gym.denoising.task_start import check_start
from rlld_gym.denoising.training_evidence import TrainingEvidence, training_evidence
from rlld_gym.devices import resolved_device
from rlld_gym.envs import checks
from rlld_gym.envs.observations import Observation
from rlld_gym.envs.options import EnvironmentArguments
from rlld_gym.envs.plain_spec import PlainSpec
from rlld_gym.envs.rendering.drawing import Frame, draw_picture, draw_table
from rlld_gym.envs.rendering.frames import state_frame, step_frame
from rlld_gym.envs.step_info import step_info
from rlld_gym.forks import require_threads
from rlld_gym.options import markdown_table, options_from, plain, signature
from rlld_gym.profiling import timed_part
from rlld_gym.torch_settings import own_torch_settings

Action = NDArray[np.int8]


class LabelDenoisingEnv(PlainSpec, gymnasium.Env[Observation, Action], EzPickle):
    """Remove wrong labels from videos while a parser is being trained on the labels that are left.

    ## Description

    Training videos for audio-visual video parsing carry only video-level labels: an event that is labelled may be
    audible, visible or both, so for one of the two modalities a positive label may be noise. The agent decides
    which labels to remove from which modality. In every step it sees a batch of training videos with their
    labels, removes some, and a *task network* (a parser) takes one gradient step on the labels that are left.
    The reward says how close the revised labels are to the original ones and, at the end of the episode, how well
    the task network parses the validation videos.

    The environment implements RLLD ("Reinforced Label Denoising for Weakly-Supervised Audio-Visual Video
    Parsing", arXiv 2412.19563); equation numbers are those of that paper.

    Symbols: B videos in a batch, T = 10 segments of one second, C classes, Da and Dv sizes of the audio and
    visual features.

    ```python
    import gymnasium as gym

    env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", batch_size=16)
    observation, info = env.reset(seed=0)
    action = env.action_space.sample(mask=info["action_mask"])
    observation, reward, terminated, truncated, info = env.step(action)
    ```

    ## Action Space

    `MultiBinary((B, 2, C))`: `action[:, 0]` is for the audio labels, `action[:, 1]` for the visual ones.
    A bit of 1 *removes* the label (Eq. 5), 0 keeps it. Bits on absent labels are ignored: labels are never added.
    Arrays of bool, integers or floats that are 0 or 1 are accepted; anything else raises `ValueError`.

    `info["action_mask"]` has the encoding of `MultiBinary.sample(mask=...)`: 2 where a label can be removed, 0
    where there is none.

    ## Observation Space

    A `Dict`. With `observation="features"` (Eq. 1):

    | Key        | Shape           | Type    | Content                                                             |
    |------------|-----------------|---------|---------------------------------------------------------------------|
    | `audio`    | (B, T, Da + C)  | float32 | audio features of each segment, then the video's audio labels       |
    | `visual`   | (B, T, Dv + C)  | float32 | visual features (2D first, then 3D), then the video's visual labels |
    | `progress` | (1,)            | float32 | share of the episode that is over; only with `time_feature=True`    |

    Bounds of features are the largest numbers of the type in which the data set stores them; labels lie in
    [0, 1]. With LLP's feature sizes and B = 128 one observation takes 14 MB. With `observation="indices"` it
    takes a few kilobytes and the agent looks features up itself:

    | Key            | Shape  | Type    | Content                                                          |
    |----------------|--------|---------|------------------------------------------------------------------|
    | `index`        | (B,)   | int64   | rows of the training split                                       |
    | `labels_audio` | (B, C) | int8    | audio labels                                                     |
    | `labels_visual`| (B, C) | int8    | visual labels                                                    |
    | `progress`     | (1,)   | float32 | share of the episode that is over; only with `time_feature=True` |

    With `initialized_labels=False` the labels are left out of either. With `evidence="start"` or `"current"` both have
    another entry:

    | Key        | Shape     | Type    | Content                                                                  |
    |------------|-----------|---------|--------------------------------------------------------------------------|
    | `evidence` | (B, 2, C) | float32 | log-odds of each class in each modality, pooled over time, by a parser that sees that modality alone; within -14 and 14 |

    The parser is the one that episodes start from, or the task network as it is at this step (one more pass). Of a label
    that is there, little evidence means that it is likely wrong in this modality.

    ## Rewards

    A step's reward is the mean of two branch rewards, `info["reward_audio"]` and `info["reward_visual"]`. A branch
    is paid its inter-reward, divided by the number of steps, in every step and its terminal reward on the last one:
    the return of an episode is its mean inter-reward plus its validation reward (Eq. 11).

    - *Inter-reward* (Eq. 9): the mean over the videos of 0.6 exp(-(KL(o, r) + KL(r, o)) / 2) + 0.4 cosine(o, r),
      where o are the video's original noisy labels and r its revised labels, both smoothed (0.1) and normalised to
      distributions. It is 1 where nothing was removed. A step pays `inter_scale` times as much; the default is
      1 / `episode_length`. `inter_scale=1` pays the sum over the steps, which outweighs the validation reward so far that
      keeping everything pays best ([figures](decisions.md#the-balance-of-the-rewards)).
    - A video that would lose all its labels gets them back and counts -1 instead, in both branches
      (`empty_rule="video"`), or branch by branch (`empty_rule="modality"`).
    - *Terminal reward* (Eq. 10): 0.1 per percent of validation F-score, segment-level audio F for the audio branch
      and event-level visual F for the visual branch.

    `reward="credit"` pays for every single label instead, `reward="paper+credit"` in addition:

    - *Credit* of a label: how much keeping it would raise the task network's validation loss, to first order, in one
      plain gradient step on the batch, from the network as it is before the step's training. Positive: the label does
      harm. It is divided by the mean absolute credit of the batch's labels and clipped to [-5, 5].
    - A branch earns the mean over the videos of the sum of the credit of the labels that were really removed. A video
      that got its labels back earns nothing, or the -1 of `"paper+credit"`. `"credit"` has no inter- and no terminal
      reward; the validation scores are in `info` all the same.
    - **Credit is computed from the dense labels of the validation videos**, as the paper's terminal reward is: compare
      with methods that use these labels, too. A new network's credit misleads, which `task_lifespan="run"` helps, and a
      step takes almost four times as long ([figures](decisions.md#the-reward-from-credit)).

    `reward="my_module:my_reward"` pays what a [function of your own](extending.md#a-reward) says about the step, and
    nothing else.

    ## Starting State

    A reset draws the episode's videos at random (a third of the training set) and a first batch of them, with
    their original labels in both modalities. The task network starts as a copy of one parser that was trained on
    the weak labels before, once for all episodes: at the first reset, in seconds, then read from a cache file
    (`task_start`; the folder is `RLLD_CACHE` or the platform's own for caches). Only such a parser tells the
    truth from a plausible rule after so few steps ([figures](decisions.md#where-an-episode-starts));
    `task_start="fresh"` is the paper's.
    With `task_lifespan="run"` the network goes on from the last episode instead, except after a reset with a
    seed, which restores everything. Each step's next batch keeps a quarter of the videos; the new ones walk through the
    episode's videos in shuffled order.

    All randomness comes from `env.np_random`; the global random states of NumPy and torch are left alone.

    ## Episode End

    The episode ends after `episode_length` steps with `terminated=True`: 32 steps of 96 new videos pass the
    episode's third of the training set once, and the validation reward is paid at that point. This horizon is part
    of the task (there is no value beyond it), so it is a termination; `truncated` is always `False`.

    ## Info

    After `reset` and after every step, about the observation that is returned:

    | Key           | Type              | Content                                               |
    |---------------|-------------------|-------------------------------------------------------|
    | `indices`     | int64 (B,)        | the videos of the observation, rows of the training split |
    | `action_mask` | int8 (B, 2, C)    | 2 where a label can be removed, 0 elsewhere           |

    After every step, about the batch that the action was for (`indices` of the info before):

    | Key                | Type           | Content                                                            |
    |--------------------|----------------|--------------------------------------------------------------------|
    | `inter_reward`     | float          | mean of `per_video_reward`: the two branches' inter-rewards (Eq. 9), not scaled |
    | `terminal_reward`  | float          | mean of the two branches' terminal rewards, 0.0 where none is paid |
    | `reward_audio`     | float          | what the audio branch is paid                                      |
    | `reward_visual`    | float          | what the visual branch is paid                                     |
    | `per_video_reward` | float32 (B, 2) | inter-reward (Eq. 9, or -1) of each video in the audio and in the visual branch, not scaled; the same whatever the reward |
    | `n_removed_audio`  | int            | labels removed from the audio branch                               |
    | `n_removed_visual` | int            | labels removed from the visual branch                              |
    | `n_reverted`       | int            | videos that got labels back because none would have been left      |

    With a reward of your own also `own_reward`, float32 (B, 2): what each video is paid in either branch. With credit in
    the reward also `label_credit`, float32 (B, 2, C): of each label shown, 0 where there is none; and
    `per_video_credit`, float32 (B, 2): what each video earns with the credit of its removed labels.

    After the last step (and wherever `terminal_every` validates) also the ten validation F-scores in percent:
    `segment_audio`, `segment_visual`, `segment_audio_visual`, `segment_type`, `segment_event`, `event_audio`,
    `event_visual`, `event_audio_visual`, `event_type`, `event_event`; and `class_contribution`, float32 (2, C), in percent:
    what the task network's predictions of each class add to segment-level audio and visual F. It is the F-score less the
    one without these predictions, the mean over the validation videos, and tells which class a change of F is due to.

    ## Arguments

    {arguments}

    All arguments can be passed to `gymnasium.make` and are JSON-able. The data set is loaded at the first reset,
    once per process, and shared by all environments on it. `env.unwrapped.get_state()` and `set_state()` store
    and resume the environment exactly, also in the middle of an episode.

    ## Vectorized environment

    `gymnasium.make_vec("rlld_gym:rlld/LabelDenoising-v0", num_envs=4)` runs independent copies that share the data
    set; as `rlld/LabelDenoisingStacked-v0` they [train their task networks together](stacked.md). In processes, start
    them afresh (a forked one hangs where its parent used torch):
    `gymnasium.make_vec(..., vectorization_mode="async", vector_kwargs={"context": "forkserver"})`. The videos of one
    batch as sub-environments: [rlld/LabelDenoisingPerVideo-v0](per_video.md). One decision for an episode:
    [rlld/LabelDenoisingRates-v0](rates.md).

    ## Version History

    - v0: initial version
    """  # noqa: E501 (rows of Markdown tables)

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}

    def __init__(self, data: str | os.PathLike[str] = "twin-small", **options: Any) -> None:
        options = absolute_data({"data": data, **options})
        arguments = options_from(EnvironmentArguments, type(self).__name__, **options)
        EzPickle.__init__(self, **vars(arguments))
        self._device = arguments.device
        self._data = arguments.data, arguments.data_seed
        header = checks.data_header(*self._data)
        self._config = arguments.process_config(header)
        check_start(self._config, header.network_sizes, header.classes)
        self._classes = header.classes
        self._layout = arguments.layout()
        self.observation_space = self._layout.space(header)
        self.action_space = spaces.MultiBinary((arguments.batch_size, 2, len(header.classes)))
        self.render_mode = arguments.render_mode
        self._process: DenoisingProcess | None = None
        self._frame: Frame | None = None

    @property
    def data_fingerprint(self) -> DataFingerprint:
        """What identifies the data set, for files of what an agent has learned on it."""
        return open_data(*self._data).fingerprint

    @property
    def inter_factor(self) -> float:
        """What a step pays per unit of ``info["per_video_reward"]``; 0 with ``reward="credit"``."""
        return self._config.inter_factor

    @timed_part("environment")
    @own_torch_settings()
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: restores everything, also a task network that outlives episodes; None goes on at random.
            options: not used.

        Returns:
            The first observation and its info.
        """
        super().reset(seed=plain(seed))  # Gymnasium refuses numpy's integers
        process = self._process or self._make_process()
        process.reset(self.np_random, new_run=seed is not None or self._process is None)
        return self._begin(process)

    @timed_part("environment")
    @own_torch_settings()
    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Remove labels and train the task network on the others.

        Args:
            action: (B, 2, C) of 0 and 1; 1 removes.

        Returns:
            Observation, reward, terminated, truncated (always False) and info; see the class.

        Raises:
            ValueError: the action has another shape or other values.
            ResetNeeded: before the first reset, or after the last step of an episode.
        """
        process = self._running_process()
        bits = torch.from_numpy(checks.checked_action(action, tuple(process.state.labels.shape)))
        result = process.step(bits.to(process.data.device))
        info, labels = step_info(result, process.state.labels, self.inter_factor)
        info |= self._state_info(process, labels)
        if self._frame is not None:
            self._frame = step_frame(self._frame, process.steps, result, info)
        reward = (info["reward_audio"] + info["reward_visual"]) / 2
        return self._observation(process, labels), reward, result.terminated, False, info

    def render(self) -> Any:
        """Return the last step as a table (str) or as a picture ((height, width, 3) uint8).

        Raises:
            ResetNeeded: before the first reset.
        """
        if self.render_mode is None:
            gymnasium.logger.warn(
                "render() was called without a render mode; make the environment with "
                'render_mode="ansi" or "rgb_array"'
            )
            return None
        if self._frame is None:
            raise ResetNeeded("there is nothing to render before the first reset()")
        return draw_table(self._frame) if self.render_mode == "ansi" else draw_picture(self._frame)

    def close(self) -> None:
        """Let go of the task network; a later reset would build everything anew."""
        self._process = None
        self._frame = None

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future, as a dictionary of CPU tensors and plain values.

        It can be stored with ``torch.save`` and read with ``torch.load(..., weights_only=True)``.

        Raises:
            ResetNeeded: before the first reset.
        """
        if self._process is None:
            raise ResetNeeded("there is no state to store before the first reset()")
        return {"format": 1, "process": self._process.get_state()}

    @own_torch_settings()
    def set_state(self, state: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """Go back to a state that `get_state` returned; no reset is needed before.

        Args:
            state: of an environment with the same arguments and the same data.

        Returns:
            The observation that the next action is for, and its info as `reset` would return it.

        Raises:
            InputError: it is no such state, or the other environment had other arguments or data.
        """
        stored = checks.process_state(state)
        process = self._process or self._make_process()
        process.set_state(stored, self.np_random)
        return self._begin(process)

    @own_torch_settings()
    def training_evidence(self) -> TrainingEvidence:
        """Return the training videos' weak labels and what the parser that episodes start from says of them.

        Raises:
            ResetNeeded: before the first reset.
            InputError: episodes start from a new network, which knows nothing.
        """
        if self._process is None:
            raise ResetNeeded("the training videos are unknown before the first reset()")
        return training_evidence(self._process)

    def _make_process(self) -> DenoisingProcess:
        require_threads()
        data, data_seed = self._data
        tensors = shared_tensors(data, resolved_device(self._device), data_seed)
        return DenoisingProcess(tensors, self._config)

    def _begin(self, process: DenoisingProcess) -> tuple[Observation, dict[str, Any]]:
        """Go on with a process; return its state's observation and info."""
        self._process = process
        labels = process.state.labels.cpu().numpy()
        self._frame = None if self.render_mode is None else state_frame(process, labels, self._classes)
        return self._observation(process, labels), self._state_info(process, labels)

    def _running_process(self) -> DenoisingProcess:
        if self._process is None:
            raise ResetNeeded("step() was called before the first reset()")
        if self._process.terminated:
            raise ResetNeeded("step() was called after the last step of the episode; call reset() first")
        return self._process

    def _observation(self, process: DenoisingProcess, labels: NDArray[np.bool_]) -> Observation:
        return self._layout.observe(process, labels)

    def _state_info(self, process: DenoisingProcess, labels: NDArray[np.bool_]) -> dict[str, Any]:
        return {
            "indices": process.state.indices.copy(),
            "action_mask": labels.astype(np.int8) * np.int8(FREE),
        }


# Declared once, in EnvironmentArguments: documentation and signature follow.
LabelDenoisingEnv.__signature__ = signature(EnvironmentArguments)  # type: ignore[attr-defined]
if LabelDenoisingEnv.__doc__ is not None:  # it is None under python -OO
    LabelDenoisingEnv.__doc__ = LabelDenoisingEnv.__doc__.replace(
        "{arguments}", "\n    ".join(markdown_table(EnvironmentArguments))
    )
