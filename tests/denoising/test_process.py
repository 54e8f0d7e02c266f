import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.config import ProcessConfig
from rlld_gym.denoising.labels import revise_labels
from rlld_gym.denoising.process import DenoisingProcess
from rlld_gym.denoising.rewards import inter_reward
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe

CONFIG = ProcessConfig(
    batch_size=8, overlap=0.5, episode_length=4, subset=0.1, hidden_size=8, recipe=get_recipe("compact")
)


@pytest.fixture(scope="module")
def data():
    return shared_tensors("twin-tiny", "cpu")


def random_actions(process, generator, probability=0.4):
    return torch.from_numpy(generator.random(process.state.labels.shape) < probability)


def test_first_state_shows_the_data_set_s_labels_and_features(data):
    process = DenoisingProcess(data, CONFIG)
    state = process.reset(np.random.default_rng(0))
    train, rows = data["train"], torch.from_numpy(state.indices)
    for branch in range(2):
        assert torch.equal(state.labels[:, branch].float(), train.labels[rows])
    audio, visual_2d, visual_3d = state.features
    assert torch.equal(audio, train.audio[rows].float())
    assert torch.equal(torch.cat((visual_2d, visual_3d), dim=2), train.visual[rows].float())


def test_an_episode_stays_within_its_subset(data):
    process = DenoisingProcess(data, CONFIG)
    seen = set(process.reset(np.random.default_rng(0)).indices.tolist())
    while not process.terminated:
        process.step(random_actions(process, np.random.default_rng(1)))
        seen |= set(process.state.indices.tolist())
    assert seen <= set(process.get_state()["sampler"]["videos"].tolist())
    assert len(process.get_state()["sampler"]["videos"]) == 160


def test_step_rewards_and_counts(data):
    process = DenoisingProcess(data, CONFIG)
    process.reset(np.random.default_rng(0))
    shown, actions = process.state.labels, random_actions(process, np.random.default_rng(2), 0.8)
    original = data["train"].labels[torch.from_numpy(process.state.indices)]
    result = process.step(actions)
    revision = revise_labels(shown[:, 0], shown[:, 1], actions)
    assert revision.reverted.any()
    for branch, revised in enumerate((revision.audio, revision.visual)):
        expected = inter_reward(original, revised.float())
        expected[revision.reverted[:, branch]] = -1.0
        torch.testing.assert_close(result.per_video_reward[:, branch], expected)
        assert result.removed[branch] == shown[:, branch].sum() - revised.sum()


@pytest.mark.parametrize("overlap_labels", ["original", "revised"])
def test_labels_of_carried_videos(data, overlap_labels):
    process = DenoisingProcess(data, replace(CONFIG, overlap_labels=overlap_labels))
    process.reset(np.random.default_rng(0))
    for step in range(3):
        before = process.state.indices.tolist()
        result = process.step(random_actions(process, np.random.default_rng(step), 0.6))
        revised = torch.stack((result.revision.audio, result.revision.visual), dim=1)
        original = data["train"].labels[torch.from_numpy(process.state.indices)].bool()
        for row, video in enumerate(process.state.indices.tolist()):
            expected = original[row].expand(2, -1)
            if row < CONFIG.num_carried:
                assert video in before
                if overlap_labels == "revised":
                    expected = revised[before.index(video)]
            assert torch.equal(process.state.labels[row], expected)


def test_inter_reward_always_compares_with_the_original_labels(data):
    process = DenoisingProcess(data, replace(CONFIG, overlap_labels="revised"))
    process.reset(np.random.default_rng(0))
    process.step(random_actions(process, np.random.default_rng(0), 0.6))
    original = data["train"].labels[torch.from_numpy(process.state.indices)]
    changed = process.state.labels.float() != original.unsqueeze(1)
    assert changed.any()
    result = process.step(torch.zeros_like(process.state.labels))
    whole = ~changed.any(dim=2)
    torch.testing.assert_close(result.per_video_reward[whole], torch.ones(int(whole.sum())))
    assert (result.per_video_reward[~whole] < 0.999).all()


def test_the_empty_rule_gives_back_what_was_shown(data):
    config = replace(CONFIG, overlap_labels="revised", overlap=0.99)
    process = DenoisingProcess(data, config)
    process.reset(np.random.default_rng(0))
    process.step(random_actions(process, np.random.default_rng(0), 0.3))
    shown = process.state.labels
    result = process.step(torch.ones_like(shown))
    assert result.revision.reverted.all()
    assert torch.equal(torch.stack((result.revision.audio, result.revision.visual), dim=1), shown)
    assert (result.per_video_reward == -1).all()


@pytest.mark.parametrize(
    ("terminal_every", "expected"), [(None, [4]), (2, [2, 4]), (3, [3, 4]), (1, [1, 2, 3, 4])]
)
def test_when_the_terminal_reward_is_paid(data, terminal_every, expected):
    process = DenoisingProcess(data, replace(CONFIG, terminal_every=terminal_every, terminal_scale=0.5))
    process.reset(np.random.default_rng(0))
    paid = []
    for step in range(1, 5):
        result = process.step(torch.zeros_like(process.state.labels))
        assert result.terminated == (step == 4)
        if result.scores is None:
            assert result.terminal == (0.0, 0.0)
            continue
        paid.append(step)
        assert len(result.scores) == 10
        assert result.terminal[0] == pytest.approx(0.5 * result.scores["segment_audio"])
        assert result.terminal[1] == pytest.approx(0.5 * result.scores["event_visual"])
    assert paid == expected


