import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from rlld_agents.baselines import Context
from rlld_agents.baselines.agents import Task
from rlld_agents.baselines.agents.bundled import AGENTS
from rlld_agents.baselines.agents.denoiser import AgentDenoiser
from rlld_agents.baselines.base import CannotOfferError, Denoised
from rlld_agents.baselines.registry import find
from rlld_agents.baselines.rows import AGENT_ROWS, CONTROL_ROWS
from rlld_agents.experiments.study.cell import CONTROL_EPISODES, StudyCell
from rlld_agents.experiments.study.config import AgentName, CompareConfig
from rlld_agents.labels import controls
from rlld_agents.reports.compare import final_return
from rlld_gym.data import FeatureStore, open_data
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES
from tests.agents.experiments.own_agents import RemoveNothing

OWN = "tests.agents.experiments.own_agents"
ENVIRONMENT = EnvironmentOptions(batch_size=24, episode_length=2)
CONFIG = CompareConfig(
    data="twin-tiny", steps=4, seeds=1, hidden_size=16, parser_epochs=1, environment=ENVIRONMENT
)


def result_of(folder: Path, name: str, seed: int = 0) -> dict[str, Any]:
    shares: list[float] = []
    config = dataclasses.replace(CONFIG, agent=(name,)) if ":" in name else CONFIG
    result = StudyCell(config, name, seed).run(folder, shares.append)
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    return result


@pytest.mark.parametrize(
    "name",
    [
        "reinforce",
        "ppo",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("a2c", "maskable-ppo", "trpo")),
    ],
)
def test_bundled_agents_learn_for_the_budget_and_are_tested(name: str, tmp_path: Path) -> None:
    try:
        find(name).load()
    except InputError as error:
        pytest.skip(str(error))
    result = result_of(tmp_path, name)
    assert [row["steps"] for row in result["curve"]] == [2, 4]
    assert all({"return", "removed_per_step", "segment_visual"} <= set(row) for row in result["curve"])
    assert set(result["test"]) == set(SCORE_NAMES)
    assert 0 < result["removal"]["visual"]["auc"] < 1
    cost = {key: result[key] for key in ("seconds", "removal_seconds", "peak_memory_mb")}
    assert result == result_of(tmp_path / "again", name) | cost
    assert result["curve"] != result_of(tmp_path / "other", name, 1)["curve"]


def test_reinforce_over_parameters_learns_in_whole_updates_and_reports_what_the_task_pays() -> None:
    rows: list[dict[str, float]] = []
    environment = {
        "data": "twin-tiny",
        "recipe": "compact-tiny",
        "hidden_size": 16,
        **dataclasses.asdict(ENVIRONMENT),
    }
    agent: Any = AGENTS["reinforce-parameters"](
        Task(environment, 3, "cpu", 16, open_data("twin-tiny").visual_3d_size, rows.append)
    )
    with pytest.raises(InputError, match="expected at least 16"):
        agent.learn(15)
    agent.learn(20)
    assert [row["steps"] for row in rows] == list(range(2, 17, 2))
    # The agent is paid twice the inter-reward; the return that is reported has it once.
    paid = rows[-1]["segment_audio"] + rows[-1]["event_visual"]
    assert 0.05 * paid < rows[-1]["return"] < 0.05 * paid + 1


@pytest.mark.parametrize("name", ["ppo-rates", "sac-rates"])
def test_agents_on_removal_rates_stay_within_the_budget_and_leave_labels_by_their_rates(name: str) -> None:
    pytest.importorskip("stable_baselines3")
    rows: list[dict[str, float]] = []
    environment = {"data": "twin-tiny", "hidden_size": 16, **dataclasses.asdict(ENVIRONMENT)}
    agent: Any = AGENTS[name](
        Task(environment, 3, "cpu", 16, open_data("twin-tiny").visual_3d_size, rows.append)
    )
    with pytest.raises(RuntimeError, match="learn"):
        agent.act({}, {"indices": np.arange(3)})
    agent.learn(6)
    assert [row["steps"] for row in rows] == [2, 4, 6]
    assert all({"return", "removed_per_step", "segment_visual"} <= set(row) for row in rows)
    weak = open_data("twin-tiny").split("train").labels
    removed = agent.act({}, {"indices": np.arange(len(weak))}).astype(bool) & weak[:, None]
    shares = removed.sum(axis=(0, 2)) / weak.sum()
    assert 0 < shares[0] < shares[1] < 0.6


def test_the_per_video_agents_report_the_return_of_the_joint_process() -> None:
    """PPO on the per-video view that never removes reports what the joint environment pays for keeping all."""
    pytest.importorskip("stable_baselines3")
    rows: dict[str, list[dict[str, float]]] = {"reinforce": [], "ppo": []}
    for name, curve in rows.items():
        # All validation videos are used for credit: none are drawn, which would change the batches.
        options = dataclasses.asdict(ENVIRONMENT) | {"credit_videos": 9999}
        environment = {"data": "twin-tiny", "hidden_size": 16, **options}
        task = Task(environment, 3, "cpu", 16, open_data("twin-tiny").visual_3d_size, curve.append)
        agent: Any = AGENTS[name](task)
        for parameter in agent.policy.parameters():
            parameter.data.zero_()
        for head in (agent.policy.audio_head, agent.policy.visual_head):
            for layer_name, parameter in head.named_parameters():
                parameter.data.fill_(-30.0 if layer_name.endswith("bias") else 0.0)
        agent.learn(2)
    assert rows["reinforce"][0]["removed_per_step"] == rows["ppo"][0]["removed_per_step"] == 0
    for key in ("return", "segment_visual", "segment_audio"):
        assert rows["ppo"][0][key] == pytest.approx(rows["reinforce"][0][key], rel=1e-4)


