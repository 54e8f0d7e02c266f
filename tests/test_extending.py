"""The page about code of one's own: its examples run as they stand, from a module here and from a package."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from rlld_agents import NetworkPolicy, load_policy, save_policy
from rlld_agents.cli import main
from rlld_agents.experiments.study.config import CompareConfig
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import make_network, network_names
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.task_file import TaskNetworkInfo, load_task_network, save_task_network

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
MODULES = ("my_parser", "my_denoiser", "my_agent", "my_reward")
ENVIRONMENT = "rlld_gym:rlld/LabelDenoising-v0"
SIZES = {"audio_size": 5, "visual_2d_size": 6, "visual_3d_size": 3, "num_classes": 4, "hidden_size": 8}


def blocks(section: str, language: str) -> list[str]:
    """Return the code blocks of a section."""
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], flags=re.DOTALL)


def forget() -> None:
    """Let the next import read the modules anew."""
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Go to a working directory with the files of the page."""
    for section in SECTIONS:
        for code in blocks(section, "python"):
            if code.startswith("# my_"):
                (tmp_path / code.split()[1]).write_text(code, encoding="utf-8")
    (tmp_path / "my_recipe.json").write_text(blocks("A recipe", "json")[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    forget()
    yield tmp_path
    forget()


@pytest.fixture
def installed(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package with the entry points of the page: a folder on the path with a dist-info."""
    site = here / "site-packages"
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").touch()
    for module, new in (("my_parser", "parsers"), ("my_denoiser", "denoisers"), ("my_agent", "agents")):
        shutil.move(here / f"{module}.py", site / "my_package" / f"{new}.py")
    metadata = site / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    declared = blocks("From an installed package", "toml")[0]
    (metadata / "entry_points.txt").write_text(
        re.sub(r'\[project\.entry-points\."(.*?)"\]', r"[\1]", declared).replace('"', "")
    )
    monkeypatch.syspath_prepend(site)
    return site


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("section", ["A parser", "A recipe", "A denoiser", "An agent", "A reward"])
def test_the_examples_run_as_they_stand(section: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in "".join(blocks(section, "bash")).splitlines():
        program, *arguments = shlex.split(command)
        assert program == "rlld"
        assert main(arguments) == 0, capsys.readouterr().err
    for code in blocks(section, "python"):
        if not code.startswith("# my_"):
            exec(compile(code, section, "exec"), {})


def test_every_example_is_short() -> None:
    for section in SECTIONS:
        for code in blocks(section, "python"):
            assert len([line for line in code.splitlines() if line and not line.startswith("#")]) <= 22, code


@pytest.mark.usefixtures("here")
def test_what_a_parser_of_ones_own_leaves_is_itself_again() -> None:
    path = Path("runs/gru/parser-seed0.safetensors")
    assert main(["train-parser", "--data", "twin-tiny", "--out", "runs/gru", *OWN_PARSER]) == 0
    network, info = load_task_network(path)
    assert type(network).__name__ == "GRUParser"
    assert info.network == "my_parser:GRUParser"


OWN_PARSER = ("--task-network", "my_parser:GRUParser", "--epochs", "1")


def test_files_that_name_a_network_say_which_module_is_missing(here: Path) -> None:
    network = make_network("my_parser:GRUParser", **SIZES)
    info = TaskNetworkInfo("my_parser:GRUParser", dict(SIZES), "modality", {})
    save_task_network(here / "task.safetensors", network, info)
    policy = NetworkPolicy(
        "my_parser:GRUParser", audio_size=5, visual_size=9, num_classes=4, visual_3d_size=3
    )
    save_policy(policy, here / "policy.safetensors")
    assert type(load_policy(here / "policy.safetensors").network).__name__ == "GRUParser"  # type: ignore[union-attr]
    (here / "my_parser.py").unlink()
    forget()
    for load, name in ((load_task_network, "task.safetensors"), (load_policy, "policy.safetensors")):
        with pytest.raises(InputError) as caught:
            load(here / name)
        assert f"{name}: task network my_parser:GRUParser: there is no module 'my_parser'" in str(
            caught.value
        )
        assert "\n" not in str(caught.value)


def test_a_file_cannot_have_anything_but_a_network_called(here: Path) -> None:
    network = make_network("my_parser:GRUParser", **SIZES)
    save_task_network(here / "task.safetensors", network, TaskNetworkInfo("os:abort", {}, "modality", {}))
    with pytest.raises(InputError, match=r"os:abort.*is no subclass of .*TaskNetwork"):
        load_task_network(here / "task.safetensors")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def GRUParser(**sizes): ...", "is no subclass of"),
        (
            "from rlld_gym.parsing.networks import TaskNetwork\n"
            "class GRUParser(TaskNetwork):\n    def encode(self, *features): ...\n",
            "has no method head",
        ),
        (
            "from rlld_gym.parsing.networks import HAN\n"
            "class GRUParser(HAN):\n    def __init__(self, hidden_size): ...\n",
            "its constructor must take audio_size, .*hidden_size",
        ),
    ],
)
def test_a_parser_that_cannot_be_used_is_refused_in_a_line(here: Path, code: str, message: str) -> None:
    (here / "my_parser.py").write_text(code)
    with pytest.raises(InputError, match=f"task network my_parser:GRUParser: .*{message}"):
        make_network("my_parser:GRUParser", **SIZES)


@pytest.mark.usefixtures("installed")
def test_entry_points_of_an_installed_package_are_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert "gru" in network_names()
    assert type(make_network("gru", **SIZES)).__module__ == "my_package.parsers"
    own = ["denoise", "--with", "unseen", "--data", "twin-tiny", "--epochs", "1", "--out", "labels"]
    assert main(own) == 0, capsys.readouterr().err
    comparison = CompareConfig(agents=(), agent=("keep-audio",), controls=())
    comparison.check_plugins()
    assert comparison.row_names() == ("keep-audio",)
    env = gymnasium.make(ENVIRONMENT, data="twin-tiny", task_network="gru", task_start="fresh")
    env.reset(seed=0)
    env.step(env.action_space.sample())


@pytest.mark.usefixtures("here")
def test_a_recipe_file_trains_the_environments_network() -> None:
    env = gymnasium.make(ENVIRONMENT, data="twin-tiny", recipe="my_recipe.json", task_start="fresh")
    env.reset(seed=0)
    process = env.unwrapped._process  # type: ignore[attr-defined]
    assert process.config.recipe == get_recipe("my_recipe.json")
    assert type(process.task.network).__name__ == "GRUParser"


@pytest.mark.usefixtures("here")
def test_a_reward_of_ones_own_is_all_that_is_paid() -> None:
    from rlld_gym.envs.per_video import PerVideoVectorEnv  # noqa: PLC0415

    options = {"data": "twin-tiny", "episode_length": 2, "task_start": "fresh", "recipe": "compact-tiny"}
    options |= {"reward": "my_reward:my_reward", "batch_size": 16}
    env = gymnasium.make(ENVIRONMENT, **options)
    _, info = env.reset(seed=0)
    labels = info["action_mask"] > 0
    action = np.zeros_like(info["action_mask"])
    action[:, 1] = 1
    _, reward, _, _, info = env.step(action)
    # No video loses all its labels, so all visual ones are removed.
    paid = np.stack((np.zeros(16), 0.01 * labels[:, 1].sum(1)), 1)
    np.testing.assert_allclose(info["own_reward"], paid, rtol=1e-6)
    assert reward == pytest.approx(paid.mean())
    assert info["terminal_reward"] == 0
    _, reward, terminated, _, info = env.step(np.zeros_like(action))
    assert terminated
    assert info["reward_audio"] == pytest.approx(0.1 * info["segment_audio"], rel=1e-5)

    videos = PerVideoVectorEnv(16, **{key: value for key, value in options.items() if key != "batch_size"})
    videos.reset(seed=0)
    _, rewards, _, _, _ = videos.step(action.reshape(16, -1))
    np.testing.assert_allclose(rewards, paid.mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 1.0", "returned a float; expected a tensor"),
        ("return result.per_video_reward.mean()", r"returned shape \(\); expected a tensor \(16, 2\)"),
    ],
)
def test_a_reward_of_another_kind_is_refused(here: Path, body: str, message: str) -> None:
    (here / "my_reward.py").write_text(f"def my_reward(result):\n    {body}\n")
    env = gymnasium.make(
        ENVIRONMENT, data="twin-tiny", reward="my_reward:my_reward", batch_size=16, task_start="fresh"
    )
    env.reset(seed=0)
    with pytest.raises(InputError, match=f"reward my_reward:my_reward: {message}"):
        env.step(env.action_space.sample())


@pytest.mark.usefixtures("here")
def test_a_reward_that_is_not_there_is_refused_before_the_work_starts() -> None:
    with pytest.raises(InputError, match="reward my_reward:other: the module has no 'other'"):
        gymnasium.make(ENVIRONMENT, data="twin-tiny", reward="my_reward:other")


@pytest.mark.usefixtures("here")
def test_branch_rewards_are_those_of_every_video() -> None:
    Path("my_reward.py").write_text(
        "import torch\ndef my_reward(result):\n    return torch.tensor([1.0, 3.0])\n"
    )
    env = gymnasium.make(
        ENVIRONMENT, data="twin-tiny", reward="my_reward:my_reward", batch_size=16, task_start="fresh"
    )
    env.reset(seed=0)
    _, reward, _, _, info = env.step(env.action_space.sample())
    assert (reward, info["reward_audio"], info["reward_visual"]) == (2, 1, 3)
    assert torch.equal(torch.from_numpy(info["own_reward"]), torch.tensor([[1.0, 3.0]]).expand(16, 2))


def test_recipe_example_has_only_fields_of_recipes(here: Path) -> None:
    values = json.loads((here / "my_recipe.json").read_text())
    recipe = get_recipe("my_recipe.json")
    assert {name: getattr(recipe, name) for name in values} == values
