"""The environment ``rlld/LabelDenoisingRates-v0``."""

from dataclasses import fields
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle
from numpy.typing import NDArray

from rlld_gym.data.catalog import absolute_data
from rlld_gym.denoising.labels import EmptyRule
from rlld_gym.envs.class_statistics import ClassStatistics, Vector
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.envs.options import EnvironmentArguments
from rlld_gym.envs.plain_spec import PlainSpec
from rlld_gym.envs.removal_rates import MIDDLE_SHARES, Rates, RemovalRates
from rlld_gym.envs.repeated_action import RepeatAction
from rlld_gym.errors import InputError
from rlld_gym.options import plain

FIXED = ("observation", "initialized_labels", "time_feature", "evidence")
"""Arguments of the joint environment about an observation that this one does not have."""


class LabelDenoisingRatesEnv(PlainSpec, gymnasium.Env[Vector, Rates], EzPickle):
    """Label denoising with one decision per episode: how many labels of each class to remove from each modality.

    ## Description

    The process is that of [rlld/LabelDenoising-v0](environment.md): a task network (a parser) takes 32 gradient steps
    on labels of which some were removed, and its validation F-score is the reward. There an action has a bit for each
    label of a batch; single bits average out, and an agent learns little from some hundred episodes. Here an action has
    one number for each class and modality, about 50, and moves the reward visibly in one episode. Which labels
    are removed is decided by the parser that episodes start from: those for which it finds the least evidence in
    the modality itself. Agents of any library learn it in some hundred episodes: the place to start
    ([which form for which agent](which_form.md)).

    ```python
    import gymnasium as gym

    env = gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", data="twin-tiny")
    observation, info = env.reset(seed=0)
    observation, episode_return, terminated, truncated, info = env.step(env.action_space.sample())
    ```

    ## Action Space

    `Box(-1, 1, (2, C), float32)`: `action[0]` is for the audio labels, `action[1]` for the visual ones. An action a
    stands for the share ((1 + a) / 2) ** p of the class's labels in all training videos: -1 removes nothing, 1 all, and
    p is such that 0 removes 5 % of the audio labels and 20 % of the visual ones (`middle_shares`). To keep everything
    is a local optimum of the return; agents that start at 0 start away from it. Numbers outside [-1, 1] count as
    the nearest inside; flat actions (2C,) are accepted, too.

    Of a class's labels those go first for which the starting parser has the least evidence in the modality
    ([evidence](environment.md#observation-space)), ranked among all training videos.

    ## Observation Space

    `Box(-1, 1, (10 C + 1,), float32)`, in C order of (2, C, 5) and then one number more. For each modality and class:

    | Number | Content                                                                                       |
    |--------|-----------------------------------------------------------------------------------------------|
    | 0      | log(1 + labels of the class) / log(1 + training videos), the same for both modalities          |
    | 1 to 3 | evidence for the class's labels in the modality: quantiles .1, .5 and .9, divided by 14        |
    | 4      | the class's contribution to the last validation F-score, divided by 100; 0 before the first one and after a reset with a seed |

    The last number is the share of the episode that is over, always 0 with one decision per episode.

    ## Rewards

    The sum of the rewards of [rlld/LabelDenoising-v0](environment.md#rewards) over the steps that the decision was
    for. By default that is the return of an episode: the mean inter-reward plus the validation reward (Eq. 11). What
    keep-all, the rule "no visual Speech" and the truth earn is returned by [`control_returns`](which_form.md): compare
    an agent's returns with these.

    ## Starting State

    That of [rlld/LabelDenoising-v0](environment.md#starting-state): the first reset loads the data set and, once,
    trains the parser that episodes start from; later ones take milliseconds. Episodes must start from a parser that knows
    something, so `task_start="fresh"` is refused.

    ## Episode End

    `terminated=True` after 32 steps of the task network, so by default after one decision; `truncated` is always `False`.

    ## Info

    After `reset`: nothing. After every step:

    | Key                                                  | Type           | Content                                        |
    |------------------------------------------------------|----------------|------------------------------------------------|
    | `removed_share`                                      | float32 (2, C) | the share of the labels that the action stands for |
    | `n_steps`                                            | int            | steps of the task network                      |
    | `inter_reward`                                       | float          | mean over these steps                          |
    | `terminal_reward`, `reward_audio`, `reward_visual`   | float          | sums over these steps                          |
    | `n_removed_audio`, `n_removed_visual`, `n_reverted`  | int            | sums over these steps                          |

    After the last step (and wherever `terminal_every` validates) also the ten validation F-scores in percent and
    `class_contribution`, float32 (2, C), see [rlld/LabelDenoising-v0](environment.md#info).

    ## Arguments

    | Argument        | Default       | Meaning                                                                          |
    |-----------------|---------------|----------------------------------------------------------------------------------|
    | `data`          | `"twin-small"` | `"twin-tiny"`, `"twin-small"`, `"twin-full"` or the path of a feature store      |
    | `decide_every`  | `None`        | steps of the task network that a decision holds for; `None`: the whole episode   |
    | `middle_shares` | `(0.05, 0.2)` | what an action of 0 removes, of the audio and of the visual labels               |
    | others          |               | those of [rlld/LabelDenoising-v0](environment.md#arguments), apart from `observation`, `initialized_labels`, `time_feature` and `evidence` |

    With `decide_every`, `terminal_every` of the same size pays every decision its own validation reward.

    All arguments can be passed to `gymnasium.make` and are JSON-able. `env.unwrapped.get_state()` and `set_state()` store
    and resume the environment exactly. The wrappers that it is made of can be used alone:
    `rlld_gym.envs.removal_rates.RemovalRates`, `rlld_gym.envs.repeated_action.RepeatAction` and
    `rlld_gym.envs.class_statistics.ClassStatistics`.

    ## What an agent has learned

    `env.unwrapped.remaining_labels(action)` returns the labels of all training videos that an action leaves, (N, 2, C)
    bool; `rlld_agents.labels.files.write_labels` makes a file of them for `rlld train-parser`.

    ## Vectorized environment

    Copies of the environment share the data set. An episode is one step, and in Gymnasium's default mode the step after
    an episode's end is a reset: every second action would be ignored and paid 0. So ask for `SAME_STEP`, in which every
    step is an episode ([what each form does at the end](autoreset.md)):

    ```python
    import gymnasium as gym

    envs = gym.make_vec(
        "rlld_gym:rlld/LabelDenoisingRates-v0",
        num_envs=2,
        vector_kwargs={"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP},
        data="twin-tiny",
    )
    observations, infos = envs.reset(seed=0)  # seeds 0 and 1
    observations, episode_returns, terminations, truncations, infos = envs.step(envs.action_space.sample())
    removed_shares = infos["final_info"]["removed_share"]  # (2, 2, 25): the info of the episodes that ended
    ```

    As `rlld/LabelDenoisingRatesStacked-v0` copies [train their task networks together](stacked.md), which pays for small
    batches. An episode takes half a second, so processes pay: add `vectorization_mode="async"` and, to `vector_kwargs`,
    `"context": "forkserver"` (a forked one hangs where its parent used torch).

    ## Version History

    - v0: initial version
    """  # noqa: E501 (rows of Markdown tables)

    metadata: dict[str, Any] = LabelDenoisingEnv.metadata
    videos_class: ClassVar[type[LabelDenoisingEnv]] = LabelDenoisingEnv
    """The environment of which one decision takes many steps."""

    def __init__(
        self,
        data: str = "twin-small",
        *,
        decide_every: int | None = None,
        middle_shares: tuple[float, float] = MIDDLE_SHARES,
        **arguments: Any,
    ) -> None:
        data = absolute_data({"data": data})["data"]
        EzPickle.__init__(self, data, decide_every=decide_every, middle_shares=middle_shares, **arguments)
        _check_arguments(arguments)
        self._videos = self.videos_class(data, observation="indices", time_feature=True, **arguments)
        self._rates = RemovalRates(self._videos, middle_shares)
        self._empty_rule: EmptyRule = arguments.get("empty_rule", "video")
        self._repeated = RepeatAction(self._rates, decide_every)
        self._decisions = ClassStatistics(self._repeated)
        assert isinstance(self._decisions.observation_space, spaces.Box)
        self.observation_space = self._decisions.observation_space
        self.action_space = self._decisions.action_space
        self.render_mode = self._videos.render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: restores everything; None goes on at random.
            options: not used.

        Returns:
            The statistics of the classes, and an empty info.
        """
        seed = plain(seed)
        super().reset(seed=seed)
        observation, _ = self._decisions.reset(seed=seed)
        return observation, {}

    def step(self, action: Rates) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Remove labels at these rates while the task network takes its steps.

        Args:
            action: (2, C) numbers from -1 (remove nothing) to 1 (everything).

        Returns:
            Observation, reward, terminated, truncated (always False) and info; see the class.

        Raises:
            ValueError: the action has another shape or is not finite.
            ResetNeeded: before the first reset, or after the end of the episode.
        """
        return self._decisions.step(action)

    def remaining_labels(self, action: Rates) -> NDArray[np.bool_]:
        """Return the labels of all training videos that an action leaves: the outcome to train a parser on.

        Args:
            action: as for `step`.

        Returns:
            (N, 2, C) bool, audio then visual.

        Raises:
            ValueError: the action has another shape or is not finite.
            ResetNeeded: before the first reset.
        """
        return self._rates.remaining_labels(action, self._empty_rule)

    def render(self) -> Any:
        """Return the last step of the task network as a table (str) or as a picture ((height, width, 3) uint8).

        Raises:
            ResetNeeded: before the first reset.
        """
        return self._decisions.unwrapped.render()

    def close(self) -> None:
        """Let go of the task network; a later reset would build everything anew."""
        self._decisions.close()

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future, as a dictionary of CPU tensors and plain values.

        It can be stored with ``torch.save`` and read with ``torch.load(..., weights_only=True)``.

        Raises:
            ResetNeeded: before the first reset.
        """
        return {"format": 1, "decisions": self._decisions.get_state()}

    def set_state(self, state: dict[str, Any]) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Go back to a state that `get_state` returned; no reset is needed before.

        Args:
            state: of an environment with the same arguments and the same data.

        Returns:
            The observation that the next action is for, and an empty info.

        Raises:
            InputError: it is no such state, or the other environment had other arguments or data.
        """
        if not isinstance(state, dict) or state.get("format") != 1 or "decisions" not in state:
            raise InputError("the state was not made by get_state() of this version of the environment")
        observation, _ = self._decisions.set_state(state["decisions"])
        return observation, {}


def _check_arguments(arguments: dict[str, Any]) -> None:
    """Refuse arguments that are unknown, or that only make sense for the joint environment.

    Raises:
        TypeError: there is no such argument.
        InputError: it is one of the joint environment, and makes no sense here.
    """
    joint = [field.name for field in fields(EnvironmentArguments)]
    unknown = [name for name in arguments if name not in joint]
    if unknown:
        others = [name for name in joint if name != "data" and name not in FIXED]
        known = ", ".join(["data", "decide_every", "middle_shares", *others])
        raise TypeError(
            f"LabelDenoisingRatesEnv got an unexpected keyword argument {unknown[0]!r}; expected some of {known}"
        )
    named = [name for name in FIXED if name in arguments]
    if named:
        raise InputError(
            f"rlld/LabelDenoisingRates-v0 has no {', '.join(named)}: it shows statistics of classes instead of "
            "videos; leave it out, or use rlld/LabelDenoising-v0"
        )
    if arguments.get("task_start") == "fresh":
        raise InputError(
            "task_start is 'fresh': a new network has no evidence that says which labels to remove first; use "
            "'pretrained' or the path of a task.safetensors"
        )
