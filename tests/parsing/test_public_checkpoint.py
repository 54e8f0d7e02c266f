"""Public checkpoints: two layouts, two file forms, and what is refused by name."""

import random

import numpy as np
import pytest
import torch
from torch import Tensor

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import HAN
from tests.parsing.golden_networks import public_shapes

SMALL = {128: 5, 2048: 7, 512: 8, 1024: 16, 1536: 24, 25: 3}
SIZES = {"audio_size": 5, "visual_2d_size": 7, "visual_3d_size": 8, "num_classes": 3, "hidden_size": 8}


def small_state(system: str = "JoMoLD") -> dict[str, Tensor]:
    """Return the public layout at toy sizes, random values."""
    generator = torch.Generator().manual_seed(0)
    shapes = public_shapes(system).items()
    return {key: torch.randn([SMALL[n] for n in shape], generator=generator) for key, shape in shapes}


def jomold_file(state: dict[str, Tensor]) -> dict[str, object]:
    """Return what JoMoLD's training saves: weights among optimiser, scheduler and random states."""
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(2)).sum().backward()
    optimizer.step()
    return {
        "torch_rng": torch.get_rng_state(),
        "cuda_rng": [],
        "random_rng": random.getstate(),
        "numpy_rng": np.random.RandomState(0).get_state(),
        "model": state,
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 6).state_dict(),
        "epochs": 25,
    }


@pytest.mark.parametrize("system", ["HAN", "JoMoLD"])
def test_reads_sizes_and_every_weight(system):
    state = small_state(system)
    network = HAN.from_public_checkpoint(state)
    own = network.state_dict()
    sizes = {**SIZES, "feedforward_size": 8, "num_layers": 1}
    expected = {name: weight.shape for name, weight in HAN(**sizes).state_dict().items()}
    assert {name: weight.shape for name, weight in own.items()} == expected
    assert torch.equal(own["stem.fusion.weight"], state["fc_fusion.weight"])
    assert torch.equal(
        own["layers.0.cross_attention.in_proj_bias"], state["hat_encoder.layers.0.cm_attn.in_proj_bias"]
    )
    # Every weight comes from an entry of its own: all entries' values differ.
    assert len({float(weight.sum()) for weight in own.values()}) == len(own)
    assert {float(weight.sum()) for weight in own.values()} <= {
        float(value.sum()) for value in state.values()
    }


def test_network_is_in_evaluation_mode_and_owns_its_weights():
    state = small_state()
    network = HAN.from_public_checkpoint(state, flavour="jomold")
    assert (network.training, network.flavour, network.visual_dropout) == (False, "jomold", 0.5)
    state["fc_a.weight"].zero_()
    assert network.stem.audio.weight.any()


@pytest.mark.parametrize("form", ["bare", "jomold", "legacy"])
def test_reads_files(tmp_path, form):
    state = small_state()
    path = tmp_path / "MMIL_Net.pt"
    content = jomold_file(state) if form == "jomold" else state
    torch.save(content, path, _use_new_zipfile_serialization=form != "legacy")
    for given in (path, str(path)):
        network = HAN.from_public_checkpoint(given, flavour="jomold")
        assert torch.equal(network.pooling.time_attention.bias, state["fc_frame_att.bias"])


def test_reads_files_written_under_numpy_1(tmp_path):
    path = tmp_path / "old.pt"
    torch.save(jomold_file(small_state()), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert b"numpy.core.multiarray" in path.read_bytes()
    HAN.from_public_checkpoint(path, flavour="jomold")


def test_reads_several_layers():
    state = small_state()
    for key in [key for key in state if ".layers.0." in key]:
        state[key.replace(".layers.0.", ".layers.1.")] = state[key] + 1
    network = HAN.from_public_checkpoint(state, flavour="jomold")
    assert len(network.layers) == 2
    weight = network.layers[1].feedforward_in.weight
    assert torch.equal(weight, state["hat_encoder.layers.0.linear1.weight"] + 1)


def without(key):
    return lambda state: state.pop(key)


def having(key, value):
    return lambda state: state.update({key: value})


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (without("fc_st.bias"), r"missing entries fc_st\.bias"),
        (without("hat_encoder.layers.0.cm_attn.in_proj_weight"), r"missing .*0\.cm_attn\.in_proj_weight"),
        (having("fc_extra.weight", torch.zeros(2)), r"unknown entries fc_extra\.weight"),
        (having("hat_encoder.norm3.weight", torch.zeros(2)), r"unknown entries hat_encoder\.norm3\.weight"),
        (having("hat_encoder.layers.5.linear1.bias", torch.zeros(8)), r"hat_encoder\.layers\."),
        (having("fc_a.bias", torch.zeros(9)), r"fc_a\.bias has shape \(9,\): expected \(8,\)"),
        (
            having("fc_fusion.weight", torch.zeros(8, 8)),
            r"fc_fusion\.weight has shape \(8, 8\): expected \(8, 16\)",
        ),
        (having("fc_av_att.weight", torch.zeros(25, 8)), r"fc_av_att\.weight .* expected \(3, 8\)"),
        (having("hat_encoder.layers.0.norm1.bias", torch.zeros(1, 8)), r"norm1\.bias .* expected \(8,\)"),
        (having("fc_v.weight", torch.zeros(8)), r"fc_v\.weight has shape \(8,\): expected a matrix"),
        (having("fc_prob.bias", torch.full((3,), float("nan"))), r"fc_prob\.bias .* not finite"),
        (having("fc_prob.bias", [0.0]), r"'fc_prob\.bias' is a list"),
    ],
)
def test_refuses_by_name(change, match):
    state = small_state("HAN")
    change(state)
    with pytest.raises(InputError, match=match) as caught:
        HAN.from_public_checkpoint(state)
    assert "\n" not in str(caught.value)


def test_refuses_unreadable_files(tmp_path):
    with pytest.raises(InputError, match=r"absent\.pt: is not a readable file"):
        HAN.from_public_checkpoint(tmp_path / "absent.pt")
    with pytest.raises(InputError, match="is not a readable file"):
        HAN.from_public_checkpoint(tmp_path)
    whole = tmp_path / "whole.pt"
    torch.save(small_state(), whole)
    cases = {"empty": b"", "text": b"hello\n", "cut": whole.read_bytes()[: whole.stat().st_size // 2]}
    for name, content in cases.items():
        path = tmp_path / f"{name}.pt"
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}\.pt: not a checkpoint") as caught:
            HAN.from_public_checkpoint(path)
        assert "\n" not in str(caught.value)


class Planted:
    """An object whose unpickling would run code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_runs_no_code_from_a_file(tmp_path):
    torch.save({"model": small_state(), "extra": Planted(tmp_path / "owned")}, tmp_path / "bad.pt")
    with pytest.raises(InputError, match="plain tensors"):
        HAN.from_public_checkpoint(tmp_path / "bad.pt")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [{}, [1, 2], torch.zeros(3)])
def test_refuses_other_content(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(InputError, match="expected a state dictionary"):
        HAN.from_public_checkpoint(tmp_path / "other.pt")
