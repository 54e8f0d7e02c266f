"""An agent as a method: it learns within a budget of environment steps, and acts once on every training video."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rlld_agents.baselines.agents.bundled import AGENTS
from rlld_agents.baselines.agents.protocol import Agent, Task
from rlld_agents.baselines.base import Context, Denoised, environment_options, number_of_parameters
from rlld_agents.policies.denoising import observe
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.denoising.labels import FREE, revise_labels
from rlld_gym.envs.checks import checked_action
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.errors import InputError
from rlld_gym.plugins import load_plugin

VALIDATION_LABELS = "dense, as the reward and to choose the epoch of the parser"


@dataclass(frozen=True)
class AgentDenoiser:
    """An agent of any library on rlld/LabelDenoising-v0; what it removes in the end is removed."""

    agent: str = "reinforce"
    """A bundled agent, "module:Class", or an entry point "rlld.agents" of an installed package."""
    steps: int = 640
    """Environment steps to learn for, each one action for a whole batch of videos; whole episodes are played."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment."""

    def __post_init__(self) -> None:
        """Check the options, and that there is such an agent (InputError)."""
        length = self.environment.episode_length
        if self.steps < length:
            raise InputError(f"steps is {self.steps}, expected at least one episode of {length}")
        self._maker()

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.agent

    def denoise(self, context: Context) -> Denoised:
        """Let the agent learn, then act without exploration.

        Raises:
            InputError: the context does not say where the data set is, or the agent took more steps than it may,
                or its actions are no actions.
        """
        train = context.data["train"]
        environment = environment_options(context, self.name) | asdict(self.environment)
        device = environment.pop("device")
        visual_3d_size = train.visual.shape[-1] - train.visual_2d_size
        report = EpisodeLog(self.steps, self.name, context.progress)
        agent = self._maker()(
            Task(environment, context.seed, device, context.hidden_size, visual_3d_size, report)
        )
        length = self.environment.episode_length
        agent.learn(self.steps // length * length)
        audio, visual, scores = acted_labels(agent, train, self.environment)
        policy = getattr(agent, "policy", None)
        known = {"policy_parameters": number_of_parameters(policy)} if isinstance(policy, nn.Module) else {}
        return Denoised(audio, visual, scores, None, VALIDATION_LABELS, known, tuple(report.episodes))

    def _maker(self) -> Callable[[Task], Agent]:
        if self.agent in AGENTS:
            return AGENTS[self.agent]
        found: Callable[[Task], Agent] = load_plugin(
            self.agent, "agent", "rlld.agents", methods=("learn", "act")
        )
        return found


@dataclass(frozen=True)
class EpisodeLog:
    """Takes what an agent reports, and stops an agent that goes past its budget.

    Attributes:
        steps: environment steps that the agent may learn for.
        name: of the agent, for the message.
        progress: called with steps taken and steps in all; None: nobody asks.
        episodes: what was reported.
    """

    steps: int
    name: str
    progress: Callable[[int, int], None] | None
    episodes: list[dict[str, float]] = field(default_factory=list)

    def __call__(self, row: dict[str, float]) -> None:
        """Take an episode's numbers.

        Raises:
            InputError: the agent has taken more steps than it may.
        """
        if row["steps"] > self.steps:
            raise InputError(
                f"{self.name} took {row['steps']:.0f} environment steps, expected at most {self.steps}: its "
                "learn(total_steps) must stop"
            )
        self.episodes.append(row)
        if self.progress is not None:
            self.progress(int(row["steps"]), self.steps)


def acted_labels(
    agent: Agent, train: SplitTensors, options: EnvironmentOptions
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float32] | None]:
    """Let an agent act once on every video.

    Batches have the environment's size; the last one is filled up with the first videos.

    Returns:
        The audio and the visual labels that are left, (N, C) bool each, and the agent's removal probabilities,
        (N, 2, C) float32, 0 where there is no label; None where it has none.

    Raises:
        InputError: what the agent returns are no actions.
    """
    number, size = len(train), options.batch_size
    probability = getattr(agent, "removal_probability", None)
    actions, scores = [], []
    for start in range(0, number, size):
        rows = torch.arange(start, start + size, device=train.labels.device) % number
        audio, visual = observe(train, rows, options.initialized_labels)
        observation = {"audio": audio.cpu().numpy(), "visual": visual.cpu().numpy()}
        labels = train.labels[rows].bool().cpu().numpy()
        mask = np.where(labels, FREE, 0).astype(np.int8)[:, None].repeat(2, axis=1)
        action = agent.act(observation, {"action_mask": mask, "indices": rows.cpu().numpy()})
        actions.append(torch.from_numpy(_actions(action, mask.shape, type(agent).__name__)))
        if probability is not None:
            scores.append(np.where(mask, np.asarray(probability(observation), np.float32), np.float32(0)))
    weak = train.labels.bool().cpu()
    left = revise_labels(weak, weak, torch.cat(actions)[:number], options.empty_rule)
    return left.audio.numpy(), left.visual.numpy(), np.concatenate(scores)[:number] if scores else None


def _actions(returned: object, shape: tuple[int, ...], agent: str) -> NDArray[np.bool_]:
    """Return what an agent returned as actions; InputError where it is none, by the agent's name."""
    try:
        return checked_action(returned, shape)
    except ValueError as error:
        raise InputError(f"{agent}.act: {error}") from error
