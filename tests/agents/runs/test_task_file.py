"""A task network's file keeps how its probabilities become tracks."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import make_network
from rlld_gym.parsing.task_file import TaskNetworkInfo, load_task_network, save_task_network
from rlld_gym.parsing.thresholds import HALVES, Thresholds

SIZES = {"audio_size": 5, "visual_2d_size": 6, "visual_3d_size": 4, "num_classes": 3, "hidden_size": 8}


def saved(path, **info):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make_network("cmpae", **SIZES)
    save_task_network(path, network, TaskNetworkInfo("cmpae", SIZES, "mixed", {}, **info))
    return network


def test_gate_and_thresholds_survive(tmp_path):
    thresholds = Thresholds(audio=0.45, visual=(0.3, 0.5, 0.7), segment=0.25)
    network = saved(tmp_path / "task.safetensors", thresholds=thresholds)
    loaded, info = load_task_network(tmp_path / "task.safetensors")
    assert (info.gate, info.thresholds) == ("mixed", thresholds)
    for name, weight in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)


@pytest.mark.parametrize(("key", "value", "loads"), [("thresholds", None, True), ("gate", "ajar", False)])
def test_older_files_have_one_half_and_unknown_gates_are_refused(tmp_path, key, value, loads):
    path = tmp_path / "task.safetensors"
    saved(path)
    with safe_open(path, framework="pt") as file:
        metadata = {
            name: text
            for name, text in file.metadata().items()
            if name not in (key, "about_checksum", "weights_checksum")
        }
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    save_file(tensors, path, metadata | ({} if value is None else {key: value}))
    if loads:
        assert load_task_network(path)[1].thresholds == HALVES
    else:
        with pytest.raises(InputError, match="ajar"):
            load_task_network(path)


@pytest.mark.parametrize("lost", ["about_checksum", "weights_checksum"])
def test_a_checksum_that_is_lost_is_damage(tmp_path, lost):
    path = tmp_path / "task.safetensors"
    network = saved(path)
    with safe_open(path, framework="pt") as file:
        metadata = {name: text for name, text in file.metadata().items() if name != lost}
    save_file(network.state_dict(), path, metadata)
    with pytest.raises(InputError, match="differs, or is lost"):
        load_task_network(path)
