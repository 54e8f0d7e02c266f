import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rlld_agents.labels.controls import no_visual_speech, oracle, random_removal, weak
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.files import HybridAttentionPolicy
from rlld_gym import data
from rlld_gym.data.classes import SPEECH


@pytest.fixture(scope="module")
def store() -> data.FeatureStore:
    return data.twin("tiny", seed=0)


def make_policy(store: data.FeatureStore, **options: object) -> HybridAttentionPolicy:
    torch.manual_seed(0)
    policy = HybridAttentionPolicy(store.audio_size, store.visual_size, len(store.classes), 8, **options)
    for (
        parameter
    ) in policy.parameters():  # large enough that probabilities lie on both sides of any threshold
        parameter.data = torch.randn_like(parameter) * 0.5
    return policy


@pytest.mark.parametrize("initialized_labels", [True, False])
@pytest.mark.parametrize("split", ["train", "val"])
def test_equals_a_plain_loop_over_videos(
    store: data.FeatureStore, initialized_labels: bool, split: str
) -> None:
    policy = make_policy(store, initialized_labels=initialized_labels)
    revised = denoise(policy, store, split=split, threshold=0.4, batch_size=50)
    part = store.split(split)
    labels = part.labels.astype(np.float32)
    probability = np.zeros((len(part), 2, 25), np.float32)
    for video in range(0, len(part), 7):
        tail = [np.repeat(labels[video][None], 10, 0)] if initialized_labels else []
        audio = np.concatenate([part.audio[video].astype(np.float32), *tail], axis=-1)
        visual = np.concatenate([part.visual[video].astype(np.float32), *tail], axis=-1)
        with torch.no_grad():
            logits = policy(torch.from_numpy(audio)[None], torch.from_numpy(visual)[None])[0]
        probability[video] = torch.sigmoid(logits).numpy() * labels[video]
        removed = (probability[video] > 0.4) & part.labels[video]
        kept = part.labels[video] & ~removed
        if not kept.any():
            kept = np.stack([part.labels[video]] * 2)
        np.testing.assert_array_equal(revised.audio[video], kept[0])
        np.testing.assert_array_equal(revised.visual[video], kept[1])
        np.testing.assert_allclose(revised.removal_probability[video], probability[video], atol=1e-5)
    assert 0 < revised.audio.sum() < part.labels.sum()


class RemoveAll(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor(5.0))

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        return self.bias.expand(len(audio), 2, 25)


@pytest.mark.parametrize("empty_rule", ["video", "modality"])
def test_a_policy_that_removes_everything_is_undone(store: data.FeatureStore, empty_rule: str) -> None:
    policy = RemoveAll().train()
    revised = denoise(policy, store, empty_rule=empty_rule)
    np.testing.assert_array_equal(revised.audio, store.split("train").labels)
    np.testing.assert_array_equal(revised.visual, store.split("train").labels)
    assert policy.training
    assert (revised.removal_probability > 0.9).sum() == 2 * store.split("train").labels.sum()


def test_bad_arguments(store: data.FeatureStore) -> None:
    with pytest.raises(ValueError, match="threshold"):
        denoise(RemoveAll(), store, threshold=1.0)


def test_controls(store: data.FeatureStore) -> None:
    train = store.split("train")
    rule = no_visual_speech(train, SPEECH)
    assert rule is not None
    np.testing.assert_array_equal(rule.audio, train.labels)
    assert not rule.visual[:, 0].any()
    np.testing.assert_array_equal(rule.visual[:, 1:], train.labels[:, 1:])
    assert no_visual_speech(train, None) is None
    truth = oracle(train)
    assert truth is not None
    assert not (truth.audio & ~train.labels).any()
    assert weak(train).visual.sum() == train.labels.sum()

    assert truth.visual.sum() < train.labels.sum()
    drawn = random_removal(train, truth.audio, truth.visual, seed=3)
    assert not (drawn.visual & ~train.labels).any()
    assert (drawn.audio | drawn.visual).any(axis=1).all()
    assert drawn.visual.sum() == pytest.approx(truth.visual.sum(), rel=0.05)
    np.testing.assert_array_equal(drawn.visual, random_removal(train, *truth, seed=3).visual)
    assert (drawn.visual != random_removal(train, *truth, seed=4).visual).any()
