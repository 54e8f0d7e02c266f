"""HAN trains to where its textbook form trains to: the same losses, the same scores."""

import torch

from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.metrics import parsing_scores
from rlld_gym.parsing.networks import HAN, TaskNetwork
from rlld_gym.parsing.prediction import gated_tracks
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import feature_sizes, make_optimizer, train_step
from tests.parsing.naive_han import NaiveHAN

STEPS = 60


def double_batch(split: SplitTensors, indices: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(part.double() for part in split.batch(indices))


def train(network: TaskNetwork, train: SplitTensors, recipe: Recipe) -> list[float]:
    """Take steps on twin-tiny's weak labels; return their losses."""
    optimizer = make_optimizer(network.train(), recipe)
    targets = training_targets(train.labels, train.labels, train.labels, recipe)
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    batches = torch.split(order, 64) * 3
    losses = []
    for indices in batches[:STEPS]:
        rows = Targets(*(part.double() for part in targets.rows(indices)))
        losses.append(train_step(network, optimizer, double_batch(train, indices), rows, recipe))
    return torch.stack(losses).tolist()


@torch.no_grad()
def scores(network: TaskNetwork, split: SplitTensors, recipe: Recipe) -> dict[str, float]:
    tracks = gated_tracks(network.eval()(*double_batch(split, torch.arange(len(split)))), recipe.gate)
    assert split.dense_audio is not None
    assert split.dense_visual is not None
    return parsing_scores(*tracks, split.dense_audio, split.dense_visual).as_dict()


def test_trains_to_the_losses_and_scores_of_the_textbook_form() -> None:
    data, recipe = shared_tensors("twin-tiny", "cpu"), get_recipe("compact-tiny")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours = HAN(**feature_sizes(data["train"]), hidden_size=32, dropout=0.0, visual_dropout=0.0).double()
        naive = NaiveHAN(ours)
        losses, expected = (train(network, data["train"], recipe) for network in (ours, naive))
    torch.testing.assert_close(losses, expected, rtol=1e-7, atol=0)
    assert losses[-1] < 0.6 * losses[0]
    found = scores(ours, data["val"], recipe)
    assert found == scores(naive, data["val"], recipe)
    assert found["segment_visual"] > 10
