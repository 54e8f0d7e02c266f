"""Recipes: the published numbers, their schedules, and bad options."""

import dataclasses

import pytest
import torch

from rlld_agents.runs.setting import Setting
from rlld_gym.data import open_data
from rlld_gym.envs.options import EnvironmentArguments
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import RECIPES, default_recipe, get_recipe


def test_published_cards():
    han, jomold, rlld = get_recipe("han"), get_recipe("jomold"), get_recipe("rlld")
    assert (han.learning_rate, han.epochs, han.batch_size, han.gate) == (3e-4, 40, 16, "global")
    assert (han.audio_confidence, han.visual_confidence, han.loss_weights) == (1.0, 0.9, (1.0, 1.0, 1.0))
    assert (jomold.learning_rate, jomold.epochs, jomold.batch_size, jomold.gate) == (
        5e-4,
        25,
        128,
        "modality",
    )
    assert jomold.loss_weights._asdict() == {"video": 1.0, "audio": 2.0, "visual": 1.0}
    assert (jomold.contrastive_weight, jomold.visual_confidence, jomold.selection) == (
        1.0,
        0.9,
        "event_audio",
    )
    assert (rlld.contrastive_weight, rlld.visual_confidence, rlld.video_target) == (0.0, 1.0, "union")
    changed = {"name", "contrastive_weight", "visual_confidence", "video_target"}
    assert {
        f.name for f in dataclasses.fields(rlld) if getattr(rlld, f.name) != getattr(jomold, f.name)
    } == changed
    assert get_recipe("rlld+cl") == rlld.replace(name="rlld+cl", contrastive_weight=1.0)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.decay == "step"])
def test_steps_of_the_rate_are_those_of_step_lr(name):
    recipe = get_recipe(name)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=recipe.learning_rate)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, recipe.step_size, recipe.gamma)
    for epoch in range(1, recipe.epochs + 1):
        for share in (0.0, 0.5, 0.99):
            assert recipe.learning_rate_at(epoch - 1 + share) == pytest.approx(
                optimizer.param_groups[0]["lr"], rel=1e-9
            )
        optimizer.step()
        scheduler.step()


def test_linear_rate_is_that_of_lambda_lr_with_a_linear_warm_up():
    recipe = get_recipe("compact")
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=recipe.learning_rate)
    steps = 10 * recipe.epochs

    def factor(step):
        return (1 - step / steps) * min(1.0, step / (10 * recipe.warm_up))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        assert recipe.learning_rate_at(step / 10) == pytest.approx(rates[-1], rel=1e-9)
        optimizer.step()
        scheduler.step()
    assert rates[0] == 0
    assert max(rates) < recipe.learning_rate


def test_shortening_keeps_the_shape_of_the_schedule():
    short = get_recipe("rlld").shortened(8)
    assert (short.epochs, short.step_size, short.learning_rate) == (8, 2, 5e-4)
    assert get_recipe("rlld").shortened(1).step_size == 1
    compact = get_recipe("compact")
    half = compact.shortened(compact.epochs // 2)
    for share in (0.1, 0.3, 0.9):
        expected = compact.learning_rate_at(share * compact.epochs)
        assert half.learning_rate_at(share * half.epochs) == pytest.approx(expected)


def test_unknown_recipe_names_the_known():
    with pytest.raises(InputError, match=r"'best'.*han, jomold, rlld"):
        get_recipe("best")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("step_size", 0),
        ("learning_rate", 0.0),
        ("gamma", -1.0),
        ("temperature", 0.0),
        ("flavour", "lstm"),
        ("gate", "none"),
        ("selection", "accuracy"),
        ("video_target", "both"),
        ("contrastive", "simclr"),
        ("decay", "exponential"),
        ("warm_up", 26.0),
        ("online_learning_rate", 0.0),
        ("averaging", 1.0),
        ("second_moment_decay", 1.0),
        ("gradient_clip", 0.0),
    ],
)
def test_bad_option_is_named(option, value):
    with pytest.raises(InputError, match=option):
        get_recipe("rlld").replace(**{option: value})


@pytest.mark.parametrize("system", ["cpsp", "valor", "dhhn", "mgn"])
def test_a_system_as_task_network_is_trained_by_its_own_recipe(system: str) -> None:
    header = open_data("twin-tiny").header
    own = EnvironmentArguments(data="twin-tiny", task_network=system).process_config(header).recipe
    assert own == Setting("twin-tiny", task_network=system).recipe == get_recipe(f"compact-tiny-{system}")
    assert (own.contrastive_weight, own.gate) == (
        get_recipe(system).contrastive_weight,
        get_recipe(system).gate,
    )
    named = {"recipe": "compact-tiny", "task_network": system}
    swapped = EnvironmentArguments(data="twin-tiny", **named).process_config(header).recipe
    assert swapped == Setting("twin-tiny", **named).recipe == get_recipe("compact-tiny").with_network(system)


def test_networks_without_a_published_recipe_take_what_the_data_recommend() -> None:
    assert default_recipe(None, "compact") == default_recipe("han", "compact") == "compact"
    assert default_recipe("my_module:MyParser", "rlld") == "rlld"
    assert default_recipe("cpsp", "rlld") == "cpsp"
