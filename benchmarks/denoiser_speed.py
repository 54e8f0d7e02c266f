"""What label denoisers cost, in seconds per epoch of the recipe, relative to plain HAN training in the same run.

OMP_NUM_THREADS=1 python benchmarks/denoiser_speed.py --data twin-small --epochs 2 --repeats 3

Methods: each one from weak labels to the parser that the benchmark tests, with recipe and imitation cut to a few
epochs, right after plain training with the same recipe; medians. "Whole trainings" counts a parser by the share of
videos and epochs that it gets: cleanlab's first five see four fifths of the videos, joint's first two half of the
epochs (of an even number). What a method does once, such as MA's exchange, falls on few epochs here, which makes
ratios a little too high. RLLD plays its 20 episodes by the same share, besides the parser; its task networks are in
none of the counts. JoMoLD runs without its warm-up, which would keep the removal out of the first epoch.

Hot path: what is done on whole arrays, against loops over classes and videos in plain Python that find the same.
Shares are of an epoch of plain training, validation included: of all batches for JoMoLD, of MA's single pass.
"""

import argparse
import contextlib
import importlib
import statistics
import sys
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rlld_agents.baselines import Context, Denoiser, make
from rlld_agents.baselines.parts import exchange, jomold_rule
from rlld_agents.baselines.parts.unimodal import Unimodal, pooled_probabilities
from rlld_agents.imitation import ImitationConfig, WarmStartConfig
from rlld_agents.imitation.joint import JointConfig
from rlld_agents.reports.results import markdown
from rlld_gym.data import open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser

BATCH = 128
EPISODES = 20
TRAININGS = {
    "label_smoothing": (1, 1.0),
    "cleanlab": (6, 5.0),
    "rlld": (1, 1.0),
    "rlld+cl": (1, 1.0),
    "joint": (3, 2.0),
    "joint+cl": (3, 2.0),
}
"""How many parser trainings a method has, and how many whole ones that comes to; two and two for the others."""


def seconds(action: Callable[[], Any]) -> float:
    """Return the time of a call; short ones are repeated for a fifth of a second."""
    number, total = timeit.Timer(action).autorange()
    return total / number


def denoisers(share: float) -> dict[str, Denoiser]:
    """Return the methods that train parsers, with imitation and episodes cut to a share as the recipe is."""
    warm_start = WarmStartConfig(
        imitation=ImitationConfig(epochs=max(1, round(share * ImitationConfig.epochs)))
    )
    options: dict[str, dict[str, Any]] = {
        "label_smoothing": {},
        "jomold": {"warm_up_epochs": 0.0},
        "jomold+cl": {"warm_up_epochs": 0.0},
        "ma": {},
        "ma+cl": {},
        "co_teaching": {},
        "jocor": {},
        "supervised": {"warm_start": warm_start},
        "joint": {"config": JointConfig(warm_start=warm_start)},
        "joint+cl": {"config": JointConfig(warm_start=warm_start)},
        "rlld": {"episodes": max(1, round(share * EPISODES))},
        "rlld+cl": {"episodes": max(1, round(share * EPISODES))},
    }
    with contextlib.suppress(ImportError):
        # The method imports the library on its first call, which is not to be timed.
        importlib.import_module("cleanlab.multilabel_classification")
        options["cleanlab"] = {}
    return {name: make(name, **chosen) for name, chosen in options.items()}


def train(context: Context, audio: Any, visual: Any) -> TaskNetwork:
    """Train the benchmark's parser."""
    parser = train_parser(
        context.data, audio, visual, context.recipe, hidden_size=context.hidden_size, seed=context.seed
    )
    return parser.network


def run(method: Denoiser, context: Context) -> None:
    """Play a whole method: labels, and the parser where it does not bring its own."""
    denoised = method.denoise(context)
    if denoised.network is None:
        train(context, denoised.audio, denoised.visual)


def measure_methods(context: Context, share: float, repeats: int) -> tuple[list[list[str]], float]:
    """Return a row for each method, and the seconds of an epoch of plain training."""
    weak, epochs, methods = context.data["train"].labels, context.recipe.epochs, denoisers(share)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for repeat in range(repeats):
        for name, method in methods.items():
            print(f"repetition {repeat + 1} of {repeats}: {name}", file=sys.stderr)
            plain = seconds(lambda: train(context, weak, weak))
            times[name].append((plain / epochs, seconds(partial(run, method, context)) / epochs))
    epoch = statistics.median(plain for pairs in times.values() for plain, _ in pairs)
    rows = [["plain HAN", "1", "1.0", f"{epoch:.2f}", "1.00", "1.00", ""]]
    for name, pairs in times.items():
        parsers, trainings = TRAININGS.get(name, (2, 2.0))
        ratios = [whole / plain for plain, whole in pairs]
        median = statistics.median(ratios)
        numbers = (statistics.median(whole for _, whole in pairs), median, median / trainings)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        rows.append([name, str(parsers), f"{trainings:.1f}", *(f"{x:.2f}" for x in numbers), spread])
    return rows, epoch


