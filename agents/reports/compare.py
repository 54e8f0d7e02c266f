"""compare.csv and compare.md: what came out of a comparison, every cell and per agent."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlld_agents.baselines.rows import is_control
from rlld_agents.reports.benchmark import QUALITIES, Results
from rlld_agents.reports.results import SCORE_HEADS, csv_value, markdown, page
from rlld_agents.reports.statistics import bootstrap_interval, interquartile_mean
from rlld_gym.files import csv_lines
from rlld_gym.parsing.metrics import SCORE_NAMES

LAST_EPISODES = 5
"""Episodes at the end of learning whose mean return is reported."""

TABLE_SCORES = (
    ("segment_audio", "segment A"),
    ("segment_visual", "segment V"),
    ("segment_type", "segment Type"),
    ("event_visual", "event V"),
)


def final_return(result: Mapping[str, Any]) -> float | None:
    """Return the mean return of an agent's last episodes, or of a control's; None where nothing was played."""
    returns = [row["return"] for row in result["curve"][-LAST_EPISODES:]]
    return float(np.mean(returns)) if returns else result.get("return")


def csv_text(results: Results) -> str:
    """Return one row per cell: return, removals, their quality, ten test scores, seconds."""
    lines: list[Sequence[object]] = []
    removal = [(modality, kind) for modality in ("audio", "visual") for kind in QUALITIES]
    head = ["agent", "seed", "steps", "episodes", "final_return", *(f"{kind}_{m}" for m, kind in removal)]
    lines.append([*head, *SCORE_NAMES, "seconds"])
    for agent, rows in results.items():
        for row in rows:
            curve = row["curve"]
            values: list[Any] = [agent, row["seed"], int(curve[-1]["steps"]) if curve else 0, len(curve)]
            values += [final_return(row), *(_quality(agent, row, m, kind) for m, kind in removal)]
            values += [row["test"][name] if row.get("tested", True) else None for name in SCORE_NAMES]
            lines.append([csv_value(value) for value in [*values, row["seconds"]]])
    return csv_lines(lines)


def table(results: Results) -> str:
    """Return the Markdown tables: test scores and removals, interquartile mean and 95 % interval over seeds."""
    scores = [
        [agent, *(_interval([row["test"][name] for row in rows]) for name, _ in TABLE_SCORES)]
        for agent, rows in results.items()
    ]
    means = [
        [agent, *(f"{np.mean([row['test'][name] for row in rows]):.1f}" for name in SCORE_NAMES)]
        for agent, rows in results.items()
    ]
    removals = [[agent, *_removal_cells(agent, rows)] for agent, rows in results.items()]
    parts = [
        "Test F-scores (%) of a parser trained on the labels: interquartile mean over seeds "
        "[95 % bootstrap interval]",
        markdown(["", *(text for _, text in TABLE_SCORES)], scores),
        "All ten scores, mean over seeds",
        markdown(["", *SCORE_HEADS], means),
        f"Learning and removals, mean over seeds; return: interquartile mean of the last {LAST_EPISODES} episodes' "
        "mean, of a control that of episodes in which just its labels are removed [95 % bootstrap interval]",
        markdown(
            [
                "",
                "return",
                "audio removed",
                "precision",
                "AUC",
                "visual removed",
                "precision",
                "recall",
                "AUC",
                "seconds",
            ],
            removals,
        ),
    ]
    return page(parts)


def _removal_cells(agent: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return return, audio rate, precision, AUC, visual rate, precision, recall, AUC and seconds."""
    returns = [value for row in rows if (value := final_return(row)) is not None]
    cells = [_interval(returns, digits=2) if returns else "-"]
    for modality, kinds in (
        ("audio", ("rate", "precision", "auc")),
        ("visual", ("rate", "precision", "recall", "auc")),
    ):
        for kind in kinds:
            values = [_quality(agent, row, modality, kind) for row in rows]
            known = [value for value in values if value is not None]
            if not known:
                cells.append("-")
            else:
                cells.append(f"{np.mean(known):.3f}" if kind == "auc" else f"{100 * np.mean(known):.1f} %")
    return [*cells, f"{np.mean([row['seconds'] for row in rows]):.0f}"]


def _quality(agent: str, row: Mapping[str, Any], modality: str, kind: str) -> float | None:
    """Return a number about removals; a control is a rule that ranks no labels, so its AUC says nothing."""
    value: float | None = None if kind == "auc" and is_control(agent) else row["removal"][modality][kind]
    return value


def _interval(values: Sequence[float], digits: int = 1) -> str:
    middle = float(interquartile_mean(values))
    if len(values) == 1:
        return f"{middle:.{digits}f}"
    low, high = bootstrap_interval(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
