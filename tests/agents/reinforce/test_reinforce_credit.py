"""REINFORCE beyond the paper: credit is learned from, and the paper's settings stay what they are."""

import copy
import dataclasses
import functools
import itertools
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rlld_agents import Reinforce, ReinforceConfig
from rlld_agents.runs.checkpoint import load_checkpoint, save_checkpoint
from rlld_gym.envs.planted_noise import PlantedNoiseEnv
from rlld_gym.errors import InputError
from tests.agents.credit_env import CreditEnv
from tests.agents.reinforce.test_reinforce import greedy_share
from tests.agents.reinforce.test_reinforce_resume import check_resumed_run_equals_uninterrupted
from tests.agents.reinforce_runs import QUICK, make_agent, make_policy, weights, without_clock


def make_credit_agent(config: ReinforceConfig, **environment: Any) -> Reinforce:
    env = CreditEnv(**environment)
    return Reinforce(make_policy(env), env, config)


# --------------------------------------------------------------------------- the paper's settings


def textbook_reinforce(
    policy: nn.Module, env: PlantedNoiseEnv, episodes: int, rate: float, seed: int
) -> None:
    """Eq. 15 written down once more, without any option: a sampled episode, its branches' returns, Adam."""
    optimizer = torch.optim.Adam(policy.parameters(), lr=rate)
    generator = torch.Generator().manual_seed(seed)
    for episode in range(episodes):
        observation, info = env.reset(seed=seed if episode == 0 else None)
        steps: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        total, done = torch.zeros(2, dtype=torch.float64), False
        while not done:
            audio, visual = (torch.from_numpy(observation[name]) for name in ("audio", "visual"))
            free = torch.from_numpy(info["action_mask"]) == 2
            with torch.no_grad():
                removal = torch.where(free, torch.sigmoid(policy(audio, visual)), 0.0)
            bits = torch.rand(removal.shape, generator=generator) < removal
            steps.append((audio, visual, free, bits))
            observation, _, done, _, info = env.step(bits.numpy().astype(np.int8))
            total = torch.tensor([info["reward_audio"], info["reward_visual"]], dtype=torch.float64) + (
                total if len(steps) > 1 else 0
            )
        optimizer.zero_grad()
        for audio, visual, free, bits in steps:
            logits = policy(audio, visual)
            log_pi = torch.nn.functional.logsigmoid(torch.where(bits, logits, -logits))
            per_branch = torch.where(free, log_pi, 0.0).sum(-1).sum(0)
            (-(per_branch * total.float()).sum() / len(steps)).backward()
        optimizer.step()


def test_the_defaults_are_the_papers_algorithm_to_the_last_bit() -> None:
    agent = make_agent(dataclasses.replace(QUICK, learning_rate=1e-3))
    textbook = copy.deepcopy(agent.policy)
    agent.learn()
    textbook_reinforce(textbook, PlantedNoiseEnv(), QUICK.episodes, 1e-3, QUICK.seed)
    assert torch.equal(nn.utils.parameters_to_vector(textbook.parameters()).detach(), weights(agent))


def test_credit_in_info_changes_nothing_for_the_papers_settings() -> None:
    plain, with_credit = make_agent(), make_credit_agent(QUICK)
    assert without_clock(plain.learn()) == without_clock(with_credit.learn())
    assert torch.equal(weights(plain), weights(with_credit))


# --------------------------------------------------------------------------- learning


def share_after_60_episodes(**options: Any) -> float:
    config = ReinforceConfig(episodes=60, learning_rate=5e-3, **options)
    agent = make_credit_agent(config, episode_length=3)
    agent.learn()
    return greedy_share(agent, PlantedNoiseEnv(episode_length=3))


@pytest.mark.long
def test_credit_is_learned_from_much_faster_than_a_return() -> None:
    """Share of the best reward after 60 episodes of three steps of four videos."""
    shares = {
        "optimal": share_after_60_episodes(advantage="label", baseline="optimal"),
        "label": share_after_60_episodes(advantage="label", baseline="expected"),
        "video": share_after_60_episodes(advantage="video", baseline="expected"),
        "step": share_after_60_episodes(advantage="step", baseline="expected"),
        "episode": share_after_60_episodes(advantage="episode", baseline="ema"),
    }
    assert shares["optimal"] >= 0.95
    assert shares["label"] >= 0.9
    assert shares["video"] >= 0.8
    assert shares["episode"] <= 0.4
    assert all(later < earlier for earlier, later in itertools.pairwise(shares.values())), shares


def test_updates_in_every_step_learn_faster_still() -> None:
    options = {"advantage": "label", "baseline": "optimal", "learning_rate": 5e-3, "episodes": 30}
    often, once = (
        make_credit_agent(ReinforceConfig(**options, update_every=every), episode_length=3)
        for every in (1, None)
    )
    rewards = [
        np.mean([row["rollout/ep_rew_mean"] / 3 for row in agent.learn()[-5:]]) for agent in (often, once)
    ]
    assert rewards[0] > rewards[1] + 0.15, rewards


