"""Parsers of videos of any length, and without dense validation labels."""

import dataclasses

import pytest
import torch

from rlld_gym.data.tensors import StoreTensors
from rlld_gym.parsing.fitting import for_segments
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipes import RECIPES, get_recipe
from rlld_gym.parsing.training import train_parser
from tests.data.test_other_data import store_of

OF_EACH_NETWORK = sorted({recipe.network: name for name, recipe in RECIPES.items()}.values())


def with_teachers(data: StoreTensors) -> StoreTensors:
    """Return a data set whose training videos have teachers, who know nothing."""
    train = data["train"]
    answers = torch.rand(2, len(train), train.audio.shape[1], train.labels.shape[1]).half()
    taught = dataclasses.replace(train, teacher_audio=answers[0], teacher_visual=answers[1])
    return StoreTensors({**data, "train": taught})


@pytest.mark.parametrize(
    ("name", "segments"),
    [("jomold", 1), ("cpsp", 1), ("mgn", 1), ("mm_pyramid", 1), *((name, 64) for name in OF_EACH_NETWORK)],
)
def test_every_network_trains_on_videos_of_any_length(name: str, segments: int) -> None:
    data = with_teachers(store_of(segments).to("cpu"))
    recipe = for_segments(RECIPES[name].shortened(1), segments)
    labels = data["train"].labels
    trained = train_parser(data, labels, labels, recipe, hidden_size=8, seed=0)
    assert 0 <= evaluate(trained.network, data["test"], recipe.gate).as_dict()["event_type"] <= 100


def test_without_dense_labels_the_last_epoch_is_kept() -> None:
    data = store_of(20).to("cpu")
    hidden = dataclasses.replace(data["val"], dense_audio=None, dense_visual=None)
    without = StoreTensors({**data, "val": hidden})
    recipe, labels = get_recipe("compact").shortened(3), data["train"].labels
    found = train_parser(without, labels, labels, recipe, hidden_size=8, seed=0)
    last = train_parser(data, labels, labels, recipe, hidden_size=8, seed=0, keep="last")
    assert found.best_epoch == 3
    assert set(found.history[0]) == {"epoch", "loss"}
    for one, other in zip(found.network.parameters(), last.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