def test_an_agent_of_ones_own_decides_the_labels(tmp_path: Path) -> None:
    result = result_of(tmp_path, f"{OWN}:RemoveFirst")
    train = open_data("twin-tiny").split("train")
    first = train.labels[:, 0]
    # A video whose only label is the first class loses nothing of audio, so its visual label does go.
    assert result["removal"]["visual"]["rate"] == pytest.approx(first.sum() / train.labels.sum())
    assert result["removal"]["audio"]["rate"] == 0
    assert result["removal"]["visual"]["auc"] is None
    assert [row["steps"] for row in result["curve"]] == [2, 4]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Greedy", "took 6 environment steps, expected at most 4"),
        ("WrongShape", r"WrongShape\.act: action has shape .* expected \(24, 2, 25\)"),
        ("Doubtful", r"Doubtful\.act: action contains nan; expected only 0"),
    ],
)
def test_agents_that_break_the_rules_are_told_so(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        result_of(tmp_path, f"{OWN}:{name}")
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_agents", "expected module:Class"),
        ("no_such_module:Agent", "no module 'no_such_module'"),
        (f"{OWN}:Missing", "has no 'Missing'"),
        (f"{OWN}:Deaf", "no method act"),
    ],
)
def test_agents_that_cannot_be_loaded(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AgentDenoiser(name)


def control_labels(name: str, store: FeatureStore, seed: int) -> Denoised | None:
    """Return the labels of a control; None where the data cannot offer it."""
    context = Context.of(dataclasses.replace(CONFIG, data=store.name).setting(), seed)
    try:
        return CONTROL_ROWS[name].denoiser(CONFIG).denoise(context)
    except CannotOfferError:
        return None


def test_random_removes_as_many_labels_as_the_oracle_and_others() -> None:
    store = open_data("twin-tiny")
    oracle, random = (control_labels(name, store, 0) for name in ("oracle", "random"))
    assert oracle is not None
    assert random is not None
    np.testing.assert_allclose(random.visual.sum(), oracle.visual.sum(), rtol=0.02)
    assert not np.array_equal(random.visual, oracle.visual)
    other = control_labels("random", store, 1)
    assert other is not None
    assert not np.array_equal(random.visual, other.visual)


def test_without_truth_random_matches_the_speech_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "oracle", lambda _: None)
    store = open_data("twin-tiny")
    assert control_labels("oracle", store, 0) is None
    rule, random = (control_labels(name, store, 0) for name in ("no-visual-speech", "random"))
    assert rule is not None
    assert random is not None
    np.testing.assert_allclose(random.visual.sum(), rule.visual.sum(), rtol=0.02)


def test_a_control_that_the_data_cannot_offer_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "oracle", lambda _: None)
    with pytest.raises(CannotOfferError):
        result_of(tmp_path, "oracle")


def test_the_return_of_a_control_is_that_of_an_agent_that_removes_the_same(tmp_path: Path) -> None:
    control = result_of(tmp_path, "keep-all", seed=1)
    assert control["curve"] == []
    curves: list[list[dict[str, float]]] = []
    for seed in range(CONTROL_EPISODES, 2 * CONTROL_EPISODES):
        environment = {"data": "twin-tiny", "recipe": "compact-tiny", "hidden_size": 16}
        environment |= dataclasses.asdict(ENVIRONMENT)
        curves.append([])
        RemoveNothing(Task(environment, seed, "cpu", 16, 24, curves[-1].append)).learn(2)
    assert control["return"] == pytest.approx(np.mean([curve[0]["return"] for curve in curves]), rel=1e-4)
    assert final_return(control) == control["return"]
    returns = {
        name: result_of(tmp_path / name, name)["return"] for name in ("random", "no-visual-speech", "oracle")
    }
    assert len({control["return"], *returns.values()}) == 4
    assert "return" not in result_of(tmp_path / "agent", f"{OWN}:RemoveFirst")


def test_a_control_is_paid_as_the_paper_says_whatever_agents_are_paid(tmp_path: Path) -> None:
    credit = dataclasses.replace(ENVIRONMENT, reward="credit")
    config = dataclasses.replace(CONFIG, environment=credit)
    one = StudyCell(config, "keep-all", 0).run(tmp_path / "credit", lambda _: None)
    assert one["return"] == result_of(tmp_path / "paper", "keep-all")["return"]


def test_controls_and_agents_have_the_names_of_the_options() -> None:
    config = CompareConfig()
    assert tuple(config.controls) == tuple(CONTROL_ROWS)
    assert tuple(AGENTS) == tuple(AGENT_ROWS) == get_args(AgentName)
    assert set(config.agents) <= set(AGENTS)


def test_options_survive_json_and_become_a_command() -> None:
    config = dataclasses.replace(CONFIG, agents=("ppo",), agent=("a:B",), controls=())
    assert CompareConfig.from_dict(json.loads(json.dumps(config.as_dict())), "config.json") == config
    words = config.command_line()
    assert words[:4] == ["rlld", "compare", "--data", "twin-tiny"]
    assert words[words.index("--agents") + 1] == "ppo"
    assert words[words.index("--batch-size") + 1] == "24"
