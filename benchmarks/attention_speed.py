"""A training step with own and cross attention of both modalities together, against attention called four times.

python -m benchmarks.attention_speed --clock cpu                               (from the checkout's root)
python -m benchmarks.attention_speed --size twin-small 64 128                  one size only

Three networks with the same weights take whole training steps (`train_step`, with dropout and Adam) on the same
batches, which are gathered before:

together     `HAN` as it is: all four attentions of its layer are one call of `attend`
four calls   the same `Attention`, without keys and values, called for own audio, cross audio, own visual and cross
             visual one after the other
textbook     four calls of an attention that projects queries, keys and values, as published (Vaswani et al.,
             NeurIPS 2017)

Everything else is the same code: stem, dropout, norms and feed-forward part on both modalities at once, head, loss.
Loss and gradients without dropout are compared before anything is timed. Each way is timed in turns; ratios are
medians of the turns' ratios.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.turns import add_timing_options, in_turns
from rlld_agents.reports.results import markdown
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import HAN, TaskNetwork
from rlld_gym.parsing.networks.han import HANLayer
from rlld_gym.parsing.networks.parts.attention import Attention
from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.objectives import Batch
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import (
    FeatureSizes,
    feature_sizes,
    make_optimizer,
    make_task_network,
    task_loss,
    train_step,
)

SIZES = (("twin-small", 64, 128), ("twin-full", 64, 128), ("twin-full", 512, 128), ("twin-full", 512, 16))


class TextbookAttention(Attention):
    """The same attention in the published order of computation."""

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Let (B, T, size) read from (B, S, size)."""
        parts = zip(self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True)
        queries, keys, values = (
            functional.linear(source, weight, bias)
            for source, (weight, bias) in zip((query, context, context), parts, strict=True)
        )
        weights = torch.bmm(queries * self.size**-0.5, keys.mT).softmax(-1)
        output: Tensor = self.out_proj(torch.bmm(dropout(weights, self.dropout, self.training), values))
        return output


class FourCallsLayer(HANLayer):
    """HAN's layer with one call of an attention module for each modality and each kind of attention."""

    attention: type[Attention] = Attention

    def __init__(self, hidden_size: int, feedforward_size: int) -> None:
        super().__init__(hidden_size, feedforward_size)
        self.self_attention = self.attention(hidden_size, self.dropout)
        self.cross_attention = self.attention(hidden_size, self.dropout)

    def forward(self, audio: Tensor, visual: Tensor, cross_attention: bool = True) -> tuple[Tensor, Tensor]:
        """Update each modality, (B, T, hidden_size), from itself and from the other's un-updated sequence."""
        attended = self.attention_norm(
            torch.stack((self._attended(audio, visual), self._attended(visual, audio)))
        )
        inner = self._drop(functional.relu(self.feedforward_in(attended)))
        updated = self.feedforward_norm(attended + self._drop(self.feedforward_out(inner)))
        updated_audio, updated_visual = updated.unbind()
        return updated_audio, updated_visual

    def _attended(self, own: Tensor, other: Tensor) -> Tensor:
        return own + self._drop(self.self_attention(own, own)) + self._drop(self.cross_attention(own, other))


class TextbookLayer(FourCallsLayer):
    """The same with the textbook's attention."""

    attention = TextbookAttention


def networks(recipe: Recipe, sizes: FeatureSizes, width: int) -> dict[str, TaskNetwork]:
    """Return the three networks with the same weights."""
    made: dict[str, TaskNetwork] = {}
    for name, kind in (("together", None), ("four calls", FourCallsLayer), ("textbook", TextbookLayer)):
        network = make_task_network(recipe, **sizes, hidden_size=width, seed=0)
        assert isinstance(network, HAN)
        if kind is not None:
            layer = kind(width, width)
            layer.load_state_dict(network.layers[0].state_dict())
            network.layers[0] = layer
        made[name] = network
    return made


def check_equal(made: dict[str, TaskNetwork], batch: Batch, targets: Targets, recipe: Recipe) -> None:
    """Raise AssertionError unless loss and gradients without dropout are equal up to rounding."""
    found = []
    for network in made.values():
        loss = task_loss(network.eval(), batch, targets, recipe)
        gradient = torch.autograd.grad(loss, list(network.parameters()))
        found.append((loss.detach(), gradient))
        network.train()
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-3, atol=1e-6)


def measure(data: str, width: int, batch_size: int, options: argparse.Namespace) -> list[str]:
    """Return a size's row of the table."""
    recipe = get_recipe("compact").replace(batch_size=batch_size)
    split = shared_tensors(data, "cpu", 0)["train"]
    made = networks(recipe, feature_sizes(split), width)
    labels = training_targets(split.labels, split.labels, split.labels, recipe)
    steps = max(1, options.videos // batch_size)
    order = torch.randperm(len(split))[: steps * batch_size]
    batches = [(split.batch(indices), labels.rows(indices)) for indices in torch.split(order, batch_size)]
    check_equal(made, *batches[0], recipe)

    def training(network: TaskNetwork) -> Callable[[], None]:
        optimizer = make_optimizer(network, recipe)

        def run() -> None:
            for batch, targets in batches:
                train_step(network, optimizer, batch, targets, recipe)

        return run

    timings = in_turns(
        {name: training(network) for name, network in made.items()}, options.turns, options.clock
    )
    milliseconds = [f"{1000 * timing.seconds / len(batches):.2f}" for timing in timings.values()]
    ratios = [f"{timings[name].ratio:.2f}" for name in ("four calls", "textbook")]
    return [f"{data}, {width} wide, {batch_size} videos", *milliseconds, *ratios]


def main() -> None:
    """Measure all sizes and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--size",
        nargs=3,
        action="append",
        metavar=("DATA", "WIDTH", "BATCH"),
        help="may be given again; the four of the page by default",
    )
    parser.add_argument(
        "--videos", type=int, default=1024, help="videos trained on in a turn, a step at least"
    )
    add_timing_options(parser, turns=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = [(data, int(width), int(batch)) for data, width, batch in options.size or SIZES]
    print(f"{options.threads} thread(s), {options.clock} clock; ms a training step\n")
    rows = [measure(*size, options) for size in sizes]
    ways = ("together", "four calls", "textbook")
    print(markdown(["", *ways, *(f"{way} / together" for way in ways[1:])], rows))


if __name__ == "__main__":
    main()
