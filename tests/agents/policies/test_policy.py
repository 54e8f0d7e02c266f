"""The policy's interface, its initial behaviour, and its file."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch.distributions import Bernoulli, kl_divergence

from rlld_agents.policies.files import HybridAttentionPolicy, check_fits, load_policy, save_policy
from rlld_agents.reinforce.distribution import MaskedBernoulli
from rlld_gym.errors import InputError


def make_policy(**options: Any) -> HybridAttentionPolicy:
    torch.manual_seed(0)
    return HybridAttentionPolicy(6, 10, 3, **({"hidden_size": 8} | options))


def states(policy: HybridAttentionPolicy, videos: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    labels = (torch.rand(videos, 1, 3, generator=generator) < 0.5).float().expand(-1, 10, -1)
    audio, visual = (torch.randn(videos, 10, size, generator=generator) for size in (6, 10))
    if not policy.initialized_labels:
        return audio, visual
    return torch.cat([audio, labels], 2), torch.cat([visual, labels], 2)


@pytest.mark.parametrize("options", [{}, {"visual_3d_size": 4}, {"initialized_labels": False}])
def test_one_logit_per_video_branch_and_class(options: dict[str, Any]) -> None:
    policy = make_policy(**options)
    assert policy(*states(policy)).shape == (5, 2, 3)


@pytest.mark.parametrize("initial_removal", [0.05, 0.2, 0.9])
def test_initial_removal_is_the_initial_probability(initial_removal: float) -> None:
    policy = make_policy(initial_removal=initial_removal, hidden_size=64)
    probabilities = torch.sigmoid(policy(*states(policy, 50)))
    assert torch.allclose(probabilities, torch.tensor(initial_removal), atol=0.01)


def test_videos_do_not_influence_each_other() -> None:
    policy = make_policy()
    audio, visual = states(policy)
    alone = torch.cat([policy(audio[i : i + 1], visual[i : i + 1]) for i in range(5)])
    assert torch.allclose(policy(audio, visual), alone, atol=1e-6)


def test_each_branch_reads_features_and_labels_of_both_modalities() -> None:
    policy = make_policy()
    audio, visual = (state.requires_grad_() for state in states(policy))
    for branch in (0, 1):
        gradients = torch.autograd.grad(policy(audio, visual)[:, branch].sum(), (audio, visual))
        assert all((gradient.abs().sum((0, 1)) > 0).all() for gradient in gradients)


def test_swapping_the_layer_inputs_is_what_distinguishes_the_branches() -> None:
    """The layer is shared: with equal stems and heads, exchanging the modalities exchanges the branches."""
    torch.manual_seed(0)
    policy = HybridAttentionPolicy(6, 6, 3, hidden_size=8)
    policy.stem.visual_2d.load_state_dict(policy.stem.audio.state_dict())
    policy.visual_labels.load_state_dict(policy.audio_labels.state_dict())
    policy.visual_head.load_state_dict(policy.audio_head.state_dict())
    audio, visual = torch.randn(2, 4, 10, 9).unbind(0)
    assert torch.allclose(policy(audio, visual), policy(visual, audio).flip(1), atol=1e-6)


def spaces(label_size: int = 3) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
    def box(size: int) -> gymnasium.spaces.Box:
        return gymnasium.spaces.Box(-1, 1, (4, 10, size + label_size), np.float32)

    observation = gymnasium.spaces.Dict({"audio": box(6), "visual": box(10)})
    return observation, gymnasium.spaces.MultiBinary((4, 2, 3))


def test_for_spaces_reads_the_sizes() -> None:
    policy = HybridAttentionPolicy.for_spaces(*spaces(), hidden_size=8)
    assert (policy.audio_size, policy.visual_size, policy.num_classes) == (6, 10, 3)
    without_labels = HybridAttentionPolicy.for_spaces(*spaces(0), hidden_size=8, initialized_labels=False)
    assert (without_labels.audio_size, without_labels.visual_size) == (6, 10)


def test_for_spaces_is_seeded_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (
        HybridAttentionPolicy.for_spaces(*spaces(), hidden_size=8, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.audio_head.logit.weight, again.audio_head.logit.weight)
    assert not torch.equal(first.audio_head.logit.weight, other.audio_head.logit.weight)


def test_for_spaces_refuses_other_spaces() -> None:
    observation, action = spaces()
    with pytest.raises(ValueError, match='observation="features"'):
        HybridAttentionPolicy.for_spaces(gymnasium.spaces.Dict({"indices": action}), action)
    with pytest.raises(ValueError, match=r"\(B, 2, C\)"):
        HybridAttentionPolicy.for_spaces(observation, gymnasium.spaces.MultiBinary(24))


@pytest.mark.parametrize("options", [{}, {"visual_3d_size": 4, "initialized_labels": False}])
def test_a_lone_file_restores_the_policy(tmp_path: Path, options: dict[str, Any]) -> None:
    policy = make_policy(**options)
    save_policy(policy, tmp_path / "policy.safetensors")
    before = torch.get_rng_state()
    for path in (tmp_path / "policy.safetensors", tmp_path):
        loaded = load_policy(path)
        assert loaded.sizes() == policy.sizes()
        assert torch.equal(loaded(*states(policy)), policy(*states(policy)))
    assert torch.equal(before, torch.get_rng_state())
    assert [path.name for path in tmp_path.iterdir()] == ["policy.safetensors"]


def test_bad_policy_files_are_input_errors(tmp_path: Path) -> None:
    good = tmp_path / "good.safetensors"
    save_policy(make_policy(), good)
    content = good.read_bytes()
    tensors = load_file(good)
    sizes = make_policy().sizes()

    def file(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    def rewritten(name: str, metadata: dict[str, str]) -> Path:
        save_file(tensors, tmp_path / name, metadata)
        return tmp_path / name

    other_sizes = json.dumps(sizes | {"num_classes": 4})
    cases = {
        "no such file": tmp_path / "missing.safetensors",
        "truncated": file("truncated", content[: len(content) // 2]),
        "not a readable": file("text", b"not a policy"),
        "may be truncated": file("empty", b""),
        "not a policy": rewritten("foreign", {}),
        "version 2": rewritten("newer", {"format": "rlld-policy", "version": "2", "sizes": "{}"}),
        "do not agree": rewritten("other", {"format": "rlld-policy", "version": "1", "sizes": other_sizes}),
        "damaged": rewritten("json", {"format": "rlld-policy", "version": "1", "sizes": "{"}),
        "agree": rewritten("list", {"format": "rlld-policy", "version": "1", "sizes": "[]"}),
    }
    for message, path in cases.items():
        with pytest.raises(InputError, match=message) as error:
            load_policy(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_archives_of_other_libraries_stay_closed_and_say_how_to_export(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr("data", "{}")
    with pytest.raises(InputError, match=r"rlld_agents.save_policy\(model.policy.actor_critic.policy"):
        load_policy(tmp_path / "model.zip")


def test_check_fits_names_found_and_expected() -> None:
    policy = make_policy()
    check_fits(policy, 6, 10, 3, "policy.safetensors")
    with pytest.raises(InputError, match=r"policy\.safetensors: .*6 audio.* 3 classes.* data has 6, 10, 25"):
        check_fits(policy, 6, 10, 25, "policy.safetensors")


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_masked_distribution_is_a_bernoulli_over_the_free_bits(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(4, 2, 3, generator=generator)
    mask = torch.randint(0, 3, (4, 2, 3), generator=generator, dtype=torch.int8)
    distribution = MaskedBernoulli(logits, mask)
    action = distribution.sample(generator)
    free = mask == 2
    assert torch.equal(action[~free], mask[~free])
    reference = Bernoulli(logits=logits)
    log_probability = (reference.log_prob(action.float()) * free).sum(-1)
    assert torch.allclose(distribution.log_probabilities(action).sum(-1), log_probability, atol=1e-5)
    assert torch.allclose(distribution.entropy(), (reference.entropy() * free).sum(-1), atol=1e-5)
    assert torch.equal(distribution.mode()[free], (logits > 0).to(torch.int8)[free])
    others = 5 * torch.randn(4, 2, 3, generator=generator)
    # In float64: the library's own formula rounds probabilities near 1.
    exact = kl_divergence(Bernoulli(logits=logits.double()), Bernoulli(logits=others.double()))
    divergence = distribution.divergence(MaskedBernoulli(others, mask))
    assert torch.allclose(divergence.double(), (exact * free).sum(-1), atol=1e-4, rtol=1e-4)


def test_samples_have_the_right_frequency() -> None:
    logits = torch.tensor([-2.0, 0.0, 1.0]).expand(20_000, 2, 3)
    action = MaskedBernoulli(logits).sample(torch.Generator().manual_seed(0))
    assert torch.allclose(action.float().mean(0), torch.sigmoid(logits[0]), atol=0.02)


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([-200.0, 200.0, 0.0]).expand(1, 2, 3).clone().requires_grad_()
    distribution = MaskedBernoulli(logits)
    (distribution.log_probabilities(torch.ones(1, 2, 3)).sum() + distribution.entropy().sum()).backward()
    distribution.divergence(MaskedBernoulli(torch.zeros(1, 2, 3))).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="action mask of shape"):
        MaskedBernoulli(torch.zeros(4, 2, 3), torch.zeros(4, 3, 2, dtype=torch.int8))
