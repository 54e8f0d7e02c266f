"""What a run logs: one row per episode, as JSON lines and CSV, and for TensorBoard where it is installed."""

import csv
import importlib
import importlib.util
import io
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from rlld_gym.files import write_text
from rlld_gym.os_errors import one_line

if TYPE_CHECKING:
    from rlld_agents.runs import event_file

Row = Mapping[str, float]


class RunLog:
    """Appends rows of numbers to ``metrics.jsonl`` and ``metrics.csv`` in a run folder.

    Keys are those of Stable-Baselines3 (``rollout/ep_rew_mean``, ``train/policy_gradient_loss``,
    ``time/total_timesteps``) where it has them, so that dashboards line up.

    Args:
        folder: the run folder; made if it is missing.
        keep_episodes: rows of later episodes that are already in the files are dropped, as are torn lines: a
            resumed run goes on after its checkpoint. 0 starts new files.
        tensorboard: also write TensorBoard events if the package tensorboard is installed.
    """

    def __init__(self, folder: str | os.PathLike[str], keep_episodes: int = 0, tensorboard: bool = True):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._jsonl_path = self.folder / "metrics.jsonl"
        self._csv_path = self.folder / "metrics.csv"
        kept = [row for row in read_rows(self._jsonl_path) if row["episode"] <= keep_episodes]
        self._columns: list[str] = []
        write_text(self._jsonl_path, "".join(json.dumps(row) + "\n" for row in kept))
        self._rewrite_csv(kept)
        self._events: event_file.EventFile | None = None
        if tensorboard and importlib.util.find_spec("tensorboard") is not None:
            next_step = int(kept[-1]["time/total_timesteps"]) + 1 if kept else 0
            with self._events_or_warning():
                writer = importlib.import_module("rlld_agents.runs.event_file")  # an optional package
                self._events = writer.EventFile(self.folder, next_step)

    def write(self, row: Row) -> None:
        """Append one row and flush it to disk.

        Args:
            row: numbers by name, among them ``episode`` (counted from 1) and ``time/total_timesteps``.
        """
        with self._jsonl_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(row), allow_nan=False) + "\n")
        if set(row) <= set(self._columns):
            with self._csv_path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._csv_lines([row]))
        else:
            self._rewrite_csv(read_rows(self._jsonl_path))
        if self._events is not None:
            with self._events_or_warning():
                self._events.add(row, int(row["time/total_timesteps"]))

    def close(self) -> None:
        """Close the TensorBoard file, if there is one."""
        events, self._events = self._events, None
        if events is not None:
            with self._events_or_warning():
                events.close()

    @contextmanager
    def _events_or_warning(self) -> Iterator[None]:
        """Go on without TensorBoard, with a warning, where it fails: the metrics files have all rows."""
        try:
            yield
        except Exception as error:  # a version that does not fit, a full disk, a folder without permission
            self._events = None
            reason = f"{type(error).__name__}: {one_line(error)}"
            warnings.warn(f"{self.folder}: no more TensorBoard events ({reason})", stacklevel=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rewrite_csv(self, rows: list[dict[str, float]]) -> None:
        """Write the CSV file anew, with a column for every key of ``rows`` in order of first appearance."""
        self._columns = list(dict.fromkeys(name for row in rows for name in row))
        header = ",".join(self._columns) + "\n" if rows else ""
        write_text(self._csv_path, header + self._csv_lines(rows))

    def _csv_lines(self, rows: Iterable[Mapping[str, object]]) -> str:
        text = io.StringIO()
        csv.DictWriter(text, self._columns, lineterminator="\n").writerows(rows)
        return text.getvalue()


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, float]]:
    """Read a ``metrics.jsonl``: one dict of numbers per episode.

    A missing file has no rows. A line that an interruption tore, which can only be the last one, is left out.
    """
    path = Path(path)
    rows: list[dict[str, float]] = []
    if not path.is_file():
        return rows
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break
        rows.append(row)
    return rows


def environment_metrics(infos: list[dict[str, Any]]) -> dict[str, float]:
    """Return what is logged of the infos of an episode's steps: plain numbers, as ``env/NAME``.

    ``inter_reward``, the numbers of removed labels and of reverted videos are means over the steps; every
    other number, such as the validation scores, is that of the last step. The branches' rewards are logged as
    returns elsewhere.
    """
    means = {
        "inter_reward": "env/inter_reward",
        "n_removed_audio": "env/removed_audio",
        "n_removed_visual": "env/removed_visual",
        "n_reverted": "env/n_reverted",
    }
    metrics = {
        label: sum(float(info[name]) for info in infos) / len(infos)
        for name, label in means.items()
        if all(name in info for info in infos)
    }
    for name, value in infos[-1].items():
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if is_number and name not in means and name not in ("reward_audio", "reward_visual"):
            metrics[f"env/{name}"] = float(value)
    return metrics
