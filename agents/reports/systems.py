"""Tables of published systems on label sets: systems.md and systems.csv."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final

from rlld_agents.baselines.rows import LABEL_SETS
from rlld_agents.baselines.systems import SYSTEMS
from rlld_agents.reports.benchmark import Results, published_rows
from rlld_agents.reports.canvas import draw_or_warn
from rlld_agents.reports.results import SCORE_HEADS, csv_value, made_with, markdown, mean_with_spread, page
from rlld_agents.reports.statistics import bootstrap_mean_interval
from rlld_agents.reports.system_figures import plot_systems
from rlld_gym.files import csv_lines, write_text
from rlld_gym.parsing.metrics import SCORE_NAMES

GAINS: Final = (
    ("segment_audio", "segment A"),
    ("segment_visual", "segment V"),
    ("segment_type", "segment Type"),
    ("event_visual", "event V"),
    ("event_type", "event Type"),
)
"""Scores in which label sets are compared."""

COLUMNS: Final = (
    *("system", "labels", "seed", "recipe", "width", "epochs", "best_epoch"),
    *("parameters", "seconds", "epoch_seconds"),
)
"""Of systems.csv, before the scores."""

BASE: Final = "weak"
"""Labels that the others are compared with."""


def write_systems(folder: Path, results: Results, title: str, command: str) -> str:
    """Write systems.md, systems.csv and figures/systems.png.

    Args:
        folder: of the study.
        results: the cells' results by row, in table order, one for each seed.
        title: what was studied on what.
        command: what makes the study anew.

    Returns:
        The tables, for people.
    """
    text = markdown_text(results, title)
    write_text(folder / "systems.md", f"{text}\n{made_with(command)}")
    write_text(folder / "systems.csv", csv_text(results))
    picture = Path("figures") / "systems.png"
    draw_or_warn(str(picture), lambda: plot_systems(folder / picture, by_system(results), title))
    return text


def by_system(results: Results) -> dict[str, dict[str, Sequence[Mapping[str, Any]]]]:
    """Return the results by system and label set, one for each seed."""
    found: dict[str, dict[str, Sequence[Mapping[str, Any]]]] = {}
    for rows in results.values():
        found.setdefault(rows[0]["system"], {})[rows[0]["labels"]] = rows
    return found


def csv_text(results: Results) -> str:
    """Return a line for every run: what was trained, cost, and scores by its own and by the common rule."""
    lines: list[Sequence[object]] = []
    lines.append([*COLUMNS, *SCORE_NAMES, *(f"common_{name}" for name in SCORE_NAMES)])
    for row in (row for rows in results.values() for row in rows):
        scores = [row[rule][name] for rule in ("test", "common") for name in SCORE_NAMES]
        lines.append([csv_value(value) for value in [*(row[name] for name in COLUMNS), *scores]])
    return csv_lines(lines)


def markdown_text(results: Results, title: str) -> str:
    """Return the tables for people: scores by both rules, gains of label sets, cost, published rows."""
    systems = by_system(results)
    parts = [
        title,
        "Test F-scores (%), mean ± standard deviation over the seeds, **each by its own gate and selection**",
        _scores(systems, "test"),
        "The same runs, **all by one rule**: gate of the video, thresholds of one half, best segment-level Type",
        _scores(systems, "common"),
        *_gains(systems),
        "Width and length; parameters; processor seconds of an epoch, validation included, and how many times "
        "HAN's in the same run",
        _cost(systems),
    ]
    published = published_rows(results)
    if published:
        parts += [
            "For orientation: **published results on LLP**, real data, single runs; not comparable in level",
            markdown(["", *SCORE_HEADS], [[name, *(f"{v:.1f}" for v in row)] for name, row in published]),
        ]
    return page(parts) + "\n"


def labels_text(labels: str) -> str:
    """Return what tables call a label set."""
    return "RLLD, reward only" if labels == "rlld" else LABEL_SETS[labels].label


def _scores(systems: Mapping[str, Mapping[str, Any]], rule: str) -> str:
    rows = []
    for system, sets in systems.items():
        for number, (labels, runs) in enumerate(sets.items()):
            values = ([run[rule][name] for run in runs] for name in SCORE_NAMES)
            name = "" if number else SYSTEMS[system].label
            rows.append([name, labels_text(labels), *(mean_with_spread(value) for value in values)])
    return markdown(["", "labels", *SCORE_HEADS], rows)


def _gains(systems: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return title and table of what label sets gain over weak labels, by the common rule, and over all systems."""
    rows: list[list[str]] = []
    pooled: dict[str, list[dict[str, float]]] = {}
    for system, sets in systems.items():
        base = {run["seed"]: run["common"] for run in sets.get(BASE, ())}
        for labels, runs in sets.items():
            pairs = [(run["common"], base[run["seed"]]) for run in runs if run["seed"] in base]
            if labels == BASE or not pairs:
                continue
            gains = [{key: mine[key] - theirs[key] for key, _ in GAINS} for mine, theirs in pairs]
            means = {key: mean(gain[key] for gain in gains) for key, _ in GAINS}
            pooled.setdefault(labels, []).append(means)
            rows.append([SYSTEMS[system].label, labels_text(labels), *_intervals(gains)])
    if not rows:
        return []
    rows += [
        ["all systems", labels_text(labels), *_intervals(gains)]
        for labels, gains in pooled.items()
        if len(gains) > 1
    ]
    return [
        "Gain over weak labels by the common rule, paired by seed: mean [95 % bootstrap interval over seeds, of "
        "which three are few; in the last rows over systems]",
        markdown(["", "labels", *(text for _, text in GAINS)], rows),
    ]


def _intervals(gains: Sequence[Mapping[str, float]]) -> Iterable[str]:
    for key, _ in GAINS:
        values = [gain[key] for gain in gains]
        low, high = bootstrap_mean_interval(values)
        yield f"{mean(values):+.1f}" + (f" [{low:+.1f}, {high:+.1f}]" if len(values) > 1 else "")


def _cost(systems: Mapping[str, Mapping[str, Any]]) -> str:
    seconds = {
        system: mean(run["epoch_seconds"] for runs in sets.values() for run in runs)
        for system, sets in systems.items()
    }
    rows = []
    for system, sets in systems.items():
        run = next(iter(sets.values()))[0]
        ratio = f"{seconds[system] / seconds['han']:.1f}" if "han" in seconds else "-"
        cells = (run["recipe"], run["width"], run["epochs"], f"{run['parameters']:,}".replace(",", " "))
        rows.append([SYSTEMS[system].label, *map(str, cells), f"{seconds[system]:.1f}", ratio])
    return markdown(["", "recipe", "width", "epochs", "parameters", "seconds", "times HAN's"], rows)
