"""Tables of a run's results, in Markdown that also reads well in a terminal."""

import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from statistics import mean, stdev
from typing import Any, Final

from rlld_agents.labels.removal import ModalityRemoval, RemovalQuality
from rlld_agents.reports.figures import in_table_order, label_set_text
from rlld_gym.data.classes import SPEECH_NAME
from rlld_gym.data.split import Split
from rlld_gym.files import csv_lines
from rlld_gym.parsing.metrics import SCORE_COLUMNS

SCORE_HEADS = tuple(
    f"{name.partition('_')[0]} {text}" if text == "A" else text for name, text in SCORE_COLUMNS
)
"""Headings of the ten scores in a table without levels above them."""

NEAR_CHANCE: Final = 0.6
"""Estimated AUC below which removals are little better than drawn at random."""

PER_CLASS_NAME: Final = "removal_per_class.csv"
"""File with the counts of `removal_csv`."""

_COMMAND_WIDTH: Final = 112
"""Letters of a line of a command, without what stands before and after it."""

Scores = Mapping[str, Sequence[Mapping[str, float]]]


def mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each of the ten scores over parser seeds."""
    return {name: mean(row[name] for row in scores) for name, _ in SCORE_COLUMNS}


def score_table(scores: Scores, never_visible: str | None = SPEECH_NAME) -> str:
    """Return the ten test scores per label set: segment level on the left, event level on the right.

    Args:
        scores: per label set, the scores (percent) of one or more parser seeds; means are shown.
        never_visible: the class that the rule among the label sets is about.
    """
    rows = []
    for label_set in in_table_order(scores):
        values = mean_scores(scores[label_set])
        rows.append(
            [label_set_text(label_set, never_visible), *(f"{values[name]:.1f}" for name, _ in SCORE_COLUMNS)]
        )
    return markdown(["parser trained on", *SCORE_HEADS], rows)


def epoch_note(validation: Split) -> str:
    """Return what must be said of parsers where no dense validation label says which epoch is best; else empty."""
    if validation.truth() is not None:
        return ""
    return "The validation videos have no dense labels: parsers are those of the last epoch"


def no_test_scores(name: str) -> str:
    """Return the sentence that stands where the test scores of a data set would."""
    return f"The test split of {name} has no dense labels: there are no test scores."


def deviation_table(scores: Scores, never_visible: str | None = SPEECH_NAME) -> str:
    """Return the standard deviations over parser seeds in :func:`score_table`'s layout; "" for one seed."""
    names = [name for name in in_table_order(scores) if len(scores[name]) > 1]
    if not names:
        return ""
    rows = [
        [
            label_set_text(n, never_visible),
            *(f"{stdev(row[key] for row in scores[n]):.1f}" for key, _ in SCORE_COLUMNS),
        ]
        for n in names
    ]
    return markdown(["parser trained on", *SCORE_HEADS], rows)


def removal_table(quality: RemovalQuality) -> str:
    """Return how many labels were removed per modality, and how rightly where the truth is known."""
    rows = [_removal_row("audio", quality.audio), _removal_row("visual", quality.visual)]
    return markdown(["labels", "number", "truly noisy", "removed", "precision", "recall", "AUC"], rows)


def estimate_table(estimate: Mapping[str, Any], never_visible: str | None = SPEECH_NAME) -> str:
    """Return an estimate of removal quality (of a `RemovalEstimate`), with and without the class of the rule."""
    rows = []
    for name, values, ending in _estimated(estimate, never_visible):
        shares = [_percent(values[f"{key}{ending}"]) for key in ("noise", "rate", "precision", "recall")]
        rows.append([name, str(values[f"labels{ending}"]), *shares, _area(values[f"auc{ending}"])])
    return markdown(["labels", "number", "truly noisy", "removed", "precision", "recall", "AUC"], rows)


