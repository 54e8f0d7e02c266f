"""HAN: parity with public implementations, its two flavours, and every kind of derivative."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import (
    HAN,
    AttentivePooling,
    HANLayer,
    HANStem,
    ParsingOutput,
    TaskNetwork,
    make_network,
    network_names,
    register_network,
)
from rlld_gym.parsing.networks.parts.attention import Attention
from rlld_gym.parsing.networks.parts.dropout import dropout
from tests.parsing.golden_networks import public_inputs, public_state
from tests.shared_files import shared_path

GOLDEN = [("HAN", "han", "han", True), ("JoMoLD", "jomold", "jomold_cross", True)]
GOLDEN += [("JoMoLD", "jomold", "jomold_unimodal", False)]
SMALL = {"audio_size": 5, "visual_2d_size": 6, "visual_3d_size": 4, "num_classes": 3, "hidden_size": 8}


def small_inputs(batch: int = 2, visual_3d_size: int = 4, dtype: torch.dtype = torch.float32):
    generator = torch.Generator().manual_seed(7)
    sizes = (5, 6, visual_3d_size)
    return tuple(torch.randn(batch, 10, size, generator=generator, dtype=dtype) for size in sizes)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(("system", "flavour", "prefix", "cross_attention"), GOLDEN)
def test_agrees_with_public_implementations(system, flavour, prefix, cross_attention, pooled):
    audio, visual_2d, visual_3d = public_inputs()
    if pooled:
        visual_2d = visual_2d.reshape(4, 10, 8, 2048).mean(2)
    network = HAN.from_public_checkpoint(public_state(system), flavour=flavour)
    with torch.no_grad():
        output = network(audio, visual_2d, visual_3d, cross_attention=cross_attention)
    with np.load(shared_path("golden/golden_networks.npz"), allow_pickle=False) as golden:
        for name in ParsingOutput._fields:
            np.testing.assert_allclose(getattr(output, name), golden[f"{prefix}_{name}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("flavour", ["han", "jomold"])
def test_has_the_published_number_of_parameters(flavour):
    assert sum(parameter.numel() for parameter in HAN(flavour=flavour).parameters()) == 4569675


@pytest.mark.parametrize("cross_attention", [False, True])
def test_output_shapes_and_ranges(cross_attention):
    output = HAN(**SMALL)(*small_inputs(), cross_attention)
    assert [tuple(part.shape) for part in output] == [(2, 3), (2, 3), (2, 3), (2, 10, 2, 3)]
    assert all(bool((part > 0).all()) for part in output)
    assert all(bool((part < 1).all()) for part in (output.audio, output.visual, output.segment))
    assert bool((output.video < 2).all())


def test_forward_is_head_of_encode():
    network = HAN(**SMALL).eval()
    inputs = small_inputs()
    sequences = network.encode(*inputs)
    assert [tuple(sequence.shape) for sequence in sequences] == [(2, 10, 8)] * 2
    for whole, parts in zip(network(*inputs), network.head(*sequences), strict=True):
        assert torch.equal(whole, parts)


def test_without_cross_attention_a_modality_sees_only_itself():
    network = HAN(**SMALL).eval()
    audio, visual_2d, visual_3d = small_inputs()
    for cross_attention in (False, True):
        before, _ = network.encode(audio, visual_2d, visual_3d, cross_attention)
        after, _ = network.encode(audio, visual_2d + 1, visual_3d, cross_attention)
        assert torch.equal(before, after) is not cross_attention


def test_flavours_stack_layers_differently():
    inputs = small_inputs()
    han = HAN(**SMALL, num_layers=2, flavour="han").eval()
    jomold = HAN(**SMALL, num_layers=2, flavour="jomold").eval()
    first, second = (dict(layer.named_parameters()) for layer in han.layers)
    assert all(torch.equal(first[name], second[name]) and first[name] is not second[name] for name in first)
    first, second = (dict(layer.named_parameters()) for layer in jomold.layers)
    assert not torch.equal(first["feedforward_in.weight"], second["feedforward_in.weight"])

    audio, visual = jomold.stem(*inputs)
    one, two = jomold.layers
    expected = two(*one(audio, visual))
    torch.testing.assert_close(jomold.encode(*inputs), expected, rtol=1e-5, atol=1e-6)

    han.load_state_dict(jomold.state_dict())
    expected = two(audio, visual)
    torch.testing.assert_close(han.encode(*inputs), expected, rtol=1e-5, atol=1e-6)


def test_one_layer_flavours_agree_but_for_the_visual_dropout():
    han, jomold = HAN(**SMALL, flavour="han", dropout=0.0), HAN(**SMALL, flavour="jomold", dropout=0.0)
    jomold.load_state_dict(han.state_dict())
    assert (han.visual_dropout, jomold.visual_dropout) == (0.0, 0.5)
    inputs = small_inputs()
    trained, expected = jomold(*inputs), han(*inputs)
    assert torch.equal(trained.audio, expected.audio)
    assert not torch.equal(trained.visual, expected.visual)
    torch.testing.assert_close(jomold.encode(*inputs), han.encode(*inputs))
    torch.testing.assert_close(jomold.eval()(*inputs), expected)


@pytest.mark.parametrize("heads", [1, 4])
def test_layer_agrees_with_torch_multi_head_attention(heads):
    layer = HANLayer(8, 12, dropout=0.0, heads=heads)
    nn.init.normal_(layer.cross_attention.in_proj_bias)
    reference = {name: nn.MultiheadAttention(8, heads, batch_first=True) for name in ("self", "cross")}
    reference["self"].load_state_dict(layer.self_attention.state_dict())
    reference["cross"].load_state_dict(layer.cross_attention.state_dict())
    sequences = torch.randn(2, 3, 10, 8).unbind()
    for cross_attention in (True, False):
        updated = layer(*sequences, cross_attention)
        for query, other, ours in zip(sequences, sequences[::-1], updated, strict=True):
            attended = query + reference["self"](query, query, query)[0]
            if cross_attention:
                attended = attended + reference["cross"](query, other, other)[0]
            hidden = layer.attention_norm(attended)
            inner = layer.feedforward_out(layer.feedforward_in(hidden).relu())
            torch.testing.assert_close(ours, layer.feedforward_norm(hidden + inner))


def test_attention_starts_as_torch_does():
    torch.manual_seed(1)
    ours = Attention(64)
    limit = (6 / (64 + 3 * 64)) ** 0.5
    assert limit * 0.95 < ours.in_proj_weight.abs().max() <= limit
    assert not ours.in_proj_bias.any()
    assert not ours.out_proj.bias.any()
    assert set(ours.state_dict()) == set(nn.MultiheadAttention(64, 1).state_dict())


def test_pooling_follows_its_definition():
    pooling = AttentivePooling(8, 3)
    audio, visual = torch.randn(2, 4, 10, 8).unbind()
    output = pooling(audio, visual)
    sequences = torch.stack((audio, visual), 2)
    segment = pooling.classifier(sequences).sigmoid()
    weighted = pooling.time_attention(sequences).softmax(1) * segment
    video = (weighted * pooling.modality_attention(sequences).softmax(2)).sum(dim=(1, 2))
    pooled = weighted.sum(1)
    torch.testing.assert_close(tuple(output), (video, pooled[:, 0], pooled[:, 1], segment))


def test_no_clip_features():
    network = HAN(**{**SMALL, "visual_3d_size": 0})
    assert not any("visual_3d" in name or "fusion" in name for name, _ in network.named_parameters())
    output = network(*small_inputs(visual_3d_size=0))
    output.video.sum().backward()
    assert tuple(output.segment.shape) == (2, 10, 2, 3)
    assert all(parameter.grad is not None for parameter in network.parameters())
    with pytest.raises(ValueError, match=r"found .*, 4 \(visual 3D\)"):
        network(*small_inputs())


def test_frames_are_averaged_after_the_projection_or_before():
    stem = HANStem(5, 6, 4, 8)
    audio, _, visual_3d = small_inputs()
    frames = torch.randn(2, 80, 6)
    projected = stem.visual_2d(frames).reshape(2, 10, 8, 8).mean(2)
    expected = stem.fusion(torch.cat((projected, stem.visual_3d(visual_3d)), -1))
    torch.testing.assert_close(stem(audio, frames, visual_3d)[1], expected)
    with pytest.raises(ValueError, match="visual_2d has 20 time steps"):
        stem(audio, frames[:, :20], visual_3d)


@pytest.mark.parametrize("flavour", ["han", "jomold"])
def test_gradient_reaches_every_parameter_and_input(flavour):
    network = HAN(**SMALL, flavour=flavour)
    inputs = [value.requires_grad_() for value in small_inputs()]
    torch.stack([part.square().mean() for part in network(*inputs)]).sum().backward()
    # A shift common to everything that a softmax compares changes nothing: these two gradients are rounding.
    shifts = {"pooling.time_attention.bias", "pooling.modality_attention.bias"}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert name in shifts or parameter.grad.abs().max() > 1e-7, name
    assert all(value.grad.abs().max() > 0 for value in inputs)


def scalar(network: nn.Module, parameters: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
    output = torch.func.functional_call(network, parameters, inputs)
    return output.video.square().sum() + output.audio.log().sum() + output.segment[:, :, 1].sum()


def directional(network: nn.Module):
    parameters = {name: value.detach().clone() for name, value in network.named_parameters()}
    return parameters, {name: torch.randn_like(value) for name, value in parameters.items()}


def test_forward_mode_agrees_with_reverse_mode():
    network = HAN(**SMALL, dropout=0.0).double()
    inputs = small_inputs(dtype=torch.float64)
    parameters, direction = directional(network)
    _, tangent = torch.func.jvp(lambda values: scalar(network, values, inputs), (parameters,), (direction,))
    gradient = torch.func.grad(lambda values: scalar(network, values, inputs))(parameters)
    expected = sum((gradient[name] * direction[name]).sum() for name in parameters)
    torch.testing.assert_close(tangent, expected)


def test_forward_mode_through_dropout():
    network = HAN(**SMALL, flavour="jomold")
    parameters, direction = directional(network)
    tangents = []
    for _ in range(2):
        torch.manual_seed(3)
        _, tangent = torch.func.jvp(
            lambda values: scalar(network, values, small_inputs()), (parameters,), (direction,)
        )
        tangents.append(tangent)
    assert tangents[0].isfinite()
    assert torch.equal(*tangents)


@pytest.mark.parametrize("training", [False, True])
def test_double_backward(training):
    network = HAN(**SMALL, flavour="jomold").double().train(training)
    inputs = small_inputs(dtype=torch.float64)
    parameters, direction = directional(network)
    generator_state = torch.get_rng_state()

    def gradient(values: dict[str, Tensor]) -> dict[str, Tensor]:
        torch.set_rng_state(generator_state)
        return torch.func.grad(lambda inner: scalar(network, inner, inputs))(values)

    torch.set_rng_state(generator_state)
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    first = torch.autograd.grad(scalar(network, leaves, inputs), list(leaves.values()), create_graph=True)
    along = sum((grad * direction[name]).sum() for name, grad in zip(leaves, first, strict=True))
    second = torch.autograd.grad(along, list(leaves.values()))

    # The Hessian is symmetric: its product with a direction is also a forward derivative of the gradient ...
    _, forward_over_reverse = torch.func.jvp(gradient, (parameters,), (direction,))
    for ours, name in zip(second, leaves, strict=True):
        torch.testing.assert_close(ours, forward_over_reverse[name], rtol=1e-7, atol=1e-9)
    # ... and a finite difference of it.
    step = 1e-6
    ahead = gradient({name: value + step * direction[name] for name, value in parameters.items()})
    behind = gradient({name: value - step * direction[name] for name, value in parameters.items()})
    name = "layers.0.cross_attention.in_proj_weight"
    difference = (ahead[name] - behind[name]) / (2 * step)
    torch.testing.assert_close(forward_over_reverse[name], difference, rtol=1e-4, atol=1e-5)


def test_training_lowers_a_loss():
    network = HAN(**SMALL, flavour="jomold")
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    inputs, target = small_inputs(batch=8), (torch.rand(8, 3) < 0.5).float()
    losses = []
    for _ in range(60):
        loss = nn.functional.binary_cross_entropy(network(*inputs).audio, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_deep_copy_is_independent():
    network = HAN(**SMALL)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        twin.stem.audio.weight.zero_()
    assert network.stem.audio.weight.any()


@pytest.mark.parametrize("probability", [0.1, 0.5])
@pytest.mark.parametrize("shape", [(400, 501), (7,)])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(probability, shape):
    result = dropout(torch.ones(shape), probability, True)
    kept = result[result != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - probability)), rtol=1e-4, atol=0)
    if result.numel() > 1000:
        assert float((result == 0).float().mean()) == pytest.approx(probability, abs=0.005)
        flat = (result == 0).float().flatten()
        for lag in (1, 2, 3, 4):  # four decisions share one random number
            both = float((flat[lag:] * flat[:-lag]).mean())
            assert both == pytest.approx(probability**2, abs=0.005)


def test_dropout_edges():
    values = torch.randn(3, 4)
    assert dropout(values, 0.9, False) is values
    assert dropout(values, 0.0, True) is values
    assert not dropout(values, 1.0, True).any()
    first, second = dropout(torch.ones(1000), 0.5, True), dropout(torch.ones(1000), 0.5, True)
    assert not torch.equal(first, second)
    assert dropout(values.half(), 0.5, True).dtype == torch.float16


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"flavour": "MA"}, "'MA'"),
        ({"num_layers": 0}, "num_layers"),
        ({"heads": 3}, "width of 8 cannot be divided into 3 heads"),
    ],
)
def test_constructor_refuses(wrong, match):
    with pytest.raises(ValueError, match=match):
        HAN(**SMALL, **wrong)


def test_registry():
    network = make_network("han", **SMALL, flavour="jomold")
    assert isinstance(network, HAN)
    assert isinstance(network, TaskNetwork)
    assert "han" in network_names()
    with pytest.raises(InputError, match=r"unknown task network 'hann'.*han"):
        make_network("hann")
    with pytest.raises(ValueError, match="already registered"):
        register_network("han")(lambda **sizes: network)
    with pytest.raises(TypeError):
        TaskNetwork()
