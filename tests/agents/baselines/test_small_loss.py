import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.baselines.parts.small_loss import (
    Group,
    SmallLoss,
    epochs_of,
    forget_factor,
    large_loss_share,
    removal_scores,
)
from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.errors import InputError
from tests.agents.baselines.contexts import small_context


def case(seed: int, videos: int, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Return losses, some of them equal, and labels."""
    generator = torch.Generator().manual_seed(seed)
    losses = torch.randint(0, 12, (videos, 2, classes), generator=generator) / 4
    labels = (torch.rand(videos, classes, generator=generator) < 0.6).unsqueeze(1).expand(-1, 2, -1)
    return losses, labels


def naive_forgotten(
    losses: torch.Tensor, labels: torch.Tensor, rates: torch.Tensor, group: Group
) -> torch.Tensor:
    """Forget, loop by loop, the largest losses of every group, at most a share of them."""
    videos, modalities, classes = losses.shape
    forgotten = torch.zeros(losses.shape, dtype=torch.bool)
    for modality in range(modalities):
        members = [
            (video, label)
            for video in range(videos)
            for label in range(classes)
            if labels[video, modality, label]
        ]
        groups = [members]
        if group == "class":
            groups = [[pair for pair in members if pair[1] == label] for label in range(classes)]
        for pairs in groups:
            ordered = sorted(pairs, key=lambda pair: losses[pair[0], modality, pair[1]].item())
            for taken, (video, label) in enumerate(reversed(ordered), start=1):
                if taken / len(ordered) <= rates[modality, label].item():
                    forgotten[video, modality, label] = True
    return forgotten


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**31), videos=st.integers(1, 40), group=st.sampled_from(["class", "modality"]))
def test_selection_equals_loops_over_videos_and_classes(seed: int, videos: int, group: Group) -> None:
    losses, labels = case(seed, videos)
    rates = torch.rand(2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    shares = large_loss_share(losses, labels, group)
    assert torch.equal(shares <= rates, naive_forgotten(losses, labels, rates, group))
    assert torch.equal(shares.isinf(), ~labels)
    assert ((shares > 0) & (shares <= 1))[labels].all()


def test_as_many_labels_are_forgotten_as_the_rate_allows() -> None:
    losses, labels = case(0, 400)
    shares = large_loss_share(losses, labels)
    for rate in (0.0, 0.053, 0.355, 1.0):
        forgotten = (shares <= rate).sum(0)
        assert torch.equal(forgotten, (rate * labels.sum(0).double() + 1e-9).floor().long())


def test_rates_rise_evenly_over_the_ramp() -> None:
    expected = [*np.linspace(0, 0.4, 10), 0.4, 0.4]
    assert [0.4 * forget_factor(epoch, 10) for epoch in range(1, 13)] == pytest.approx(expected)
    assert [forget_factor(epoch, 1) for epoch in (1, 2, 3)] == [0.0, 1.0, 1.0]
    assert [epochs_of(share, 25) for share in (0.0, 0.1, 0.4, 1.0)] == [1, 2, 10, 25]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), votes=st.integers(1, 7))
def test_score_tells_the_majority_of_the_votes(seed: int, votes: int) -> None:
    generator = np.random.default_rng(seed)
    rates = torch.from_numpy(generator.choice([0.0, 0.25, 0.5, 1.0], (2, 3)))
    shares = torch.from_numpy(generator.choice([0.1, 0.25, 0.5, 0.75, 1.0], (votes, 20, 2, 3)))
    shares[:, generator.random((20, 2, 3)) < 0.3] = torch.inf
    scores = removal_scores(shares, rates)
    assert torch.equal(scores >= 0.5, (shares <= rates).sum(0) * 2 > votes)
    assert torch.equal(scores[shares[0].isinf()], torch.zeros(int(shares[0].isinf().sum())))
    assert ((scores >= 0) & (scores <= 1)).all()
    later = removal_scores(shares / 2, rates)
    assert (later >= scores).all()


def test_rates_of_the_validation_split_are_counted_per_class() -> None:
    context = small_context()
    validation = context.data["val"]
    assert validation.dense_audio is not None
    assert validation.dense_visual is not None
    found = SmallLoss(rates="validation").noise_rates(context)
    for modality, dense in enumerate((validation.dense_audio, validation.dense_visual)):
        for label in range(25):
            videos = [video for video in range(len(validation)) if validation.labels[video, label]]
            wrong = [video for video in videos if not dense[video, :, label].any()]
            expected = len(wrong) / len(videos) if videos else (0.053, 0.355)[modality]
            assert found[modality, label].item() == pytest.approx(expected)
    fixed = SmallLoss(audio_rate=0.1, visual_rate=0.2).noise_rates(context)
    assert fixed.tolist() == [[0.1] * 25, [0.2] * 25]


def test_rates_need_dense_labels_to_be_counted() -> None:
    context = small_context()
    weak = context.data["val"]
    bare = SplitTensors(weak.audio, weak.visual, weak.labels, None, None, weak.visual_2d_size)
    object.__setattr__(context, "data", StoreTensors({**context.data, "val": bare}))
    with pytest.raises(InputError, match="no dense labels; use 'modality'"):
        SmallLoss(rates="validation").noise_rates(context)


@pytest.mark.parametrize(
    "options", [{"audio_rate": -0.1}, {"ramp": 1.1}, {"votes": 2}, {"rates": "test"}, {"group": "video"}]
)
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        SmallLoss(**options)
