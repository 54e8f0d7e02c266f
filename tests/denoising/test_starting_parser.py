"""The parser that episodes start from, and its cache."""

import dataclasses
import os
import subprocess
import sys

import pytest
import torch

from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising import starting_parser as module
from rlld_gym.denoising.starting_parser import CACHE_VARIABLE, START_SEED, starting_parser
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser

RECIPE = get_recipe("compact")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache, on disk and in memory."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(module, "_parsers", type(module._parsers)())
    return tmp_path


def few(num_videos=200, *, changed=False):
    """Return a part of twin-tiny in tensors of its own."""
    data = shared_tensors("twin-tiny", "cpu")
    train = data["train"]
    small = dataclasses.replace(
        train,
        audio=train.audio[:num_videos].clone(),
        visual=train.visual[:num_videos],
        labels=train.labels[:num_videos],
    )
    if changed:
        small.audio[0, 0, 0] += 1
    return StoreTensors({**data, "train": small})


def files(folder):
    return sorted(folder.rglob("*.safetensors"))


def weights(network):
    return torch.cat([value.flatten() for value in network.state_dict().values()])


def test_it_is_a_parser_trained_on_weak_labels_for_half_of_the_epochs(folder):
    data = few()
    labels = data["train"].labels
    expected = train_parser(
        data, labels, labels, RECIPE.shortened(4), hidden_size=8, seed=START_SEED, keep="last"
    ).network
    found = starting_parser(data, RECIPE, 8)
    assert torch.equal(weights(found), weights(expected))
    assert not found.training
    assert torch.equal(weights(starting_parser(data, RECIPE, 8, epochs=4)), weights(expected))


def test_it_never_sees_a_dense_label(folder):
    data = few()
    blind = StoreTensors(
        {
            name: dataclasses.replace(split, dense_audio=None, dense_visual=None)
            for name, split in few().items()
        }
    )
    assert torch.equal(
        weights(starting_parser(data, RECIPE, 8, 1)), weights(starting_parser(blind, RECIPE, 8, 1))
    )


def test_it_parses_better_than_a_new_network():
    data = shared_tensors("twin-tiny", "cpu")
    recipe = get_recipe("compact-tiny")
    scores = evaluate(starting_parser(data, recipe, 32), data["val"], recipe.gate).as_dict()
    assert scores["segment_audio"] > 30
    assert scores["event_visual"] > 15


def test_later_it_comes_from_memory_and_then_from_the_file(folder, monkeypatch):
    data = few()
    first = starting_parser(data, RECIPE, 8, 1)
    assert len(files(folder)) == 1
    assert starting_parser(data, RECIPE, 8, 1) is first
    monkeypatch.setattr(module, "train_parser", lambda *_, **__: pytest.fail("trained again"))
    again = starting_parser(few(), RECIPE, 8, 1)
    assert again is not first
    assert torch.equal(weights(again), weights(first))
    same = RECIPE.replace(name="other", online_learning_rate=1e-3, gate="global", selection="event_type")
    assert torch.equal(weights(starting_parser(few(), same, 8, 1)), weights(first))


def test_what_it_depends_on_decides_its_file(folder):
    starting_parser(few(), RECIPE, 8, 1)
    for data, recipe, hidden_size, epochs in (
        (few(changed=True), RECIPE, 8, 1),
        (few(199), RECIPE, 8, 1),
        (few(), RECIPE.replace(audio_weight=1.0), 8, 1),
        (few(), RECIPE, 9, 1),
        (few(), RECIPE, 8, 2),
    ):
        before = len(files(folder))
        starting_parser(data, recipe, hidden_size, epochs)
        assert len(files(folder)) == before + 1
    assert not list(folder.rglob("*.partial"))


@pytest.mark.parametrize("damage", [b"", b"not a parser", "truncated", "another's"])
def test_a_damaged_file_is_made_anew(folder, damage):
    expected = weights(starting_parser(few(), RECIPE, 8, 1))
    (file,) = files(folder)
    content = file.read_bytes()
    if damage == "another's":
        starting_parser(few(), RECIPE, 9, 1)
        (other,) = set(files(folder)) - {file}
        file.write_bytes(other.read_bytes())
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "truncated" else damage)
    assert torch.equal(weights(starting_parser(few(), RECIPE, 8, 1)), expected)
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_written_to_is_only_a_warning(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(folder / "file"))
    with pytest.warns(RuntimeWarning, match="RLLD_CACHE"):
        found = starting_parser(few(), RECIPE, 8, 1)
    monkeypatch.setenv(CACHE_VARIABLE, str(folder / "another"))
    assert torch.equal(weights(found), weights(starting_parser(few(), RECIPE, 8, 1)))


@pytest.mark.long
def test_processes_that_race_end_with_one_file_and_one_parser(tmp_path):
    code = (
        "from rlld_gym.data.catalog import shared_tensors\n"
        "from rlld_gym.denoising.starting_parser import starting_parser\n"
        "from rlld_gym.parsing.recipes import get_recipe\n"
        "network = starting_parser(shared_tensors('twin-tiny', 'cpu'), get_recipe('compact'), 8, 1)\n"
        "print(sum(value.double().sum().item() for value in network.state_dict().values()))"
    )
    environment = {**os.environ, CACHE_VARIABLE: str(tmp_path)}
    racing = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    outputs = [process.communicate()[0] for process in racing]
    assert [process.returncode for process in racing] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(files(tmp_path)) == 1
    assert not list(tmp_path.rglob("*.partial"))


def test_the_global_random_state_is_left_alone(folder):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    starting_parser(few(), RECIPE, 8, 1)
    assert torch.equal(torch.get_rng_state(), before)
