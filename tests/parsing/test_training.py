"""Training: targets, determinism, random states, selection of the epoch, and that it learns."""

import numpy as np
import pytest
import torch

from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.parsing import training
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.metrics import SCORE_NAMES
from rlld_gym.parsing.networks import ParsingOutput
from rlld_gym.parsing.prediction import evaluate, gated_tracks, predict
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import (
    feature_sizes,
    make_optimizer,
    make_task_network,
    set_learning_rate,
    task_loss,
    train_parser,
    train_step,
)

CLASSES = 4


def planted_split(videos, seed, dtype=torch.float32):
    """Each class adds its own direction to the features of the segments where it is heard or seen."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.Generator().manual_seed(99)
    present = torch.rand(videos, 1, CLASSES, generator=generator) < 0.4
    dense_audio = present & (torch.rand(videos, 10, CLASSES, generator=generator) < 0.8)
    dense_visual = present & (torch.rand(videos, 10, CLASSES, generator=generator) < 0.8)

    def features(dense, size):
        noise = 0.3 * torch.randn(videos, 10, size, generator=generator)
        return (noise + dense.float() @ torch.randn(CLASSES, size, generator=directions)).to(dtype)

    return SplitTensors(
        audio=features(dense_audio, 8),
        visual=features(dense_visual, 10),
        labels=(dense_audio | dense_visual).any(1).float(),
        dense_audio=dense_audio,
        dense_visual=dense_visual,
        visual_2d_size=6,
    )


@pytest.fixture(scope="module")
def data():
    return StoreTensors(
        {"train": planted_split(100, 0), "val": planted_split(30, 1), "test": planted_split(30, 2)}
    )


@pytest.fixture(scope="module")
def recipe():
    return get_recipe("compact").replace(epochs=3, batch_size=16)


def network_for(data, recipe, seed=0):
    return make_task_network(recipe, **feature_sizes(data["train"]), hidden_size=16, seed=seed)


def train(data, recipe, **options):
    labels = data["train"].labels
    return train_parser(data, labels, labels, recipe, **{"hidden_size": 16, "seed": 0} | options)


def same_weights(ours, theirs):
    theirs = theirs.state_dict()
    return all(weight.equal(theirs[name]) for name, weight in ours.state_dict().items())


def test_targets_without_smoothing(recipe):
    audio = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    visual = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    original = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    targets = training_targets(audio, visual, original, recipe)
    assert targets.audio.equal(audio)
    assert targets.visual.equal(visual)
    assert targets.video.equal(torch.tensor([[1.0, 1.0, 0.0, 0.0]]))


def test_smoothing_leaves_removed_positives_at_zero():
    recipe = get_recipe("jomold")
    labels = torch.tensor([[1.0, 0.0, 0.0]])
    original = torch.tensor([[1.0, 1.0, 0.0]])
    targets = training_targets(original, labels, original, recipe)
    torch.testing.assert_close(targets.visual, torch.tensor([[0.95, 0.0, 0.05]]))
    assert targets.visual[0, 1] == 0.0
    assert targets.audio.equal(original)
    assert targets.video.equal(original)


@pytest.mark.parametrize("name", ["compact", "han", "rlld+cl"])
def test_it_learns(data, name):
    recipe = get_recipe(name).replace(learning_rate=5e-3, epochs=8, step_size=5, batch_size=16)
    trained = train(data, recipe)
    assert trained.history[-1]["loss"] < 0.7 * trained.history[0]["loss"]
    scores = evaluate(trained.network, data["test"], recipe.gate).as_dict()
    assert scores["segment_audio"] > 70.0
    assert scores["segment_visual"] > 70.0


def test_history_and_selection(data, recipe):
    calls = []
    trained = train(data, recipe, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert [set(epoch) for epoch in trained.history] == [{"epoch", "loss", *SCORE_NAMES}] * 3
    selected = [epoch[recipe.selection] for epoch in trained.history]
    assert selected[trained.best_epoch - 1] == max(selected)
    scores = evaluate(trained.network, data["val"], recipe.gate).as_dict()
    assert scores == {name: trained.history[trained.best_epoch - 1][name] for name in SCORE_NAMES}
    assert not trained.network.training


@pytest.mark.parametrize(
    ("scores", "best"), [((50.0, 50.0, 49.0), 2), ((60.0, 50.0, 55.0), 1), ((0.0, 0.0, 0.0), 3)]
)
def test_ties_go_to_the_later_epoch_and_its_weights_are_kept(data, recipe, monkeypatch, scores, best):
    weights, remaining = [], list(scores)

    class Scores:
        def as_dict(self):
            return dict.fromkeys(SCORE_NAMES, remaining.pop(0))

    def fake_evaluate(network, split, gate, thresholds):
        weights.append({name: weight.clone() for name, weight in network.state_dict().items()})
        return Scores()

    monkeypatch.setattr(training, "evaluate", fake_evaluate)
    trained = train(data, recipe)
    assert trained.best_epoch == best
    assert all(weight.equal(weights[best - 1][name]) for name, weight in trained.network.state_dict().items())


def test_same_seed_same_parser_whatever_the_global_state(data, recipe):
    torch.manual_seed(1)
    first = train(data, recipe)
    torch.manual_seed(2)
    second = train(data, recipe)
    assert first.history == second.history
    assert same_weights(first.network, second.network)
    assert not same_weights(first.network, train(data, recipe, seed=1).network)


def test_global_random_states_are_untouched(data, recipe):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    train(data, recipe)
    network_for(data, recipe)
    assert torch.get_rng_state().equal(torch_state)
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_state, strict=True))  # noqa: NPY002


def test_labels_may_be_bool_arrays(data, recipe):
    labels = data["train"].labels.numpy().astype(bool)
    labels.flags.writeable = False
    from_arrays = train_parser(data, labels, labels, recipe, hidden_size=16, seed=0)
    assert same_weights(from_arrays.network, train(data, recipe).network)


def test_labels_and_video_labels_matter(data, recipe):
    labels = data["train"].labels
    weak = train(data, recipe)
    longer = recipe.replace(learning_rate=5e-3, epochs=8)
    silent = train_parser(data, torch.zeros_like(labels), labels, longer, hidden_size=16, seed=0)
    audio, visual = predict(silent.network, data["val"], recipe.gate)
    assert not audio.any()
    assert visual.any()
    assert same_weights(weak.network, train(data, recipe, video_labels=labels).network)
    assert not same_weights(weak.network, train(data, recipe, video_labels=torch.zeros_like(labels)).network)


@pytest.mark.parametrize("name", ["audio", "visual", "video"])
def test_bad_labels_are_named(data, recipe, name):
    good = data["train"].labels
    for bad in (good[:-1], good[:, :-1], good * 2, good.clone().fill_(float("nan"))):
        labels = {"audio": good, "visual": good, "video": good} | {name: bad}
        with pytest.raises(ValueError, match=f"{name}_labels"):
            train_parser(
                data,
                labels["audio"],
                labels["visual"],
                recipe,
                hidden_size=8,
                seed=0,
                video_labels=labels["video"],
            )


def test_scores_without_dense_labels_are_refused(data, recipe):
    split = data["val"]
    bare = SplitTensors(split.audio, split.visual, split.labels, None, None, split.visual_2d_size)
    with pytest.raises(ValueError, match="dense"):
        evaluate(network_for(data, recipe), bare, "global")


def test_train_step_is_a_plain_adam_step(data, recipe):
    """Against unfused Adam on the gradient of the loss.

    In double precision: an attention's key bias has no effect, and Adam scales its rounding errors up.
    """
    recipe = recipe.replace(gradient_clip=None, second_moment_decay=0.999)
    network, reference = (network_for(data, recipe).eval().double() for _ in range(2))
    split = data["train"]
    targets = training_targets(split.labels, split.labels, split.labels, recipe)
    optimizer = make_optimizer(network, recipe)
    plain = torch.optim.Adam(reference.parameters(), lr=recipe.learning_rate, fused=False, foreach=False)
    batch = tuple(features.double() for features in split.batch(torch.arange(20)))
    rows = Targets(*(target[:20].double() for target in targets))
    for _ in range(3):
        loss = train_step(network, optimizer, batch, rows, recipe)
        plain.zero_grad()
        expected = task_loss(reference, batch, rows, recipe)
        expected.backward()
        plain.step()
        torch.testing.assert_close(loss, expected.detach())
    assert not loss.requires_grad
    for ours, theirs in zip(network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_train_step_obeys_clip_and_second_moment(data, recipe):
    recipe = recipe.replace(gradient_clip=0.01, second_moment_decay=0.5)
    network, reference = (network_for(data, recipe).eval() for _ in range(2))
    split = data["train"]
    targets = training_targets(split.labels, split.labels, split.labels, recipe).rows(torch.arange(20))
    batch = split.batch(torch.arange(20))
    optimizer = make_optimizer(network, recipe)
    train_step(network, optimizer, batch, targets, recipe)
    task_loss(reference, batch, targets, recipe).backward()
    norm = torch.stack([weight.grad.norm() for weight in reference.parameters()]).norm()
    assert norm > 0.1  # or nothing would be clipped
    for ours, theirs in zip(network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad * 0.01 / norm, rtol=1e-3, atol=1e-8)
        torch.testing.assert_close(optimizer.state[ours]["exp_avg_sq"], 0.5 * ours.grad**2)


def test_bfloat16_agrees_with_float32(data, recipe):
    """Loss and gradients to bfloat16's 8 bits; and trained parsers score alike."""
    split, reduced = data["train"], recipe.replace(precision="bfloat16")
    targets = training_targets(split.labels, split.labels, split.labels, recipe)
    losses, gradients = [], []
    for used in (recipe, reduced):
        network = network_for(data, recipe).eval()
        loss = task_loss(network, split.batch(torch.arange(len(split))), targets, used)
        loss.backward()
        losses.append(loss.detach())
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    assert losses[0].dtype == losses[1].dtype == gradients[1].dtype == torch.float32
    assert not losses[0].equal(losses[1])
    torch.testing.assert_close(losses[1], losses[0], rtol=2e-3, atol=0)
    assert (gradients[1] - gradients[0]).norm() < 0.05 * gradients[0].norm()
    scores = [
        evaluate(train(data, used.replace(epochs=8, learning_rate=5e-3)).network, data["test"], used.gate)
        for used in (recipe, reduced)
    ]
    assert abs(scores[0].table - scores[1].table).max() < 3.0


