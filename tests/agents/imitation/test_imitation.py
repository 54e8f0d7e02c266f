"""What imitation of the validation videos teaches, and from what."""

import dataclasses

import pytest
import torch
from torch import Tensor

from rlld_agents import denoise
from rlld_agents.imitation import PLAIN, Imitation, ImitationConfig, imitate
from rlld_agents.labels.removal import removal_quality
from rlld_agents.policies.base import StartablePolicy
from rlld_agents.policies.denoising import observe
from rlld_agents.policies.start import startable_policy
from rlld_gym.data import open_data
from rlld_gym.errors import InputError
from tests.agents.imitation.parsers import DATA, HIDDEN_SIZE, RECURRENT, started

QUICK = ImitationConfig(epochs=1)


def weights(policy: torch.nn.Module) -> Tensor:
    return torch.nn.utils.parameters_to_vector(policy.parameters()).detach()


def areas(policy: StartablePolicy, config: ImitationConfig) -> tuple[float, float]:
    """Let a policy imitate; return the areas under the ROC curves of its removals, audio and visual."""
    imitate(policy, DATA["val"], config)
    revised = denoise(policy, DATA)
    train = open_data("twin-tiny").split("train")
    quality = removal_quality(
        train.labels, revised.audio, revised.visual, train.truth(), revised.removal_probability
    )
    assert quality.audio.auc is not None
    assert quality.visual.auc is not None
    return quality.audio.auc, quality.visual.auc


def test_imitation_ranks_wrong_labels_first_and_a_parser_helps() -> None:
    """Better than the rule "no visual Speech" (AUC .79 by construction of the twin), and than from scratch."""
    _, scratch = areas(startable_policy(DATA["train"], hidden_size=HIDDEN_SIZE, seed=0), PLAIN)
    _, parser = areas(started(), PLAIN)
    assert parser > max(0.85, scratch)


def test_recombined_videos_teach_what_the_videos_alone_do_not() -> None:
    plain, recombined = areas(started(), PLAIN), areas(started(), ImitationConfig())
    assert recombined[0] > plain[0] + 0.02
    assert recombined[1] > plain[1] + 0.005


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


def test_policies_can_take_turns() -> None:
    """Epochs of several policies in any order: the same as one policy after the other."""
    config = ImitationConfig(epochs=2)
    alone = [started(), started()]
    for seed, policy in enumerate(alone):
        imitate(policy, DATA["val"], config, seed=seed)
    runs = [Imitation(started(), DATA["val"], config, seed=seed) for seed in (0, 1)]
    for _ in range(2):
        for run in runs:
            run.epoch()
    for policy, run in zip(alone, runs, strict=True):
        assert torch.equal(weights(policy), weights(run.policy))


def test_stopping_early_keeps_the_schedule() -> None:
    """Two epochs of four are the first two of four, not a run of two."""
    longer, shorter, stopped = started(), started(), started()
    run = Imitation(longer, DATA["val"], ImitationConfig(epochs=4))
    run.epoch()
    run.epoch()
    imitate(stopped, DATA["val"], ImitationConfig(epochs=4), epochs=2)
    imitate(shorter, DATA["val"], ImitationConfig(epochs=2))
    assert torch.equal(weights(longer), weights(stopped))
    assert not torch.equal(weights(longer), weights(shorter))


@pytest.mark.parametrize("network", ["han", pytest.param(RECURRENT, marks=pytest.mark.long)])
def test_the_policy_has_no_dropout_afterwards(network: str) -> None:
    policy = started(network)
    imitate(policy, DATA["val"], QUICK)
    assert not policy.training
    policy.train()
    observation = observe(DATA["val"], torch.arange(8), True)
    assert torch.equal(policy(*observation), policy(*observation))


@pytest.mark.parametrize("recombinations", [0, 1])
def test_only_the_given_videos_and_present_labels_teach(recombinations: int) -> None:
    """Truth of other videos makes no difference, nor, without recombination, that of labels that are absent."""
    config = ImitationConfig(epochs=1, recombinations=recombinations)
    half = torch.arange(len(DATA["val"]) // 2)
    results = []
    for change in (False, True):
        validation = DATA["val"]
        assert validation.dense_audio is not None
        if change:
            dense = validation.dense_audio.clone()
            dense[len(half) :] ^= True
            if not recombinations:
                dense[validation.labels.bool().logical_not().unsqueeze(1).expand_as(dense)] = True
            validation = dataclasses.replace(validation, dense_audio=dense)
        policy = started()
        imitate(policy, validation, config, indices=half)
        results.append(weights(policy))
    assert torch.equal(*results)


def test_what_cannot_be_learned_from_is_refused() -> None:
    with pytest.raises(InputError, match="dropout"):
        ImitationConfig(dropout=1.0)
    with pytest.raises(ValueError, match="dense labels"):
        imitate(started(), dataclasses.replace(DATA["val"], dense_audio=None), QUICK)
