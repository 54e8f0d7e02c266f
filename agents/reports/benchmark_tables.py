"""results.md: the tables of a benchmark for people to read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlld_agents.baselines.rows import label_of
from rlld_agents.labels.extremes import NEARLY_ALL
from rlld_agents.reports.benchmark import (
    FEWEST_SEEDS,
    QUALITIES,
    Results,
    published_rows,
    score_cells,
)
from rlld_agents.reports.figures import Curves
from rlld_agents.reports.results import SCORE_HEADS, markdown, mean_with_spread, page, with_spread
from rlld_agents.reports.statistics import bootstrap_mean_interval
from rlld_gym.data.classes import SPEECH_NAME
from rlld_gym.parsing.metrics import SCORE_NAMES

LAST_EPISODES = 100
"""Episodes whose mean stands for an agent's convergence (Figures 6-11 of RLLD, arXiv 2412.19563)."""

WITHOUT_SPEECH = tuple(f"{kind}_without_speech" for kind in QUALITIES[1:])

BAR_TO_CLEAR = "no_visual_speech"
"""The row that every denoiser has to beat."""

DIFFERENCES = (
    ("segment_audio", "segment A"),
    ("segment_visual", "segment V"),
    ("segment_type", "segment Type"),
    ("event_visual", "event V"),
    ("event_type", "event Type"),
)
"""Scores in which rows are compared with it."""


def markdown_text(results: Results, title: str, never_visible: str | None = SPEECH_NAME) -> str:
    """Return the tables for people: scores, removals, cost, and the published rows in a block of their own.

    Args:
        results: the cells' results by row.
        title: what was studied on what.
        never_visible: the class that the rule among the rows is about, without which removals are shown, too;
            None: there is none.
    """
    labels = {name: label_of(name, never_visible) for name in results}
    bold = score_cells(results)
    rows = [
        [
            labels[name],
            *(
                with_spread(f"**{m:.1f}**" if best else f"{m:.1f}", s if len(results[name]) > 1 else None)
                for m, s, best in cells
            ),
        ]
        for name, cells in bold.items()
    ]
    kinds = QUALITIES if never_visible is None else (*QUALITIES, *WITHOUT_SPEECH)
    rest = [] if never_visible is None else [f"without {never_visible}: precision", "recall", "AUC"]
    removal = [_removal_row(labels[name], rows_, kinds) for name, rows_ in results.items()]
    cost = [_cost_row(labels[name], rows_) for name, rows_ in results.items()]
    parts = [
        title,
        "Test F-scores (%): mean ± standard deviation over the seeds. Bold: better than every other row but the "
        f"oracle, the 95 % bootstrap interval of the paired difference above 0 with at least {FEWEST_SEEDS} seeds",
        markdown(["", *SCORE_HEADS], rows),
        *_differences(results, labels),
        "Removed labels, mean over the seeds; AUC: how well the method ranks noisy labels",
        markdown(
            [
                "",
                *("audio removed", "precision", "recall", "AUC"),
                *("visual removed", "precision", "recall", "AUC"),
                *rest,
            ],
            removal,
        ),
        *_nearly_all_removed(results, labels),
        "Cost: seconds of removal and of all, peak memory of the process, parameters; which validation labels",
        markdown(["", "removal (s)", "all (s)", "memory (MB)", "parameters", "validation labels"], cost),
    ]
    curves = curves_of(results)
    if curves:
        number = min(LAST_EPISODES, *(len(run["return"]) for runs in curves.values() for run in runs))
        parts += [
            "Convergence: validation F-scores (%) of the environment's parser and return, mean of the last "
            f"{number} episodes or updates, ± standard deviation over the seeds",
            markdown(
                ["", *SCORE_HEADS, "return"],
                [_convergence_row(labels[n], runs, number) for n, runs in curves.items()],
            ),
        ]
    published = published_rows(results)
    if published:
        parts += [
            "For orientation: **published results on LLP**, real data, single runs; not comparable in level",
            markdown(
                ["", *SCORE_HEADS], [[name, *(f"{v:.1f}" for v in values)] for name, values in published]
            ),
        ]
    return page(parts) + "\n"


