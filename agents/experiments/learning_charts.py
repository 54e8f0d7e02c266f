"""The learning curves that a run's logs hold."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rlld_agents.experiments.parsers import result_path
from rlld_agents.reports.figures import in_table_order, label_set_text
from rlld_agents.reports.page.content import Chart
from rlld_agents.runs.folder import CONTROLS_NAME
from rlld_agents.runs.log import read_rows
from rlld_gym.data.classes import SPEECH_NAME

Row = Mapping[str, float]


def learning_charts(
    folder: Path, label_sets: Iterable[str], seed: int, never_visible: str | None = SPEECH_NAME
) -> list[Chart]:
    """Return the charts of a run: episodes of REINFORCE, rounds of imitation, epochs of the parsers.

    Args:
        folder: the run folder.
        label_sets: names of the labels that parsers were trained on.
        seed: of the first parser.
        never_visible: the class that the rule among the label sets is about.
    """
    rows = read_rows(folder / "metrics.jsonl")
    rounds = read_rows(folder / "imitation" / "metrics.jsonl") or rows
    charts = [
        Chart(
            "Return of an episode",
            "episode",
            _lines(rows, {"return": "rollout/ep_rew_mean"}),
            _controls(folder),
        ),
        Chart(
            "Validation F of the task network, segment level (%)",
            "episode",
            _lines(rows, {"audio": "env/segment_audio", "visual": "env/segment_visual"}),
        ),
        Chart(
            "Removals, estimated by cross-validation (AUC)",
            "round of imitation",
            _lines(rounds, {"audio": "estimate/audio_auc", "visual": "estimate/visual_auc"}),
        ),
        Chart(
            "Validation F of the parsers, segment level, visual (%)",
            "epoch",
            _epochs(folder, label_sets, seed, never_visible),
        ),
    ]
    return [chart for chart in charts if chart.lines]


def _lines(rows: Sequence[Row], columns: Mapping[str, str]) -> dict[str, list[tuple[float, float]]]:
    """Return the columns of a log that it has, over its episodes, by name."""
    lines = {
        name: [(row["episode"], row[column]) for row in rows if column in row]
        for name, column in columns.items()
    }
    return {name: points for name, points in lines.items() if points}


def _controls(folder: Path) -> dict[str, float]:
    path = folder / CONTROLS_NAME
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _epochs(
    folder: Path, label_sets: Iterable[str], seed: int, never_visible: str | None
) -> dict[str, list[tuple[float, float]]]:
    """Return the validation scores of the first parser of each label set."""
    lines = {}
    for name in in_table_order(label_sets):
        path = result_path(folder, name, seed)
        history = json.loads(path.read_text(encoding="utf-8"))["validation"] if path.is_file() else []
        points = [(row["epoch"], row["segment_visual"]) for row in history if "segment_visual" in row]
        if points:
            lines[label_set_text(name, never_visible)] = points
    return lines