def number_of_updates(agent: Reinforce) -> int:
    return int(next(iter(agent.optimizer.state.values()))["step"])


@pytest.mark.parametrize(("every", "updates"), [(None, 2), (1, 8), (3, 4), (100, 2)])
def test_updates_come_every_so_many_steps_and_at_the_end(every: int | None, updates: int) -> None:
    agent = make_credit_agent(ReinforceConfig(episodes=2, advantage="label", update_every=every))
    agent.learn()  # two episodes of four steps
    assert number_of_updates(agent) == updates


def test_nothing_is_learned_from_the_first_steps() -> None:
    config = ReinforceConfig(episodes=1, advantage="label", update_every=1, warm_up_steps=6)
    agent = make_credit_agent(config)
    before = weights(agent)
    (row,) = agent.learn()
    assert torch.equal(before, weights(agent))
    assert not [name for name in row if name.startswith("train/")]
    agent = make_credit_agent(dataclasses.replace(config, episodes=2))
    row = agent.learn()[-1]
    assert number_of_updates(agent) == 2
    assert row["train/grad_norm"] > 0


# --------------------------------------------------------------------------- the reference


class NoCredit(CreditEnv):
    """Nothing to learn."""

    def step(self, action: Any) -> Any:
        *rest, info = super().step(action)
        return *rest, {**info, "label_credit": 0 * info["label_credit"]}


@pytest.mark.long
def test_divergence_pulls_back_to_the_reference() -> None:
    env = NoCredit()
    policy, reference = make_policy(env, initial_removal=0.8), make_policy(env, seed=1)
    config = ReinforceConfig(
        episodes=75, advantage="label", update_every=1, kl_coefficient=0.1, learning_rate=2e-2
    )
    rows = Reinforce(policy, env, config, reference=reference).learn()
    assert rows[0]["train/kl"] > 0.5
    assert rows[-1]["train/kl"] < 0.01
    assert make_policy(env, seed=1).state_dict().keys() == reference.state_dict().keys()
    assert all(
        torch.equal(reference.state_dict()[k], v) for k, v in make_policy(env, seed=1).state_dict().items()
    )


@pytest.mark.long
def test_the_stronger_the_pull_the_nearer_the_policy_stays_to_its_start() -> None:
    options = {"episodes": 30, "advantage": "label", "baseline": "optimal", "learning_rate": 5e-3}
    ends = [
        make_credit_agent(ReinforceConfig(**options, kl_coefficient=weight)).learn()[-1]["train/kl"]
        for weight in (0.01, 1.0, 100.0)
    ]
    assert ends[0] > 2 * ends[1] > 4 * ends[2] >= 0


# --------------------------------------------------------------------------- diagnostics


@pytest.mark.parametrize("advantage", ["episode", "step", "video", "label"])
def test_diagnostics_change_nothing_but_the_log(advantage: Any) -> None:
    config = dataclasses.replace(QUICK, advantage=advantage, baseline="ema", entropy_coefficient=0.01)
    plain = make_credit_agent(config)
    diagnosed = make_credit_agent(dataclasses.replace(config, gradient_diagnostics=True))
    rows, more = without_clock(plain.learn()), without_clock(diagnosed.learn())
    assert torch.equal(weights(plain), weights(diagnosed))
    for row in more:
        assert -1 <= row.pop("train/gradient_cosine") <= 1
        assert 0 <= row.pop("train/gradient_relative_variance") <= 1000
    assert rows == more


@pytest.mark.long
def test_diagnostics_see_what_a_baseline_does() -> None:
    def mean_cosine(**options: Any) -> float:
        config = ReinforceConfig(episodes=8, learning_rate=1e-5, gradient_diagnostics=True, **options)
        rows = make_credit_agent(config, batch_size=16, episode_length=8).learn()
        return float(np.mean([row["train/gradient_cosine"] for row in rows]))

    cosines = [
        mean_cosine(advantage="label", baseline="optimal"),
        mean_cosine(advantage="video", baseline="expected"),
        mean_cosine(advantage="step", baseline="expected"),
    ]
    assert cosines[0] > 0.8
    assert cosines[0] > cosines[1] > cosines[2]


# --------------------------------------------------------------------------- resuming

RESUMABLE: list[dict[str, Any]] = [
    {"advantage": "step", "baseline": "ema", "branch_rewards": False},
    {"advantage": "video", "baseline": "ema", "update_every": 3},
    {"advantage": "video", "baseline": "leave_one_out", "kl_coefficient": 0.2},
    {"advantage": "label", "baseline": "optimal", "update_every": 1, "warm_up_steps": 14},
    {"advantage": "label", "baseline": "ema", "kl_coefficient": 0.5, "gradient_diagnostics": True},
]


@pytest.mark.parametrize("options", RESUMABLE, ids=lambda options: "-".join(map(str, options.values())))
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, options: dict[str, Any]) -> None:
    check_resumed_run_equals_uninterrupted(make_credit_agent, dataclasses.replace(QUICK, **options), tmp_path)