def curves_of(results: Results) -> dict[str, list[Curves]]:
    """Return the learning curves of the rows that have some: scores and "return", (E,) numbers per episode."""
    curves = {name: [curve for row in rows if (curve := _curve(row))] for name, rows in results.items()}
    return {name: runs for name, runs in curves.items() if runs}


def _curve(row: Mapping[str, Any]) -> Curves:
    """Return the curve of a run, empty where it has none or does not know all that tables show."""
    needed = (*SCORE_NAMES, "return")
    columns = row["details"].get("curve") or {
        key: [entry.get(key) for entry in row.get("curve", ())] for key in needed
    }
    known = all(len(columns.get(key, ())) and None not in columns[key] for key in needed)
    return {key: np.array(values) for key, values in columns.items()} if known else {}


def _differences(results: Results, labels: Mapping[str, str]) -> list[str]:
    """Return title and table of each row's gain over the bar to clear; nothing where there are too few seeds."""
    base = {row["seed"]: row["test"] for row in results.get(BAR_TO_CLEAR, ())}
    if len(base) < FEWEST_SEEDS:
        return []
    rows = []
    for name, of_row in results.items():
        pairs = [(row["test"], base[row["seed"]]) for row in of_row if row["seed"] in base]
        if name == BAR_TO_CLEAR or len(pairs) < FEWEST_SEEDS:
            continue
        texts = [labels[name]]
        for key, _ in DIFFERENCES:
            gains = [mine[key] - theirs[key] for mine, theirs in pairs]
            low, high = bootstrap_mean_interval(gains)
            texts.append(f"{np.mean(gains):+.1f} [{low:+.1f}, {high:+.1f}]")
        rows.append(texts)
    if not rows:
        return []
    title = f"Gain over {labels[BAR_TO_CLEAR]}, paired by seed: mean [95 % bootstrap interval]"
    return [title, markdown(["", *(text for _, text in DIFFERENCES)], rows)]


def _nearly_all_removed(results: Results, labels: Mapping[str, str]) -> list[str]:
    """Return a sentence on rows whose parsers had hardly anything to learn from; nothing where there is none."""
    names = [
        labels[name]
        for name, rows in results.items()
        if any(
            np.mean([row["removal"][m]["rate"] for row in rows]) >= NEARLY_ALL for m in ("audio", "visual")
        )
    ]
    if not names:
        return []
    return [
        f"Warning: nearly all labels of a modality were removed by {', '.join(names)}. Parsers had hardly anything "
        "to learn from: train the method longer, or leave it out."
    ]


def _removal_row(label: str, rows: Sequence[Mapping[str, Any]], visual_kinds: Sequence[str]) -> list[str]:
    texts = [label]
    for modality, kinds in (("audio", QUALITIES), ("visual", visual_kinds)):
        for kind in kinds:
            known = [v for row in rows if (v := row["removal"][modality][kind]) is not None]
            share = not kind.startswith("auc")
            texts.append(
                "-" if not known else f"{100 * np.mean(known):.1f} %" if share else f"{np.mean(known):.3f}"
            )
    return texts


def _convergence_row(label: str, runs: Sequence[Curves], number: int) -> list[str]:
    texts = [label]
    for key in (*SCORE_NAMES, "return"):
        texts.append(mean_with_spread(float(np.mean(run[key][-number:])) for run in runs))
    return texts


def _cost_row(label: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    mean = {
        key: np.mean([row[key] for row in rows]) for key in ("removal_seconds", "seconds", "peak_memory_mb")
    }
    return [
        label,
        *(f"{value:.0f}" for value in mean.values()),
        f"{rows[0]['parameters']:,}".replace(",", " "),
        rows[0]["validation_labels"],
    ]
