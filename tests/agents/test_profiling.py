"""Where the time of a run goes."""

import json
import time
from pathlib import Path

import pytest
import torch

from rlld_agents.profiling import PARTS, REST, WAITING, Profile, profile_table, total_seconds
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing import training
from rlld_gym.parsing.recipes import get_recipe
from tests.agents.runs import small_run


def test_nested_parts_keep_their_own_time() -> None:
    profile = Profile(torch.device("cpu"))
    with profile.active():
        with profile.part("policy"):
            time.sleep(0.02)
            with profile.part("data"):
                time.sleep(0.05)
            time.sleep(0.02)
        time.sleep(0.01)
    assert profile.seconds["data"] >= 0.05
    assert 0.04 <= profile.seconds["policy"] < profile.elapsed - 0.05
    assert profile.seconds[REST] >= 0.01
    assert sum(profile.seconds.values()) == pytest.approx(profile.elapsed, rel=1e-3)


def test_calls_are_timed_only_while_active_and_an_error_passes_through() -> None:
    data, recipe = shared_tensors("twin-tiny", "cpu"), get_recipe("compact-tiny").shortened(1)
    labels = data["train"].labels
    before = SplitTensors.batch, training._train_epoch
    profile = Profile(torch.device("cpu"))
    with profile.active():
        with pytest.raises(IndexError):
            data["train"].batch(torch.tensor([10**6]))
        parser = training.train_parser(data, labels, labels, recipe, hidden_size=8, seed=0)
    assert (SplitTensors.batch, training._train_epoch) == before
    assert all(profile.seconds[part] > 0 for part in ("data", "task training", "validation", REST))
    assert profile.seconds["task training"] > profile.seconds["data"]
    assert sum(profile.seconds.values()) == pytest.approx(profile.elapsed, rel=1e-3)
    plain = training.train_parser(data, labels, labels, recipe, hidden_size=8, seed=0)
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
    assert sum(found["seconds"].values()) == pytest.approx(found["elapsed"], rel=0.01)
    assert "| task training |" in capsys.readouterr().out
    results = [json.loads((folder / "result.json").read_text()) for folder in (plain, profiled)]
    assert results[0]["test"] == results[1]["test"]
    assert results[0]["removal"] == results[1]["removal"]
    assert not (plain / "profile.json").exists()
