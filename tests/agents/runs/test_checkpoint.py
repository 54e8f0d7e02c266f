"""Checkpoint files: what goes in comes out, and damaged ones are named."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlld_agents.runs.checkpoint import load_checkpoint, save_checkpoint
from rlld_gym.errors import InputError


def test_round_trip(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    state = {
        "numbers": [1, 2.5, True, None, "text", 2**120],
        "tuple": (torch.arange(3), np.float32(0.5)),
        "array": generator.random((2, 3)),
        "bits": np.array([True, False]),
        "generator": generator.bit_generator.state,
        "nested": {0: {"moment": torch.ones(2, dtype=torch.float64)}},
    }
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    loaded = load_checkpoint(tmp_path / "checkpoint.pt")
    assert loaded["numbers"] == state["numbers"]
    assert torch.equal(loaded["tuple"][0], torch.arange(3))
    np.testing.assert_array_equal(loaded["array"], state["array"])
    assert loaded["bits"].dtype == bool
    assert loaded["generator"] == state["generator"]
    assert loaded["nested"][0]["moment"].dtype == torch.float64
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_an_unknown_type_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"episode": 1})
    with pytest.raises(TypeError, match=r"cannot hold a .*Path"):
        save_checkpoint(path, {"path": tmp_path})
    assert load_checkpoint(path) == {"episode": 1}


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this code must not run",))


def test_bad_checkpoints_are_input_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "good.pt"
    save_checkpoint(path, {"weights": torch.zeros(1000)})
    content = path.read_bytes()
    (tmp_path / "truncated.pt").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(Payload()))
    torch.save({"payload": Payload()}, tmp_path / "code.pt")
    torch.save({"weights": torch.zeros(2)}, tmp_path / "foreign.pt")
    torch.save({"format": "rlld-checkpoint", "version": 99, "state": {}}, tmp_path / "newer.pt")
    torch.save({"format": "rlld-checkpoint"}, tmp_path / "unversioned.pt")
    torch.save({"format": "rlld-checkpoint", "version": 1}, tmp_path / "stateless.pt")
    cases = {
        "missing.pt": "no such checkpoint",
        "truncated.pt": "truncated",
        "empty.pt": "truncated",
        "text.pt": "not a readable checkpoint",
        "pickle.pt": "not a readable checkpoint",
        "code.pt": "not a readable checkpoint",
        "foreign.pt": "not a checkpoint of this program",
        "newer.pt": "version 99",
        "unversioned.pt": "version None",
        "stateless.pt": "holds no state of a run",
    }
    for name, message in cases.items():
        with pytest.raises(InputError, match=message) as error:
            load_checkpoint(tmp_path / name)
        assert name in str(error.value)
        assert "\n" not in str(error.value)
    assert "must not run" not in capsys.readouterr().out
