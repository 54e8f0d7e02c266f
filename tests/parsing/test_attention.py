"""Attention without keys and values against the textbook's order of computation."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from rlld_gym.parsing.networks.parts.attention import Attention, attend
from rlld_gym.parsing.networks.parts.products import cheaper_order


class PlainAttention(nn.Module):
    """Projects queries, keys and values, attends, and projects the result; parameters as `Attention`'s."""

    def __init__(self, size: int, kept: Tensor) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size, size))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * size))
        self.out_proj = nn.Linear(size, size)
        self.kept = kept

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        parts = zip(self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        queries, keys, values = (
            source @ weight.T + bias
            for source, (weight, bias) in zip((query, context, context), parts, strict=True)
        )
        weights = (queries @ keys.mT / queries.shape[-1] ** 0.5).softmax(-1)
        return self.out_proj((weights * self.kept) @ values)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def attention(size: int, dropout: float = 0.0) -> Attention:
    """Return an attention whose biases matter."""
    module = Attention(size, dropout).double()
    nn.init.normal_(module.in_proj_bias)
    nn.init.normal_(module.out_proj.bias)
    return module


# More elements than columns, and fewer: the two orders of multiplication.
@pytest.mark.parametrize(("batch", "size"), [(6, 8), (1, 32)])
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_equals_the_textbook_and_so_do_its_gradients(batch, size, own, dropout, monkeypatch):
    kept = (torch.rand(batch, 4, 7) < 1 - dropout).double() / (1 - dropout)
    monkeypatch.setattr(
        "rlld_gym.parsing.networks.parts.attention.dropout", lambda weights, *_: weights * kept.mT
    )
    ours = attention(size, dropout)
    context = torch.randn(batch, 7, size, dtype=torch.float64)
    query = context[:, :4] if own else torch.randn(batch, 4, size, dtype=torch.float64)
    plain = PlainAttention(size, kept).double()
    plain.load_state_dict(ours.state_dict())
    results = []
    for module in (ours, plain):
        inputs = query.clone().requires_grad_(), context.clone().requires_grad_()
        output = module(*inputs)
        output.sin().sum().backward()
        gradients = {name: parameter.grad for name, parameter in module.named_parameters()}
        results.append((output, *(value.grad for value in inputs), gradients))
    torch.testing.assert_close(*results)


def test_the_bias_of_the_keys_is_without_effect():
    module = attention(8)
    query, context = torch.randn(2, 3, 5, 8, dtype=torch.float64).unbind()
    before = module(query, context)
    before.sum().backward()
    assert module.in_proj_bias.grad is not None
    assert not module.in_proj_bias.grad[8:16].any()
    with torch.no_grad():
        module.in_proj_bias[8:16] += 1
    assert torch.equal(before, module(query, context))


@pytest.mark.parametrize(("rows", "folds"), [(1, False), (40, True)])
def test_two_projections_in_the_cheaper_order(rows, folds):
    sequence, first, second = torch.randn(2, rows, 6), torch.randn(9, 6), torch.randn(5, 9)
    left, right = cheaper_order(sequence, first, second)
    assert (left is sequence) is folds
    torch.testing.assert_close(left @ right.mT, sequence @ first.T @ second.T)
    firsts, seconds = first * torch.tensor([1.0, -1.0]).view(2, 1, 1), second.expand(2, -1, -1)
    left, right = cheaper_order(sequence, firsts, seconds)
    assert (left is sequence) is folds
    torch.testing.assert_close(left @ right.mT, sequence @ firsts.mT @ second.T)


def test_several_attentions_of_one_context():
    modules = [attention(8) for _ in range(2)]
    queries, context = torch.randn(2, 3, 4, 8, dtype=torch.float64), torch.randn(3, 5, 8, dtype=torch.float64)
    expected = [module(query, context) for module, query in zip(modules, queries, strict=True)]
    torch.testing.assert_close(attend(modules, queries, context), torch.stack(expected))


def test_many_attentions_at_once():
    modules = [attention(8, dropout=0.3) for _ in range(3)]
    query, context = torch.randn(2, 4, 5, 8, dtype=torch.float64).unbind()
    stacked = stack_module_state([module.eval() for module in modules])

    def output(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return functional_call(modules[0], (parameters, buffers), (query, context))

    expected = torch.stack([module(query, context) for module in modules])
    torch.testing.assert_close(vmap(output)(*stacked), expected)
    modules[0].train()
    shared = {name: value[:1].expand_as(value) for name, value in stacked[0].items()}
    outputs = vmap(output, randomness="different")(shared, {})
    assert not torch.equal(outputs[0], outputs[1])
    gradient = torch.autograd.grad(outputs.sum(), list(stacked[0].values()))
    assert all(bool(part[0].isfinite().all()) for part in gradient)
