"""MM-CSE: parity of the network and of its loss, and that swapped parts are noticed."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import MMCSE, ParsingOutput, load_public_checkpoint
from rlld_gym.parsing.networks.mm_cse import SemanticOutput
from rlld_gym.parsing.networks.parts import class_enhancement as enhancement
from rlld_gym.parsing.networks.parts.class_enhancement import ClassMaps
from rlld_gym.parsing.objectives import StepContext, make_objective
from rlld_gym.parsing.objectives.valor import segment_label_loss
from rlld_gym.parsing.recipes import get_recipe
from tests.parsing.golden_networks import fill
from tests.parsing.golden_zoo import (
    assert_golden,
    assert_golden_loss,
    clap_inputs,
    golden_network,
    golden_zoo,
    labels,
    prob,
    zoo_state,
)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_agrees_with_the_public_network(dtype):
    network = golden_network("mm_cse").to(dtype)
    tolerance = 5e-6 if dtype == torch.float64 else 5e-5
    with torch.no_grad():
        inputs = [part.to(dtype) for part in clap_inputs()]
        found, output = network.analyse(*inputs), network(*inputs)
    for name, part in output._asdict().items():
        assert_golden(part, f"mm_cse_{name}", tolerance)
        torch.testing.assert_close(getattr(found.parsing, name), part)
    assert_golden(found.segment_logits, "mm_cse_segment_logits", tolerance)
    for name, part in found.maps._asdict().items():
        assert_golden(part, f"mm_cse_map_{name}", tolerance)
    for number, modality in enumerate(("audio", "visual")):
        assert_golden(found.reconstruction[number], f"mm_cse_reconstruction_{modality}", tolerance)
        assert_golden(found.orthogonality[number], f"mm_cse_orthogonality_{modality}", tolerance)


def deviation(network):
    with torch.no_grad():
        segment = network(*clap_inputs()).segment
    return float((segment - torch.from_numpy(golden_zoo()["mm_cse_segment"])).abs().max())


def test_parity_notices_swapped_parts(monkeypatch):
    network = golden_network("mm_cse")
    assert deviation(network) < 1e-6
    assert deviation(golden_network("mm_cse", heads=4)) > 1e-5
    for layer in network.layers:
        layer.self_compared, layer.self_averaged = layer.self_averaged, layer.self_compared
    assert deviation(network) > 1e-5
    monkeypatch.setattr(enhancement, "recalled", lambda compared, averaged: averaged.mean(1, keepdim=True))
    assert deviation(golden_network("mm_cse")) > 1e-4


def test_has_the_published_number_of_parameters():
    """All but the two final norms, which are allocated and never used."""
    assert sum(parameter.numel() for parameter in MMCSE().parameters()) == 6160333


def test_checkpoint_with_a_class_missing_is_refused_by_name():
    state = zoo_state("mm_cse")
    del state["v_unmix.7.4.bias"]
    with pytest.raises(InputError, match=r"missing entries v_unmix\.7\.4\.bias"):
        load_public_checkpoint("mm_cse", state)
    state = zoo_state("mm_cse") | {"a_unmix.3.1.bias": torch.zeros(5)}
    with pytest.raises(InputError, match=r"a_unmix\.3\.1\.bias has shape \(5,\)"):
        load_public_checkpoint("mm_cse", state)
    with pytest.raises(InputError, match="unknown entries extra"):
        load_public_checkpoint("mm_cse", zoo_state("mm_cse") | {"extra": torch.zeros(5)})


def test_golden_loss():
    y, video = labels((8, 25), "y"), prob((8, 25), "global")
    segment_labels = torch.stack([labels((8, 10, 25), f"{m}_segment_labels") for m in ("audio", "visual")], 2)
    logits = fill((8, 10, 2, 25), "golden/segment_logits", 3)
    maps = ClassMaps(*(prob((8, 10, 25, 25), f"map_{pair}") for pair in ("aa", "av", "vv", "va")))
    output = SemanticOutput(
        ParsingOutput(video, video, video, logits.sigmoid()),
        logits,
        maps,
        reconstruction=(torch.tensor(0.3), torch.tensor(0.7)),
        orthogonality=(torch.tensor(0.2), torch.tensor(0.4)),
    )
    objective = make_objective(get_recipe("mm_cse"))
    loss = segment_label_loss(video, logits, y, segment_labels, objective.recipe.loss_weights)
    assert_golden_loss(loss + objective.class_terms(output, segment_labels), "mm_cse_loss_total")


def test_objective_reaches_every_parameter():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MMCSE(5, 6, 4, num_classes=3, hidden_size=8, num_layers=2)
        batch = (torch.randn(2, 64, 5), torch.randn(2, 10, 6), torch.randn(2, 10, 4))
        target = (torch.rand(2, 3) < 0.5).float()
        teachers = ((torch.rand(2, 10, 3) < 0.5).float(), (torch.rand(2, 10, 3) < 0.5).float())
        objective = make_objective(get_recipe("mm_cse"))
        context = StepContext(teachers=teachers)
        objective.loss(network, batch, Targets(target, target, target), context).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="8 heads"):
        MMCSE(5, 6, 4, num_classes=3, hidden_size=12, heads=8)


@pytest.mark.parametrize(("hidden_size", "heads"), [(256, 8), (64, 2), (96, 3), (20, 1), (1024, 8)])
def test_heads_keep_their_published_width(hidden_size, heads):
    network = MMCSE(5, 6, 4, num_classes=3, hidden_size=hidden_size, num_layers=1)
    assert network.layers[0].self_attention.heads == heads
