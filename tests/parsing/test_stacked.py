"""Networks trained together against the same networks trained one by one."""

import copy
from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from rlld_gym.data.tensors import StoreTensors
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.metrics import SCORE_NAMES
from rlld_gym.parsing.networks import HAN, ParsingOutput, TaskNetwork
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.stacked import NetworkStack
from rlld_gym.parsing.stacked_training import train_parsers
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import (
    feature_sizes,
    make_optimizer,
    make_task_network,
    train_parser,
    train_step,
)
from tests.parsing.test_training import CLASSES, planted_split

MEMBERS = 3


@pytest.fixture(scope="module")
def data():
    return StoreTensors({"train": planted_split(60, 0), "val": planted_split(30, 1)})


@pytest.fixture(scope="module")
def recipe():
    return get_recipe("compact").replace(epochs=3, batch_size=16, learning_rate=2e-3, warm_up=1.0)


class Pooling(TaskNetwork):
    """A small network with torch's own dropout and a module without weights."""

    def __init__(self, sizes):
        super().__init__()
        self.audio = nn.Sequential(nn.Linear(sizes["audio_size"], 8), nn.LayerNorm(8), nn.GELU())
        self.visual = nn.Linear(sizes["visual_2d_size"], 8)
        self.drop = nn.Dropout(0.0)
        self.classes = nn.Linear(8, sizes["num_classes"])

    def encode(self, audio, visual_2d, visual_3d, cross_attention=True):
        return self.drop(self.audio(audio)), self.visual(visual_2d)

    def head(self, audio_sequence, visual_sequence):
        segment = self.classes(torch.stack((audio_sequence, visual_sequence), 2)).sigmoid()
        audio, visual = segment.mean(1).unbind(1)
        return ParsingOutput(torch.maximum(audio, visual), audio, visual, segment)


def make_networks(data, recipe, kind):
    sizes = feature_sizes(data["train"])
    if kind == "other":
        torch.manual_seed(0)
        return [Pooling(sizes) for _ in range(MEMBERS)]
    if kind == "deep":
        torch.manual_seed(0)
        return [HAN(**sizes, hidden_size=8, num_layers=2, flavour="jomold") for _ in range(MEMBERS)]
    if kind == "heads":
        torch.manual_seed(0)
        return [HAN(**sizes, hidden_size=8, heads=4) for _ in range(MEMBERS)]
    return [make_task_network(recipe, **sizes, hidden_size=8, seed=seed) for seed in range(MEMBERS)]


