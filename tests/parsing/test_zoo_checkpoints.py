"""Public checkpoints of all systems: sizes, numbers of parameters, what is accepted and what is refused by name."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import checkpoint_systems, load_public_checkpoint, make_network
from rlld_gym.parsing.networks.checkpoints.layout import public_state
from rlld_gym.parsing.randomness import seeded_weights
from tests.parsing.golden_zoo import zoo_state
from tests.parsing.test_public_checkpoint import jomold_file

TRAINED_PARAMETERS = {
    "valor": 5094475,
    "valor_plus": 5051211,
    "valor_plus_plus": 4887371,
    "cpsp": 6668875,
    "mgn": 4366065,
    "mm_pyramid": 40827469,
    "cvcms": 8005940,
    "dhhn": 9294411,
    "cmpae": 5383293,
    "lsld": 11078219,
    "mm_cse": 6160333,
}
"""Parameters of the public networks that receive a gradient, counted there by a backward pass."""

SYSTEMS = [
    pytest.param(system, marks=[pytest.mark.long] if system == "mm_pyramid" else [])
    for system in TRAINED_PARAMETERS
]
"""As parameters of tests; the largest takes seconds."""


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_checkpoint_fills_a_network_of_the_public_size(system):
    network = load_public_checkpoint(system, zoo_state(system))
    assert not network.training
    assert sum(parameter.numel() for parameter in network.parameters()) == TRAINED_PARAMETERS[system]
    assert system in checkpoint_systems()


@pytest.mark.parametrize("system", TRAINED_PARAMETERS)
def test_the_default_sizes_are_the_published_ones(system):
    sizes = {"audio_size": 768, "visual_2d_size": 768} if system == "valor_plus_plus" else {}
    sizes |= {"guides": False} if system == "dhhn" else {}
    network = make_network(system, **sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) == TRAINED_PARAMETERS[system]


@pytest.mark.parametrize("system", SYSTEMS)
def test_unknown_and_missing_entries_are_named(system):
    state = zoo_state(system)
    with pytest.raises(InputError, match=rf"\({system}\): unknown entries fc_extra\.bias"):
        load_public_checkpoint(system, state | {"fc_extra.bias": torch.zeros(2)})
    bias = "fc_v.0.bias" if system == "cmpae" else "fc_v.bias"
    del state[bias]
    with pytest.raises(InputError, match=rf"missing entries {bias}"):
        load_public_checkpoint(system, state)


DEEPER = {
    "han": {"num_layers": 2, "heads": 2, "flavour": "jomold"},
    "lsld": {"num_layers": 2, "heads": 2},
    "cmpae": {"num_layers": 2, "heads": 2},
    "dhhn": {"num_layers": 2, "heads": 2, "guides": False},
    "cvcms": {"num_layers": 2, "num_class_layers": 3, "heads": 2, "class_heads": 2, "class_size": 4},
}
"""Depths and heads that are not published."""


@pytest.mark.parametrize("system", DEEPER)
def test_other_depths_and_heads_are_written_and_read_under_public_names(system):
    sizes = {"audio_size": 5, "visual_2d_size": 6, "visual_3d_size": 4, "num_classes": 3, "hidden_size": 8}
    features = tuple(
        torch.randn(2, 10, size, generator=torch.Generator().manual_seed(0)) for size in (5, 6, 4)
    )
    with seeded_weights():
        network = make_network(system, **sizes, **DEEPER[system]).eval()
    state = public_state(system, network)
    told = {name: value for name, value in DEEPER[system].items() if "heads" in name or name == "flavour"}
    with torch.no_grad():
        expected = network(*features).segment
        assert torch.equal(load_public_checkpoint(system, state, **told)(*features).segment, expected)
        # The file does not say into how many heads its matrices are divided.
        one = {name: 1 for name in told if "heads" in name}
        assert not torch.allclose(
            load_public_checkpoint(system, state, **told | one)(*features).segment, expected
        )


def test_guides_have_heads_of_their_own():
    with seeded_weights():
        network = make_network("dhhn", hidden_size=6, guide_heads=3)
    assert {layer.self_attention.heads for layer in network.visual_guide.layers} == {3}
    with pytest.raises(InputError, match="width of 6 cannot be divided into 8 heads"):
        make_network("dhhn", hidden_size=6)


def test_files_of_dictionaries_with_random_states_are_read(tmp_path):
    state = zoo_state("valor_plus")
    torch.save(jomold_file(state) | {"cuda_rng": [torch.zeros(8, dtype=torch.uint8)]}, tmp_path / "file.pt")
    network = load_public_checkpoint("valor_plus", tmp_path / "file.pt")
    assert torch.equal(network.stem.audio.bias, state["fc_a.bias"])
    assert len(network.layers) == 4


def test_another_system_is_refused():
    with pytest.raises(InputError, match=r"\(valor\): unknown entries lstm\."):
        load_public_checkpoint("valor", zoo_state("valor") | zoo_state("cpsp"))
    with pytest.raises(InputError, match=r"layout of 'nothing' is known: expected one of .*cpsp.*valor"):
        load_public_checkpoint("nothing", {})


def test_a_checkpoint_changes_no_random_state():
    before = torch.get_rng_state()
    load_public_checkpoint("valor_plus", zoo_state("valor_plus"))
    assert torch.equal(torch.get_rng_state(), before)