def test_contrastive_variants_add_to_the_loss(data, recipe):
    network = network_for(data, recipe).eval()
    split = data["train"]
    batch = split.batch(torch.arange(8))
    targets = training_targets(split.labels, split.labels, split.labels, recipe).rows(torch.arange(8))
    losses = [
        task_loss(
            network, batch, targets, recipe.replace(contrastive_weight=weight, contrastive=variant)
        ).item()
        for weight, variant in ((0.0, "jomold"), (1.0, "jomold"), (1.0, "ma"))
    ]
    assert losses[0] < losses[1] != losses[2] > losses[0]


def test_learning_rate_is_set(data, recipe):
    optimizer = make_optimizer(network_for(data, recipe), recipe)
    set_learning_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125]


def test_gates():
    segment = torch.full((1, 2, 2, 2), 0.5)
    segment[0, 1] = 0.49
    output = ParsingOutput(
        video=torch.tensor([[0.5, 0.4]]),
        audio=torch.tensor([[0.4, 0.5]]),
        visual=torch.tensor([[0.9, 0.1]]),
        segment=segment,
    )
    audio, visual = gated_tracks(output, "global")
    assert audio.tolist() == visual.tolist() == [[[True, False], [False, False]]]
    audio, visual = gated_tracks(output, "modality")
    assert audio.tolist() == [[[False, True], [False, False]]]
    assert visual.tolist() == [[[True, False], [False, False]]]
    with pytest.raises(ValueError, match="gate"):
        gated_tracks(output, "none")


