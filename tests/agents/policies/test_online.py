"""A policy in the loop of a parser's training: as many labels go as it decided, and the parser says which."""

import numpy as np
import pytest
import torch

from rlld_agents.labels.revised import RevisedLabels
from rlld_agents.policies.online import OnlinePlan, train_online
from rlld_gym.data import open_data
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.evidence import evidence
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import feature_sizes, make_task_network, train_parser

RECIPE = get_recipe("compact-tiny").shortened(4)
SIZE = 16


@pytest.fixture(scope="module")
def data() -> StoreTensors:
    """Return twin-tiny on the CPU."""
    return open_data("twin-tiny").to("cpu")


def decision(data: StoreTensors, share: float = 0.25) -> RevisedLabels:
    """Return labels of which a random share was removed, without emptying a video."""
    weak = data["train"].labels.numpy() > 0
    generator = np.random.default_rng(0)
    left = [weak & (generator.random(weak.shape) >= share) for _ in range(2)]
    empty = ~(left[0] | left[1]).any(1)
    for part in left:
        part[empty] = weak[empty]
    probability = generator.random((len(weak), 2, weak.shape[1])).astype(np.float32)
    return RevisedLabels(left[0], left[1], probability * weak[:, None])


def naive_removals(score: np.ndarray, weak: np.ndarray, first: RevisedLabels) -> np.ndarray:
    """Return (N, 2, C) bool: of each class and modality as many as were removed before, the highest scores."""
    removed = np.zeros_like(score, dtype=bool)
    for modality, left in enumerate((first.audio, first.visual)):
        for label in range(weak.shape[1]):
            rows = np.flatnonzero(weak[:, label])
            number = int(weak[:, label].sum() - left[:, label].sum())
            order = sorted(rows, key=lambda row: -score[row, modality, label])
            removed[order[:number], modality, label] = True
    return removed


@pytest.mark.parametrize("weight", [None, 0.0, 2.0])
def test_as_many_labels_go_as_before_and_the_score_says_which(
    weight: float | None, data: StoreTensors
) -> None:
    first, train = decision(data), data["train"]
    weak = train.labels.numpy() > 0
    network = make_task_network(RECIPE, **feature_sizes(train), hidden_size=SIZE, seed=0)
    revision = OnlinePlan(first, weight).start(train, epochs=4)
    assert revision(network, 1) is None
    labels = revision(network, 2)
    assert labels is not None

    found = evidence(network, train).numpy().astype(np.float64)
    present = np.broadcast_to(weak[:, None], found.shape)
    values = np.where(present, found, np.nan)
    score = (np.nanmean(values, 0) - found) / np.nanstd(values, 0)
    if weight is not None:
        clamped = np.clip(first.removal_probability, 1e-4, 1 - 1e-4)
        score = np.log(clamped / (1 - clamped)) + weight * score
    removed = naive_removals(score, weak, first)
    emptied = (weak & removed[:, 0] & removed[:, 1] | ~weak).all(1)
    for modality, left in enumerate(labels):
        expected = weak & ~(removed[:, modality] & ~emptied[:, None])
        assert (left != expected).mean() < 1e-4  # but for ties of rounding


def test_the_parser_is_trained_on_what_was_decided_last(data: StoreTensors) -> None:
    trained, revised = train_online(data, OnlinePlan(decision(data)), RECIPE, hidden_size=SIZE, seed=0)
    frozen = train_parser(data, *decision(data).label_set, RECIPE, hidden_size=SIZE, seed=0)
    assert trained.history[0] == frozen.history[0], "the first epoch has the policy's own labels"
    assert trained.history[-1] != frozen.history[-1]
    weak = data["train"].labels.numpy() > 0
    assert not (revised.audio & ~weak).any()
    assert (
        revised.removal_probability[~np.broadcast_to(weak[:, None], (len(weak), 2, weak.shape[1]))] == 0
    ).all()
    again = train_online(data, OnlinePlan(decision(data)), RECIPE, hidden_size=SIZE, seed=0)
    assert again[0].history == trained.history
    assert (again[1].audio == revised.audio).all()


def test_the_training_goes_on_in_the_mode_it_was_in(data: StoreTensors) -> None:
    network = make_task_network(RECIPE, **feature_sizes(data["train"]), hidden_size=SIZE, seed=0).train()
    state = torch.get_rng_state()
    OnlinePlan(decision(data)).start(data["train"], 4)(network, 3)
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)


def test_a_negative_weight_is_refused(data: StoreTensors) -> None:
    with pytest.raises(InputError, match="evidence_weight is -1, expected at least 0"):
        OnlinePlan(decision(data), -1)
