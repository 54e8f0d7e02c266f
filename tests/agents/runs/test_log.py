"""Metric files: what they hold, and that a resumed run continues them."""

import csv
import json
from pathlib import Path

import pytest

from rlld_agents.runs.log import RunLog, environment_metrics, read_rows


def row(episode: int, **more: float) -> dict[str, float]:
    fixed = {"episode": episode, "time/total_timesteps": 4 * episode, "rollout/ep_rew_mean": episode / 3}
    return fixed | more


def csv_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_on_disk_as_soon_as_they_are_written(tmp_path: Path) -> None:
    with RunLog(tmp_path / "run", tensorboard=False) as log:
        log.write(row(1))
        log.write(row(2))
        assert read_rows(tmp_path / "run" / "metrics.jsonl") == [row(1), row(2)]
        found = [{name: float(value) for name, value in line.items()} for line in csv_rows(tmp_path / "run")]
        assert found == [row(1), row(2)]


def test_resuming_drops_later_episodes_and_a_torn_line(tmp_path: Path) -> None:
    with RunLog(tmp_path, tensorboard=False) as log:
        for episode in (1, 2, 3):
            log.write(row(episode))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row(4))[:20])
    with RunLog(tmp_path, keep_episodes=2, tensorboard=False) as log:
        log.write(row(3, late=1.0))
    assert read_rows(tmp_path / "metrics.jsonl") == [row(1), row(2), row(3, late=1.0)]
    assert [line["episode"] for line in csv_rows(tmp_path)] == ["1", "2", "3"]
    assert [line["late"] for line in csv_rows(tmp_path)] == ["", "", "1.0"]


def test_a_new_run_starts_new_files(tmp_path: Path) -> None:
    for _ in range(2):
        with RunLog(tmp_path, tensorboard=False) as log:
            log.write(row(1))
    assert read_rows(tmp_path / "metrics.jsonl") == [row(1)]


def test_no_file_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "metrics.jsonl") == []


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    with RunLog(tmp_path, tensorboard=False) as log, pytest.raises(ValueError, match="JSON"):
        log.write(row(1, bad=float("nan")))


def test_tensorboard_gets_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    with RunLog(tmp_path) as log:
        for episode in (1, 2, 3):
            log.write(row(episode))
    with RunLog(tmp_path, keep_episodes=2) as log:
        log.write(row(3))
    events = EventAccumulator(str(tmp_path)).Reload()
    values = [(event.step, event.value) for event in events.Scalars("rollout/ep_rew_mean")]
    assert values == [(4 * episode, pytest.approx(episode / 3)) for episode in (1, 2, 3)]


def test_environment_metrics() -> None:
    infos = [
        {"inter_reward": 1.0, "n_removed_audio": 2, "reward_audio": 1.0, "action_mask": [2]},
        {"inter_reward": 0.0, "n_removed_audio": 4, "reward_audio": 1.0, "segment_audio": 19.5, "flag": True},
    ]
    expected = {"env/inter_reward": 0.5, "env/removed_audio": 3.0, "env/segment_audio": 19.5}
    assert environment_metrics(infos) == expected
