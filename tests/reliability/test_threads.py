"""Environments and trainings in threads side by side: each as alone, and nobody's random state moves."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from rlld_gym.data import open_data
from rlld_gym.parsing.networks import HAN, network_names
from rlld_gym.parsing.randomness import draws_own, own_generator, seeded_random_state, seeded_weights
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import make_task_network, train_parser
from tests.envs.rollouts import SMALL, VARIANTS, make, rollout
from tests.reliability.test_torch_settings import same

# Networks that other tests register draw as they like.
SYSTEMS = [name for name in network_names() if ":" not in name and not name.startswith("test-")]
SIZES = {"audio_size": 4, "visual_2d_size": 5, "visual_3d_size": 3, "num_classes": 6, "hidden_size": 8}


class ForeignParser(HAN):
    """Has a dropout of torch's own."""

    def __init__(self, **sizes):
        super().__init__(**sizes)
        self.extra = nn.Dropout(0.5)

    def encode(self, *arguments):
        audio, visual = super().encode(*arguments)
        return self.extra(audio), visual


def global_states():
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002


@pytest.mark.parametrize(
    "arguments",
    [
        VARIANTS[0],
        VARIANTS[5],
        VARIANTS[9],
        {"task_network": f"{__name__}:ForeignParser", "task_start": "fresh"},
    ],
    ids=["pretrained", "fresh", "credit", "foreign"],
)
def test_a_seed_decides_also_in_threads(arguments):
    def play(seed):
        return rollout(make(**SMALL | arguments), 3, seed=seed)

    alone, before = [play(seed) for seed in range(2)], global_states()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(play, [0, 1] * 4))
    assert all(same(found, alone[number % 2]) for number, found in enumerate(together))
    assert global_states() == before


def test_another_thread_draws_what_it_would_draw_alone():
    """Its numbers come from the global generator while an environment trains."""
    env, ended, drawn = make(**VARIANTS[5]), threading.Event(), []
    rollout(env, 1, seed=0)

    def draw():
        while not ended.is_set() or not drawn:
            drawn.append(float(torch.rand(())))

    torch.manual_seed(3)
    thread = threading.Thread(target=draw)
    thread.start()
    rollout(env, 6, seed=1)
    ended.set()
    thread.join()
    torch.manual_seed(3)
    assert drawn == [float(torch.rand(())) for _ in drawn]


def test_trainings_in_threads_share_nothing():
    data, recipe = open_data("twin-tiny").to("cpu"), get_recipe("compact").shortened(1)

    def train(seed):
        labels = data["train"].labels
        return train_parser(data, labels, labels, recipe, hidden_size=8, seed=seed).history

    alone = [train(seed) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(train, (1, 2, 1, 2))) == alone * 2


def test_weights_are_those_of_a_seeded_program():
    """Redirected draws against torch's own, for all ways in which modules draw."""

    def modules():
        torch.nn.init.orthogonal_(orthogonal := torch.empty(4, 4))
        layers = nn.Linear(30, 40), nn.MultiheadAttention(8, 2), nn.GRU(4, 5, 2), nn.Embedding(5, 6)
        parts = [part for layer in layers for part in layer.parameters()]
        ones = torch.ones(9)
        draws = [torch.randn(20), torch.randint(5, (9,)), torch.randint(2, 9, (4,)), torch.randperm(12)]
        draws += [torch.randn_like(ones), torch.bernoulli(ones / 2), torch.multinomial(ones, 3)]
        return [
            *parts,
            *draws,
            orthogonal,
            nn.functional.dropout(ones),
            nn.init.trunc_normal_(torch.empty(50)),
        ]

    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = modules()
    before = torch.get_rng_state()
    with seeded_weights(5):
        found = modules()
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("system", SYSTEMS)
def test_own_networks_need_no_global_generator(system):
    network = make_task_network(get_recipe("han").replace(network=system), **SIZES, seed=0)
    batch = [torch.randn(3, 10, SIZES[name]) for name in ("audio_size", "visual_2d_size", "visual_3d_size")]
    assert draws_own(network)
    outputs = []
    for own in (True, False):
        before = torch.get_rng_state()
        with seeded_random_state(7, own=own):
            assert (own_generator() is not None) == own
            outputs.append(network(*batch).segment)
            assert torch.equal(torch.get_rng_state(), before) == own
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*outputs)


def test_modules_of_others_borrow_it():
    assert not draws_own(nn.Sequential(nn.Dropout(0.1)))
    assert not draws_own(ForeignParser(**SIZES))
    assert not draws_own(lambda: None)
    assert draws_own(None, nn.Linear(2, 2))
