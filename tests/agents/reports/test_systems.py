"""Tables of systems on label sets."""

from pathlib import Path
from typing import Any

from rlld_agents.baselines.rows import LABEL_SETS, SYSTEM_ROWS
from rlld_agents.baselines.systems import SYSTEMS
from rlld_agents.reports.published import PUBLISHED
from rlld_agents.reports.systems import csv_text, markdown_text, write_systems
from rlld_gym.parsing.metrics import SCORE_NAMES
from rlld_gym.parsing.recipes import system_recipe


def run(system: str, labels: str, seed: int, score: float, seconds: float = 1.0) -> dict[str, Any]:
    scores = dict.fromkeys(SCORE_NAMES, score)
    common = dict.fromkeys(SCORE_NAMES, score + 1)
    about = {"recipe": "r", "width": 8, "epochs": 2, "best_epoch": 1, "parameters": 1234, "seconds": 3.0}
    made = {"method": f"{system}@{labels}", "system": system, "labels": labels, "seed": seed, **about}
    return {**made, "test": scores, "common": common, "epoch_seconds": seconds}


def results() -> dict[str, list[dict[str, Any]]]:
    scores = {"han@weak": (50, 52), "han@joint": (60, 64), "cpsp@weak": (40, 40), "cpsp@joint": (41, 45)}
    return {
        name: [
            run(*name.split("@"), seed, score, seconds=3.0 if name.startswith("cpsp") else 1.5)
            for seed, score in enumerate(pair)
        ]
        for name, pair in scores.items()
    }


def test_tables_show_both_rules_gains_paired_by_seed_cost_and_published_rows() -> None:
    text = markdown_text(results(), "title")
    own, rest = text.split("The same runs")
    assert own.count("62.0 ± 2.8") == 10
    assert rest.count("63.0 ± 2.8") == 10
    gains = rest.split("Gain over weak labels")[1].split("Width and length")[0]
    lines = {tuple(part.strip() for part in line.split("|")[1:4]) for line in gains.splitlines()}
    source = LABEL_SETS["joint"].label
    assert ("HAN", source, "+11.0 [+10.0, +12.0]") in lines
    assert ("CPSP", source, "+3.0 [+1.0, +5.0]") in lines
    assert ("all systems", source, "+7.0 [+3.0, +11.0]") in lines
    cost = rest.split("Width and length")[1]
    row = next(line for line in cost.splitlines() if line.startswith("| CPSP "))
    assert [part.strip() for part in row.split("|")[2:-1]] == ["r", "8", "2", "1 234", "3.0", "2.0"]
    assert "CPSP + RLLD" in cost


def test_files_of_a_study(tmp_path: Path) -> None:
    write_systems(tmp_path, results(), "title", "rlld benchmark --preset systems")
    assert len((tmp_path / "systems.csv").read_text().splitlines()) == 9
    assert csv_text(results()).startswith("system,labels,seed,")
    assert "rlld benchmark --preset systems" in (tmp_path / "systems.md").read_text()
    assert (tmp_path / "figures" / "systems.png").read_bytes().startswith(b"\x89PNG")


def test_every_system_has_a_recipe_of_both_sizes_and_known_published_rows() -> None:
    for name, system in SYSTEMS.items():
        wide, narrow = system_recipe(name, "rlld"), system_recipe(name, "compact")
        assert wide.network == narrow.network
        assert system_recipe(name, "compact-tiny").epochs > narrow.epochs
        assert set(system.published.values()) <= set(PUBLISHED)
        assert set(system.published) <= set(LABEL_SETS)
    assert len(SYSTEM_ROWS) == len(SYSTEMS) * len(LABEL_SETS)
