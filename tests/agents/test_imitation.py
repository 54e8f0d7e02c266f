"""Warm start: the parser's encoder in the policy, and what imitation of the validation videos achieves."""

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from rlld_agents import HybridAttentionPolicy, denoise
from rlld_agents.denoise import observe
from rlld_agents.imitation import ImitationConfig, cross_validate, imitate
from rlld_agents.removal import removal_quality
from rlld_agents.transfer import REMOVAL_PER_EVIDENCE, start_from_parser
from rlld_gym.data import open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import HAN, TaskNetwork
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser

STORE = open_data("twin-tiny")
DATA = shared_tensors("twin-tiny", "cpu")
HIDDEN_SIZE = 32
QUICK = ImitationConfig(epochs=1)


@cache
def parser() -> TaskNetwork:
    labels = DATA["train"].labels
    recipe = get_recipe("compact-tiny")
    return train_parser(DATA, labels, labels, recipe, hidden_size=HIDDEN_SIZE, seed=0).network


def make_policy(hidden_size: int = HIDDEN_SIZE) -> HybridAttentionPolicy:
    sizes = {"audio": STORE.audio_size, "visual": STORE.visual_size}
    boxes = {name: spaces.Box(-1, 1, (1, 10, size + 25)) for name, size in sizes.items()}
    return HybridAttentionPolicy.for_spaces(
        spaces.Dict(boxes),
        spaces.MultiBinary((1, 2, 25)),
        hidden_size=hidden_size,
        visual_3d_size=STORE.visual_3d_size,
    )


def started() -> HybridAttentionPolicy:
    policy = make_policy()
    start_from_parser(policy, parser())
    return policy


def weights(policy: HybridAttentionPolicy) -> Tensor:
    return torch.nn.utils.parameters_to_vector(policy.parameters()).detach()


def test_a_started_policy_removes_what_the_parser_does_not_find() -> None:
    network, policy = parser(), started()
    assert isinstance(network, HAN)
    videos = torch.arange(16)
    with torch.no_grad():
        logits = policy(*observe(DATA["train"], videos, True))
        sequences = network.encode(*DATA["train"].batch(videos))
        for branch, sequence in enumerate(sequences):
            pooling = network.pooling
            attention = pooling.time_attention(sequence).softmax(1)
            expected = -REMOVAL_PER_EVIDENCE * (attention * pooling.classifier(sequence)).sum(1)
            torch.testing.assert_close(logits[:, branch], expected)


def test_the_parser_is_copied_not_shared() -> None:
    before = {name: weight.clone() for name, weight in parser().state_dict().items()}
    imitate(started(), DATA["val"], QUICK)
    assert all(torch.equal(weight, before[name]) for name, weight in parser().state_dict().items())


def test_another_make_or_size_is_refused() -> None:
    with pytest.raises(ValueError, match="same hidden_size"):
        start_from_parser(make_policy(hidden_size=16), parser())


def test_imitation_ranks_wrong_labels_first_and_a_parser_helps() -> None:
    """Better than the rule "no visual Speech" (AUC .79 by construction of the twin), and than from scratch."""
    areas = {}
    for name, policy in (("scratch", make_policy()), ("parser", started())):
        imitate(policy, DATA["val"], ImitationConfig())
        revised = denoise(policy, DATA)
        train = STORE.split("train")
        quality = removal_quality(
            train.labels, revised.audio, revised.visual, train.truth(), revised.removal_probability
        )
        areas[name] = quality.visual.auc
    assert areas["parser"] is not None
    assert areas["scratch"] is not None
    assert areas["parser"] > max(0.85, areas["scratch"])


def test_results_depend_on_the_seed_alone() -> None:
    state = torch.get_rng_state()
    first, second, other = started(), started(), started()
    imitate(first, DATA["val"], QUICK)
    torch.rand(3)
    imitate(second, DATA["val"], QUICK)
    imitate(other, DATA["val"], QUICK, seed=1)
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))
    torch.set_rng_state(state)
    imitate(first, DATA["val"], QUICK)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_policy_has_no_dropout_afterwards() -> None:
    policy = started()
    imitate(policy, DATA["val"], QUICK)
    policy.train()
    observation = observe(DATA["val"], torch.arange(8), True)
    assert torch.equal(policy(*observation), policy(*observation))


def test_only_the_given_videos_and_present_labels_teach() -> None:
    """Truth of other videos, and of labels that are absent, makes no difference."""
    half = torch.arange(len(DATA["val"]) // 2)
    results = []
    for change in (False, True):
        validation = DATA["val"]
        assert validation.dense_audio is not None
        if change:
            dense = validation.dense_audio.clone()
            dense[len(half) :] ^= True
            dense[validation.labels.bool().logical_not().unsqueeze(1).expand_as(dense)] = True
            validation = dataclasses.replace(validation, dense_audio=dense)
        policy = started()
        imitate(policy, validation, QUICK, indices=half)
        results.append(weights(policy))
    assert torch.equal(*results)


def test_cross_validation_judges_every_video_by_others() -> None:
    probability = cross_validate(started, DATA, QUICK, folds=3)
    labels = STORE.split("val").labels
    assert probability.shape == (len(labels), 2, 25)
    assert ((probability > 0) == labels[:, None]).all()
    again = cross_validate(started, DATA, QUICK, folds=3)
    np.testing.assert_array_equal(probability, again)


def test_what_cannot_be_learned_from_is_refused() -> None:
    with pytest.raises(InputError, match="folds"):
        cross_validate(started, DATA, QUICK, folds=1)
    with pytest.raises(InputError, match="dropout"):
        ImitationConfig(dropout=1.0)
    with pytest.raises(ValueError, match="dense labels"):
        imitate(started(), dataclasses.replace(DATA["val"], dense_audio=None), QUICK)
