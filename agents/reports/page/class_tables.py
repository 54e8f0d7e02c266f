"""Removals class by class: what went and what stayed, rightly or wrongly, and noise rates learned and true."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from rlld_agents.labels.removal import ModalityRemoval, RemovalQuality
from rlld_agents.reports.page.markup import table_html

PARTS = (
    ("noise-gone", "noise removed"),
    ("clean-gone", "clean removed"),
    ("noise-left", "noise kept"),
    ("clean-left", "clean kept"),
)
"""CSS class and name of the four outcomes of a label; "noise" is a label that is not true of the modality."""


def outcome_legend(*, known: bool) -> str:
    """Return what the colours of the bars mean, as HTML; where no truth is known, labels only go or stay."""
    texts = ("removed rightly", "removed wrongly", "noise that was kept", "kept rightly")
    if not known:
        texts = ("removed", "", "", "kept")
    lines = [
        f'<li><span class="swatch {css}"></span>{text}</li>'
        for (css, _), text in zip(PARTS, texts, strict=True)
        if text
    ]
    return "\n".join(['<ul class="legend">', *lines, "</ul>"])


def class_tables(quality: RemovalQuality, classes: Sequence[str], learned: NDArray[np.float64] | None) -> str:
    """Return a table per modality with a row per class, as HTML.

    Args:
        quality: counts per class.
        classes: C names.
        learned: (2, C), noise rates as the policy sees them; None where it says nothing of them.
    """
    modalities = (("audio", quality.audio), ("visual", quality.visual))
    return "\n".join(
        _table(name, modality, classes, None if learned is None else learned[index])
        for index, (name, modality) in enumerate(modalities)
    )


def _table(
    name: str, modality: ModalityRemoval, classes: Sequence[str], learned: NDArray[np.float64] | None
) -> str:
    known = modality.noisy is not None
    heads = ["class", "labels", "removed", *([] if learned is None else ["noise, learned"])]
    heads += ["noise, true", *(text for _, text in PARTS)] if known else []
    rows = []
    for index, class_name in enumerate(classes):
        labels, removed = int(modality.labels[index]), int(modality.removed[index])
        cells = [_class_button(index, class_name), str(labels), _share(removed, labels)]
        cells += [] if learned is None else [_percent(float(learned[index]))]
        parts = _outcomes(modality, index)
        if modality.noisy is not None:
            cells += [_share(int(modality.noisy[index]), labels), *map(str, parts)]
        rows.append([*cells, _bar(parts, known)])
    caption = f"{name.capitalize()} labels of the training videos"
    return table_html(caption, [*map(_sort_button, heads), "outcome"], rows)


def _outcomes(modality: ModalityRemoval, index: int) -> list[int]:
    """Return a class's numbers of labels in the order of PARTS; without truth, all that went counts as noise."""
    labels, removed = int(modality.labels[index]), int(modality.removed[index])
    if modality.noisy is None or modality.correct is None:
        return [removed, 0, 0, labels - removed]
    noisy, correct = int(modality.noisy[index]), int(modality.correct[index])
    return [correct, removed - correct, noisy - correct, labels - noisy - (removed - correct)]


def _bar(parts: Sequence[int], known: bool) -> str:
    """Return a stacked bar of a class's outcomes."""
    texts = [text if known else text.split()[1] for _, text in PARTS]
    total = sum(parts)
    spans = "".join(
        f'<span class="{css}" style="width:{100 * number / total:.1f}%" title="{text}: {number}"></span>'
        for (css, _), text, number in zip(PARTS, texts, parts, strict=True)
        if number
    )
    return f'<div class="bar" aria-hidden="true">{spans}</div>'


def _class_button(index: int, name: str) -> str:
    return (
        f'<button type="button" class="link" data-class="{index}" title="show its videos">'
        f"{escape(name)}</button>"
    )


def _sort_button(text: str) -> str:
    return f'<button type="button" class="sort">{text}</button>'


def _share(part: int, whole: int) -> str:
    return _percent(part / whole) if whole else "-"


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f} %"
