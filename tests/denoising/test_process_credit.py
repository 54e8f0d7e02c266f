"""The decision process when it pays for the credit of removed labels."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising import task
from rlld_gym.denoising.config import ProcessConfig
from rlld_gym.denoising.credit import CREDIT_LIMIT, CREDIT_LOSSES, label_credit, validation_gradient
from rlld_gym.denoising.process import DenoisingProcess
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe

CONFIG = ProcessConfig(
    batch_size=8,
    overlap=0.5,
    episode_length=4,
    subset=0.1,
    hidden_size=8,
    recipe=get_recipe("compact"),
    reward="credit",
    credit_videos=32,
)
KINDS = ["credit", "paper+credit"]


@pytest.fixture(scope="module")
def data():
    return shared_tensors("twin-tiny", "cpu")


def begun(data, config, seed=0):
    process = DenoisingProcess(data, config)
    process.reset(np.random.default_rng(seed))
    return process


def random_actions(process, generator, probability=0.5):
    return torch.from_numpy(generator.random(process.state.labels.shape) < probability)


@pytest.mark.parametrize("loss", CREDIT_LOSSES)
def test_credit_is_of_the_network_before_its_training_step(data, loss):
    """Against a copy of the network that is differentiated by hand, normalised label by label."""
    process = begun(data, replace(CONFIG, credit_loss=loss, credit_videos=10_000))
    process.step(random_actions(process, np.random.default_rng(0)))
    state, network = process.state, copy.deepcopy(process.task.network)
    result = process.step(random_actions(process, np.random.default_rng(1)))
    direction = validation_gradient(network, data["val"], None, loss)
    raw = label_credit(network, state.features, direction).tolist()
    present = torch.nonzero(state.labels).tolist()
    size = sum(abs(raw[video][branch][label]) for video, branch, label in present) / len(present)
    expected = torch.zeros(state.labels.shape)
    for video, branch, label in present:
        expected[video, branch, label] = min(max(raw[video][branch][label] / size, -5), 5)
    torch.testing.assert_close(result.credit, expected)
    assert result.credit.dtype == torch.float32
    assert not result.credit.requires_grad


def test_credit_of_a_step_does_not_depend_on_its_action(data):
    """But the next one does: by then the network was trained on other labels."""
    credits = []
    for seed in (1, 2):
        process, actions = begun(data, CONFIG), np.random.default_rng(seed)
        credits.append([process.step(random_actions(process, actions)).credit for _ in range(2)])
    assert torch.equal(credits[0][0], credits[1][0])
    assert not torch.equal(credits[0][1], credits[1][1])


def test_absent_labels_have_none_and_the_mean_size_is_one(data):
    process = begun(data, replace(CONFIG, batch_size=64, subset=1.0, overlap_labels="revised"))
    for step in range(4):
        result = process.step(random_actions(process, np.random.default_rng(step)))
        assert (result.credit[~result.shown] == 0).all()
        known = result.credit[result.shown].abs()
        assert (known > 0).all()
        assert known.max() <= CREDIT_LIMIT
        assert known.mean().item() == pytest.approx(1, abs=0.05)  # less where something was clipped


def test_every_step_draws_its_validation_videos_anew(data, monkeypatch):
    drawn = []

    def spy(network, split, indices, loss):
        drawn.append(indices.tolist())
        return validation_gradient(network, split, indices, loss)

    monkeypatch.setattr(task, "validation_gradient", spy)
    process = begun(data, CONFIG)
    for _ in range(4):
        process.step(torch.zeros_like(process.state.labels))
    assert all(len(set(videos)) == 32 and 0 <= min(videos) <= max(videos) < 320 for videos in drawn)
    assert len({tuple(videos) for videos in drawn}) == 4


@pytest.mark.parametrize("empty_rule", ["video", "modality"])
@pytest.mark.parametrize("kind", KINDS)
def test_rewards_are_sums_over_the_labels_that_were_really_removed(data, kind, empty_rule):
    config = replace(CONFIG, batch_size=32, reward=kind, credit_scale=0.5, empty_rule=empty_rule)
    process, paper = (begun(data, c) for c in (config, replace(config, reward="paper")))
    paper._generator.choice(320, 32, replace=False)  # what credit draws; nothing else may differ
    actions = random_actions(process, np.random.default_rng(3), 0.6)
    result, plain = process.step(actions), paper.step(actions)
    assert result.revision.reverted.any()
    assert not result.revision.reverted.all()
    for video in range(32):
        for branch, revised in enumerate((result.revision.audio, result.revision.visual)):
            expected = 0.0
            for label in torch.nonzero(result.shown[video, branch]).flatten().tolist():
                expected += 0.5 * result.credit[video, branch, label].item() * (not revised[video, label])
            found = result.per_video_credit[video, branch].item()
            assert found == pytest.approx(expected, abs=1e-5)
            if result.revision.reverted[video, branch]:
                assert found == 0.0
    assert torch.equal(result.per_video_reward, plain.per_video_reward)
    assert torch.equal(result.task_loss, plain.task_loss)
    assert plain.credit is None
    assert plain.per_video_credit is None


@pytest.mark.parametrize("kind", KINDS)
def test_validation_scores_are_known_but_only_the_paper_pays_for_them(data, kind):
    process = begun(data, replace(CONFIG, reward=kind, terminal_every=2))
    for step in range(1, 5):
        result = process.step(torch.zeros_like(process.state.labels))
        assert (result.scores is not None) == (step % 2 == 0)
        if result.scores is not None and kind == "paper+credit":
            assert result.terminal[1] == pytest.approx(0.1 * result.scores["event_visual"])
        else:
            assert result.terminal == (0.0, 0.0)
        assert not result.per_video_credit.any()  # nothing was removed


def test_credit_changes_nothing_but_the_reward(data):
    """Where all validation videos are used nothing is drawn, and both processes walk through the same states."""
    outcomes = []
    for config in (replace(CONFIG, reward="paper"), replace(CONFIG, credit_videos=320)):
        process, actions = begun(data, config), np.random.default_rng(0)
        losses = [process.step(random_actions(process, actions)).task_loss for _ in range(4)]
        state = process.get_state()
        outcomes.append((losses, state["task"]["network"], process.state.indices))
        assert process.task.network.training
    assert outcomes[0][0] == outcomes[1][0]
    assert all(torch.equal(weight, outcomes[1][1][name]) for name, weight in outcomes[0][1].items())
    np.testing.assert_array_equal(outcomes[0][2], outcomes[1][2])


def test_planted_wrong_labels_do_harm_and_true_ones_good(data):
    """Half of the videos get a label of an event that is neither heard nor seen."""
    train = data["train"]
    heard, seen = train.dense_audio.any(1), train.dense_visual.any(1)
    generator = torch.Generator().manual_seed(0)
    foreign = ~(heard | seen | train.labels.bool())
    planted = torch.zeros_like(foreign)
    planted.scatter_(1, torch.multinomial(foreign.float(), 1, generator=generator), True)
    planted[::2] = False
    noisy = StoreTensors({**data, "train": replace(train, labels=train.labels + planted.float())})
    config = replace(
        CONFIG,
        batch_size=64,
        episode_length=40,
        subset=1.0,
        hidden_size=32,
        recipe=get_recipe("compact-tiny"),
        task_start="fresh",  # a network that was trained on them has learnt the planted labels
    )
    process = begun(noisy, config)
    wrong, right = [], []
    for _ in range(40):
        rows = torch.from_numpy(process.state.indices)
        credit = process.step(torch.zeros_like(process.state.labels)).credit
        wrong.append(credit[planted[rows].unsqueeze(1).expand(-1, 2, -1)])
        right.append(credit[torch.stack((heard[rows], seen[rows]), 1)])
    assert torch.cat(wrong[10:]).mean() > 0.1
    assert torch.cat(right[10:]).mean() < -0.3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [0, 2])
def test_a_stored_state_continues_exactly(data, kind, steps):
    config = replace(CONFIG, reward=kind, task_lifespan="run", overlap_labels="revised")
    process, actions = begun(data, config), np.random.default_rng(5)
    for _ in range(steps):
        process.step(random_actions(process, actions))
    stored, generator = process.get_state(), np.random.default_rng(99)
    other = DenoisingProcess(data, config)
    other.set_state(stored, generator)
    actions = [np.random.default_rng(6) for _ in range(2)]
    for _ in range(4 - steps):
        one, two = (p.step(random_actions(p, a)) for p, a in zip((process, other), actions, strict=True))
        assert torch.equal(one.credit, two.credit)
        assert torch.equal(one.per_video_reward, two.per_video_reward)
        assert torch.equal(one.task_loss, two.task_loss)


def test_states_of_another_reward_are_refused_but_not_those_of_before_there_was_a_choice(data):
    paper = begun(data, replace(CONFIG, reward="paper", credit_videos=256))
    state = paper.get_state()
    for name in ("reward", "credit_loss", "credit_videos", "credit_scale"):
        del state["config"][name]
    del state["config"]["recipe"]["precision"]
    paper.set_state(state, np.random.default_rng(0))
    with pytest.raises(InputError, match="reward 'paper', here 'credit'"):
        begun(data, CONFIG).set_state(state, np.random.default_rng(0))


def test_global_random_state_is_left_alone(data):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    process = begun(data, CONFIG)
    process.step(torch.zeros_like(process.state.labels))
    assert torch.equal(torch.get_rng_state(), before)
