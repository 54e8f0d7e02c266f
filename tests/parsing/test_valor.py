"""VALOR's networks and loss against golden numbers of the public code."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import LossWeights, Targets
from rlld_gym.parsing.networks import make_network
from rlld_gym.parsing.networks.parts.clap import pool_clap_map
from rlld_gym.parsing.objectives import StepContext
from rlld_gym.parsing.objectives.teachers import found_targets, largest
from rlld_gym.parsing.objectives.valor import segment_label_loss
from tests.parsing.golden_networks import fill
from tests.parsing.golden_zoo import (
    assert_golden,
    assert_golden_loss,
    clap_inputs,
    golden_network,
    labels,
    prob,
    standard_inputs,
)

INPUTS = {"valor": standard_inputs, "valor_plus": standard_inputs, "valor_plus_plus": clap_inputs}


@pytest.mark.parametrize("system", INPUTS)
def test_outputs_are_those_of_the_public_code(system):
    network, inputs = golden_network(system), INPUTS[system]()
    for name, actual in network(*inputs)._asdict().items():
        assert_golden(actual, f"{system}_{name}")
    assert_golden(network.segment_logits(*network.encode(*inputs)), f"{system}_segment_logits")


def test_parity_notices_another_head_count():
    network = golden_network("valor", heads=4)
    with pytest.raises(AssertionError):
        assert_golden(network(*standard_inputs()).segment, "valor_segment", 1e-4)


def test_parity_notices_the_update_order():
    network, inputs = golden_network("valor"), standard_inputs()
    audio, visual = network.stem(*inputs)
    layer = network.layers[0]
    parallel = layer._updated(audio, visual), layer._updated(visual, audio)
    with pytest.raises(AssertionError):
        assert_golden(network.head(*parallel).segment, "valor_segment", 1e-4)


def test_pooled_maps_give_what_maps_give():
    network, (clap_map, clip, clips) = golden_network("valor_plus_plus"), clap_inputs()
    pooled = pool_clap_map(clap_map, 10)
    assert pooled.shape == (4, 10, 768)
    assert_golden(network(pooled, clip, clips).segment, "valor_plus_plus_segment")


def test_maps_are_resized_bicubically_with_unequal_windows():
    maps = torch.randn(2, 64, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    grid = maps.transpose(1, 2).reshape(2, 3, 2, 32)
    fine = torch.nn.functional.interpolate(grid, size=(2, 1024), mode="bicubic", align_corners=False)
    expected = torch.nn.functional.adaptive_avg_pool1d(fine.mean(2), 7).mT
    torch.testing.assert_close(pool_clap_map(maps, 7), expected)


def test_loss_is_that_of_the_public_code():
    both = [labels((8, 10, 25), f"{name}_segment_labels") for name in ("audio", "visual")]
    loss = segment_label_loss(
        prob((8, 25), "global"),
        fill((8, 10, 2, 25), "golden/segment_logits", 3),
        labels((8, 25), "y"),
        torch.stack(both, 2),
        LossWeights(),
    )
    assert_golden_loss(loss, "valor_loss_total")


def test_segments_are_positive_where_label_and_teacher_agree():
    targets = Targets(*(torch.tensor([[1.0, 0.0]]) for _ in range(3)))
    audio, visual = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]]), torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    found = found_targets(targets, StepContext(teachers=(audio, 0.6 * visual)), 2)
    assert found.tolist() == [[[[1, 0], [0, 0]], [[0, 0], [1, 0]]]]
    assert found_targets(targets, StepContext(), 2).tolist() == [[[[1, 0], [1, 0]]] * 2]


@pytest.mark.parametrize(
    ("answers", "taken"),
    [
        ([0.9, 0.8, 0.7], [1, 0, 0]),  # 0.38 of the probability; 0.71 with the next one
        ([0.9, 0.6, 0.4], [1, 0, 0]),  # one is taken, though 0.6 of the probability
        ([1.0, 1.0, 0.0], [1, 1, 0]),  # equals are taken together
        ([0.6, 0.6, 0.6], [1, 1, 1]),
        ([0.5, 0.4, 0.1], [0, 0, 0]),  # nothing was found
    ],
)
def test_the_most_probable_labels_of_a_segment_up_to_one_half(answers, taken):
    assert largest(torch.tensor([answers]), 0.5).tolist() == [taken]


def test_width_must_be_divisible_by_heads():
    with pytest.raises(InputError, match="12 cannot be divided into 8 heads"):
        make_network("valor", hidden_size=12)