def near_chance(estimate: Mapping[str, Any], never_visible: str | None = SPEECH_NAME) -> str:
    """Return what must be said below `estimate_table` where the AUC of a row is hardly above 0.5; else empty."""
    areas = [(name, values[f"auc{ending}"]) for name, values, ending in _estimated(estimate, never_visible)]
    low = [f"{name} {area:.2f}" for name, area in areas if area is not None and area < NEAR_CHANCE]
    if not low:
        return ""
    return (
        f"Warning: the AUC is near chance, 0.5, or below ({', '.join(low)}): do not use these labels; see "
        "docs/datasets/own.md."
    )


def _estimated(
    estimate: Mapping[str, Any], never_visible: str | None
) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield the rows of an estimate: their names, the modality's values and the ending of their keys."""
    for modality in ("audio", "visual"):
        for ending, text in (("", ""), ("_without_speech", f" without {never_visible}")):
            if f"auc{ending}" in estimate[modality]:
                yield f"{modality}{text}", estimate[modality], ending


def removal_csv(quality: RemovalQuality, classes: Sequence[str]) -> str:
    """Return the counts per class as CSV text; fields of unknown truth are empty."""
    kinds = ("removed", "noisy", "correct")
    rows: list[list[str | int]] = [
        ["class", "labels", *(f"{m}_{kind}" for m in ("audio", "visual") for kind in kinds)]
    ]
    for index, name in enumerate(classes):
        row: list[str | int] = [name, int(quality.audio.labels[index])]
        for modality in (quality.audio, quality.visual):
            for counts in (modality.removed, modality.noisy, modality.correct):
                row.append("" if counts is None else int(counts[index]))
        rows.append(row)
    return csv_lines(rows)


def _removal_row(name: str, modality: ModalityRemoval) -> list[str]:
    shares = [modality.noise_rate, modality.removal_rate, modality.precision, modality.recall]
    return [name, str(int(modality.labels.sum())), *map(_percent, shares), _area(modality.auc)]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _area(area: float | None) -> str:
    return "-" if area is None else f"{area:.3f}"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, first column to the left and all others to the right, with aligned cells."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = [_line(heads, widths)]
    lines.append(
        "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    )
    lines += [_line(row, widths) for row in rows]
    return "\n".join(lines)


def page(parts: Iterable[str]) -> str:
    """Return paragraphs and Markdown tables, one below the other; the lines of paragraphs are wrapped."""
    return "\n\n".join(part if part.startswith("|") else _wrapped(part) for part in parts)


def _wrapped(text: str) -> str:
    fill = partial(textwrap.fill, width=116, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(fill, text.splitlines()))


def made_with(command: str) -> str:
    """Return the last section of a page of results: the shell command that makes them anew, in lines to be copied.

    Args:
        command: as `shlex.join` writes it.
    """
    lines = [""]
    for unit in _units(shlex.split(command)):
        longer = f"{lines[-1]} {unit}".strip()
        if lines[-1] and len(longer) > _COMMAND_WIDTH:
            lines.append(unit)
        else:
            lines[-1] = longer
    text = " \\\n    ".join(lines)
    return f"Made with\n\n```bash\n{text}\n```\n"


def _units(words: Sequence[str]) -> Iterator[str]:
    """Yield the quoted words of a command; an option stays with its first value."""
    rest = list(map(shlex.quote, words))
    while rest:
        unit = rest.pop(0)
        if unit.startswith("--") and rest and not rest[0].startswith("--"):
            unit += f" {rest.pop(0)}"
        yield unit


def mean_with_spread(values: Iterable[float], digits: int = 1) -> str:
    """Return the mean of values over seeds and their standard deviation, such as "61.2 ± 0.4"."""
    known = list(values)
    return with_spread(f"{mean(known):.{digits}f}", stdev(known) if len(known) > 1 else None, digits)


def with_spread(text: str, deviation: float | None, digits: int = 1) -> str:
    """Return a mean with a standard deviation; alone where it is None: one seed says nothing about spread."""
    return text if deviation is None else f"{text} ± {deviation:.{digits}f}"


def csv_value(value: Any) -> Any:
    """Return what a CSV file shows of a value: nothing of None, six digits of a float."""
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    texts = [
        cell.ljust(w) if i == 0 else cell.rjust(w)
        for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
    ]
    return "| " + " | ".join(texts) + " |"
