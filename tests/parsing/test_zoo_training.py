"""Every system learns: by its own recipe, in the environment, under a policy, and with credit."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlld_agents.policies.network import NetworkPolicy
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.credit import label_credit, validation_gradient
from rlld_gym.denoising.labels import Revision
from rlld_gym.denoising.stacked import LearnerStack
from rlld_gym.denoising.task import TaskLearner
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.stacked_training import train_parsers
from rlld_gym.parsing.training import feature_sizes, make_task_network, train_parser

DEEP = pytest.param("mm_pyramid", marks=pytest.mark.long)
SYSTEMS = ("valor", "valor_plus", "valor_plus_plus", "cpsp", "mgn", DEEP, "cvcms", "dhhn")
SYSTEMS += ("cmpae", "lsld", "mm_cse", "ave", "avsdn")
WIDTH = 16


@pytest.fixture(scope="module")
def data():
    """Return the first videos of the twin's splits."""
    whole = shared_tensors("twin-tiny", "cpu")

    def first(split, count):
        cut = {name: value[:count] for name, value in vars(split).items() if isinstance(value, torch.Tensor)}
        return dataclasses.replace(split, **cut)

    return StoreTensors({name: first(whole[name], 96) for name in whole})


def short(system):
    """Return a system's recipe, short, and with as few layers as its compact one."""
    options = get_recipe(f"compact-{system}").network_options
    recipe = get_recipe(system).shortened(2)
    return recipe.replace(batch_size=32, learning_rate=3e-3, network_options=options)


@pytest.mark.parametrize("system", SYSTEMS)
def test_trains_by_its_own_recipe(data, system):
    labels = data["train"].labels
    trained = train_parser(data, labels, labels, short(system), hidden_size=WIDTH, seed=0)
    first, last = (epoch["loss"] for epoch in trained.history)
    assert last < first
    again = train_parser(data, labels, labels, short(system), hidden_size=WIDTH, seed=0)
    assert again.history == trained.history


@pytest.mark.parametrize("system", SYSTEMS)
def test_trains_in_the_environment(system):
    env = gym.make(
        "rlld_gym:rlld/LabelDenoising-v0",
        data="twin-tiny",
        batch_size=32,
        subset=0.1,
        episode_length=2,
        hidden_size=WIDTH,
        recipe=f"compact-{system}",
        task_start="fresh",
        reward="paper+credit",
        credit_videos=16,
        device="cpu",
    )
    env.reset(seed=0)
    before = env.unwrapped.get_state()
    actions = np.random.default_rng(0).integers(0, 2, (2, *env.action_space.shape), dtype=np.int8)
    found = [env.step(action)[1:4] for action in actions]
    assert found[-1][1]
    assert np.isfinite([reward for reward, *_ in found]).all()
    env.unwrapped.set_state(before)
    assert [env.step(action)[1:4] for action in actions] == found


@pytest.mark.parametrize("system", SYSTEMS)
def test_credit_is_the_slope_of_the_validation_loss(data, system):
    recipe = short(system)
    network = make_task_network(recipe, **feature_sizes(data["train"]), hidden_size=WIDTH, seed=0)
    videos = torch.arange(8)
    direction = validation_gradient(network, data["val"], videos)
    credit = label_credit(network, data["train"].batch(videos), direction)
    assert credit.shape == (8, 2, 25)
    assert credit.isfinite().all()
    assert credit.abs().amax(dim=(0, 2)).gt(0).all()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_policy_borrows_it(data, system):
    sizes = feature_sizes(data["train"])
    network = make_task_network(get_recipe(system), **sizes, hidden_size=WIDTH, seed=0)
    policy = NetworkPolicy(
        system,
        audio_size=sizes["audio_size"],
        visual_size=sizes["visual_2d_size"] + sizes["visual_3d_size"],
        visual_3d_size=sizes["visual_3d_size"],
        num_classes=sizes["num_classes"],
        hidden_size=WIDTH,
    )
    policy.start_from(network)
    audio, visual = data["train"].features(torch.arange(3))
    labels = data["train"].labels[:3, None].expand(-1, 10, -1)
    logits = policy(torch.cat((audio, labels), -1), torch.cat((visual, labels), -1))
    assert logits.shape == (3, 2, 25)
    logits.sum().backward()


@pytest.mark.parametrize("system", ["cpsp", "mgn", DEEP, "avsdn", "dhhn"])
def test_parsers_trained_together_are_those_trained_alone(data, system):
    labels = data["train"].labels
    recipe = short(system).replace(epochs=1)
    alone = train_parser(data, labels, labels, recipe, hidden_size=WIDTH, seed=1, keep="last")
    _, together = train_parsers(
        data, [labels] * 2, [labels] * 2, recipe, hidden_size=WIDTH, seeds=(0, 1), keep="last"
    )
    assert together.history[0]["loss"] == pytest.approx(alone.history[0]["loss"], rel=1e-3)


def test_networks_that_cannot_be_stacked_are_trained_one_by_one_in_stacked_environments(data):
    videos = torch.arange(16)
    features, labels = data["train"].batch(videos), data["train"].labels[:16]

    def learners():
        made = [TaskLearner(data, short("dhhn"), WIDTH) for _ in range(2)]
        revision = Revision(labels.bool(), labels.bool(), torch.zeros(16, 2, dtype=torch.bool))
        for seed, learner in enumerate(made):
            learner.renew(seed)
        lessons = [learner.lesson(features, revision, labels, 7) for learner in made]
        return made, dict(enumerate(lessons))

    alone, lessons = learners()
    expected = [learner.train(lessons[number]) for number, learner in enumerate(alone)]
    together, lessons = learners()
    found = LearnerStack().train(together, lessons)
    assert [float(found[number]) for number in (0, 1)] == [float(loss) for loss in expected]
    for one, two in zip(alone, together, strict=True):
        torch.testing.assert_close(one.get_state()["network"], two.get_state()["network"], rtol=0, atol=0)


@pytest.mark.parametrize("system", ["han", "mm_cse"])
def test_counts_of_segments_train_any_network(data, system):
    labels = data["train"].labels
    recipe = short("valor").with_network(system).replace(objective="poisson_binomial", epochs=2)
    trained = train_parser(data, labels, labels, recipe, hidden_size=WIDTH, seed=0)
    assert trained.history[1]["loss"] < trained.history[0]["loss"]
