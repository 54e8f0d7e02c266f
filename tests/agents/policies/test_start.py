"""Policies that start from a parser, of any registered make."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rlld_agents import HybridAttentionPolicy, NetworkPolicy, denoise
from rlld_agents.baselines.base import number_of_parameters
from rlld_agents.imitation import ImitationConfig, imitate
from rlld_agents.labels.removal import removal_quality
from rlld_agents.policies.base import REMOVAL_PER_EVIDENCE
from rlld_agents.policies.denoising import observe
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.policies.files import load_policy, save_policy
from rlld_agents.policies.start import startable_policy
from rlld_gym.data import open_data
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import HAN, make_network
from rlld_gym.parsing.randomness import seeded_weights
from rlld_gym.parsing.training import feature_sizes
from tests.agents.imitation.parsers import DATA, HIDDEN_SIZE, RECURRENT, parser, started

VIDEOS = torch.arange(16)
STATES = observe(DATA["train"], VIDEOS, True)


def visual_auc(policy: torch.nn.Module) -> float:
    train = open_data("twin-tiny").split("train")
    revised = denoise(policy, DATA)
    probability = revised.removal_probability
    quality = removal_quality(train.labels, revised.audio, revised.visual, train.truth(), probability)
    assert quality.visual.auc is not None
    return quality.visual.auc


def test_a_policy_from_han_removes_what_the_parser_does_not_find() -> None:
    network, policy = parser(), started()
    assert isinstance(network, HAN)
    assert isinstance(policy, HybridAttentionPolicy)
    with torch.no_grad():
        logits = policy(*STATES)
        for branch, sequence in enumerate(network.encode(*DATA["train"].batch(VIDEOS))):
            pooling = network.pooling
            attention = pooling.time_attention(sequence).softmax(1)
            expected = -REMOVAL_PER_EVIDENCE * (attention * pooling.classifier(sequence)).sum(1)
            torch.testing.assert_close(logits[:, branch], expected)


def test_a_policy_from_any_network_removes_what_it_does_not_find() -> None:
    policy = started(RECURRENT)
    assert isinstance(policy, NetworkPolicy)
    with torch.no_grad():
        segments, pooled = policy.segments_and_pooled(*STATES)
        evidence = torch.logit(parser(RECURRENT)(*DATA["train"].batch(VIDEOS)).segment, eps=1e-4)
    torch.testing.assert_close(segments, -REMOVAL_PER_EVIDENCE * evidence, rtol=1e-4, atol=1e-3)
    assert (pooled <= segments.amax(1)).all()
    assert (pooled >= segments.amin(1)).all()


@pytest.mark.parametrize("network", ["han", RECURRENT])
def test_policies_of_every_make_learn_and_come_back_from_their_file(network: str, tmp_path: Path) -> None:
    policy = started(network)
    before = visual_auc(policy)
    imitate(policy, DATA["val"], ImitationConfig(epochs=4))
    assert visual_auc(policy) > max(before, 0.8)
    save_policy(policy, tmp_path / "policy.safetensors")
    loaded = load_policy(tmp_path)
    assert type(loaded) is type(policy)
    with torch.no_grad():
        assert torch.equal(loaded(*STATES), policy(*STATES))


@pytest.mark.parametrize("network", ["han", RECURRENT])
def test_a_policy_is_about_as_large_as_its_parser(network: str) -> None:
    assert 0.9 < number_of_parameters(started(network)) / number_of_parameters(parser(network)) < 1.6


@pytest.mark.parametrize("network", ["han", RECURRENT])
def test_the_parser_is_copied_not_shared(network: str) -> None:
    before = {name: weight.clone() for name, weight in parser(network).state_dict().items()}
    imitate(started(network), DATA["val"], ImitationConfig(epochs=1))
    after = parser(network).state_dict()
    assert all(torch.equal(weight, before[name]) for name, weight in after.items())


@pytest.mark.parametrize("network", ["han", RECURRENT])
def test_a_shift_moves_the_log_odds_by_exactly_that(network: str) -> None:
    policy = started(network)
    shift = torch.linspace(-2, 2, 50).reshape(2, 25)
    with torch.no_grad():
        before = policy(*STATES)
        policy.shift_logits(shift)
        torch.testing.assert_close(policy(*STATES), before + shift)


@pytest.mark.parametrize("network", ["han", RECURRENT])
def test_labels_make_a_difference_once_something_is_learned(network: str) -> None:
    policy = started(network)
    imitate(policy, DATA["val"], ImitationConfig(epochs=1))
    audio, visual = (state.clone() for state in STATES)
    audio[..., -25:], visual[..., -25:] = 0.0, 0.0
    with torch.no_grad():
        assert not torch.allclose(policy(audio, visual), policy(*STATES), atol=1e-3)


def test_without_initialized_labels_states_are_features() -> None:
    policy = NetworkPolicy(
        RECURRENT, audio_size=6, visual_size=10, num_classes=3, hidden_size=4, initialized_labels=False
    )
    assert policy(torch.zeros(2, 10, 6), torch.zeros(2, 10, 10)).shape == (2, 2, 3)


@pytest.mark.parametrize("options", [{"heads": 4}, {"num_layers": 2, "flavour": "jomold"}])
def test_a_parser_of_other_make_than_the_papers_is_read_whole(options: dict[str, Any]) -> None:
    with seeded_weights():
        network = make_network("han", **feature_sizes(DATA["train"]), hidden_size=HIDDEN_SIZE, **options)
    policy = startable_policy(
        DATA["train"], hidden_size=HIDDEN_SIZE, seed=0, options=options, parser=network.eval()
    )
    assert isinstance(policy, NetworkPolicy)
    with torch.no_grad():
        segments, _ = policy.segments_and_pooled(*STATES)
        evidence = torch.logit(network(*DATA["train"].batch(VIDEOS)).segment, eps=1e-4)
    torch.testing.assert_close(segments, -REMOVAL_PER_EVIDENCE * evidence, rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match=r"found HAN of \d layers with \d heads; make a NetworkPolicy"):
        startable_policy(DATA["train"], hidden_size=HIDDEN_SIZE, seed=0, parser=network)


def test_weights_of_other_heads_are_refused_though_their_shapes_fit() -> None:
    with seeded_weights():
        network = make_network("han", **feature_sizes(DATA["train"]), hidden_size=HIDDEN_SIZE, heads=4)
    policy = startable_policy(DATA["train"], hidden_size=HIDDEN_SIZE, seed=0, options={"heads": 2})
    with pytest.raises(ValueError, match=r"have \[4, 4\] heads, the policy's \[2, 2\]"):
        policy.start_from(network)
    with pytest.raises(ValueError, match=r"have \[4, 4\] heads, the policy's \[1, 1\]"):
        EvidencePolicy.from_parser(network, DATA["train"], network="han", hidden_size=HIDDEN_SIZE)


def test_parsers_that_do_not_fit_are_refused() -> None:
    narrow = {"hidden_size": 16, "seed": 0}
    for network in ("han", RECURRENT):
        with pytest.raises(ValueError, match="same hidden_size"):
            startable_policy(DATA["train"], network=network, parser=parser(network), **narrow)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="starts from a HAN of one layer with one attention head, found Recurrent"
    ):
        startable_policy(DATA["train"], parser=parser(RECURRENT), hidden_size=HIDDEN_SIZE, seed=0)
    with pytest.raises(ValueError, match="around a Recurrent cannot start from a HAN"):
        startable_policy(DATA["train"], network=RECURRENT, parser=parser(), hidden_size=HIDDEN_SIZE, seed=0)
    with pytest.raises(InputError, match="unknown task network 'none'"):
        startable_policy(DATA["train"], network="none", hidden_size=8, seed=0)
