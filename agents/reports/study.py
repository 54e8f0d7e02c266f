"""All files that a study's report consists of."""

from collections.abc import Sequence
from pathlib import Path

from rlld_agents.baselines.rows import label_of
from rlld_agents.reports import benchmark, compare
from rlld_agents.reports import benchmark_tables as tables
from rlld_agents.reports import study_figures as figures
from rlld_agents.reports.benchmark import Results
from rlld_agents.reports.canvas import draw_or_warn
from rlld_agents.reports.figures import plot_convergence
from rlld_agents.reports.results import made_with, page
from rlld_gym.data.classes import SPEECH_NAME
from rlld_gym.files import write_text


def write_benchmark(
    folder: Path,
    results: Results,
    title: str,
    classes: Sequence[str],
    command: str,
    *,
    notes: Sequence[str] = (),
    never_visible: str | None = SPEECH_NAME,
) -> str:
    """Write results.csv, results.md, results.tex and figures of scores, removals and convergence.

    Args:
        folder: of the study.
        results: the cells' results by row, in table order, one for each seed.
        title: what was studied on what.
        classes: the class names.
        command: what makes the study anew.
        notes: sentences to say below the title of the tables.
        never_visible: the class that the rule among the rows is about; None: there is none.

    Returns:
        The tables, for people.
    """
    text = tables.markdown_text(results, "\n\n".join([title, *notes]), never_visible)
    write_text(folder / "results.csv", benchmark.csv_text(results, classes))
    write_text(folder / "results.md", f"{text}\n{made_with(command)}")
    write_text(folder / "results.tex", benchmark.latex_text(results, title, never_visible))
    scores, removal, convergence = _places(folder, "scores", "removal", "convergence")
    draw_or_warn(str(scores), lambda: figures.plot_scores(scores, results, title, never_visible))
    draw_or_warn(str(removal), lambda: figures.plot_removal(removal, results, classes, title, never_visible))
    curves = tables.curves_of(results)
    if curves:
        runs = {label_of(name, never_visible): of_row for name, of_row in curves.items()}
        draw_or_warn(str(convergence), lambda: plot_convergence(convergence, runs, title))
    return text


def write_comparison(
    folder: Path,
    results: Results,
    title: str,
    classes: Sequence[str],
    command: str,
    *,
    notes: Sequence[str] = (),
    never_visible: str | None = SPEECH_NAME,
) -> str:
    """Write compare.csv, compare.md, compare.tex, learning curves and bars; arguments as `write_benchmark`.

    Rows have the names that ``--agents`` takes, whatever class the rule is about.
    """
    text = "\n\n".join([page([title, *notes]), compare.table(results)])
    write_text(folder / "compare.csv", compare.csv_text(results))
    write_text(folder / "compare.md", f"{text}\n\n{made_with(command)}")
    write_text(folder / "compare.tex", benchmark.latex_text(results, title, never_visible))
    curves, scores = _places(folder, "curves", "scores")
    if any(rows[0]["curve"] for rows in results.values()):
        draw_or_warn(str(curves), lambda: figures.plot_curves(curves, results, title))
    draw_or_warn(str(scores), lambda: figures.plot_intervals(scores, results, title))
    return text


def _places(folder: Path, *names: str) -> list[Path]:
    return [folder / "figures" / f"{name}.png" for name in names]
