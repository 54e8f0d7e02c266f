"""Options as they come: numbers of numpy, paths, seeds of any size, and mistakes in what an agent is given."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import data_equivalence

from rlld_agents.cli import main
from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.reinforce.config import PresetReinforceConfig
from rlld_gym.environment_ids import LABEL_DENOISING
from rlld_gym.envs.options import EnvironmentArguments
from rlld_gym.errors import InputError

SMALL: dict[str, dict[str, Any]] = {
    "rlld/LabelDenoising-v0": {
        "data": "twin-tiny",
        "batch_size": 8,
        "episode_length": 3,
        "task_start": "fresh",
    },
    "rlld/PlantedNoise-v0": {},
}
SEEDS = ("-5", "4294967296", "99999999999999999999")


def test_numbers_of_numpy_and_paths_become_plain(tmp_path: Path) -> None:
    arguments = EnvironmentArguments(
        data=tmp_path / "s.h5",  # type: ignore[arg-type]
        batch_size=np.int64(8),
        overlap=np.float32(0.25),
        time_feature=np.True_,  # type: ignore[arg-type]
        data_seed=torch.tensor(3),  # type: ignore[arg-type]
        inter_weights=np.array([0.5, 2.0]),  # type: ignore[arg-type]
    )
    values = [
        arguments.data,
        arguments.batch_size,
        arguments.overlap,
        arguments.time_feature,
        arguments.data_seed,
    ]
    assert values == [str(tmp_path / "s.h5"), 8, 0.25, True, 3]
    assert [type(value) for value in values] == [str, int, float, bool, int]
    assert arguments.inter_weights == (0.5, 2.0)
    config = ExperimentConfig(data=tmp_path, agent=PresetReinforceConfig(episodes=np.int32(3)))  # type: ignore[arg-type]
    assert json.loads(json.dumps(config.as_dict()))["agent"]["episodes"] == 3
    with pytest.raises(InputError, match=r"batch_size is 8\.5"):
        EnvironmentArguments(batch_size=np.float64(8.5))  # type: ignore[arg-type]


def test_a_spec_is_json_whatever_it_was_made_with() -> None:
    env = gymnasium.make(
        LABEL_DENOISING, data=Path("twin-tiny"), batch_size=np.int64(8), overlap=np.float32(0.5)
    )
    assert env.spec is not None
    assert json.loads(env.spec.to_json())["kwargs"] == {"data": "twin-tiny", "batch_size": 8, "overlap": 0.5}
    again = gymnasium.make(env.spec)
    assert again.observation_space == env.observation_space


@pytest.mark.parametrize("id", ["rlld/LabelDenoising-v0", "rlld/PlantedNoise-v0"])
def test_seeds_of_numpy_are_seeds(id: str) -> None:
    env = gymnasium.make(f"rlld_gym:{id}", **SMALL[id])
    first, *others = (env.reset(seed=seed)[0] for seed in (3, np.int64(3), np.uint8(3)))
    assert all(data_equivalence(first, other) for other in others)


def test_a_state_goes_on_in_a_new_environment_as_it_is_made() -> None:
    """With the wrappers that ``make`` puts around it, which see a step and no reset."""
    env, fresh = (gymnasium.make(LABEL_DENOISING, **SMALL["rlld/LabelDenoising-v0"]) for _ in range(2))
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape or (), np.int8)
    env.step(action)
    fresh.unwrapped.set_state(env.unwrapped.get_state())  # type: ignore[attr-defined]
    for _ in range(2):
        there, here = env.step(action), fresh.step(action)
        assert data_equivalence(there[:2], here[:2])


@pytest.mark.parametrize("data", [3, None, ["twin-tiny"], object(), "a\0b", b"nowhere", np.arange(3)])
def test_what_names_no_data_is_refused(data: object) -> None:
    with pytest.raises(InputError, match=r"^data .*expected twin-tiny"):
        gymnasium.make(LABEL_DENOISING, data=data)


@pytest.mark.parametrize("device", ["cuda:99999999999999999999", 10**30, "meta", object()])
def test_what_names_no_device_is_refused(device: object) -> None:
    with pytest.raises(InputError, match="device"):
        gymnasium.make(LABEL_DENOISING, data="twin-tiny", batch_size=8, device=device)


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
@pytest.mark.parametrize(
    "option", ["learning-rate", "entropy-coefficient", "threshold", "overlap", "credit-scale"]
)
def test_numbers_are_finite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    out = tmp_path / "out"
    assert main(["train", "--quick", "--preset", "paper", "--out", str(out), f"--{option}", value]) == 2
    assert f"{option.replace('-', '_')} is {value}; expected a finite number" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "words",
    [
        ["train", "--quick", "--out", "x", "--seed"],
        ["train", "--quick", "--out", "x", "--data-seed"],
        ["denoise", "--with", "random", "--data", "twin-tiny", "--out", "x", "--seed"],
        ["evaluate", "--checkpoint", "x", "--data", "twin-tiny", "--seed"],
        ["train-parser", "--data", "twin-tiny", "--out", "x", "--data-seed"],
        ["data", "twin", "--scale", "tiny", "--out", "x", "--seed"],
    ],
)
def test_seeds_that_no_generator_takes_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    seed: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words, seed]) == 2
    error = capsys.readouterr().err
    assert "4294967295" in error
    assert seed in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"net_arch": [64]}, "unknown option 'net_arch'; expected some of data, data_seed, seed"),
        ({"hiden_size": 8}, "unknown option 'hiden_size'; did you mean hidden_size"),
        ({"hidden_size": "8"}, "hidden_size is '8'; expected an integer"),
        ({"hidden_size": 0}, "hidden_size is 0; expected an integer of at least 1"),
        ({"initialized_labels": 1}, "initialized_labels is 1; expected True or False"),
    ],
)
def test_mistakes_in_policy_kwargs_are_named(options: dict[str, object], message: str) -> None:
    network = pytest.importorskip("rlld_agents.sb3.network")
    with pytest.raises(InputError, match=message):
        network.check_policy_options(options)


def test_a_folder_is_no_file_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "twin", "--scale", "tiny", "--out", str(tmp_path)]) == 2
    assert "is a folder; name the file to write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--device", "meta"], "--device meta: not usable here"),
        (["--device", "cuda:99999999999999999999"], "not usable here"),
        (["--hidden-size", "99999999999999999999"], "--hidden-size is 99999999999999999999; expected"),
        (["--hidden-size", "1048576", "--task-network", "han"], "not enough memory"),
    ],
)
def test_what_no_machine_computes_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    command = ["train-parser", "--data", "twin-tiny", "--epochs", "1", "--device", "cpu"]
    assert main([*command, "--out", str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]
    assert not (tmp_path / "out" / "result.json").exists()