def looped_removals(
    probabilities: tuple[Tensor, Tensor], labels: Tensor, ratios: jomold_rule.NoiseRatios
) -> list[Tensor]:
    """Decide as `jomold_removals` does: for each class, for each video that has it."""
    removed = [torch.zeros_like(labels, dtype=torch.bool) for _ in probabilities]
    confidences = (jomold_rule.AUDIO_CONFIDENCE, jomold_rule.VISUAL_CONFIDENCE)
    losses = []
    for probability, confidence in zip(probabilities, confidences, strict=True):
        target = torch.full_like(probability, confidence + (1.0 - confidence) * 0.5)
        clamped = probability.clamp(1e-7, 1.0 - 1e-7)
        losses.append(functional.binary_cross_entropy(clamped, target, reduction="none").T.tolist())
    for label, column in enumerate(labels.T.tolist()):
        videos = [video for video, present in enumerate(column) if present > 0]
        ranked = [sorted(videos, key=loss[label].__getitem__) for loss in losses]
        for mine in (0, 1):
            suspects = int(float(ratios[mine][label]) * len(videos))
            for video in ranked[mine][len(videos) - suspects :]:
                removed[mine][video, label] = video in ranked[1 - mine][:suspects]
    return removed


@torch.no_grad()
def looped_exchange(network: TaskNetwork, split: SplitTensors, partners: Tensor) -> exchange.Exchange:
    """Run the parser as `exchange_tracks` does, video by video."""
    parts = []
    for video, partner in enumerate(partners.tolist()):
        audio, *visual = split.batch(torch.tensor([video]))
        other_audio, *other_visual = split.batch(torch.tensor([video if partner < 0 else partner]))
        as_is = network(audio, *visual)
        foreign = (network(audio, *other_visual), network(other_audio, *visual))
        larger = (torch.maximum(each.audio, each.visual) for each in foreign)
        parts.append((as_is.audio, as_is.visual, *larger))
    return exchange.Exchange(*(torch.cat(part) for part in zip(*parts, strict=True)))


def looped_errors(passes: exchange.Exchange, labels: Tensor) -> list[Tensor]:
    """Count as `relative_errors` does: for each modality, for each class, for each video."""
    present, relative = (labels > 0).T.tolist(), []
    for probability in (passes.audio, passes.visual):
        columns = zip((probability > 0.5).T.tolist(), present, strict=True)
        wrong = [sum(mine != truth for mine, truth in zip(*pair, strict=True)) for pair in columns]
        relative.append(torch.tensor(wrong, dtype=torch.float64) / max(1, *wrong))
    return relative


def measure_paths(network: TaskNetwork, split: SplitTensors, repeats: int, epoch: float) -> list[list[str]]:
    """Return a row for each step: check that arrays and loop agree, then time them in turns."""
    (audio, visual), labels = pooled_probabilities(Unimodal(network), split, BATCH), split.labels
    ratios = jomold_rule.noise_ratios(
        audio, visual, labels, batch_size=BATCH, audio_threshold=0.6, visual_threshold=1.8
    )
    batch, some = (audio[:BATCH], visual[:BATCH]), labels[:BATCH]
    partners = exchange.draw_partners(labels)
    passes = exchange.exchange_tracks(network, split, partners)
    steps: dict[str, tuple[int, Callable[[], Any], Callable[[], Any]]] = {
        f"JoMoLD: removals in a batch of {BATCH}": (
            -(-len(split) // BATCH),
            lambda: jomold_rule.jomold_removals(*batch, some, ratios)[:2],
            lambda: looped_removals(batch, some, ratios),
        ),
        f"MA: exchange of tracks, {len(split)} videos": (
            1,
            lambda: exchange.exchange_tracks(network, split, partners),
            lambda: looped_exchange(network, split, partners),
        ),
        f"MA: errors of all classes, {len(split)} videos": (
            1,
            lambda: exchange.relative_errors(passes, labels),
            lambda: looped_errors(passes, labels),
        ),
    }
    rows = []
    for name, (times, *ways) in steps.items():
        print(name, file=sys.stderr)
        torch.testing.assert_close(*(list(way()) for way in ways))
        pairs = [[seconds(way) for way in ways] for _ in range(repeats)]
        both = [statistics.median(found) for found in zip(*pairs, strict=True)]
        ratio = statistics.median(slow / fast for fast, slow in pairs)
        shares = [f"{100 * times * each / epoch:.2f} %" for each in both]
        rows.append([name, *(f"{1e3 * each:.2f}" for each in both), f"{ratio:.1f}", *shares])
    return rows


def main() -> None:
    """Measure methods and hot paths and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--hidden-size", type=int, help="default: the data set's")
    parser.add_argument("--epochs", type=int, default=2, help="of the shortened recipe")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    store, data = open_data(options.data), shared_tensors(options.data, "cpu")
    full = get_recipe(store.header.recommended.recipe)
    recipe, split = full.shortened(options.epochs), data["train"]
    hidden_size = options.hidden_size or store.header.recommended.hidden_size
    context = Context(data, recipe, hidden_size, 0, store.classes, source=(options.data, 0))
    network = train(context, split.labels, split.labels)  # warms up, too
    rows, epoch = measure_methods(context, recipe.epochs / full.epochs, options.repeats)
    what = f"{options.data}, {len(split)} videos, recipe {recipe.name} cut to {recipe.epochs} epochs"
    print(
        f"{what}, hidden size {hidden_size}, torch {torch.__version__}, {torch.get_num_threads()} threads\n"
    )
    heads = [
        "method",
        "parser trainings",
        "whole trainings",
        "s per epoch",
        "to plain",
        "to plain, per whole",
    ]
    print(markdown([*heads, "to plain, range"], rows), end="\n\n")
    heads = ["step", "arrays (ms)", "loop (ms)", "loop / arrays", "arrays, of an epoch", "loop, of an epoch"]
    print(markdown(heads, measure_paths(network, split, options.repeats, epoch)))


if __name__ == "__main__":
    main()
