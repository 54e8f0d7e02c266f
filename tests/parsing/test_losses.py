"""Losses against golden numbers and against their formulas written out."""

import math
import zlib

import numpy as np
import pytest
import torch

from rlld_gym.parsing.losses import (
    LossWeights,
    Targets,
    contrastive_loss_jomold,
    contrastive_loss_ma,
    contrastive_similarity,
    pooled_loss,
    smooth_labels,
)
from rlld_gym.parsing.networks import HAN, ParsingOutput
from tests.shared_files import shared_path


def fill(shape, key, scale):
    """The formula from which the golden numbers' weights and inputs are generated."""
    index = np.arange(math.prod(shape), dtype=np.float64)
    phase = zlib.crc32(key.encode()) % 1000
    values = scale * np.sin(0.7 * index + phase + 0.001 * ((index * index) % 997))
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def golden_weight(name, shape):
    if len(shape) > 1:
        return fill(shape, name, 1.5 / math.sqrt(shape[1]))
    offset = 1.0 if name.endswith(("norm1.weight", "norm2.weight")) else 0.0
    return offset + fill(shape, name, 0.1)


@pytest.fixture(scope="module")
def golden():
    with np.load(shared_path("golden/golden_networks.npz"), allow_pickle=False) as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.fixture(scope="module")
def network():
    _, layout = shared_path("golden/checkpoint_keys.txt").read_text().split("JoMoLD\n")
    state = {}
    for line in layout.splitlines():
        name, *sizes = line.replace(",", " ").replace("(", " ").replace(")", " ").split()
        state[name] = golden_weight(name, tuple(map(int, sizes)))
    return HAN.from_public_checkpoint(state, flavour="jomold")


@pytest.mark.parametrize("mode", ["cross", "unimodal"])
def test_golden_contrastive_loss(golden, network, mode):
    features = (
        fill((4, 10, 128), "public/audio", 1.0),
        fill((4, 80, 2048), "public/visual_2d", 1.0),
        fill((4, 10, 512), "public/visual_3d", 1.0),
    )
    with torch.no_grad():
        sequences = network.encode(*features, cross_attention=mode == "cross")
        similarity = contrastive_similarity(*sequences)
        loss = contrastive_loss_jomold(similarity)
    torch.testing.assert_close(similarity, golden[f"jomold_{mode}_similarity"], rtol=0, atol=1e-5)
    torch.testing.assert_close(loss, golden[f"jomold_{mode}_nce_loss"], rtol=0, atol=1e-5)


def random_output(batch=6, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pooled = [torch.rand(batch, classes, generator=generator) for _ in range(3)]
    return ParsingOutput(*pooled, segment=torch.zeros(batch, 10, 2, classes))


def random_targets(batch=6, classes=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return Targets(*[(torch.rand(batch, classes, generator=generator) < 0.5).float() for _ in range(3)])


def test_pooled_loss_is_the_weighted_mean_cross_entropy():
    output, targets = random_output(), random_targets()
    loss = pooled_loss(output, targets, LossWeights(video=1.0, audio=2.0, visual=0.5))
    expected = 0.0
    for weight, name in ((1.0, "video"), (2.0, "audio"), (0.5, "visual")):
        p, y = getattr(output, name).double(), getattr(targets, name).double()
        expected += weight * -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    assert loss.item() == pytest.approx(float(expected), abs=1e-6)


def test_no_gradient_outside_the_clamp_and_a_finite_loss():
    video = torch.tensor([[1.3, 0.5, 1.0, 0.0]], requires_grad=True)
    half = torch.full((1, 4), 0.5)
    targets = Targets(video=torch.tensor([[0.0, 0.0, 0.0, 1.0]]), audio=half, visual=half)
    loss = pooled_loss(ParsingOutput(video, half, half, half), targets, LossWeights(), clamp=1e-7)
    (gradient,) = torch.autograd.grad(loss, video)
    assert math.isfinite(loss.item())
    assert gradient[0, 0] == 0.0
    assert gradient[0, 1] == pytest.approx(0.5)  # 1 / (1 - p) / 4 entries


def test_pooled_loss_differentiates_twice_and_forward():
    """Learning through a training step needs both, with respect to the probabilities and to the targets."""
    probabilities = (
        torch.rand(3, 5, 2, dtype=torch.double, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    )
    labels = torch.rand(3, 5, 2, dtype=torch.double, generator=torch.Generator().manual_seed(1))

    def loss(p, y):
        return pooled_loss(ParsingOutput(*p, segment=p), Targets(*y), LossWeights(1.0, 2.0, 0.5))

    inputs = (probabilities.requires_grad_(), labels.requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(loss, inputs)


def test_contrastive_losses_follow_their_formulas():
    similarity = torch.randn(30, 10, generator=torch.Generator().manual_seed(0)).double()
    target = torch.full((10, 10), 0.1 / 9, dtype=torch.double).fill_diagonal_(0.9).repeat(3, 1)
    softmax = similarity.softmax(1)
    inside = -(target * softmax.log()).sum(1).mean()
    outside = -(target * softmax).sum(1).log().mean()
    torch.testing.assert_close(contrastive_loss_ma(similarity, 0.1), inside)
    torch.testing.assert_close(contrastive_loss_jomold(similarity, 0.1), outside)


def test_contrastive_loss_at_its_limits():
    perfect = 1e3 * torch.eye(10).repeat(4, 1)
    assert contrastive_loss_jomold(perfect).item() == pytest.approx(-math.log(0.9), abs=1e-6)
    plain = contrastive_loss_jomold(perfect.requires_grad_(), smoothing=0.0)
    (gradient,) = torch.autograd.grad(plain, perfect)
    assert plain.item() == pytest.approx(0.0, abs=1e-6)
    assert torch.isfinite(gradient).all()


def test_similarity_rows_are_audio_segments_of_one_video():
    audio, visual = torch.randn(2, 3, 10, 8, generator=torch.Generator().manual_seed(0))
    similarity = contrastive_similarity(audio, visual, temperature=0.5)
    assert similarity.shape == (30, 10)
    expected = torch.cosine_similarity(audio[1, 4], visual[1, 7], dim=0) / 0.5
    torch.testing.assert_close(similarity[14, 7], expected)


def test_similarity_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="similarity"):
        contrastive_loss_ma(torch.zeros(30, 7))


def test_a_single_segment_has_nothing_to_contrast_with():
    assert contrastive_loss_ma(torch.randn(10, 1)) == contrastive_loss_jomold(torch.randn(10, 1)) == 0


def test_smoothing():
    labels = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(smooth_labels(labels, 0.9), torch.tensor([0.05, 0.95]))
    assert smooth_labels(labels, 1.0).equal(labels)


def test_rows_of_targets():
    targets = random_targets()
    rows = targets.rows(torch.tensor([4, 1]))
    assert rows.visual.equal(targets.visual[[4, 1]])
    assert rows.video.equal(targets.video[[4, 1]])
