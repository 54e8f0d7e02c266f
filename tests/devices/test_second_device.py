"""Everything that runs in an episode stays on the data's device and never waits for it."""

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from rlld_agents import HybridAttentionPolicy
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.combined import CombinedPolicy
from rlld_agents.policies.denoising import observe
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.policies.network import NetworkPolicy
from rlld_agents.reinforce.distribution import MaskedBernoulli
from rlld_gym.data import open_data
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising import task
from rlld_gym.denoising.config import ProcessConfig
from rlld_gym.denoising.process import DenoisingProcess
from rlld_gym.parsing.contribution import class_contribution
from rlld_gym.parsing.prediction import predict
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.systems.published import SYSTEM_RECIPES
from tests.devices.fake_device import DEVICE, move_network, moved_store, second_device

BATCH, CLASSES = 128, 25


@pytest.fixture(scope="module")
def data() -> StoreTensors:
    """Return twin-tiny on the CPU."""
    return open_data("twin-tiny").to("cpu")


DEEP = ("mm_pyramid", "mm_cse", "mgn", "dhhn", "cvcms")
"""Systems of so many operations that a device on which each is looked at takes seconds."""

ALIKE = ("valor", "valor_plus", "valor_plus_plus", "valor-rlld", "dhhn-retrain", "avsdn", "cpsp")
"""Systems whose operations are those of others."""


@pytest.mark.parametrize(
    "recipe",
    [
        "rlld+cl",
        *(
            pytest.param(recipe.name, marks=[pytest.mark.long] if recipe.name in DEEP + ALIKE else [])
            for recipe in SYSTEM_RECIPES
        ),
    ],
)
def test_steps_of_every_recipe(recipe: str, data: StoreTensors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revision, rewards, credit, training, the next state and evidence."""
    config = ProcessConfig(
        recipe=get_recipe(recipe),
        hidden_size=16,
        episode_length=4,
        task_start="fresh",
        reward="paper+credit",
        overlap_labels="revised",
    )
    process = DenoisingProcess(data, config)
    process.task.renew(0)
    network, _ = process.task.born()
    with second_device() as mode:
        move_network(network, mode)
        monkeypatch.setattr(task, "make_task_network", lambda *_, **__: network)
        process.data = process.task.data = moved_store(data, mode)
        process.reset(np.random.default_rng(0))
        result = process.step(torch.zeros(BATCH, 2, CLASSES, dtype=torch.bool, device=DEVICE))
        assert result.per_video_credit is not None
        found = (
            result.task_loss,
            result.per_video_reward,
            result.per_video_credit,
            result.removed,
            process.state.labels,
            process.evidence("current"),
        )
        assert {tensor.device for tensor in found} == {DEVICE}


def test_validation_before_its_scores_are_read(data: StoreTensors) -> None:
    process = DenoisingProcess(data, ProcessConfig(recipe=get_recipe("compact-tiny"), task_start="fresh"))
    process.task.renew(0)
    parser, _ = process.task.born()
    with second_device() as mode:
        move_network(parser, mode)
        split = moved_store(data, mode)["val"]
        assert split.dense_audio is not None
        assert split.dense_visual is not None
        tracks = *predict(parser, split, "modality"), split.dense_audio, split.dense_visual
        assert {track.device for track in tracks} == {DEVICE}
        assert class_contribution(*tracks).device == DEVICE


def policy_of(kind: str, data: StoreTensors) -> RemovalPolicy:
    """Return a policy for twin-tiny on the CPU."""
    train = data["train"]
    sizes = {
        "audio_size": train.audio.shape[-1],
        "visual_size": train.visual.shape[-1],
        "num_classes": CLASSES,
        "visual_3d_size": train.visual.shape[-1] - train.visual_2d_size,
    }
    if kind == "hybrid":
        return HybridAttentionPolicy(**sizes, hidden_size=16)
    if kind == "network":
        return NetworkPolicy("han", **sizes, hidden_size=16)
    evidence = EvidencePolicy("han", **sizes, hidden_size=16, heads=kind == "evidence+heads")
    return CombinedPolicy(policy_of("hybrid", data), evidence) if kind == "combined" else evidence


@pytest.mark.parametrize("kind", ["hybrid", "network", "evidence", "evidence+heads", "combined"])
def test_policies_look_and_learn(kind: str, data: StoreTensors) -> None:
    policy = policy_of(kind, data).train()
    with second_device() as mode:
        move_network(policy, mode)
        audio, visual = observe(moved_store(data, mode)["train"], torch.arange(BATCH, device=DEVICE))
        logits = policy(audio, visual)
        assert logits.shape == (BATCH, 2, CLASSES)
        removal = MaskedBernoulli(logits)
        action = removal.mode()
        (removal.log_probabilities(action).sum() + removal.entropy().sum()).backward()
        found = [logits, action, *(p.grad for p in policy.parameters() if p.grad is not None)]
        assert {tensor.device for tensor in found} == {DEVICE}


def test_what_is_on_another_device_is_noticed(data: StoreTensors) -> None:
    """The tests above would fail where a tensor is not moved, or a value is read."""
    with second_device() as mode:
        train = moved_store(data, mode)["train"]
        with pytest.raises(RuntimeError, match="same device"):
            train.batch(torch.arange(3))
        with pytest.raises(DataDependentOutputException):
            train.labels.sum().item()
