"""results.csv and results.tex, and the statistics that all tables of a benchmark share."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.baselines.rows import known_rows, label_of
from rlld_agents.reports.published import PUBLISHED
from rlld_agents.reports.results import csv_value
from rlld_agents.reports.statistics import bootstrap_mean_interval
from rlld_gym.data.classes import SPEECH_NAME
from rlld_gym.files import csv_lines
from rlld_gym.parsing.metrics import SCORE_COLUMNS, SCORE_NAMES

Results = Mapping[str, Sequence[Mapping[str, Any]]]
"""The cells' results by row, in table order, one for each seed."""

NOT_RANKED = ("oracle",)
"""Rows that know the answer and are never in bold."""

FEWEST_SEEDS = 4
"""Seeds that a claim to be best needs: the bootstrap interval of two or three is little more than their range."""

LATEX_SPECIAL = re.compile(r"([&%$#_{}])")
"""What LaTeX does not take as it is in the names of rows and classes."""

QUALITIES = ("rate", "precision", "recall", "auc")


def csv_text(results: Results, classes: Sequence[str]) -> str:
    """Return one row per cell: scores, removals (per modality, without Speech, per class), cost, what was used."""
    lines: list[Sequence[object]] = []
    qualities = [
        (modality, kind + ending)
        for modality in ("audio", "visual")
        for ending in ("", "_without_speech")
        for kind in QUALITIES
    ]
    counts = [(m, kind) for m in ("audio", "visual") for kind in ("labels", "noisy", "removed", "correct")]
    head = [
        "method",
        "seed",
        *(f"test_{name}" for name in SCORE_NAMES),
        *(f"validation_{name}" for name in SCORE_NAMES),
    ]
    head += [f"{kind}_{modality}" for modality, kind in qualities]
    head += [f"{kind}_{modality}_{name}" for modality, kind in counts for name in classes]
    head += [f"auc_{modality}_{name}" for modality in ("audio", "visual") for name in classes]
    lines.append([*head, "seconds", "removal_seconds", "peak_memory_mb", "parameters", "validation_labels"])
    for name, rows in results.items():
        for row in rows:
            values: list[Any] = [name, row["seed"]]
            tests = row["test"] if row.get("tested", True) else {}  # else tables show validation scores
            values += [
                of_split.get(score) for of_split in (tests, row["validation"]) for score in SCORE_NAMES
            ]
            values += [row["removal"][modality][kind] for modality, kind in qualities]
            for modality, kind in counts:
                values += row["removal"][modality][kind] or [None] * len(classes)
            for modality in ("audio", "visual"):
                values += row["removal"][modality].get("class_auc") or [None] * len(classes)
            values += [row[key] for key in ("seconds", "removal_seconds", "peak_memory_mb", "parameters")]
            lines.append([csv_value(value) for value in [*values, row["validation_labels"]]])
    return csv_lines(lines)


def score_cells(results: Results) -> dict[str, list[tuple[float, float, bool]]]:
    """Return mean, standard deviation and whether it is in bold, for each row and score.

    A score is in bold if it beats that of every other row: the 95 % bootstrap interval of the mean difference,
    paired by seed, lies above 0 for all of them. Rows that know the truth are left out of the contest. Fewer than
    `FEWEST_SEEDS` say too little: no bold.
    """
    cells = {}
    for name, rows in results.items():
        values = [_scores(rows, key) for key in SCORE_NAMES]
        cells[name] = [
            (float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0, _is_best(name, key, results))
            for key, v in zip(SCORE_NAMES, values, strict=True)
        ]
    return cells


def _is_best(name: str, key: str, results: Results) -> bool:
    if name in NOT_RANKED:
        return False
    mine = {row["seed"]: row["test"][key] for row in results[name]}
    for other, rows in results.items():
        if other == name or other in NOT_RANKED:
            continue
        pairs = [mine[row["seed"]] - row["test"][key] for row in rows if row["seed"] in mine]
        if len(pairs) < FEWEST_SEEDS or bootstrap_mean_interval(pairs)[0] <= 0:
            return False
    return len(results) > 1


def published_rows(results: Results) -> list[tuple[str, tuple[float, ...]]]:
    """Return the rows of the literature that rows of the benchmark answer to."""
    rows = known_rows()
    names = [rows[name].published for name in results if name in rows]
    return [(name, PUBLISHED[name]) for name in dict.fromkeys(names) if name is not None]


def latex_text(results: Results, title: str, never_visible: str | None = SPEECH_NAME) -> str:
    """Return the table in the layout of the papers: segment level left, event level right.

    Args:
        results: the cells' results by row.
        title: what was studied on what.
        never_visible: the class that the rule among the rows is about.
    """
    lines = [
        f"% {title}",
        "% mean and standard deviation over seeds; bold: better than every other row but the oracle",
        r"\begin{tabular}{l|ccccc|ccccc}",
        r"\hline",
        r" & \multicolumn{5}{c|}{Segment-level} & \multicolumn{5}{c}{Event-level} \\",
        "Method & " + " & ".join(text for _, text in SCORE_COLUMNS) + r" \\",
        r"\hline",
    ]
    for name, cells in score_cells(results).items():
        texts = [
            (rf"\textbf{{{m:.1f}}}" if best else f"{m:.1f}")
            + (rf"{{\scriptsize$\pm${s:.1f}}}" if len(results[name]) > 1 else "")
            for m, s, best in cells
        ]
        label = LATEX_SPECIAL.sub(r"\\\1", label_of(name, never_visible))
        lines.append(f"{label} & " + " & ".join(texts) + r" \\")
    published = published_rows(results)
    if published:
        lines += [r"\hline", r"\multicolumn{11}{l}{\emph{Published, LLP (other data, single runs)}} \\"]
        lines += [
            f"{name} & " + " & ".join(f"{v:.1f}" for v in values) + r" \\" for name, values in published
        ]
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def _scores(rows: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    return np.array([row["test"][key] for row in rows], np.float64)
