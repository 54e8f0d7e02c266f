"""Scores of checkpoints that public code wrote, on the command line."""

import json

import pytest
import torch

from rlld_agents.cli import main
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.parsing.networks import load_public_checkpoint, make_network
from rlld_gym.parsing.networks.checkpoints.layout import public_state
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import feature_sizes


def written(path, system, **sizes):
    """Write a network as the public code of its system would; return the arguments that name it."""
    torch.manual_seed(0)
    network = make_network(system, **sizes)
    torch.save(public_state(system, network), path)
    return ["evaluate", "--checkpoint", str(path), "--system", system]


@pytest.mark.parametrize("system", ["valor", "cpsp", "cmpae", "mm_cse"])
def test_scores_are_those_of_the_network(tmp_path, system):
    data, recipe = shared_tensors("twin-tiny", "cpu"), get_recipe(system)
    words = written(tmp_path / "public.pt", system, **feature_sizes(data["train"]), hidden_size=16)
    out = tmp_path / "scores.json"
    assert main([*words, "--data", "twin-tiny", "--split", "val", "--out", str(out)]) == 0
    network = load_public_checkpoint(system, tmp_path / "public.pt", **recipe.network_options)
    expected = evaluate(network, data["val"], recipe.gate, thresholds=recipe.thresholds).as_dict()
    assert json.loads(out.read_text())["scores"] == pytest.approx(expected)


def test_features_that_do_not_fit_are_named(tmp_path, capsys):
    words = written(
        tmp_path / "public.pt", "valor_plus_plus", audio_size=768, visual_2d_size=768, hidden_size=16
    )
    assert main([*words, "--data", "twin-tiny"]) == 2
    message = capsys.readouterr().err
    assert "reads features of widths 768 (audio), 768 (visual 2D), 512 (visual 3D)" in message
    assert "found 32 (audio), 48 (visual 2D), 24 (visual 3D)" in message
    assert "The published system reads CLAP maps" in message
    assert main(words) == 2
    assert "--data: a public checkpoint does not say" in capsys.readouterr().err
