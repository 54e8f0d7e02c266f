"""Where the time of a run goes."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from rlld_agents.experiments import profiling
from rlld_agents.experiments.profiling import PARTS, REST, WAITING, Profile, profile_table, total_seconds
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.parsing import training
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.profiling import timed_part
from tests.agents.cli_runs import small_run


@dataclass
class Clock:
    """Stands still unless it is moved; in the place of the module ``time``."""

    now: float = 1000.0

    def perf_counter(self) -> float:
        return self.now


def test_nested_parts_keep_their_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(profiling, "time", clock)
    profile = Profile(torch.device("cpu"))
    with profile.active():
        with timed_part("policy"):
            clock.now += 2
            with timed_part("data"):
                clock.now += 5
            clock.now += 4
        clock.now += 1
    clock.now += 100
    used = {part: seconds for part, seconds in profile.seconds.items() if seconds}
    assert used == {"policy": 6, "data": 5, REST: 1}
    assert profile.elapsed == 12


def test_calls_are_timed_only_while_active_and_an_error_passes_through() -> None:
    data, recipe = shared_tensors("twin-tiny", "cpu"), get_recipe("compact-tiny").shortened(1)
    labels = data["train"].labels
    profile = Profile(torch.device("cpu"))
    with profile.active():
        with pytest.raises(IndexError):
            data["train"].batch(torch.tensor([10**6]))
        parser = training.train_parser(data, labels, labels, recipe, hidden_size=8, seed=0)
    before = dict(profile.seconds)
    assert all(profile.seconds[part] > 0 for part in ("data", "task training", "validation", REST))
    assert sum(profile.seconds.values()) <= profile.elapsed * (1 + 1e-9), "no time is counted twice"
    with timed_part("data"):
        plain = training.train_parser(data, labels, labels, recipe, hidden_size=8, seed=0)
    assert profile.seconds == before, "nobody records"
    for name, weight in plain.network.state_dict().items():
        assert torch.equal(weight, parser.network.state_dict()[name])


def test_the_table_adds_processes_up_and_leaves_waiting_out() -> None:
    here = dict.fromkeys(PARTS, 1.0) | {WAITING: 5.0}
    there = dict.fromkeys(PARTS, 0.0) | {"task training": 3.0}
    seconds = total_seconds([here, there])
    assert WAITING not in seconds
    assert seconds["task training"] == 4.0
    shares = [float(line.split("|")[3].strip(" %")) for line in profile_table(seconds).splitlines()[2:]]
    assert sum(shares[:-1]) == pytest.approx(shares[-1], abs=0.5) == 100.0


@pytest.mark.long
def test_a_profiled_run_of_the_paper_s_preset_is_the_same_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--label-sets", "denoised")
    plain, profiled = (
        small_run(tmp_path / "plain", *options),
        small_run(tmp_path / "p", *options, "--profile"),
    )
    found = json.loads((profiled / "profile.json").read_text())
    assert set(found["seconds"]) == set(PARTS) - {WAITING}
    assert all(value > 0 for value in found["seconds"].values()), "environment and policy, too"
    assert sum(found["seconds"].values()) == pytest.approx(found["elapsed"], rel=0.1)
    assert "| task training |" in capsys.readouterr().out
    results = [json.loads((folder / "result.json").read_text()) for folder in (plain, profiled)]
    assert results[0]["test"] == results[1]["test"]
    assert results[0]["removal"] == results[1]["removal"]
    assert not (plain / "profile.json").exists()
