"""DHHN's three networks and their losses against golden numbers of the public code."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import LossWeights, Targets, smooth_labels
from rlld_gym.parsing.networks import ParsingOutput, make_network
from rlld_gym.parsing.networks.checkpoints.dhhn import GUIDE_LAYOUT
from rlld_gym.parsing.networks.checkpoints.layout import mapped_state
from rlld_gym.parsing.networks.parts.guides import AudioGuide, VisualGuide
from rlld_gym.parsing.objectives.dhhn import dhhn_terms
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import make_optimizer, make_task_network, set_learning_rate
from tests.parsing.golden_zoo import (
    assert_golden,
    assert_golden_loss,
    golden_network,
    labels,
    prob,
    standard_inputs,
    zoo_state,
)

SMALL = {"audio_size": 4, "visual_2d_size": 5, "visual_3d_size": 3, "num_classes": 3, "hidden_size": 8}


def test_main_outputs_are_those_of_the_public_code():
    for name, actual in golden_network("dhhn")(*standard_inputs())._asdict().items():
        assert_golden(actual, f"dhhn_{name}")


def test_guide_outputs_are_those_of_the_public_code():
    audio, visual_2d, visual_3d = standard_inputs()
    for section, guide, inputs in (
        ("dhhn_audionet", AudioGuide(128, 25, 512, 8), (audio,)),
        ("dhhn_videonet", VisualGuide(2048, 512, 25, 512, 8), (visual_2d, visual_3d)),
    ):
        guide.load_state_dict(mapped_state(guide.state_dict(), zoo_state(section), GUIDE_LAYOUT, section))
        output = guide.double().eval()(*inputs)
        assert_golden(output.pooled, f"{section}_video")
        assert_golden(output.segment, f"{section}_segment")


def test_parity_notices_a_cascade_of_scales():
    network, inputs = golden_network("dhhn"), standard_inputs()
    network.audio_scales[1].register_forward_pre_hook(lambda block, given: network.audio_scales[0](*given))
    with pytest.raises(AssertionError):
        assert_golden(network(*inputs).segment, "dhhn_segment", 1e-4)


@pytest.mark.parametrize("mode", ["train", "retrain"])
def test_losses_and_gradients_are_those_of_the_public_code(mode):
    names = ("global", "a_prob", "v_prob", "qa", "qv")
    given = {name: prob((8, 25), name).requires_grad_() for name in names}
    output = ParsingOutput(given["global"], given["a_prob"], given["v_prob"], torch.empty(0))
    y, audio, visual = (labels((8, 25), name) for name in ("y", "audio_labels", "visual_labels"))
    targets = Targets(y, y, smooth_labels(y, 0.9))
    if mode == "retrain":
        targets = Targets(audio, audio, smooth_labels(visual, 0.9))
    terms = dhhn_terms(
        output,
        (given["qa"], given["qv"]),
        targets,
        LossWeights(),
        guide_targets="video" if mode == "train" else "modality",
    )
    for name, term in zip(("main", "audionet", "videonet", "apart"), terms, strict=True):
        assert_golden_loss(term, f"dhhn_loss_{mode}_{name}")
    gradients = torch.autograd.grad(torch.stack(tuple(terms)).sum(), list(given.values()))
    for name, gradient in zip(names, gradients, strict=True):
        assert_golden_loss(gradient, f"dhhn_loss_{mode}_gradient_{name}")


def test_guides_learn_at_rates_of_their_own():
    recipe = get_recipe("dhhn")
    sizes = {name: size for name, size in SMALL.items() if name != "hidden_size"}
    network = make_task_network(recipe, **sizes, hidden_size=8, seed=0)
    optimizer = make_optimizer(network, recipe)
    rates = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    assert rates[id(network.pooling.classifier.weight)] == pytest.approx(3e-4)
    assert rates[id(network.audio_guide.classifier.weight)] == pytest.approx(6e-4)
    assert rates[id(network.visual_guide.fusion.bias)] == pytest.approx(6e-5)
    set_learning_rate(optimizer, 1.0)
    assert sorted(group["lr"] for group in optimizer.param_groups) == [0.2, 1.0, 2.0]


def test_guides_do_not_change_what_is_parsed():
    torch.manual_seed(0)
    network = make_network("dhhn", **SMALL).eval()
    features = torch.randn(2, 10, 4), torch.randn(2, 10, 5), torch.randn(2, 10, 3)
    before = network(*features)
    with torch.no_grad():
        network.audio_guide.classifier.bias.add_(1)
    assert all(torch.equal(one, two) for one, two in zip(before, network(*features), strict=True))
    alone = make_network("dhhn", **SMALL, guides=False)
    with pytest.raises(InputError, match="no guides"):
        alone.guide_outputs(*features)
