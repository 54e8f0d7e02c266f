"""Seconds and memory of a training step of every system at LLP's sizes, against HAN's in the same run.

python -m benchmarks.system_speed --clock cpu                               (from the checkout's root)
python -m benchmarks.system_speed --systems han cmpae lsld --videos 32      some systems, smaller batches

Every system has its published widths, depth and features (random numbers here; per-frame features are pooled to
segments except where a system's own features are kept as frames) and takes whole training steps by its own recipe:
forward and backward pass of its own objective, dropout and optimizer. Segment-level teachers are random, too. Each
system is timed in turns; ratios are medians of the turns' ratios. Memory is the largest of a process of its own
that takes two steps, less what the process had before it built the network.
"""

import argparse
import inspect
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.turns import add_timing_options, in_turns
from rlld_agents.reports.results import markdown
from rlld_gym.data.classes import CLASSES, NUM_SEGMENTS
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork, make_network
from rlld_gym.parsing.objectives import Batch, StepContext, make_objective
from rlld_gym.parsing.recipes import RECIPES, Recipe, get_recipe
from rlld_gym.parsing.training import make_optimizer, network_options, train_step

MAP_SYSTEMS = ("valor_plus_plus", "mm_cse")
"""Systems that read CLAP's maps of 64 rows."""
FRAME_SYSTEMS = ("lsld",)
"""Systems whose visual features are those of 8 frames a segment."""


def published(recipe: Recipe) -> tuple[TaskNetwork, dict[str, int]]:
    """Return a recipe's network at its published sizes, which are its constructor's defaults, and these."""
    options = network_options(recipe)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make_network(recipe.network, **options)
    parameters = inspect.signature(type(network)).parameters
    names = ("audio_size", "visual_2d_size", "visual_3d_size", "hidden_size")
    return network, {name: parameters[name].default for name in names}


def random_batch(recipe: Recipe, sizes: dict[str, int], videos: int) -> tuple[Batch, Targets, StepContext]:
    """Return features, labels and teachers of some videos."""
    generator = torch.Generator().manual_seed(0)
    audio_rows = 64 if recipe.network in MAP_SYSTEMS else NUM_SEGMENTS
    visual_rows = 8 * NUM_SEGMENTS if recipe.network in FRAME_SYSTEMS else NUM_SEGMENTS

    def normal(rows: int, size: int) -> torch.Tensor:
        return torch.randn(videos, rows, size, generator=generator)

    batch = (
        normal(audio_rows, sizes["audio_size"]),
        normal(visual_rows, sizes["visual_2d_size"]),
        normal(NUM_SEGMENTS, sizes["visual_3d_size"]),
    )
    labels = (torch.rand(videos, len(CLASSES), generator=generator) < 0.07).float()
    labels[labels.sum(1) == 0, 0] = 1.0
    heard, seen = (torch.rand(2, videos, NUM_SEGMENTS, len(CLASSES), generator=generator) < 0.5).float()
    context = StepContext(videos=torch.arange(videos), teachers=(heard, seen))
    return batch, Targets(labels, labels, labels), context


def stepping(name: str, videos: int) -> tuple[Callable[[], None], int, int]:
    """Return what takes a system's training step, its number of parameters, and its width."""
    recipe = get_recipe(name)
    network, sizes = published(recipe)
    batch, targets, context = random_batch(recipe, sizes, videos)
    objective, optimizer = make_objective(recipe), make_optimizer(network, recipe)
    network.train()

    def step() -> None:
        train_step(network, optimizer, batch, targets, recipe, objective=objective, context=context)

    count = sum(parameter.numel() for parameter in network.parameters())
    return step, count, sizes["hidden_size"]


def _high_water() -> float:
    """Return the largest resident memory of this process so far, in MB; unlike getrusage's not its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _peak(name: str, videos: int, results: "multiprocessing.Queue[float]") -> None:
    torch.set_num_threads(1)
    before = _high_water()
    step, *_ = stepping(name, videos)
    step()
    step()
    results.put(_high_water() - before)


def peak_megabytes(name: str, videos: int) -> float:
    """Return the memory that a system's training takes in a process of its own."""
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[float] = context.Queue()
    process = context.Process(target=_peak, args=(name, videos, results))
    process.start()
    megabytes = results.get(timeout=600)
    process.join()
    return megabytes


def systems() -> list[str]:
    """Return HAN and a recipe of every other network, by name."""
    found = {recipe.network: recipe.name for recipe in reversed(RECIPES.values()) if recipe.objective is None}
    return ["han", *sorted(name for network, name in found.items() if network != "han")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--systems", nargs="+", default=systems(), help="the first is compared with")
    parser.add_argument("--videos", type=int, default=128, help="of a batch")
    add_timing_options(parser, turns=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    made = {name: stepping(name, options.videos) for name in options.systems}
    timings = in_turns({name: step for name, (step, *_) in made.items()}, options.turns, options.clock)
    rows = [["system", "width", "parameters", "ms a step", f"times {options.systems[0]}'s", "MB"]]
    for name, (_, parameters, width) in made.items():
        timing = timings[name]
        rows.append(
            [
                name,
                str(width),
                f"{parameters / 1e6:.2f} M",
                f"{1000 * timing.seconds:.0f}",
                f"{timing.ratio:.2f}",
                f"{peak_megabytes(name, options.videos):.0f}",
            ]
        )
    print(f"{options.videos} videos a batch, {options.threads} thread(s), {options.clock} clock\n")
    print(markdown(rows[0], rows[1:]))


if __name__ == "__main__":
    main()
