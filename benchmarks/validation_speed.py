"""What one evaluation of the validation videos costs, by the number of videos in a pass.

python -m benchmarks.validation_speed --clock cpu                              (from the checkout's root)
python -m benchmarks.validation_speed --data twin-full --hidden-size 512 --clock cpu

An evaluation is a network's pass over the 649 validation videos in batches and their ten scores, as at the end of
an episode, where batches have 128 videos. Batch sizes are timed in turns; ratios to 128 are medians of the turns'
ratios. "products" are nothing but the matrix products of the evaluation with 128 videos a batch, each as often as
there, of equal shapes, strides and dtypes: the physical limit.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.training_speed import ProductRecorder
from benchmarks.turns import add_timing_options, in_turns
from rlld_agents.reports.results import markdown
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.metrics import ParsingScores, parsing_scores
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.prediction import predict
from rlld_gym.parsing.recipes import Gate, get_recipe
from rlld_gym.parsing.training import feature_sizes, make_task_network

USUAL = 128
"""Videos in a pass of `rlld_gym.parsing.prediction.evaluate`."""


def evaluate_in(batch_size: int, network: TaskNetwork, split: SplitTensors, gate: Gate) -> ParsingScores:
    """Return the scores of a network, parsing so many videos at a time."""
    assert split.dense_audio is not None
    assert split.dense_visual is not None
    return parsing_scores(*predict(network, split, gate, batch_size), split.dense_audio, split.dense_visual)


def main() -> None:
    """Measure one data set and width, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--batch-sizes", type=int, nargs="+", help=f"beside {USUAL}; 64, 128 and all")
    add_timing_options(parser, turns=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = get_recipe("compact")
    split = shared_tensors(options.data, "cpu", 0)["val"]
    sizes = options.batch_sizes or [64, 128, len(split)]
    network = make_task_network(recipe, **feature_sizes(split), hidden_size=options.hidden_size, seed=0)
    evaluation = partial(evaluate_in, network=network, split=split, gate=recipe.gate)
    with ProductRecorder() as recorder:
        evaluation(USUAL)
    ways: dict[str, Callable[[], object]] = {
        str(size): partial(evaluation, size) for size in dict.fromkeys((USUAL, *sizes))
    }
    ways["products"] = lambda: [left @ right for left, right in recorder.products]
    timings = in_turns(ways, options.turns, options.clock)
    print(f"{len(split)} videos of {options.data}, {options.hidden_size} wide", end=", ")
    print(
        f"{options.threads} thread(s), {options.clock} clock; {recorder.flops() / 1e9:.1f} GFLOP of products\n"
    )
    rows = [
        [name, f"{1000 * timing.seconds:.1f}", f"{timing.ratio:.2f}"]
        for name, timing in sorted(timings.items(), key=lambda item: (len(item[0]), item[0]))
    ]
    print(markdown(["videos in a pass", "ms an evaluation", f"ratio to {USUAL}"], rows))


if __name__ == "__main__":
    main()