def test_the_task_network_learns_from_the_labels_that_are_left(data):
    """A longer life on the original labels lowers the loss; other labels lead to other weights."""
    config = replace(CONFIG, batch_size=32, episode_length=60, subset=1.0, hidden_size=32, task_start="fresh")
    process = DenoisingProcess(data, config)
    process.reset(np.random.default_rng(0))
    losses = [float(process.step(torch.zeros_like(process.state.labels)).task_loss) for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    weights = []
    for actions in (torch.zeros(8, 2, 25), torch.ones(8, 2, 25)):
        process = DenoisingProcess(data, replace(CONFIG, empty_rule="video"))
        process.reset(np.random.default_rng(0))
        actions[:, 1] = 0
        process.step(actions)
        weights.append(process.get_state()["task"]["network"])
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("task_lifespan", ["episode", "run"])
def test_life_span_of_the_task_network(data, task_lifespan):
    process = DenoisingProcess(data, replace(CONFIG, task_lifespan=task_lifespan))
    generator = np.random.default_rng(0)
    process.reset(generator)
    process.step(torch.zeros_like(process.state.labels))
    network = process.task.network
    process.reset(generator, new_run=False)
    assert (process.task.network is network) == (task_lifespan == "run")
    process.reset(generator)
    assert process.task.network is not network


@pytest.mark.parametrize("steps", [0, 2, 4])
@pytest.mark.parametrize("overlap_labels", ["original", "revised"])
def test_a_stored_state_continues_exactly(data, steps, overlap_labels):
    config = replace(CONFIG, overlap_labels=overlap_labels, task_lifespan="run")
    process = DenoisingProcess(data, config)
    process.reset(np.random.default_rng(0))
    actions = np.random.default_rng(5)
    for _ in range(steps):
        process.step(random_actions(process, actions))
    stored = io.BytesIO()
    torch.save(process.get_state(), stored)

    def future(process, generator):
        outcomes, actions = [], np.random.default_rng(6)
        for _ in range(6):
            if process.terminated:
                process.reset(generator, new_run=False)
            result = process.step(random_actions(process, actions))
            outcomes += [
                result.task_loss,
                result.per_video_reward,
                process.state.labels,
                process.state.features[0],
            ]
            outcomes.append(torch.tensor(result.terminal))
        return outcomes + list(process.get_state()["task"]["network"].values())

    expected = future(process, process._generator)
    stored.seek(0)
    other, generator = DenoisingProcess(data, config), np.random.default_rng(99)
    other.set_state(torch.load(stored, weights_only=True), generator)
    for found, wanted in zip(future(other, generator), expected, strict=True):
        assert torch.equal(found, wanted)


def test_a_stored_state_does_not_change_with_the_process(data):
    process = DenoisingProcess(data, CONFIG)
    process.reset(np.random.default_rng(0))
    process.step(torch.zeros_like(process.state.labels))
    stored = process.get_state()
    weights = {name: value.clone() for name, value in stored["task"]["network"].items()}
    moments = [value["exp_avg"].clone() for value in stored["task"]["optimizer"]["state"].values()]
    other = DenoisingProcess(data, CONFIG)
    other.set_state(stored, np.random.default_rng(1))
    for walker in (process, other):
        walker.step(torch.zeros_like(walker.state.labels))
    for name, value in weights.items():
        assert torch.equal(stored["task"]["network"][name], value)
    for value, moment in zip(stored["task"]["optimizer"]["state"].values(), moments, strict=True):
        assert torch.equal(value["exp_avg"], moment)


def test_a_state_of_other_options_is_refused(data):
    process = DenoisingProcess(data, CONFIG)
    process.reset(np.random.default_rng(0))
    with pytest.raises(InputError, match="hidden_size 8, here 16"):
        DenoisingProcess(data, replace(CONFIG, hidden_size=16)).set_state(
            process.get_state(), np.random.default_rng(0)
        )


def test_a_state_of_other_data_of_the_same_sizes_is_refused(data):
    process = DenoisingProcess(data, CONFIG)
    process.reset(np.random.default_rng(0))
    train = data["train"]
    other = StoreTensors({**data, "train": replace(train, labels=train.labels.flip(0))})
    with pytest.raises(InputError, match="labels_checksum"):
        DenoisingProcess(other, CONFIG).set_state(process.get_state(), np.random.default_rng(0))


def test_global_random_state_is_left_alone(data):
    process = DenoisingProcess(data, CONFIG)
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 (the global state is what this test is about)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    process.reset(np.random.default_rng(0))
    while not process.terminated:
        process.step(torch.zeros_like(process.state.labels))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_results_do_not_depend_on_the_global_random_state(data):
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        process = DenoisingProcess(data, CONFIG)
        process.reset(np.random.default_rng(0))
        losses.append([process.step(torch.zeros_like(process.state.labels)).task_loss for _ in range(3)])
    assert losses[0] == losses[1]


def test_steps_outside_an_episode(data):
    process = DenoisingProcess(data, replace(CONFIG, episode_length=1))
    with pytest.raises(RuntimeError, match="reset"):
        process.step(torch.zeros(8, 2, 25))
    with pytest.raises(RuntimeError, match="reset"):
        process.get_state()
    process.reset(np.random.default_rng(0))
    process.step(torch.zeros(8, 2, 25))
    with pytest.raises(RuntimeError, match="over"):
        process.step(torch.zeros(8, 2, 25))
