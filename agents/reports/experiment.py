"""Figures and tables of the main experiment."""

from pathlib import Path
from typing import Any

import numpy as np

from rlld_agents.labels.removal import RemovalQuality
from rlld_agents.reports import figures, results
from rlld_agents.reports.canvas import draw_or_warn
from rlld_agents.reports.learning_curve import plot_learning_curve
from rlld_agents.runs.folder import CONTROLS_NAME
from rlld_agents.runs.log import read_rows
from rlld_gym.data import FeatureStore
from rlld_gym.files import read_json
from rlld_gym.parsing.metrics import SCORE_NAMES

Scores = dict[str, list[dict[str, float]]]
"""Test scores (percent) of each parser seed, by label set."""


def draw_figures(
    folder: Path, store: FeatureStore, seed: int, scores: Scores, quality: RemovalQuality
) -> None:
    """Draw a run's test scores and removals, and the curves of REINFORCE if it was used, into its folder.

    A figure that cannot be drawn is a warning.
    """
    title, place = f"{store.name}, seed {seed}", folder / "figures"
    draw_or_warn(f"{place}: the learning curves", lambda: _draw_curves(folder, title))
    if tested := {name: rows for name, rows in scores.items() if all(rows)}:
        path, text = place / "scores.png", f"Parsers on test videos ({title})"
        rule = store.header.never_visible
        draw_or_warn(str(path), lambda: figures.plot_scores(path, tested, text, rule))
    removal = place / "removal.png"
    draw_or_warn(
        str(removal),
        lambda: figures.plot_removal(removal, quality, store.classes, f"Removed labels ({title})"),
    )


def _draw_curves(folder: Path, title: str) -> None:
    """Draw the curves of REINFORCE, if it was used."""
    rows = read_rows(folder / "metrics.jsonl")
    rows = [row for row in rows if all(f"env/{name}" in row for name in SCORE_NAMES)]
    controls = folder / CONTROLS_NAME
    if rows and controls.is_file():
        returns = read_json(controls, "the returns of fixed ways of removing labels")
        text = f"REINFORCE over parameters ({title})"
        plot_learning_curve(folder / "figures" / "learning.png", rows, returns, text)
    if rows:
        curves = {name: np.array([row[f"env/{name}"] for row in rows]) for name in SCORE_NAMES}
        text = f"Task network on validation videos during REINFORCE ({title})"
        figures.plot_convergence(folder / "figures" / "convergence.png", {"REINFORCE": [curves]}, text)


def result_tables(
    store: FeatureStore,
    scores: Scores,
    quality: RemovalQuality,
    estimate: dict[str, Any] | None = None,
    warning: str | None = None,
) -> str:
    """Return the Markdown tables of a run.

    Args:
        store: the data set.
        scores: of the parsers.
        quality: of the removals from the training videos.
        estimate: the same, estimated on the validation videos; None: there is none.
        warning: what is wrong with the removals; None: nothing.
    """
    tested = {name: rows for name, rows in scores.items() if all(rows)}
    rule = store.header.never_visible
    parts = [results.no_test_scores(store.name)]
    if tested:
        seeds = max(len(rows) for rows in tested.values())
        number = "one parser" if seeds == 1 else f"mean of {seeds} parsers"
        parts = [f"Test F-scores (%), {store.name}, {number} per row", results.score_table(tested, rule)]
    parts += [
        f"Removed from the {len(store.split('train'))} training videos",
        results.removal_table(quality),
    ]
    if estimate is not None:
        parts += [
            f"The same, estimated by cross-validation on the {estimate['videos']} validation videos: "
            "removals by policies that did not learn from the video",
            results.estimate_table(estimate, rule),
        ]
        if warned := results.near_chance(estimate, rule):
            parts.append(warned)
    if store.header.rule_note:
        parts.append(store.header.rule_note)
    deviations = results.deviation_table(tested, rule)
    if deviations:
        parts += ["Standard deviation over the parsers", deviations]
    if warning is not None:
        parts.append(f"Warning: {warning}.")
    return "\n\n".join(parts)
