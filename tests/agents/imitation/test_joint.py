"""The joint loop: parser and policy improve each other, and every round can be kept."""

from functools import cache
from typing import Any

import pytest
import torch

from rlld_agents import NetworkPolicy, PolicyEnsemble
from rlld_agents.imitation import ImitationConfig, WarmStartConfig
from rlld_agents.imitation.joint import JointConfig, JointRound, best_round, joint_rounds
from rlld_agents.labels.removal import removal_quality
from rlld_agents.policies.base import RemovalPolicy
from rlld_gym.data import open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser
from tests.agents.imitation.parsers import RECURRENT

STORE = open_data("twin-tiny")
DATA = shared_tensors("twin-tiny", "cpu")
RECIPE = get_recipe("compact-tiny")


def play(config: JointConfig, seed: int = 0) -> list[JointRound]:
    return list(joint_rounds(DATA, RECIPE, config, hidden_size=32, seed=seed))


@cache
def rounds() -> list[JointRound]:
    return play(JointConfig(rounds=2))


@pytest.mark.long
def test_the_last_policy_ranks_better_than_the_rule_could() -> None:
    """Ranking visual Speech first and nothing else gives an area of about .79."""
    train = STORE.split("train")
    revised = rounds()[-1].revised
    quality = removal_quality(
        train.labels, revised.audio, revised.visual, train.truth(), revised.removal_probability
    )
    assert quality.visual.auc is not None
    assert quality.visual.auc > 0.87
    assert quality.visual.precision is not None
    assert quality.visual.precision > 0.7


@pytest.mark.long
def test_a_parser_gains_from_the_removals() -> None:
    first, second = rounds()
    assert second.validation["segment_visual"] > first.validation["segment_visual"] + 3


def test_each_round_has_a_new_parser_that_learns_what_the_last_round_left() -> None:
    first, second = joint_rounds(DATA, RECIPE, quick(), hidden_size=16, seed=3)
    short = RECIPE.shortened(1)
    left = (first.revised.audio, first.revised.visual)
    alone = train_parser(DATA, *left, short, hidden_size=16, seed=4)
    for name, weight in alone.network.state_dict().items():
        assert torch.equal(second.parser.state_dict()[name], weight)


def quick(**options: Any) -> JointConfig:
    """Return short rounds: an epoch of the parser, one of each of two policies."""
    warm_start = WarmStartConfig(folds=2, imitation=ImitationConfig(epochs=1))
    return JointConfig(parser_share=0.05, warm_start=warm_start, **options)


def test_rounds_repeat_and_do_not_touch_earlier_ones() -> None:
    whole = joint_rounds(DATA, RECIPE, quick(), hidden_size=16, seed=3)
    first = next(whole)
    before = {name: weight.clone() for name, weight in first.parser.state_dict().items()}
    second = next(whole)
    assert all(torch.equal(weight, before[name]) for name, weight in first.parser.state_dict().items())
    again = list(joint_rounds(DATA, RECIPE, quick(), hidden_size=16, seed=3))[-1]
    assert (second.revised.removal_probability == again.revised.removal_probability).all()


def test_rounds_end_when_the_estimate_stops_rising_and_the_best_is_kept() -> None:
    unbounded = list(joint_rounds(DATA, RECIPE, quick(rounds=6), hidden_size=8, seed=0))
    qualities = [outcome.quality for outcome in unbounded]
    falls = [number for number in range(1, len(qualities)) if qualities[number] <= max(qualities[:number])]
    assert falls in ([], [len(qualities) - 1]), "only the last round may be no better than the best"
    assert len(qualities) == 6 or falls
    stopped = list(joint_rounds(DATA, RECIPE, quick(rounds=6, tolerance=1.0), hidden_size=8, seed=0))
    assert [outcome.quality for outcome in stopped] == qualities[:2]
    assert best_round(unbounded).quality == max(qualities)


def test_any_registered_network_lends_its_encoder() -> None:
    recipe = RECIPE.replace(network=RECURRENT)
    (outcome,) = joint_rounds(DATA, recipe, quick(rounds=1), hidden_size=8, seed=0)
    assert isinstance(outcome.policy, PolicyEnsemble)
    assert all(isinstance(member, NetworkPolicy) for member in outcome.policy.policies)
    assert outcome.warm.estimate.whole.visual.auc is not None


def test_fine_tuning_comes_between_warm_start_and_denoising() -> None:
    calls = []

    def keep_everything(policy: RemovalPolicy, parser: TaskNetwork, number: int) -> RemovalPolicy:
        calls.append((number, parser))
        policy.shift_logits(torch.full((2, 25), -100.0))
        return policy

    rounds = list(joint_rounds(DATA, RECIPE, quick(), hidden_size=8, seed=0, fine_tune=keep_everything))
    assert calls == [(outcome.number, outcome.parser) for outcome in rounds]
    weak = STORE.split("train").labels
    for outcome in rounds:
        assert (outcome.revised.visual == weak).all()
        assert outcome.warm.policy is not outcome.policy
    plain = next(joint_rounds(DATA, RECIPE, quick(), hidden_size=8, seed=0))
    assert plain.quality == rounds[0].quality, "the estimate is the warm start's"
    assert (plain.revised.visual != weak).any()


def test_progress_counts_epochs_of_parser_and_policies() -> None:
    seen: list[tuple[int, int]] = []
    list(
        joint_rounds(
            DATA,
            RECIPE,
            quick(),
            hidden_size=8,
            seed=0,
            progress=lambda done, total: seen.append((done, total)),
        )
    )
    assert seen == [(done, 6) for done in range(1, 7)]


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="rounds"):
        JointConfig(rounds=0)
    with pytest.raises(InputError, match="parser_share"):
        JointConfig(parser_share=0)
    with pytest.raises(InputError, match="tolerance"):
        JointConfig(tolerance=-0.1)
