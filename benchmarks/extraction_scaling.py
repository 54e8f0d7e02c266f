"""How extraction on Ray grows with the number of actors, simulated, and what goes over the wire, counted.

OMP_NUM_THREADS=1 python benchmarks/extraction_scaling.py --video CLIP.mp4 --work 1 0.25

The pipeline is the real one (`rlld_gym.data.extract.ray_backend`), but its actors sleep for as long as the work of
their videos takes: sleeping needs no core, so that 64 of them fit on any machine. It is a simulation: the network,
the disk and the memory of real machines are not in it, and all processes of Ray share this machine's cores, which
makes what they add larger than on a cluster. With `--video` is printed what this clip takes here, in CPU seconds of
one thread with LLP's streams and random weights, to be given as `--work`, and the bytes that move for it.

Videos a second are counted from when all actors have begun to the last outcome: to begin, 64 processes import Ray
one after the other on the cores that there are. Seconds of the driver are CPU seconds of this process for a batch:
it hands out one after the other, so it is the limit that a cluster has, too. Needs Ray, and 10 GB for 64 actors.
"""

import argparse
import json
import pickle
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from benchmarks.simulated_cluster import simulated_cluster
from rlld_agents.reports.results import markdown
from rlld_gym.data.extract import ray_backend
from rlld_gym.data.extract.backends import Work, write
from rlld_gym.data.extract.worker import ExtractOptions, FeatureExtractor


class LightOptions(ExtractOptions):
    """Options that no process has to import torch for: actors that sleep read none."""

    def __reduce__(self) -> tuple[type[str], tuple[()]]:
        """Arrive as an empty text."""
        return str, ()


CHEAP = LightOptions(streams=("r2plus1d_18",), weights={"r2plus1d_18": "random"}, device="cpu")
"""What the driver tries before it begins."""


class SleepingActor:
    """Takes batches of the real pipeline, waits until all actors are there, and sleeps.

    Travels by its content, so nothing in it may name a module that imports torch.
    """

    seconds, workers, folder = 0.0, 1, ""

    def __init__(self, options: object) -> None:
        self.begun = False

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return outcomes as a real actor does; each says when all actors had begun."""
        if not self.begun:
            self.begun = True
            Path(tempfile.mkstemp(dir=self.folder)[1]).touch()
        while len(there := list(Path(self.folder).iterdir())) < self.workers:
            time.sleep(0.2)
        shapes = {"begun": [max(path.stat().st_mtime for path in there)]}
        names = [Path(json.loads(text)[0]).stem for text in batch["work"]]
        time.sleep(self.seconds * len(names))
        answers = [{"video": name, "shapes": shapes, "notes": []} for name in names]
        return {"outcome": np.array([json.dumps(answer) for answer in answers], dtype=object)}


def measured(path: Path, at_a_time: int) -> tuple[dict[str, float], list[list[str]]]:
    """Return the CPU seconds of a clip's decoding and of its networks, and rows of what moves: what, by, bytes."""
    options = ExtractOptions(weights=dict.fromkeys(ExtractOptions().streams, "random"), device="cpu")
    extractor = FeatureExtractor(options)
    start = time.process_time()
    prepared = extractor.prepare(path)
    decoded = time.process_time()
    features = extractor.embed([prepared])[0]
    seconds = {"decoding": decoded - start, "networks": time.process_time() - decoded}
    with tempfile.TemporaryDirectory() as folder:
        work = Work(path, {stream: Path(folder, stream, f"{path.stem}.npy") for stream in options.streams})
        actor = ray_backend.Actor(options)
        actor.extractor = extractor
        outcome = write(work, features)
        actor.made = lambda works: [outcome for _ in works]  # type: ignore[method-assign]
        files = sum(file.stat().st_size for file in work.targets.values())
        texts = [ray_backend.text_of(work)] * at_a_time
        answers = actor({"work": np.array(texts, dtype=object)})
    states = (stream.network.state_dict() for stream in extractor.streams)
    weights = sum(value.nbytes for state in states for value in state.values())
    rows: list[tuple[str, str, int]] = [
        (f"paths of {at_a_time} videos to an actor", "Ray", block_bytes(work=texts)),
        (
            f"shapes and remarks of {at_a_time} videos back",
            "Ray",
            block_bytes(outcome=list(answers["outcome"])),
        ),
        ("options, once to each actor", "Ray", len(pickle.dumps(options))),
        ("a clip, read by its actor", "shared disk", path.stat().st_size),
        ("its features, written by its actor", "shared disk", files),
        ("weights, read once by each actor", "its own disk", weights),
    ]
    return seconds, [[what, by, f"{number:,}"] for what, by, number in rows]


