"""results.csv, results.md and results.tex: what came out of a benchmark."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.figures import Curves
from rlld_agents.results import SCORE_COLUMNS, markdown
from rlld_agents.sweep.statistics import bootstrap_mean_interval

from .published import PUBLISHED
from .rows import row_of

Results = Mapping[str, Sequence[Mapping[str, Any]]]
"""The cells' results by row, in table order, one for each seed."""

NOT_RANKED = ("oracle",)
"""Rows that know the answer and are never in bold."""

FEWEST_SEEDS = 4
"""Seeds that a claim to be best needs: the bootstrap interval of two or three is little more than their range."""

LAST_EPISODES = 100
"""Episodes whose mean stands for an agent's convergence (Figures 6-11 of RLLD, arXiv 2412.19563)."""

SCORES = tuple(name for name, _ in SCORE_COLUMNS)
QUALITIES = ("rate", "precision", "recall", "auc")


def csv_text(results: Results, classes: Sequence[str]) -> str:
    """Return one row per cell: scores, removals (per modality, without Speech, per class), cost, what was used."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    qualities = [
        (modality, kind + ending)
        for modality in ("audio", "visual")
        for ending in ("", "_without_speech")
        for kind in QUALITIES
    ]
    counts = [(m, kind) for m in ("audio", "visual") for kind in ("removed", "correct")]
    head = [
        "method",
        "seed",
        *(f"test_{name}" for name in SCORES),
        *(f"validation_{name}" for name in SCORES),
    ]
    head += [f"{kind}_{modality}" for modality, kind in qualities]
    head += [f"{kind}_{modality}_{name}" for modality, kind in counts for name in classes]
    writer.writerow(
        [*head, "seconds", "removal_seconds", "peak_memory_mb", "parameters", "validation_labels"]
    )
    for name, rows in results.items():
        for row in rows:
            values: list[Any] = [name, row["seed"]]
            values += [row[split][score] for split in ("test", "validation") for score in SCORES]
            values += [row["removal"][modality][kind] for modality, kind in qualities]
            for modality, kind in counts:
                values += row["removal"][modality][kind] or [None] * len(classes)
            values += [row[key] for key in ("seconds", "removal_seconds", "peak_memory_mb", "parameters")]
            writer.writerow([_plain(value) for value in [*values, row["validation_labels"]]])
    return text.getvalue()


def score_cells(results: Results) -> dict[str, list[tuple[float, float, bool]]]:
    """Return mean, standard deviation and whether it is in bold, for each row and score.

    A score is in bold if it beats that of every other row: the 95 % bootstrap interval of the mean difference,
    paired by seed, lies above 0 for all of them. Rows that know the truth are left out of the contest. Fewer than
    `FEWEST_SEEDS` say too little: no bold.
    """
    cells = {}
    for name, rows in results.items():
        values = [_scores(rows, key) for key in SCORES]
        cells[name] = [
            (float(v.mean()), float(v.std(ddof=1)) if len(v) > 1 else 0.0, _is_best(name, key, results))
            for key, v in zip(SCORES, values, strict=True)
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


def markdown_text(results: Results, title: str) -> str:
    """Return the tables for people: scores, removals, cost, and the published rows in a block of their own."""
    heads = [text for _, text in SCORE_COLUMNS]
    heads[0], heads[5] = "segment A", "event A"
    bold = score_cells(results)
    rows = [
        [
            row_of(name).label,
            *(f"**{m:.1f}** ± {s:.1f}" if best else f"{m:.1f} ± {s:.1f}" for m, s, best in cells),
        ]
        for name, cells in bold.items()
    ]
    removal = [_removal_row(name, rows_) for name, rows_ in results.items()]
    cost = [_cost_row(name, rows_) for name, rows_ in results.items()]
    parts = [
        title,
        "Test F-scores (%): mean ± standard deviation over the seeds. Bold: better than every other row but the "
        f"oracle, the 95 % bootstrap interval of the paired difference above 0 with at least {FEWEST_SEEDS} seeds",
        markdown(["", *heads], rows),
        "Removed labels, mean over the seeds; AUC: how well the method ranks noisy labels",
        markdown(
            [
                "",
                *("audio removed", "precision", "recall", "AUC"),
                *("visual removed", "precision", "recall", "AUC", "AUC without Speech"),
            ],
            removal,
        ),
        "Cost: seconds of removal and of all, peak memory of the process, parameters; which validation labels",
        markdown(["", "removal (s)", "all (s)", "memory (MB)", "parameters", "validation labels"], cost),
    ]
    curves = curves_of(results)
    if curves:
        number = min(LAST_EPISODES, *(len(run["return"]) for runs in curves.values() for run in runs))
        parts += [
            "Convergence: validation F-scores (%) of the environment's parser and return, mean of the last "
            f"{number} episodes, ± standard deviation over the seeds",
            markdown(
                ["", *heads, "return"], [_convergence_row(n, runs, number) for n, runs in curves.items()]
            ),
        ]
    published = published_rows(results)
    if published:
        parts += [
            "For orientation: **published results on LLP**, real data, single runs; not comparable in level",
            markdown(["", *heads], [[name, *(f"{v:.1f}" for v in values)] for name, values in published]),
        ]
    return "\n\n".join(parts) + "\n"


def curves_of(results: Results) -> dict[str, list[Curves]]:
    """Return the learning curves of the rows that have some: scores and "return", (E,) numbers per episode."""
    curves = {name: [row["details"].get("curve") for row in rows] for name, rows in results.items()}
    return {
        name: [{key: np.array(values) for key, values in run.items()} for run in runs if run]
        for name, runs in curves.items()
        if any(runs)
    }


def published_rows(results: Results) -> list[tuple[str, tuple[float, ...]]]:
    """Return the rows of the literature that rows of the benchmark answer to."""
    names = [row_of(name).published for name in results]
    return [(name, PUBLISHED[name]) for name in names if name is not None]


def latex_text(results: Results, title: str) -> str:
    """Return the table in the layout of the papers: segment level left, event level right."""
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
            (rf"\textbf{{{m:.1f}}}" if best else f"{m:.1f}") + rf"{{\scriptsize$\pm${s:.1f}}}"
            for m, s, best in cells
        ]
        lines.append(f"{row_of(name).label} & " + " & ".join(texts) + r" \\")
    published = published_rows(results)
    if published:
        lines += [r"\hline", r"\multicolumn{11}{l}{\emph{Published, LLP (other data, single runs)}} \\"]
        lines += [
            f"{name} & " + " & ".join(f"{v:.1f}" for v in values) + r" \\" for name, values in published
        ]
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def _scores(rows: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    return np.array([row["test"][key] for row in rows], np.float64)


def _removal_row(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    texts = [row_of(name).label]
    for modality, kinds in (("audio", QUALITIES), ("visual", (*QUALITIES, "auc_without_speech"))):
        for kind in kinds:
            known = [v for row in rows if (v := row["removal"][modality][kind]) is not None]
            share = not kind.startswith("auc")
            texts.append(
                "-" if not known else f"{100 * np.mean(known):.1f} %" if share else f"{np.mean(known):.3f}"
            )
    return texts


def _convergence_row(name: str, runs: Sequence[Curves], number: int) -> list[str]:
    texts = [row_of(name).label]
    for key in (*SCORES, "return"):
        means = np.array([np.mean(run[key][-number:]) for run in runs])
        texts.append(f"{means.mean():.1f} ± {means.std(ddof=1) if len(means) > 1 else 0.0:.1f}")
    return texts


def _cost_row(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    mean = {
        key: np.mean([row[key] for row in rows]) for key in ("removal_seconds", "seconds", "peak_memory_mb")
    }
    return [
        row_of(name).label,
        *(f"{value:.0f}" for value in mean.values()),
        f"{rows[0]['parameters']:,}".replace(",", " "),
        rows[0]["validation_labels"],
    ]


def _plain(value: Any) -> Any:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value
