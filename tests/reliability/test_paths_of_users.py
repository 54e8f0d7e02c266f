"""Paths and numbers as users give them: what is not written over, waited for, or done too late."""

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from rlld_agents.cli import main
from rlld_gym.data import FeatureStore
from rlld_gym.data.llp.annotation_files import read_dense
from rlld_gym.data.llp.npy_layout import write_npy_layout
from rlld_gym.data.llp.npy_scan import read_npy_header
from rlld_gym.errors import InputError
from tests.reliability.toys import toy_store


@pytest.mark.parametrize("command", ["train", "benchmark", "compare"])
def test_more_dense_videos_than_there_are_leave_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    toy_store().save(tmp_path / "toy.h5")
    out = tmp_path / "out"
    assert (
        main(
            [
                command,
                "--data",
                str(tmp_path / "toy.h5"),
                "--batch-size",
                "8",
                "--dense-videos",
                "9",
                "--out",
                str(out),
            ]
        )
        == 2
    )
    assert "found 9, expected at most 8, the validation videos" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "--checkpoint", "run", "--out", "theirs"],
        ["report", "run", "--out", "theirs"],
        ["data", "twin", "--scale", "tiny", "--out", "theirs"],
        ["data", "import", "--annotations", "a", "--features", "f", "--out", "theirs"],
        ["data", "import", "--annotations", "a", "--features", "f", "--out", "new.h5", "--defects", "theirs"],
    ],
    ids=lambda words: " ".join(words[:2] + words[-2:-1]),
)
def test_files_of_another_kind_are_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """A store, a network or a result may be the only one there is."""
    monkeypatch.chdir(tmp_path)
    content = b"\x93NUMPY" if "store" in words[-2] or words[0] == "data" else b'{"test": {}}'
    (tmp_path / "theirs").write_bytes(content)
    assert main(words) == 2
    assert f"{words[-2]} theirs: is there already and is not" in capsys.readouterr().err
    assert (tmp_path / "theirs").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_a_file_that_may_not_be_read_is_not_to_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    toy_store().save(tmp_path / "toy.h5")
    monkeypatch.setattr("rlld_gym.os_errors.open", denied, raising=False)
    with pytest.raises(InputError, match=r"no permission; .*expected a feature store$"):
        FeatureStore.open(tmp_path / "toy.h5")
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"no such file or folder; .*make it again"):
        FeatureStore.open(tmp_path / "none.h5")


def test_an_environment_plays_on_its_own_data_wherever_the_program_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    toy_store().save(tmp_path / "toy.h5")
    toy_store(features_seed=1).save(tmp_path / "there" / "toy.h5")
    monkeypatch.chdir(tmp_path)
    arguments: dict[str, Any] = {
        "data": "toy.h5",
        "batch_size": 8,
        "episode_length": 2,
        "task_start": "fresh",
    }
    for name in ("LabelDenoising", "LabelDenoisingRates"):
        arguments["task_start"] = "fresh" if name == "LabelDenoising" else "pretrained"
        monkeypatch.chdir(tmp_path)
        env = gym.make(f"rlld_gym:rlld/{name}-v0", **arguments)
        stored = pickle.dumps(env.unwrapped)
        expected = env.reset(seed=0)[0]
        later = gym.make(f"rlld_gym:rlld/{name}-v0", **arguments)
        monkeypatch.chdir(tmp_path / "there")
        for other in (later, pickle.loads(stored)):
            assert data_equivalence(expected, other.reset(seed=0)[0], exact=True)


def test_features_of_users_are_not_replaced_by_made_ones(tmp_path: Path) -> None:
    own = tmp_path / "vggish" / "v0000000001.npy"
    own.parent.mkdir()
    np.save(own, np.ones((10, 3)))
    before = own.read_bytes()
    with pytest.raises(InputError, match=r"vggish: holds files already, and there is no source.json"):
        write_npy_layout(toy_store(), tmp_path, frames=10)
    assert own.read_bytes() == before
    for _ in range(2):  # what it wrote itself it replaces
        assert write_npy_layout(toy_store(), tmp_path / "new", frames=10) > 0


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "features.npy")
    with pytest.raises(ValueError, match="a pipe or a device, not a file"):
        read_npy_header(tmp_path / "features.npy")


def test_a_time_that_is_no_time_of_day(tmp_path: Path) -> None:
    path = tmp_path / "AVVP_eval_audio.csv"
    path.write_text("filename\tonset\toffset\tevent_labels\nv0000000001_0_10\t0\t" + "9" * 5000 + "\tDog\n")
    with pytest.raises(InputError, match="bad onset or offset"):
        read_dense(path)
