import csv
import io
from typing import Any

import numpy as np
import pytest

from rlld_agents.baselines.rows import PRESETS, row_of
from rlld_agents.reports.benchmark import csv_text, latex_text, published_rows, score_cells
from rlld_agents.reports.benchmark_tables import curves_of, markdown_text
from rlld_agents.reports.published import PUBLISHED
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_COLUMNS

CLASSES = ("Speech", "Dog")
KEYS = [name for name, _ in SCORE_COLUMNS]


def cell(seed: int, score: float, truth: bool = True) -> dict[str, Any]:
    """Return a cell's result whose ten scores are equal."""
    known = [2, 1] if truth else None
    counts = {"labels": [10, 5], "removed": [3, 0], "noisy": known, "correct": [1, 0] if truth else None}
    ratios = {"rate": 0.2, "precision": 1 / 3 if truth else None, "recall": None, "auc": 0.75}
    removal = {**ratios, **{f"{name}_without_speech": None for name in ratios}, **counts}
    return {
        "seed": seed,
        "test": dict.fromkeys(KEYS, score),
        "validation": dict.fromkeys(KEYS, score + 1),
        "removal": {"audio": removal, "visual": removal},
        "validation_labels": "none",
        "details": {},
        "seconds": 4.0,
        "removal_seconds": 1.0,
        "peak_memory_mb": 512,
        "parameters": 12345,
    }


def rows(*scores: float) -> list[dict[str, Any]]:
    return [cell(seed, score) for seed, score in enumerate(scores)]


