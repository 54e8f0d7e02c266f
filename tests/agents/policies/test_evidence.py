"""The policy that reads a parser's evidence, alone and beside another policy."""

from pathlib import Path

import pytest
import torch

from rlld_agents import HybridAttentionPolicy, denoise
from rlld_agents.policies.combined import CombinedPolicy
from rlld_agents.policies.denoising import observe
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.policies.files import load_policy, save_policy
from rlld_gym.data import open_data
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.evidence import evidence
from rlld_gym.denoising.starting_parser import starting_parser
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import network_options

RECIPE = get_recipe("compact-tiny")
SIZE = 16


@pytest.fixture(scope="module")
def data() -> StoreTensors:
    """Return twin-tiny on the CPU."""
    return open_data("twin-tiny").to("cpu")


@pytest.fixture(scope="module")
def parser(data: StoreTensors) -> TaskNetwork:
    """Return a parser that has seen the weak labels twice."""
    return starting_parser(data, RECIPE, SIZE, epochs=2)


def policy_of(parser: TaskNetwork, data: StoreTensors, heads: bool = False) -> EvidencePolicy:
    """Return a policy that reads the parser's evidence."""
    return EvidencePolicy.from_parser(
        parser, data["train"], network="han", hidden_size=SIZE, heads=heads, options=network_options(RECIPE)
    )


def test_at_first_it_removes_the_asked_share_of_every_class(parser: TaskNetwork, data: StoreTensors) -> None:
    labels = data["train"].labels
    revised = denoise(policy_of(parser, data), data, empty_rule="video")
    number = labels.sum(0)
    for left, share in ((revised.audio, 0.05), (revised.visual, 0.2)):
        removed = number - torch.from_numpy(left).sum(0)
        # A share of few labels is rounded, and the empty rule gives some back.
        assert (removed <= share * number + 1).all()
        assert float(removed.sum()) == pytest.approx(share * float(number.sum()), rel=0.15)


def test_labels_with_least_evidence_go_first(parser: TaskNetwork, data: StoreTensors) -> None:
    train = data["train"]
    found = evidence(parser, train)
    probability = torch.from_numpy(denoise(policy_of(parser, data), data).removal_probability)
    for modality in range(2):
        for label in range(train.labels.shape[1]):
            present = train.labels[:, label] > 0
            by_evidence = found[present, modality, label].argsort(stable=True)
            going = probability[present, modality, label][by_evidence]
            assert (going.diff() <= 1e-6).all()


def test_known_evidence_changes_nothing(parser: TaskNetwork, data: StoreTensors) -> None:
    policy, rows = policy_of(parser, data), torch.arange(40)
    state = observe(data["train"], rows)
    torch.testing.assert_close(policy(*state), policy(*state, evidence(parser, data["train"], rows)))


def test_heads_add_nothing_at_first_and_something_later(parser: TaskNetwork, data: StoreTensors) -> None:
    plain, policy = policy_of(parser, data), policy_of(parser, data, heads=True)
    state = observe(data["train"], torch.arange(8))
    torch.testing.assert_close(policy(*state), plain(*state))
    torch.nn.init.ones_(policy.heads[0].logit.weight)
    assert not torch.equal(policy(*state), plain(*state))


def test_the_parser_is_copied_and_never_trained(parser: TaskNetwork, data: StoreTensors) -> None:
    policy = policy_of(parser, data).train()
    assert not policy.network.training
    assert {name for name, weight in policy.named_parameters() if weight.requires_grad} == {"shift", "gain"}
    assert next(policy.network.parameters()).data_ptr() != next(parser.parameters()).data_ptr()


@pytest.mark.parametrize("combined", [False, True])
def test_files_bring_it_back(combined: bool, parser: TaskNetwork, data: StoreTensors, tmp_path: Path) -> None:
    own = policy_of(parser, data)
    policy = CombinedPolicy(prior(data), own) if combined else own
    save_policy(policy, tmp_path / "policy.safetensors")
    loaded = load_policy(tmp_path)
    assert type(loaded) is type(policy)
    state = observe(data["train"], torch.arange(8))
    assert torch.equal(loaded(*state), policy(*state))


def test_a_combined_policy_is_the_sum(parser: TaskNetwork, data: StoreTensors) -> None:
    own, other = policy_of(parser, data), prior(data)
    state = observe(data["train"], torch.arange(8))
    policy = CombinedPolicy(other, own)
    torch.testing.assert_close(policy(*state), own(*state) + other(*state))
    policy.weigh_evidence(0.0)
    torch.testing.assert_close(policy(*state), other(*state))
    assert policy.explored_parameters()["shift"] is own.shift


def test_parts_of_different_sizes_are_refused(parser: TaskNetwork, data: StoreTensors) -> None:
    with pytest.raises(ValueError, match="two of equal sizes"):
        CombinedPolicy(HybridAttentionPolicy(3, 4, 25, SIZE), policy_of(parser, data))


def prior(data: StoreTensors) -> HybridAttentionPolicy:
    """Return an untrained policy of the data's sizes."""
    train = data["train"]
    return HybridAttentionPolicy(train.audio.shape[-1], train.visual.shape[-1], train.labels.shape[-1], SIZE)
