"""How fast are episodes on the device, in each form of the environment, and what memory do they take?"""

import time
from collections.abc import Iterator

import gymnasium
import torch

from benchmarks.device_checks.row import Row, Scope
from rlld_agents.reinforce.reward_only import make_reward_only, reward_only_config
from rlld_agents.runs.setting import Setting
from rlld_gym.environment_ids import LABEL_DENOISING

STACKED = "rlld_gym:rlld/LabelDenoisingStacked-v0"
LENGTH = 32


def of_environments(scope: Scope) -> Iterator[Row]:
    """Time episodes of the joint environment, after one that warms up."""
    for width in scope.widths:
        _restart_memory(scope)
        env = gymnasium.make(
            LABEL_DENOISING, data=scope.data, device=scope.device, hidden_size=width, task_start="fresh"
        )
        for seed in range(2):
            start = time.perf_counter()
            _, info = env.reset(seed=seed)
            for _ in range(LENGTH):
                *_, info = env.step(env.action_space.sample(mask=info["action_mask"]))
            scope.wait()
        yield _speed(f"joint environment, {width} wide", 1 / (time.perf_counter() - start), scope)


def of_stacks(scope: Scope) -> Iterator[Row]:
    """Time episodes of K stacked environments."""
    for width in scope.widths:
        for count in (1, 4) if scope.quick else (1, 4, 16, 64):
            if scope.left() <= 0:
                yield Row(f"stacked, K = {count}, {width} wide", "", "", "not run: no time left")
                continue
            _restart_memory(scope)
            envs = gymnasium.make_vec(
                STACKED,
                num_envs=count,
                data=scope.data,
                device=scope.device,
                hidden_size=width,
                task_start="fresh",
            )
            envs.reset(seed=0)
            action = envs.action_space.sample()
            for _warm_up in range(2):
                start = time.perf_counter()
                for _step in range(LENGTH // 4):
                    envs.step(action)
                scope.wait()
            episodes = count * (LENGTH // 4) / LENGTH / (time.perf_counter() - start)
            envs.close()
            yield _speed(f"stacked, K = {count}, {width} wide", episodes, scope)


def of_exploration(scope: Scope) -> Iterator[Row]:
    """Time REINFORCE over parameters, one update of eight episodes."""
    _restart_memory(scope)
    setting = Setting(scope.data, device=scope.device)
    _, agent = make_reward_only(
        setting.environment_arguments(), reward_only_config(episodes=8), setting.tensors, setting.hidden_size
    )
    start = time.perf_counter()
    rows = agent.learn()
    seconds = time.perf_counter() - start
    agent.env.close()
    found = _speed(f"REINFORCE over parameters, {setting.hidden_size} wide", 8 / seconds, scope)
    yield Row(found.what, f"{found.found}, return {rows[-1]['rollout/ep_rew_mean']:.2f}", "", found.verdict)


def _restart_memory(scope: Scope) -> None:
    if scope.device != "cpu":
        torch.cuda.reset_peak_memory_stats()


def _speed(what: str, episodes: float, scope: Scope) -> Row:
    memory = "" if scope.device == "cpu" else f", {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB at most"
    return Row(what, f"{episodes:.2f} episodes a second{memory}", "", "measured")
