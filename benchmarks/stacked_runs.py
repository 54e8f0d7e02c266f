"""How fast K task networks train stacked, in one set of kernels, against one after the other.

python benchmarks/stacked_runs.py                                        # twin-small, 64 wide, 128 videos a batch
python benchmarks/stacked_runs.py --data twin-tiny --hidden-size 32 --batch-size 16 --threads 2

Both take training steps as `train_parser` takes them, with gathering of the features, dropout and the optimiser,
on the same videos and labels. They are timed in turns of equal work. Throughput is that of the median turn; the
ratio is the median of those within a turn, in which a machine that is shared with others has slowed both.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from rlld_agents.reports.results import markdown
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.stacked import NetworkStack
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import feature_sizes, make_optimizer, make_task_network, train_step

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Steps = Callable[[Tensor], None]
"""Take one step of every network on its row of indices, (K, B) int64."""


def both_ways(split: SplitTensors, recipe: Recipe, hidden_size: int, count: int) -> tuple[Steps, Steps]:
    """Return what trains ``count`` networks one after the other, and stacked."""
    device = split.labels.device
    targets = training_targets(split.labels, split.labels, split.labels, recipe)

    def networks() -> list[tuple[TaskNetwork, torch.optim.Optimizer]]:
        made = (
            make_task_network(
                recipe, **feature_sizes(split), hidden_size=hidden_size, seed=seed, device=device
            )
            for seed in range(count)
        )
        return [(network, make_optimizer(network, recipe)) for network in made]

    alone = networks()
    stacked = networks()
    stack = NetworkStack([network for network, _ in stacked], [own for _, own in stacked], recipe)
    generators = [torch.Generator().manual_seed(seed) for seed in range(count)]

    def separately(indices: Tensor) -> None:
        for (network, optimizer), rows in zip(alone, indices, strict=True):
            train_step(network, optimizer, split.batch(rows), targets.rows(rows), recipe)

    def together(indices: Tensor) -> None:
        audio, visual_2d, visual_3d = (
            part.view(*indices.shape, *part.shape[1:]) for part in split.batch(indices.flatten())
        )
        rows = targets.rows(indices.flatten())
        wanted = Targets(*(part.view(*indices.shape, *part.shape[1:]) for part in rows))
        stack.train_step((audio, visual_2d, visual_3d), wanted, generators)

    return separately, together


def seconds(steps: Steps, batches: list[Tensor], clock: Callable[[], float]) -> float:
    """Return how long a way of training takes for some batches."""
    start = clock()
    for indices in batches:
        steps(indices)
    if batches[0].is_cuda:
        torch.cuda.synchronize()
    return clock() - start


def measure(split: SplitTensors, recipe: Recipe, options: argparse.Namespace, count: int) -> list[str]:
    """Return a row of the table."""
    ways = both_ways(split, recipe, options.hidden_size, count)
    times: list[list[float]] = []
    for turn in range(options.turns + 1):
        # Equal work for every K; each way goes first in every other turn.
        batches = [
            torch.stack([torch.randperm(len(split))[: recipe.batch_size] for _ in range(count)])
            for _ in range(max(1, options.steps // count))
        ]
        batches = [indices.to(split.labels.device) for indices in batches]
        order = (0, 1) if turn % 2 else (1, 0)
        elapsed = {way: seconds(ways[way], batches, CLOCKS[options.clock]) for way in order}
        if turn > 0:  # the first one warms up
            times.append([elapsed[way] / len(batches) / count for way in (0, 1)])
    separate, stacked = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(one / other for one, other in times)
    return [str(count), f"{1 / separate:.0f}", f"{1 / stacked:.0f}", f"{ratio:.2f}"]


def main() -> None:
    """Measure one data set, width and batch size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4, 8], help="networks, K")
    parser.add_argument("--steps", type=int, default=32, help="networks times steps in a turn")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help='"cpu" on a shared machine')
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = get_recipe("compact").replace(batch_size=options.batch_size)
    split = shared_tensors(options.data, options.device, 0)["train"]
    print(f"{options.data}, {options.hidden_size} wide, {options.batch_size} videos a batch", end=", ")
    print(
        f"{options.device}, {options.threads} thread(s), {options.clock} clock; networks times steps a second\n"
    )
    rows = [measure(split, recipe, options, count) for count in options.counts]
    print(markdown(["K", "separate", "stacked", "stacked / separate"], rows))


if __name__ == "__main__":
    main()
