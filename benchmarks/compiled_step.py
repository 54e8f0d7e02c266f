"""Loss, forward and backward pass of a training step as they are, against torch.compile with inductor.

python -m benchmarks.compiled_step --clock cpu                                 (from the checkout's root)

Timed is `task_loss` of HAN with dropout and its gradient, without the optimiser, which is one fused kernel anyway.
Both take the same batches in turns; the ratio is the median of the turns' ratios. Compiling is the wall-clock time
of the first compiled step, forward and backward, with inductor's caches empty, less the time of a later step. Loss
and gradients without dropout, whose random numbers differ, are compared before anything is timed; that compiles
once more. Needs a C++ compiler: g++, or the one that CXX names.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.turns import add_timing_options, in_turns
from rlld_agents.reports.results import markdown
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives import Batch
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import feature_sizes, make_task_network, task_loss

Loss = Callable[[TaskNetwork, Batch, Targets, Recipe], Tensor]
Sample = tuple[Batch, Targets]


def require_compiler() -> str:
    """Return the C++ compiler that inductor calls; end the program where there is none."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if (path := shutil.which(name)) is None:
        sys.exit(
            f"compiled_step: no C++ compiler: found no program {name!r}, which torch.compile needs for a CPU; "
            "install g++, or set CXX to the compiler that is there"
        )
    return path


def gradients(loss: Loss, network: TaskNetwork, sample: Sample, recipe: Recipe) -> list[Tensor]:
    """Return loss and gradients of a batch, leaving none in the network."""
    value = loss(network, *sample, recipe)
    torch.autograd.backward(value)
    found = [value.detach()]
    for parameter in network.parameters():
        assert parameter.grad is not None
        found.append(parameter.grad)
        parameter.grad = None
    return found


def compile_seconds(loss: Loss, network: TaskNetwork, sample: Sample, recipe: Recipe) -> float:
    """Return what the first step takes longer than the third; end the program where it cannot be compiled."""
    marks = [time.perf_counter()]
    try:
        for _ in range(3):
            gradients(loss, network, sample, recipe)
            marks.append(time.perf_counter())
    except Exception as error:
        if not type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            raise
        sys.exit(f"compiled_step: torch.compile failed here: {str(error).strip().splitlines()[0]}")
    return (marks[1] - marks[0]) - (marks[3] - marks[2])


def measure(options: argparse.Namespace) -> tuple[float, int, list[list[str]]]:
    """Return the seconds of compiling, the number of pieces that were compiled and the rows of the table."""
    recipe = get_recipe("compact").replace(batch_size=options.batch_size)
    split = shared_tensors(options.data, "cpu", 0)["train"]
    network = make_task_network(recipe, **feature_sizes(split), hidden_size=options.hidden_size, seed=0)
    labels = training_targets(split.labels, split.labels, split.labels, recipe)
    order = torch.randperm(len(split))[: options.steps * options.batch_size]
    samples: list[Sample] = [
        (split.batch(indices), labels.rows(indices)) for indices in torch.split(order, options.batch_size)
    ]
    # With sizes as variables, dropout's random numbers cannot be traced.
    compiled: Loss = torch.compile(task_loss, backend="inductor", dynamic=False)

    seconds = compile_seconds(compiled, network, samples[0], recipe)
    pieces = int(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    network.eval()
    own, other = (gradients(loss, network, samples[0], recipe) for loss in (task_loss, compiled))
    torch.testing.assert_close(other, own, rtol=1e-3, atol=1e-6)
    network.train()

    def steps(loss: Loss) -> Callable[[], None]:
        def run() -> None:
            for sample in samples:
                gradients(loss, network, sample, recipe)

        return run

    ways = {"eager": steps(task_loss), "compiled": steps(compiled)}
    timings = in_turns(ways, options.turns, options.clock)
    rows = [
        [name, f"{1000 * timing.seconds / len(samples):.2f}", f"{timing.ratio:.2f}"]
        for name, timing in timings.items()
    ]
    return seconds, pieces, rows


def main() -> None:
    """Measure one data set, width and batch size, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10, help="of each in a turn")
    add_timing_options(parser, turns=15)
    options = parser.parse_args()
    compiler = require_compiler()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as cache:
        # Nothing that an earlier run compiled may be found.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        seconds, pieces, rows = measure(options)
    print(f"{options.data}, {options.hidden_size} wide, {options.batch_size} videos a batch", end=", ")
    print(f"{options.threads} thread(s), {options.clock} clock, torch {torch.__version__}, {compiler}\n")
    print(markdown(["loss, forward, backward", "ms", "ratio to eager"], rows))
    print(f"\nCompiling: {seconds:.1f} s (wall clock), {pieces} pieces of the graph")


if __name__ == "__main__":
    main()