def test_the_reference_comes_from_the_checkpoint(tmp_path: Path) -> None:
    """Whoever resumes need not bring the policy that the run started from."""
    config = dataclasses.replace(QUICK, advantage="label", kl_coefficient=0.5)

    def make(config: ReinforceConfig, seed: int) -> Reinforce:
        env = CreditEnv()
        return Reinforce(make_policy(env, seed=seed), env, config, reference=make_policy(env, seed=seed + 10))

    whole = make(config, 0)
    whole.learn()
    make(dataclasses.replace(config, episodes=3), 0).learn(tmp_path, tensorboard=False)
    resumed = make(config, 5)
    resumed.learn(tmp_path, resume=True, tensorboard=False)
    assert torch.equal(weights(whole), weights(resumed))


def test_a_run_of_before_these_options_can_be_resumed(tmp_path: Path) -> None:
    whole = make_agent()
    whole.learn()
    make_agent(dataclasses.replace(QUICK, episodes=3)).learn(tmp_path, tensorboard=False)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    del state["reference"]
    for name in ("advantage", "kl_coefficient", "update_every", "warm_up_steps", "gradient_diagnostics"):
        del state["config"][name]
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    with pytest.raises(InputError, match="trained with advantage=episode, found advantage=step"):
        make_agent(dataclasses.replace(QUICK, advantage="step")).learn(tmp_path, resume=True)
    resumed = make_agent()
    resumed.learn(tmp_path, resume=True, tensorboard=False)
    assert torch.equal(weights(whole), weights(resumed))


# --------------------------------------------------------------------------- the real environment


def make_label_denoising_agent(config: ReinforceConfig, **options: Any) -> Reinforce:
    env = gymnasium.make(
        "rlld_gym:rlld/LabelDenoising-v0",
        data="twin-tiny",
        batch_size=16,
        episode_length=4,
        hidden_size=8,
        device="cpu",
        **options,
    )
    return Reinforce(make_policy(env), env, config)


@pytest.mark.parametrize("reward", ["credit", "paper+credit"])
def test_label_denoising_pays_credit_and_resumes(tmp_path: Path, reward: str) -> None:
    config = ReinforceConfig(
        episodes=4,
        learning_rate=1e-2,
        seed=5,
        advantage="label",
        baseline="optimal",
        kl_coefficient=0.2,
        update_every=1,
        warm_up_steps=2,
        gradient_diagnostics=True,
    )
    make = functools.partial(make_label_denoising_agent, reward=reward, task_lifespan="run")
    check_resumed_run_equals_uninterrupted(make, config, tmp_path)


def test_label_denoising_without_credit_is_refused_in_one_line() -> None:
    agent = make_label_denoising_agent(ReinforceConfig(episodes=1, advantage="label"))
    with pytest.raises(InputError, match=r'advantage label: found no label_credit .* reward="credit"'):
        agent.learn()
    row = make_label_denoising_agent(ReinforceConfig(episodes=1, advantage="video")).learn()[0]
    assert row["train/grad_norm"] > 0  # the videos' inter-rewards


# --------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"advantage": "class"},
            "option advantage: found class, expected one of episode, step, video, label",
        ),
        (
            {"advantage": "step", "baseline": "leave_one_out"},
            "option baseline: .* with advantage step one of",
        ),
        ({"baseline": "expected"}, "option baseline: .* with advantage episode one of none, ema$"),
        ({"advantage": "video", "baseline": "optimal"}, "option baseline: found optimal"),
        ({"update_every": 4}, "option update_every: found 4, expected none"),
        ({"warm_up_steps": 4}, "option warm_up_steps: found 4, expected 0"),
        ({"advantage": "label", "update_every": 0}, "option update_every: found 0"),
        ({"advantage": "video", "reward_to_go": True}, "option reward_to_go: found True"),
        ({"advantage": "video", "discount": 0.5}, "option discount: found 0.5"),
        ({"advantage": "label", "branch_rewards": False}, "option branch_rewards: found False"),
        ({"kl_coefficient": -1.0}, "option kl_coefficient: found -1.0"),
    ],
)
def test_combinations_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ReinforceConfig(**options)


def test_a_reference_that_would_be_ignored_is_refused() -> None:
    env = PlantedNoiseEnv()
    with pytest.raises(InputError, match="no effect with kl_coefficient 0"):
        Reinforce(make_policy(env), env, QUICK, reference=make_policy(env))


def test_credit_from_info_beside_a_changed_reward_is_said_once() -> None:
    config = dataclasses.replace(QUICK, advantage="label")
    agent = make_credit_agent(config)
    agent.env = gymnasium.wrappers.TransformReward(agent.env, lambda reward: -100 * reward)
    with pytest.warns(UserWarning, match="credit is what info says") as warned:
        agent.learn()
    assert len(warned) == 1
