"""The joint loop: parser and policy improve each other, and every round can be kept."""

from functools import cache

import pytest
import torch

from rlld_agents.imitation import ImitationConfig
from rlld_agents.joint import JointConfig, JointRound, joint_rounds
from rlld_agents.removal import removal_quality
from rlld_gym.data import open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe

STORE = open_data("twin-tiny")
DATA = shared_tensors("twin-tiny", "cpu")
RECIPE = get_recipe("compact-tiny")


def play(config: JointConfig, seed: int = 0) -> list[JointRound]:
    return list(joint_rounds(DATA, RECIPE, config, hidden_size=32, seed=seed))


@cache
def rounds() -> list[JointRound]:
    return play(JointConfig(rounds=2))


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


def test_the_parser_goes_on_and_gains_from_the_removals() -> None:
    first, second = rounds()
    assert second.validation["segment_visual"] > first.validation["segment_visual"] + 3
    parameters = [torch.nn.utils.parameters_to_vector(r.parser.parameters()) for r in rounds()]
    assert not torch.equal(*parameters)


def test_rounds_repeat_and_do_not_touch_earlier_ones() -> None:
    config = JointConfig(rounds=2, parser_share=0.1, imitation=ImitationConfig(epochs=1))
    whole = joint_rounds(DATA, RECIPE, config, hidden_size=16, seed=3)
    first = next(whole)
    before = {name: weight.clone() for name, weight in first.parser.state_dict().items()}
    second = next(whole)
    assert all(torch.equal(weight, before[name]) for name, weight in first.parser.state_dict().items())
    again = list(joint_rounds(DATA, RECIPE, config, hidden_size=16, seed=3))[-1]
    assert (second.revised.removal_probability == again.revised.removal_probability).all()


def test_progress_counts_epochs_of_parser_and_policy() -> None:
    seen: list[tuple[int, int]] = []
    config = JointConfig(rounds=2, parser_share=0.01, imitation=ImitationConfig(epochs=2))
    list(
        joint_rounds(
            DATA,
            RECIPE,
            config,
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
