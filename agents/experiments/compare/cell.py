"""One cell of a comparison: an agent or a control with one seed, from learning to test scores."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlld_agents.experiments.compare.bundled import AGENTS
from rlld_agents.experiments.compare.config import CompareConfig
from rlld_agents.experiments.compare.protocol import Agent, Task, load_agent_class
from rlld_agents.experiments.experiment import choose_device
from rlld_agents.experiments.parsers import ParserJob, ParserSetting, run_parser_job
from rlld_agents.experiments.study.cells import Progress
from rlld_agents.labels import controls
from rlld_agents.labels.removal import RemovalQuality, removal_quality
from rlld_agents.policies.denoising import observe
from rlld_gym.data import FeatureStore, open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.labels import FREE, EmptyRule, revise_labels
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe

LEARNING_SHARE = 0.9
"""Share of a cell's progress that learning takes; the rest is for the parser."""

CONTROLS = ("keep-all", "random", "no-visual-speech", "oracle")


@dataclass(frozen=True)
class CompareCell:
    """An agent or a control with one seed.

    Attributes:
        config: the comparison.
        name: of a bundled agent or a control, or "module:Class".
        seed: of everything random.
    """

    config: CompareConfig
    name: str
    seed: int

    def run(self, folder: Path, progress: Progress) -> dict[str, Any]:
        """Let the agent learn and act, train a parser on what is left, test it.

        Raises:
            InputError: an agent took more steps than it may, or its actions are no actions.
        """
        start = time.perf_counter()
        config = self.config
        store = open_data(config.data, config.data_seed)
        data = shared_tensors(config.data, str(choose_device(config.device)), config.data_seed)
        curve: list[dict[str, float]] = []
        scores = None
        if self.name in CONTROLS:
            labels = control_labels(self.name, store, self.seed)
        else:
            agent = _learned_agent(self, store, Reports(config.steps, self.name, curve, progress))
            labels, scores = acted_labels(agent, data, config)
        result: dict[str, Any] = {"agent": self.name, "seed": self.seed}
        if labels is None:
            return result | {"skipped": "the data set cannot offer this control"}
        truth = store.split("train").truth()
        quality = removal_quality(store.split("train").labels, *labels, truth, scores)
        recipe = get_recipe(config.recipe or str(store.attributes["recipe"]))
        if config.parser_epochs is not None:
            recipe = recipe.shortened(config.parser_epochs)
        setting = ParserSetting(folder, store, data, recipe, _hidden_size(config, store))
        test = run_parser_job(ParserJob(self.name.replace(":", "."), labels, self.seed), setting)
        result |= {"curve": curve, "test": test, "removal": _summary(quality)}
        return result | {"seconds": round(time.perf_counter() - start, 1)}


def cells_of(config: CompareConfig) -> list[CompareCell]:
    """Return all cells of a comparison, seed by seed, so that all rows grow together."""
    names = [*config.agents, *config.agent, *config.controls]
    return [CompareCell(config, name, seed) for seed in range(config.seeds) for name in names]


def control_labels(name: str, store: FeatureStore, seed: int) -> controls.LabelSet | None:
    """Return the labels of a control; None where the data set cannot offer it.

    "random" removes as many labels of each modality as the oracle does where the truth is known, else as
    many as "no-visual-speech" does.
    """
    train = store.split("train")
    if name == "keep-all":
        return controls.weak(train)
    if name == "no-visual-speech":
        return controls.no_visual_speech(train, store.classes)
    oracle = controls.oracle(train)
    if name == "oracle":
        return oracle
    matched = oracle or controls.no_visual_speech(train, store.classes)
    return None if matched is None else controls.random_removal(train, *matched, seed)


@dataclass(frozen=True)
class Reports:
    """Takes the rows that an agent reports, and stops an agent that goes past its budget.

    Attributes:
        steps: environment steps that the agent may learn for.
        name: of the agent, for the message.
        curve: where rows are put.
        progress: called with the share of the cell that is done.
    """

    steps: int
    name: str
    curve: list[dict[str, float]]
    progress: Progress

    def __call__(self, row: dict[str, float]) -> None:
        """Take a row.

        Raises:
            InputError: the agent has taken more steps than it may.
        """
        if row["steps"] > self.steps:
            raise InputError(
                f"{self.name} took {row['steps']:.0f} environment steps, expected at most {self.steps}: its "
                "learn(total_steps) must stop"
            )
        self.curve.append(row)
        self.progress(LEARNING_SHARE * row["steps"] / self.steps)


def _hidden_size(config: CompareConfig, store: FeatureStore) -> int:
    return config.hidden_size or int(store.attributes["hidden_size"])


def _learned_agent(cell: CompareCell, store: FeatureStore, report: Reports) -> Agent:
    """Make an agent and let it learn."""
    config = cell.config
    task = Task(
        environment=config.environment_arguments(),
        seed=cell.seed,
        device=str(choose_device(config.device)),
        hidden_size=_hidden_size(config, store),
        visual_3d_size=store.visual_3d_size,
        report=report,
    )
    make = AGENTS[cell.name] if cell.name in AGENTS else load_agent_class(cell.name)
    agent = make(task)
    agent.learn(config.budget)
    return agent


def acted_labels(
    agent: Agent, data: StoreTensors, config: CompareConfig
) -> tuple[controls.LabelSet, NDArray[np.float32] | None]:
    """Let an agent act once on every training video; return what is left and, if it has them, its probabilities.

    Batches have the environment's size; the last one is filled up with the first videos.
    """
    train = data["train"]
    size, number = config.environment.batch_size, len(train)
    probability = getattr(agent, "removal_probability", None)
    actions, scores = [], []
    for start in range(0, number, size):
        rows = torch.arange(start, start + size, device=data.device) % number
        audio, visual = observe(train, rows, config.environment.initialized_labels)
        observation = {"audio": audio.cpu().numpy(), "visual": visual.cpu().numpy()}
        labels = train.labels[rows].bool().cpu().numpy()
        mask = np.where(labels, FREE, 0).astype(np.int8)[:, None].repeat(2, axis=1)
        action = np.asarray(agent.act(observation, {"action_mask": mask, "indices": rows.cpu().numpy()}))
        if action.shape != mask.shape or not np.isin(action, (0, 1)).all():
            raise InputError(
                f"{type(agent).__name__}.act returned an array of shape {action.shape}; expected {mask.shape} of "
                "0 and 1"
            )
        actions.append(torch.from_numpy(action.astype(np.bool_)))
        if probability is not None:
            scores.append(np.asarray(probability(observation), np.float32))
    rule: EmptyRule = config.environment.empty_rule
    weak = train.labels.bool().cpu()
    revision = revise_labels(weak, weak, torch.cat(actions)[:number], rule)
    left = controls.LabelSet(revision.audio.numpy(), revision.visual.numpy())
    return left, np.concatenate(scores)[:number] if scores else None


def _summary(quality: RemovalQuality) -> dict[str, dict[str, float | None]]:
    return {
        name: {"rate": part.removal_rate, **part.as_dict()}
        for name, part in (("audio", quality.audio), ("visual", quality.visual))
    }