def lessons(data, recipe, seed=0, videos=12):
    """Return different videos and different labels for each member, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    split = data["train"]
    rows = torch.stack([torch.randperm(len(split), generator=generator)[:videos] for _ in range(MEMBERS)])
    batches, targets = [], []
    for indices in rows:
        original = split.labels[indices]
        kept = original * (torch.rand(original.shape, generator=generator) < 0.7)
        batches.append(tuple(part.double() for part in split.batch(indices)))
        targets.append(
            Targets(*(part.double() for part in training_targets(kept, original, original, recipe)))
        )
    return batches, targets


def stacked_lessons(batches, targets, members=range(MEMBERS)):
    batch = tuple(torch.stack([batches[member][part] for member in members]) for part in range(3))
    return batch, Targets(*(torch.stack([targets[member][part] for member in members]) for part in range(3)))


def generators(seed, members=range(MEMBERS)):
    return [torch.Generator().manual_seed(seed + member) for member in members]


def take_separate_steps(networks, optimizers, data, recipe, numbers, *, members=range(MEMBERS)):
    losses = []
    for number in numbers:
        batches, targets = lessons(data, recipe, number)
        for member in members:
            torch.manual_seed(100 * number + member)
            losses.append(
                train_step(networks[member], optimizers[member], batches[member], targets[member], recipe)
            )
    return torch.stack(losses)


def take_stacked_steps(stack, data, recipe, numbers, *, members=range(MEMBERS)):
    losses = []
    for number in numbers:
        batch, targets = stacked_lessons(*lessons(data, recipe, number), members)
        chosen = None if len(members) == MEMBERS else members
        losses.append(stack.train_step(batch, targets, generators(100 * number, members), chosen))
    return torch.cat(losses)


def assert_same_weights(networks, others):
    for network, other in zip(networks, others, strict=True):
        for ours, theirs in zip(network.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


@pytest.fixture
def make_pair(data, recipe):
    """Return networks and optimizers, each twice: to be stacked, and to be trained one by one."""

    def make(kind="han", recipe=recipe):
        networks = [network.double() for network in make_networks(data, recipe, kind)]
        copies = copy.deepcopy(networks)
        return [
            (group, [make_optimizer(network, recipe) for network in group]) for group in (networks, copies)
        ]

    return make


@pytest.mark.parametrize("kind", ["han", "deep", "other"])
@pytest.mark.parametrize(
    "changes", [{"gradient_clip": 0.01}, {"weight_decay": 0.1, "contrastive_weight": 1.0}]
)
def test_steps_are_those_of_separate_networks_dropout_included(data, recipe, make_pair, kind, changes):
    recipe = recipe.replace(**changes)
    (networks, optimizers), (others, other_optimizers) = make_pair(kind, recipe)
    stack = NetworkStack(networks, optimizers, recipe)
    losses = take_stacked_steps(stack, data, recipe, range(3))
    expected = take_separate_steps(others, other_optimizers, data, recipe, range(3))
    torch.testing.assert_close(losses, expected)
    assert not losses.requires_grad
    assert_same_weights(networks, others)


def test_so_are_the_losses_of_networks_with_several_heads(data, recipe, make_pair):
    (networks, optimizers), (others, other_optimizers) = make_pair("heads", recipe)
    losses = take_stacked_steps(NetworkStack(networks, optimizers, recipe), data, recipe, range(3))
    # Losses only: what Adam does to the keys' bias, which changes nothing, is its answer to rounding.
    torch.testing.assert_close(losses, take_separate_steps(others, other_optimizers, data, recipe, range(3)))


def test_dropout_is_in_force(data, recipe, make_pair):
    (networks, optimizers), _ = make_pair()
    stack = NetworkStack(networks, optimizers, recipe)
    batch, targets = stacked_lessons(*lessons(data, recipe))
    first = stack.train_step(batch, targets, generators(0))
    (networks, optimizers), _ = make_pair()
    stack = NetworkStack(networks, optimizers, recipe)
    assert not torch.isclose(first, stack.train_step(batch, targets, generators(50))).any()


def test_some_members_may_be_trained_and_the_others_stay(data, recipe, make_pair):
    (networks, optimizers), (others, other_optimizers) = make_pair()
    stack = NetworkStack(networks, optimizers, recipe)
    for members in ((0, 2), range(MEMBERS), (1,)):
        losses = take_stacked_steps(stack, data, recipe, (0, 1), members=members)
        expected = take_separate_steps(others, other_optimizers, data, recipe, (0, 1), members=members)
        torch.testing.assert_close(losses, expected)
        assert_same_weights(networks, others)


def test_a_network_that_joins_brings_its_optimizers_state_and_takes_it_away(data, recipe, make_pair):
    (networks, optimizers), (others, other_optimizers) = make_pair()
    take_separate_steps(networks, optimizers, data, recipe, (0, 1))
    take_separate_steps(others, other_optimizers, data, recipe, (0, 1))
    stack = NetworkStack(networks, optimizers, recipe)
    take_stacked_steps(stack, data, recipe, (2,))
    take_separate_steps(others, other_optimizers, data, recipe, (2,))
    for optimizer, other in zip(optimizers, other_optimizers, strict=True):
        ours, theirs = optimizer.state_dict()["state"], other.state_dict()["state"]
        assert ours.keys() == theirs.keys()
        for number, state in theirs.items():
            assert {name: part.shape for name, part in ours[number].items()} == {
                name: part.shape for name, part in state.items()
            }
            for name, part in state.items():
                torch.testing.assert_close(ours[number][name], part, rtol=1e-6, atol=1e-12)

    fresh = make_networks(data, recipe, "han")[0].double()
    others[1] = copy.deepcopy(fresh)
    other_optimizers[1] = make_optimizer(others[1], recipe)
    stack.replace(1, fresh, make_optimizer(fresh, recipe))
    take_stacked_steps(stack, data, recipe, (3, 4))
    take_separate_steps(others, other_optimizers, data, recipe, (3, 4))
    assert_same_weights(stack.networks, others)


def test_a_network_that_leaves_is_its_own_again(data, recipe, make_pair):
    (networks, optimizers), (others, other_optimizers) = make_pair()
    stack = NetworkStack(networks, optimizers, recipe)
    take_stacked_steps(stack, data, recipe, (0, 1))
    take_separate_steps(others, other_optimizers, data, recipe, (0, 1))
    fresh = make_networks(data, recipe, "han")[0].double()
    stack.replace(1, fresh, make_optimizer(fresh, recipe))
    take_stacked_steps(stack, data, recipe, (2, 3))
    assert_same_weights(networks[1:2], others[1:2])
    take_separate_steps(networks, optimizers, data, recipe, (4, 5), members=(1,))
    take_separate_steps(others, other_optimizers, data, recipe, (4, 5), members=(1,))
    assert_same_weights(networks[1:2], others[1:2])
    take_separate_steps(others, other_optimizers, data, recipe, (2, 3), members=(0, 2))
    assert_same_weights(networks[::2], others[::2])


def test_members_may_change_places(data, recipe, make_pair):
    (networks, optimizers), (others, other_optimizers) = make_pair()
    stack = NetworkStack(networks, optimizers, recipe)
    take_stacked_steps(stack, data, recipe, (0, 1))
    take_separate_steps(others, other_optimizers, data, recipe, (0, 1))
    for group in (others, other_optimizers):
        group[:2] = group[1::-1]
    stack.replace(0, networks[1], optimizers[1])
    stack.replace(1, networks[0], optimizers[0])
    take_stacked_steps(stack, data, recipe, (2, 3))
    take_separate_steps(others, other_optimizers, data, recipe, (2, 3))
    assert_same_weights([networks[1], networks[0], networks[2]], others)


def test_other_architectures_are_refused(data, recipe, make_pair):
    (networks, optimizers), _ = make_pair()
    (strangers, stranger_optimizers), _ = make_pair("deep")
    with pytest.raises(ValueError, match="other parameters"):
        NetworkStack(networks, optimizers, recipe).replace(0, strangers[0], stranger_optimizers[0])
    with pytest.raises(ValueError, match="no network"):
        NetworkStack([], [], recipe)


def label_sets(data):
    labels = data["train"].labels
    kept = torch.rand(labels.shape, generator=torch.Generator().manual_seed(3)) < 0.7
    return [labels, labels * kept, labels * ~kept], [labels, labels, labels * kept]


@pytest.mark.parametrize("changes", [{}, {"averaging": 0.8}])
def test_parsers_trained_together_are_those_trained_one_by_one(data, recipe, changes):
    recipe = recipe.replace(**changes)
    audio, visual = label_sets(data)
    seeds, calls = (4, 5, 4), []
    together = train_parsers(
        data,
        audio,
        visual,
        recipe,
        hidden_size=8,
        seeds=seeds,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]
    for parser, heard, seen, seed in zip(together, audio, visual, seeds, strict=True):
        alone = train_parser(data, heard, seen, recipe, hidden_size=8, seed=seed)
        assert parser.best_epoch == alone.best_epoch
        assert not parser.network.training
        for ours, theirs in zip(parser.history, alone.history, strict=True):
            assert ours.keys() == theirs.keys()
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
            assert ours[recipe.selection] == pytest.approx(theirs[recipe.selection], abs=1.0)
        # Not the weights: some biases have no effect, and Adam scales the rounding errors of their gradients up.
        batch = data["val"].batch(torch.arange(30))
        with torch.no_grad():
            torch.testing.assert_close(parser.network(*batch), alone.network(*batch), rtol=0, atol=1e-3)


class Products(TorchDispatchMode):
    """Counts matrix products by the type of their operands."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if str(func.overloadpacket) in {"aten.mm", "aten.addmm", "aten.bmm", "aten.baddbmm"}:
            self.count[args[-1].dtype] += 1
        return func(*args, **(kwargs or {}))


