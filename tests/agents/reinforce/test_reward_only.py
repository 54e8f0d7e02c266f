"""What learning from the reward alone is made of: the policy reads the evidence that the environment shows."""

from pathlib import Path

import pytest

from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.reward_only import evidence_policy, make_reward_only, paid_environment
from rlld_agents.runs.setting import Setting
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.task_file import TaskNetworkInfo, save_task_network
from rlld_gym.parsing.training import feature_sizes, make_task_network

ENVIRONMENT = {
    "data": "twin-tiny",
    "recipe": "compact-tiny",
    "hidden_size": 16,
    "batch_size": 8,
    "episode_length": 4,
    "device": "cpu",
}


def network_file(path: Path) -> str:
    """Write a task network that knows nothing, and return where."""
    data = Setting("twin-tiny", device="cpu").tensors
    sizes = {**feature_sizes(data["train"]), "hidden_size": 16}
    network = make_task_network(get_recipe("compact-tiny"), **sizes, seed=5)
    save_task_network(path, network, TaskNetworkInfo("han", sizes, "modality", {}))
    return str(path)


@pytest.mark.parametrize("start", ["pretrained", "file"])
def test_the_policy_reads_the_evidence_of_the_parser_that_episodes_start_from(
    start: str, tmp_path: Path
) -> None:
    starts = {
        "pretrained": {"task_start_epochs": 1},
        "file": {"task_start": network_file(tmp_path / "network")},
    }
    environment = {**ENVIRONMENT, **starts[start]}
    data = Setting("twin-tiny", device="cpu").tensors
    policy = evidence_policy(environment, data, 16)
    env = paid_environment(environment)
    observation, info = env.reset(seed=0)
    split = data["train"]
    present = split.labels[info["indices"]].unsqueeze(1)
    found = policy.evidence_of(split)[info["indices"]] * present
    assert abs(found.numpy() - observation["evidence"] * present.numpy()).max() < 1e-4
    env.close()


def test_new_weights_have_no_evidence() -> None:
    data = Setting("twin-tiny", device="cpu").tensors
    with pytest.raises(InputError, match="task_start is 'fresh'"):
        make_reward_only({**ENVIRONMENT, "task_start": "fresh"}, ReinforceConfig(), data, 16)
