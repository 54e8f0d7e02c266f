"""CPSP's network and losses against golden numbers of the public code."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import (
    LossWeights,
    Targets,
    contrastive_loss_ma,
    contrastive_similarity,
    pooled_loss,
    smooth_labels,
)
from rlld_gym.parsing.networks import ParsingOutput, make_network
from rlld_gym.parsing.networks.parts.lstm import BidirectionalLSTM
from rlld_gym.parsing.objectives.cpsp import video_contrast, video_features
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.targets import training_targets
from tests.parsing.golden_networks import fill
from tests.parsing.golden_zoo import (
    assert_golden,
    assert_golden_loss,
    golden_network,
    prob,
    standard_inputs,
)

VARIANTS = {"cpsp": 0.099, "cpsp_tau200": 0.2}


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_are_those_of_the_public_code(variant):
    network, inputs = golden_network("cpsp", threshold=VARIANTS[variant]), standard_inputs()
    for name, actual in network(*inputs)._asdict().items():
        assert_golden(actual, f"{variant}_{name}")
    audio, visual = network.encode(*inputs)
    assert_golden(contrastive_similarity(audio, network.stem(*inputs)[1]), f"{variant}_similarity")
    assert_golden(video_features(audio, visual), f"{variant}_video_feature")


def test_parity_notices_the_epsilon_of_the_norm():
    network, inputs = golden_network("cpsp", threshold=0.099), standard_inputs()
    network.propagation.norm.eps = 1e-2
    with pytest.raises(AssertionError):
        assert_golden(network(*inputs).segment, "cpsp_segment", 1e-4)


def test_parity_notices_swapped_branches():
    network, inputs = golden_network("cpsp", threshold=0.099), standard_inputs()
    parts = network.propagation
    parts.visual_query, parts.visual_message = parts.visual_message, parts.visual_query
    with pytest.raises(AssertionError):
        assert_golden(network(*inputs).segment, "cpsp_segment", 1e-4)


def contrast_labels():
    labels = torch.zeros(8, 25)
    for video in range(8):
        labels[video, [video % 3, 10 + video % 2]] = 1
    labels[7, 20] = 1
    return labels


def contrast(labels, least_overlap, temperature):
    features = fill((8, 10, 2, 512), "golden/features", 1)
    return video_contrast(
        video_features(features[:, :, 0], features[:, :, 1]), labels, least_overlap, temperature
    )


@pytest.mark.parametrize(
    ("key", "ratio", "eta"),
    [("contrast", 0.9, 0.2), ("contrast_default", 1, 1), ("contrast_ratio060", 0.6, 0.2)],
)
def test_contrast_is_that_of_the_public_code(key, ratio, eta):
    assert_golden_loss(contrast(contrast_labels(), ratio, eta), f"cpsp_loss_{key}")


def test_totals_are_those_of_the_public_code():
    similarity = contrastive_loss_ma(fill((80, 10), "golden/similarity", 4))
    assert_golden_loss(similarity, "cpsp_loss_similarity")
    output = ParsingOutput(*(prob((8, 25), name) for name in ("global", "a_prob", "v_prob")), torch.empty(0))
    common = contrast_labels()
    common[:, 24] = 1
    for y, key in ((contrast_labels(), "total"), (common, "total_common_label")):
        pooled = pooled_loss(output, Targets(y, y, smooth_labels(y, 0.9)), LossWeights())
        if key == "total":
            assert_golden_loss(pooled + similarity, "cpsp_loss_total_without_contrast")
        assert_golden_loss(pooled + similarity + contrast(y, 0.9, 0.2), f"cpsp_loss_{key}")


@pytest.mark.parametrize("change", ["common label", "no label"])
def test_undefined_contrast_is_skipped_with_its_gradient(change):
    labels = contrast_labels()
    if change == "common label":
        labels[:, 24] = 1
    else:
        labels[3] = 0
    features = torch.randn(8, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = video_contrast(features, labels, 0.9, 0.2)
    (gradient,) = torch.autograd.grad(loss, features)
    assert loss == 0
    assert not gradient.any()


def test_lstm_is_that_of_torch():
    torch.manual_seed(0)
    reference = torch.nn.LSTM(5, 3, batch_first=True, bidirectional=True)
    ours = BidirectionalLSTM(5, 3)
    ours.load_state_dict(reference.state_dict())
    sequence = torch.randn(4, 7, 5)
    torch.testing.assert_close(ours(sequence), reference(sequence)[0])


def test_odd_widths_are_refused():
    with pytest.raises(InputError, match="hidden_size is 15: expected an even number"):
        make_network("cpsp", hidden_size=15)


def test_revised_labels_enter_the_classification_and_leave_the_contrast_alone():
    weak, heard, seen = (torch.tensor([row]) for row in ([1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]))
    targets = training_targets(heard, seen, weak, get_recipe("cpsp"))
    assert torch.equal(targets.video, weak), "what the contrast between videos compares"
    assert targets.audio.tolist() == [[1.0, 0.0, 0.0]]
    torch.testing.assert_close(targets.visual, torch.tensor([[0.0, 0.95, 0.05]]))