def test_products_of_a_stack_are_reduced_as_those_of_one_network(data, recipe):
    """The encoder's to bfloat16, the head's not."""
    recipe = recipe.replace(precision="bfloat16", epochs=1)
    labels = data["train"].labels
    with Products() as alone:
        train_parser(data, labels, labels, recipe, hidden_size=8, seed=0, keep="last")
    with Products() as together:
        train_parsers(data, [labels] * 2, [labels] * 2, recipe, hidden_size=8, seeds=(0, 1), keep="last")
    for products in (alone, together):
        assert products.count.keys() == {torch.bfloat16, torch.float32}
        assert products.count[torch.bfloat16] > 10 * products.count[torch.float32]
    assert together.count[torch.float32] == alone.count[torch.float32]


def test_bfloat16_together_is_bfloat16_one_by_one(data, recipe):
    """To bfloat16's 8 bits, for its products are summed in another order."""
    reduced = recipe.replace(precision="bfloat16")
    audio, visual = label_sets(data)
    seeds = (4, 5, 4)
    together, whole = (
        train_parsers(data, audio, visual, used, hidden_size=8, seeds=seeds) for used in (reduced, recipe)
    )
    batch = data["val"].batch(torch.arange(30))
    for parser, other, heard, seen, seed in zip(together, whole, audio, visual, seeds, strict=True):
        alone = train_parser(data, heard, seen, reduced, hidden_size=8, seed=seed)
        losses = [[epoch["loss"] for epoch in trained.history] for trained in (parser, alone, other)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
        assert losses[0] != pytest.approx(losses[2], rel=1e-6)  # it is not float32 that was trained
        assert {weight.dtype for weight in parser.network.parameters()} == {torch.float32}
        with torch.no_grad():
            torch.testing.assert_close(parser.network(*batch), alone.network(*batch), rtol=0, atol=3e-3)


def test_networks_own_their_weights(data, recipe):
    labels = [data["train"].labels] * 2
    parsers = train_parsers(data, labels, labels, recipe, hidden_size=8, seeds=(0, 1), keep="last")
    assert [parser.best_epoch for parser in parsers] == [recipe.epochs] * 2
    assert not set(SCORE_NAMES) & parsers[0].history[0].keys()
    for weight in parsers[0].network.parameters():
        assert weight.untyped_storage().nbytes() == weight.nbytes


def test_the_global_random_state_is_untouched(data, recipe):
    labels = [data["train"].labels] * 2
    state = torch.get_rng_state()
    train_parsers(data, labels, labels, recipe.replace(epochs=1), hidden_size=8, seeds=(0, 1))
    assert torch.get_rng_state().equal(state)


def test_bad_input_is_named(data, recipe):
    labels = data["train"].labels
    for audio, visual, seeds in (
        ([labels], [labels], (0, 1)),
        ([labels] * 2, [labels], (0, 1)),
        ([], [], ()),
    ):
        with pytest.raises(ValueError, match=f"found {len(seeds)} seeds"):
            train_parsers(data, audio, visual, recipe, hidden_size=8, seeds=seeds)
    with pytest.raises(ValueError, match="visual_labels"):
        train_parsers(data, [labels], [labels[:, : CLASSES - 1]], recipe, hidden_size=8, seeds=(0,))