def bold(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [name for name, cells in score_cells(results).items() if cells[0][2]]


def test_the_best_is_bold_only_if_the_paired_difference_is_clear() -> None:
    weak, clear = rows(50, 60, 55, 70), rows(51, 61, 57, 71)
    assert bold({"weak": weak, "jomold": clear}) == ["jomold"], (
        "seed by seed it wins, although the seeds differ"
    )
    assert bold({"weak": weak, "jomold": rows(70, 60, 70, 40)}) == []
    assert bold({"weak": weak[:3], "jomold": clear[:3]}) == [], "three seeds say too little"
    assert bold({"weak": weak, "jomold": clear, "ma": clear}) == [], "two equals"
    assert bold({"weak": weak}) == []


def test_rows_that_know_the_truth_are_out_of_the_contest() -> None:
    results = {"weak": rows(50, 51, 52, 53), "jomold": rows(55, 56, 57, 58), "oracle": rows(70, 70, 70, 70)}
    assert bold(results) == ["jomold"]


def test_seeds_are_paired_by_number_not_by_place() -> None:
    weak, ours = rows(50, 60, 55, 70), rows(51, 61, 57, 71)
    assert bold({"weak": weak, "jomold": ours[::-1]}) == ["jomold"]


def test_mean_and_spread() -> None:
    values = [50.0, 60.0, 55.0, 70.0]
    mean, spread, _ = score_cells({"weak": rows(*values)})["weak"][3]
    assert (mean, spread) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert score_cells({"weak": rows(50)})["weak"][0][:2] == (50.0, 0.0)
    assert "±" not in markdown_text({"weak": rows(50)}, "title").split("Bold")[1]
    assert "pm" not in latex_text({"weak": rows(50)}, "title")


def test_the_csv_has_a_line_for_every_run_and_blanks_where_nothing_is_known() -> None:
    lines = list(
        csv.DictReader(io.StringIO(csv_text({"weak": rows(50, 60), "ma": [cell(7, 65, False)]}, CLASSES)))
    )
    assert [(line["method"], line["seed"]) for line in lines] == [("weak", "0"), ("weak", "1"), ("ma", "7")]
    assert (lines[1]["test_segment_visual"], lines[1]["validation_event_event"]) == ("60", "61")
    assert (lines[0]["precision_audio"], lines[2]["precision_audio"]) == ("0.333333", "")
    assert (lines[0]["removed_visual_Speech"], lines[0]["correct_visual_Dog"]) == ("3", "0")
    assert lines[2]["correct_visual_Dog"] == lines[2]["noisy_visual_Dog"] == ""
    assert (lines[0]["labels_audio_Dog"], lines[0]["noisy_audio_Speech"]) == ("5", "2")
    assert all(None not in line and None not in line.values() for line in lines), "as many values as heads"


def test_published_numbers_stand_apart() -> None:
    results = {"weak": rows(50, 60), "jomold": rows(70, 71)}
    text, table = markdown_text(results, "title"), latex_text(results, "title")
    ours, published = text.split("published results on LLP")
    assert "62.2" not in ours
    assert "| JoMoLD | 60.6 | 62.2" in " ".join(published.split())
    assert "RLLD" not in published, "only rows that the benchmark has"
    assert table.index("Published, LLP") < table.index("JoMoLD & 60.6 & 62.2") < table.index(r"\end{tabular}")
    assert [line.count("&") for line in table.splitlines() if line.startswith(("JoMoLD", "weak"))] == [
        10,
        10,
        10,
    ]


def test_published_scores_obey_their_definition() -> None:
    """Type is the mean of audio, visual and audio-visual; the papers round to one digit."""
    misprinted = {("MA + CL", 0), ("MM-Pyramid", 1), ("DHHN", 1)}  # in the paper, by more than rounding
    for name, scores in PUBLISHED.items():
        for number, level in enumerate((scores[:5], scores[5:])):
            if (name, number) not in misprinted:
                assert level[3] == pytest.approx(np.mean(level[:3]), abs=0.11), name


def test_convergence_is_the_mean_of_the_last_episodes_of_rows_that_learn() -> None:
    results = {"weak": rows(50, 60), "rlld": rows(50, 60)}
    for seed, cell_ in enumerate(results["rlld"]):
        cell_["details"] = {"curve": {key: [90.0] * 7 + [seed + 1.0] * 100 for key in (*KEYS, "return")}}
    assert list(curves_of(results)) == ["rlld"]
    table = markdown_text(results, "title").split("Convergence:")[1].split("published")[0]
    assert "mean of the last 100 episodes or updates" in " ".join(table.split())
    assert table.count("1.5 ± 0.7") == 11
    assert "Convergence" not in markdown_text({"weak": rows(50)}, "title")
    for cell_ in results["rlld"]:
        cell_["details"] = {"curve": {"episode": [8.0], "return": [1.0]}}
    assert "Convergence" not in markdown_text(results, "title"), "a curve without scores"


def test_gains_over_the_rule_are_paired_by_seed() -> None:
    rule, ours = rows(50, 60, 55, 70), rows(52, 62, 57, 72)
    text = markdown_text({"weak": rows(50, 60, 55, 70), "no_visual_speech": rule, "jomold": ours}, "title")
    table = text.split("Gain over no visual Speech")[1].split("Removed labels")[0]
    assert table.count("+2.0 [+2.0, +2.0]") == 5, "JoMoLD's"
    assert table.count("+0.0 [+0.0, +0.0]") == 5, "the weak labels'"
    assert "| no visual Speech" not in table
    few = {"no_visual_speech": rule[:3], "jomold": ours[:3]}
    assert "Gain over" not in markdown_text(few, "title")


def test_every_row_has_a_method_and_a_published_name_that_exists() -> None:
    for preset in PRESETS.values():
        for name in preset:
            assert row_of(name).published is None or row_of(name).published in PUBLISHED
    assert published_rows({"weak": rows(1)}) == []
    with pytest.raises(InputError, match="expected some of weak"):
        row_of("unknown")


def test_a_row_that_lost_nearly_all_labels_of_a_modality_is_named() -> None:
    results = {"weak": rows(50, 51), "jomold": rows(20, 21), "ma": rows(30, 31)}
    assert "Warning" not in markdown_text(results, "")
    for row in results["jomold"]:
        row["removal"]["visual"] = {**row["removal"]["visual"], "rate": 0.97}
    assert "labels of a modality were removed by JoMoLD. Parsers" in " ".join(
        markdown_text(results, "").split()
    )