def test_prediction_does_not_depend_on_batches_and_restores_the_mode(data, recipe):
    network = network_for(data, recipe).train()
    state = torch.get_rng_state()
    whole = predict(network, data["val"], "modality")
    parts = predict(network, data["val"], "modality", batch_size=7)
    assert network.training
    assert torch.get_rng_state().equal(state)
    assert all(a.equal(b) for a, b in zip(whole, parts, strict=True))
    assert whole[0].shape == (30, 10, CLASSES)
    assert whole[0].dtype == torch.bool


def test_half_precision_features(recipe):
    data = StoreTensors(
        {name: planted_split(20, seed, torch.float16) for seed, name in enumerate(("train", "val"))}
    )
    assert np.isfinite(train(data, recipe).history[-1]["loss"])


def test_last_epoch_is_kept_without_a_look_at_validation(data, recipe, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *_: pytest.fail("the validation split was scored"))
    trained = train(data, recipe, keep="last")
    assert trained.best_epoch == recipe.epochs
    assert set(trained.history[-1]) == {"epoch", "loss"}
    assert not trained.network.training


def test_given_network_is_trained_in_place(data, recipe):
    network = network_for(data, recipe, seed=5)
    trained = train(data, recipe, network=network, seed=5)
    assert trained.network is network
    assert same_weights(trained.network, train(data, recipe, seed=5).network)
    assert not same_weights(
        trained.network, train(data, recipe, network=network_for(data, recipe), seed=5).network
    )


def test_averaged_weights_are_a_moving_average_of_those_after_each_step(data, recipe):
    recipe = recipe.replace(epochs=1, warm_up=0.5)
    snapshots = []

    def watch(network, batch, targets, epoch, number):
        snapshots.append({name: weight.clone() for name, weight in network.state_dict().items()})
        return targets

    plain = train(data, recipe, revise_targets=watch, keep="last").network.state_dict()
    average = train(data, recipe.replace(averaging=0.8), keep="last").network.state_dict()
    for name, first in snapshots[1].items():
        expected = first
        for later in (*(snapshot[name] for snapshot in snapshots[2:]), plain[name]):
            expected = 0.8 * expected + 0.2 * later
        torch.testing.assert_close(average[name], expected, rtol=1e-4, atol=1e-6)


def test_revision_sees_every_batch_and_decides_the_targets(data, recipe):
    seen = []

    def keep_targets(network, batch, targets, epoch, number):
        assert network.training
        assert not torch.is_grad_enabled()
        assert len(batch[0]) == len(targets.audio)
        seen.append((epoch, number))
        return targets

    kept = train(data, recipe, revise_targets=keep_targets)
    batches = -(-len(data["train"]) // recipe.batch_size)
    assert seen == [(epoch, number) for epoch in range(1, recipe.epochs + 1) for number in range(batches)]
    assert same_weights(kept.network, train(data, recipe).network)

    def forget(network, batch, targets, epoch, number):
        return targets._replace(visual=torch.zeros_like(targets.visual))

    labels = data["train"].labels
    forgetting = train(data, recipe, revise_targets=forget)
    plain = recipe.replace(video_target="original")
    unseen = train_parser(data, labels, torch.zeros_like(labels), plain, hidden_size=16, seed=0)
    assert same_weights(forgetting.network, unseen.network)
