"""How fast the task network trains: against its own matrix products, and against a loop over files.

python benchmarks/training_speed.py                      # twin-small, 64 wide
python benchmarks/training_speed.py --data twin-full --hidden-size 512 --steps 5

Three things are timed in turns, and the median of the turns is shown:

ours       training steps as `train_parser` takes them, with gathering of the features and the optimiser
products   nothing but the matrix products of such a step, of equal shapes, strides and dtypes: the physical limit
files      the loop of public code bases, with the same weights: a file for each video and feature, read by a
           DataLoader of torch; frame features projected before they are pooled; two attention calls for each
           modality. "cold" drops the files from the page cache first, "warm" reads them again. An epoch is
           extrapolated from the videos written.

The two networks' outputs are compared before anything is timed. GFLOP/s counts matrix products only.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Dataset

from rlld_agents.reports.results import markdown
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import (
    FeatureSizes,
    feature_sizes,
    make_optimizer,
    make_task_network,
    train_step,
)

FRAMES = 8
PRODUCTS = {"aten.mm", "aten.addmm", "aten.bmm", "aten.baddbmm"}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Product = tuple[Tensor, Tensor]
Item = tuple[Tensor, Tensor, Tensor, Tensor]


class LoopNetwork(nn.Module):
    """HAN with one layer, in the order in which it is published; parameters are named as `HAN` names them."""

    def __init__(self, network: TaskNetwork, sizes: FeatureSizes, hidden_size: int) -> None:
        super().__init__()
        classes = sizes["num_classes"]
        self.stem = nn.ModuleDict(
            {
                "audio": nn.Linear(sizes["audio_size"], hidden_size),
                "visual_2d": nn.Linear(sizes["visual_2d_size"], hidden_size),
                "visual_3d": nn.Linear(sizes["visual_3d_size"], hidden_size),
                "fusion": nn.Linear(2 * hidden_size, hidden_size),
            }
        )
        layer = {
            "self_attention": nn.MultiheadAttention(hidden_size, 1, dropout=0.1, batch_first=True),
            "cross_attention": nn.MultiheadAttention(hidden_size, 1, dropout=0.1, batch_first=True),
            "feedforward_in": nn.Linear(hidden_size, hidden_size),
            "feedforward_out": nn.Linear(hidden_size, hidden_size),
            "attention_norm": nn.LayerNorm(hidden_size),
            "feedforward_norm": nn.LayerNorm(hidden_size),
        }
        self.layers = nn.ModuleList([nn.ModuleDict(layer)])
        parts = ("classifier", "time_attention", "modality_attention")
        self.pooling = nn.ModuleDict({part: nn.Linear(hidden_size, classes) for part in parts})
        self.dropout = nn.Dropout(0.1)
        self.load_state_dict(network.state_dict())

    def _update(self, layer: Any, query: Tensor, other: Tensor) -> Tensor:
        own = self.dropout(layer["self_attention"](query, query, query)[0])
        across = self.dropout(layer["cross_attention"](query, other, other)[0])
        attended = layer["attention_norm"](query + own + across)
        inner = self.dropout(functional.relu(layer["feedforward_in"](attended)))
        updated: Tensor = layer["feedforward_norm"](attended + self.dropout(layer["feedforward_out"](inner)))
        return updated

    def forward(self, audio: Tensor, frames: Tensor, visual_3d: Tensor) -> ParsingOutput:
        """Parse features (B, T, Da), (B, 8 T, D2) and (B, T, D3)."""
        audio = self.stem["audio"](audio)
        visual = self.stem["visual_2d"](frames).unflatten(1, (-1, FRAMES)).mean(2)
        visual = self.stem["fusion"](torch.cat((visual, self.stem["visual_3d"](visual_3d)), -1))
        layer = self.layers[0]
        both = torch.stack((self._update(layer, audio, visual), self._update(layer, visual, audio)), 2)
        segment = self.pooling["classifier"](both).sigmoid()
        weighted = segment * self.pooling["time_attention"](both).softmax(1)
        video = (weighted * self.pooling["modality_attention"](both).softmax(2)).sum((1, 2))
        audio, visual = weighted.sum(1).unbind(1)
        return ParsingOutput(video, audio, visual, segment)


class FileVideos(Dataset[Item]):
    """Videos of a split with their features in one file each."""

    def __init__(self, folder: Path, split: SplitTensors, count: int) -> None:
        self.labels = split.labels[:count]
        self.folder = folder
        for number in range(count):
            audio, visual_2d, visual_3d = split.batch(torch.tensor([number]))
            arrays = (audio[0], visual_2d[0].repeat_interleave(FRAMES, 0), visual_3d[0])
            for path, array in zip(self.paths(number), arrays, strict=True):
                np.save(path, array.numpy())

    def paths(self, number: int) -> list[Path]:
        """Return the three files of a video."""
        return [self.folder / f"{number}_{kind}.npy" for kind in ("audio", "frames", "clips")]

    def drop_from_page_cache(self) -> None:
        """Let the next reading go to the disk."""
        os.sync()
        for number in range(len(self)):
            for path in self.paths(number):
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> Item:
        audio, frames, clips = (torch.from_numpy(np.load(path)) for path in self.paths(number))
        return audio, frames, clips, self.labels[number]


class ProductRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the operands of every matrix product as fresh random tensors of equal shapes, strides and dtypes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products: list[Product] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func.overloadpacket) in PRODUCTS:
            left, right = (
                torch.empty_strided(part.shape, part.stride(), dtype=part.dtype).normal_()
                for part in args[-2:]
            )
            self.products.append((left, right))
        return func(*args, **(kwargs or {}))

    def flops(self) -> float:
        """Return the number of floating-point operations of all products."""
        return sum(2.0 * left.numel() * right.shape[-1] for left, right in self.products)


def file_epoch(network: LoopNetwork, optimizer: torch.optim.Optimizer, loader: DataLoader[Item]) -> None:
    """Train on every video of the loader once; the labels serve both modalities."""
    for audio, frames, clips, labels in loader:
        optimizer.zero_grad()
        output = network(audio, frames, clips)
        parts = (output.video, output.audio, output.visual)
        losses = [functional.binary_cross_entropy(part.clamp(1e-7, 1 - 1e-7), labels) for part in parts]
        torch.autograd.backward(torch.stack(losses).sum())
        optimizer.step()


def seconds(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    run()
    return clock() - start


def measure(split: SplitTensors, recipe: Recipe, options: argparse.Namespace, folder: Path) -> None:
    """Time the three in turns and print a table."""
    sizes, hidden_size = feature_sizes(split), options.hidden_size
    network = make_task_network(recipe, **sizes, hidden_size=hidden_size, seed=0)
    optimizer = make_optimizer(network, recipe)
    targets = training_targets(split.labels, split.labels, split.labels, recipe)
    videos = FileVideos(folder, split, options.videos)
    loader = DataLoader(videos, recipe.batch_size, shuffle=True, num_workers=options.workers)
    loop = LoopNetwork(network, sizes, hidden_size)
    loop_optimizer = torch.optim.Adam(loop.parameters(), recipe.learning_rate)

    audio, visual_2d, visual_3d = split.batch(torch.arange(8))
    outputs = network.eval()(audio, visual_2d, visual_3d)
    expected = loop.eval()(audio, visual_2d.repeat_interleave(FRAMES, 1), visual_3d)
    torch.testing.assert_close(tuple(outputs), tuple(expected), rtol=1e-4, atol=1e-5)
    network.train()
    loop.train()

    def steps(count: int) -> None:
        for indices in torch.split(torch.randperm(len(split)), recipe.batch_size)[:count]:
            train_step(network, optimizer, split.batch(indices), targets.rows(indices), recipe)

    with ProductRecorder() as recorder:
        steps(1)
    count = min(options.steps, len(split) // recipe.batch_size)
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: steps(count),
        # Each one again and again: in a step, too, operands are in the cache when they are multiplied.
        "products": lambda: [left @ right for left, right in recorder.products for _ in range(count)],
        "files, warm": lambda: file_epoch(loop, loop_optimizer, loader),
    }
    times: dict[str, list[float]] = {name: [] for name in (*runs, "files, cold")}
    for turn in range(options.turns + 1):
        for name, run in runs.items():
            elapsed = seconds(run, CLOCKS[options.clock])
            if turn > 0:
                times[name].append(elapsed)
        videos.drop_from_page_cache()
        # In any case with the time that is spent waiting for the disk.
        times["files, cold"].append(seconds(runs["files, warm"]))

    medians = {name: statistics.median(values) for name, values in times.items()}
    epochs = len(split) / options.videos, len(split) / recipe.batch_size / count
    epoch = {name: median * epochs[name in ("ours", "products")] for name, median in medians.items()}
    rate = recorder.flops() * len(split) / recipe.batch_size / 1e9
    rows = [
        [
            name,
            f"{epoch[name]:.2f}",
            f"{rate / epoch[name]:.1f}" if name in ("ours", "products") else "",
            f"{100 * epoch['products'] / epoch[name]:.0f} %",
            f"{epoch[name] / epoch['ours']:.2f}",
        ]
        for name in ("products", "ours", "files, warm", "files, cold")
    ]
    head = ["", "seconds per epoch", "GFLOP/s", "products' share of the time", "time / ours"]
    print(markdown(head, rows))


def main() -> None:
    """Measure one data set and width."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20, help="steps of ours in a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--videos", type=int, default=256, help="videos written as files")
    parser.add_argument("--workers", type=int, default=0, help="processes of the DataLoader")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help='"cpu" on a shared machine')
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of ours")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = get_recipe("compact").replace(batch_size=options.batch_size, precision=options.precision)
    print(f"{options.data}, {options.hidden_size} wide, {options.batch_size} videos a batch", end=", ")
    print(f"{options.threads} thread(s), {options.precision}\n")
    with tempfile.TemporaryDirectory() as folder:
        measure(shared_tensors(options.data, "cpu", 0)["train"], recipe, options, Path(folder))


if __name__ == "__main__":
    main()
