"""Several policies as one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from rlld_agents import HybridAttentionPolicy, PolicyEnsemble, denoise
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.files import check_fits, load_policy, save_policy
from rlld_gym.data import open_data
from rlld_gym.parsing.randomness import seeded_random_state

STATES = (torch.randn(5, 10, 9), torch.randn(5, 10, 13))


def member(seed: int, hidden_size: int = 8) -> HybridAttentionPolicy:
    with seeded_random_state(seed):
        policy = HybridAttentionPolicy(6, 10, 3, hidden_size)
        for weight in policy.parameters():
            weight.data.add_(0.3 * torch.randn(weight.shape))
    return policy


def ensemble(number: int = 3) -> PolicyEnsemble:
    return PolicyEnsemble([member(seed) for seed in range(number)])


@torch.no_grad()
def test_the_removal_probability_is_the_mean_of_the_members() -> None:
    policies = ensemble()
    mean = torch.stack([policy(*STATES).sigmoid() for policy in policies.policies]).mean(0)
    torch.testing.assert_close(policies(*STATES).sigmoid(), mean)
    assert policies.policies[0](*STATES).sigmoid().sub(mean).abs().max() > 0.05


@torch.no_grad()
def test_log_odds_are_exact_where_probabilities_round_to_one() -> None:
    policies = ensemble()
    policies.shift_logits(torch.full((2, 3), 60.0))
    logits = policies(*STATES)
    assert logits.isfinite().all()
    in_double = [policy(*STATES).double() for policy in policies.policies]
    expected = -torch.stack([torch.exp(-value) for value in in_double]).mean(0).log()
    torch.testing.assert_close(logits.double(), expected, rtol=1e-5, atol=1e-4)


def test_an_ensemble_comes_back_from_its_file_and_all_members_learn(tmp_path: Path) -> None:
    policies = ensemble()
    policies.shift_logits(torch.linspace(-1, 1, 6).reshape(2, 3))
    save_policy(policies, tmp_path / "policy.safetensors")
    loaded = load_policy(tmp_path)
    assert isinstance(loaded, PolicyEnsemble)
    assert loaded.sizes() == policies.sizes()
    with torch.no_grad():
        assert torch.equal(loaded(*STATES), policies(*STATES))
    check_fits(loaded, 6, 10, 3, "policy.safetensors")
    loaded(*STATES).sum().backward()
    assert all(weight.grad is not None for weight in loaded.parameters())


def test_files_of_the_first_make_still_load(tmp_path: Path) -> None:
    """They name no make."""
    save_policy(member(0), tmp_path / "new.safetensors")
    with safe_open(tmp_path / "new.safetensors", framework="pt") as file:
        metadata = file.metadata()
    assert metadata.pop("kind") == "hybrid"
    del metadata["about_checksum"], metadata["weights_checksum"]
    save_file(load_file(tmp_path / "new.safetensors"), tmp_path / "old.safetensors", metadata)
    assert isinstance(load_policy(tmp_path / "old.safetensors"), HybridAttentionPolicy)


def test_an_ensemble_denoises() -> None:
    store = open_data("twin-tiny")
    members = [HybridAttentionPolicy(store.audio_size, store.visual_size, 25, 8) for _ in range(2)]
    members[1].shift_logits(torch.full((2, 25), 2.0))
    revised = denoise(PolicyEnsemble(members), store)
    parts = [denoise(each, store).removal_probability for each in members]
    np.testing.assert_allclose(revised.removal_probability, (parts[0] + parts[1]) / 2, atol=1e-6)


def test_members_must_be_alike() -> None:
    with pytest.raises(ValueError, match="at least one"):
        PolicyEnsemble([])
    others: list[RemovalPolicy] = [member(0), member(1, hidden_size=4)]
    with pytest.raises(ValueError, match="one make and size"):
        PolicyEnsemble(others)