def block_bytes(**columns: list[str]) -> int:
    """Return the size of a block of Ray Data as it travels, an Arrow table, without what Ray says of the task."""
    table = pyarrow.table(columns)
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return int(sink.getvalue().size)


@dataclass
class Run:
    """A run of the pipeline with actors that sleep: its parameters, and seconds, see the module."""

    work: float
    workers: int
    batches: int
    at_a_time: int
    until_begun: float = 0.0
    running: float = 0.0
    driver: float = 0.0

    def row(self) -> list[str]:
        """Return a row of the table."""
        videos, ideal = (
            self.workers * self.batches * self.at_a_time,
            self.work * self.batches * self.at_a_time,
        )
        driver = 1000 * self.driver / (self.workers * self.batches)
        row = [f"{self.work:g}", str(self.workers), f"{self.workers / self.work:.3g}"]
        row += [f"{videos / self.running:.3g}", f"{100 * ideal / self.running:.0f}"]
        return [*row, f"{driver:.0f}", f"{self.until_begun:.0f}"]


HEADS = [
    *("work of a video (s)", "actors", "videos/s, ideal", "videos/s", "efficiency (%)"),
    *("driver, a batch (ms)", "until all have begun (s)"),
]


def simulate(run: Run) -> None:
    """Run the pipeline and fill in the seconds."""
    number = run.workers * run.batches * run.at_a_time
    names = [f"{index:06}" for index in range(number)]
    works = [Work(Path(f"{name}.mp4"), {"r2plus1d_18": Path(f"{name}.npy")}) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        attributes = {"seconds": run.work, "workers": run.workers, "folder": folder}
        ray_backend.Actor = type("Sleeper", (SleepingActor,), attributes)  # type: ignore[assignment, misc]
        started = time.time()
        outcomes = ray_backend.on_ray(CHEAP, works, run.at_a_time, run.workers)
        found, begun, cpu = set(), 0.0, 0.0
        for outcome in outcomes:
            cpu = cpu or time.process_time()
            found.add(outcome.video)
            begun, ended, busy = outcome.shapes["begun"][0], time.time(), time.process_time()
            if len(found) == number:
                run.until_begun, run.running, run.driver = begun - started, ended - begun, busy - cpu
    assert found == set(names)


def main() -> None:
    """Measure, count, simulate and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--video", type=Path, help="a clip whose work is measured and whose bytes are counted"
    )
    parser.add_argument(
        "--work", type=float, nargs="*", default=[], help="seconds of a video's work, simulated"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--batches", type=int, default=6, help="of each actor")
    parser.add_argument("--at-a-time", type=int, default=4, help="videos in a batch")
    options = parser.parse_args()
    if options.video is not None:
        seconds, rows = measured(options.video, options.at_a_time)
        print(", ".join(f"{part} {value:.1f} s" for part, value in seconds.items()), "\n")
        print(markdown(["what moves", "by", "bytes"], rows), "\n")
    runs = []
    for workers in options.workers if options.work else ():
        with simulated_cluster(workers + 1):
            for work in options.work:
                run = Run(work, workers, options.batches, options.at_a_time)
                simulate(run)
                print(run, flush=True)
                runs.append(run)
    if runs:
        runs.sort(key=lambda run: (-run.work, run.workers))
        print("\n" + markdown(HEADS, [run.row() for run in runs]))


if __name__ == "__main__":
    main()
