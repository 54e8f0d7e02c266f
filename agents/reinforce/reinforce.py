"""REINFORCE for label denoising: Eq. 12-15 of RLLD (arXiv 2412.19563), to be read from top to bottom.

The paper's gradient is 1/N sum_i grad log pi(a_audio_i, a_visual_i | h_i) R(S), with N the steps of an
episode. What it leaves open is read like this:

- R(S) is the return of the whole episode, the plain sum of its N rewards, and the same number multiplies
  every step: Eq. 15 writes R(S) without the index i. R(S) = R_terminal + R_inter (Eq. 11) holds with R_inter the
  mean over the steps, each of which the environment pays its share of. Its ``inter_scale``, ``terminal_scale`` and
  ``terminal_every`` set the shares of the two.
- Each branch has its own return: log pi of the audio bits is multiplied with the sum of
  ``info["reward_audio"]``, log pi of the visual bits with the sum of ``info["reward_visual"]``.
- A step's state is a batch of videos, so log pi is the sum over all free bits of the batch, not a mean. (Adam
  divides any constant factor out again.)

These are the defaults of ``ReinforceConfig``; every option departs from the paper only when it is set. Rewards
that fewer bits share (`advantages`), baselines, more frequent updates and the pull to the first policy all keep
that form: the objective is a sum over the free bits of a batch, its mean over the steps of an update.
"""

import copy
import dataclasses
import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gymnasium
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.files import POLICY_NAME, save_policy
from rlld_agents.reinforce.advantage_estimator import AdvantageEstimator
from rlld_agents.reinforce.advantages import Outcome, pooled, spread
from rlld_agents.reinforce.branch_rewards import BranchRewards
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.episode import EpisodeLog, Step, means
from rlld_agents.reinforce.gradient_noise import GradientNoise
from rlld_agents.reinforce.parameter_exploration import ParameterExploration
from rlld_agents.reinforce.policy_rollout import action_distribution
from rlld_agents.reinforce.rollout_pool import rollouts_of
from rlld_agents.reinforce.same_data import check_same_data, data_of, name_data
from rlld_agents.runs.checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint
from rlld_agents.runs.lock import only_writer
from rlld_agents.runs.log import RunLog
from rlld_gym.errors import InputError
from rlld_gym.os_errors import one_line
from rlld_gym.profiling import timed_part
from rlld_gym.progress import ProgressBar
from rlld_gym.torch_settings import own_torch_settings

__all__ = ["POLICY_NAME", "Reinforce", "ReinforceConfig"]

EPISODES_APART = 1_000_003
"""Exploring parameters, runs with neighbouring seeds share no episode's seed."""


class Reinforce:
    """REINFORCE with one return per branch (Eq. 12-15), through the Gymnasium API only.

    Args:
        policy: any module that, called with the observation's ``audio`` and ``visual`` as float32 tensors,
            returns removal logits (B, 2, C). It must not be stochastic itself (no dropout). Trained in place,
            where it is.
        env: observation Dict with ``audio`` (B, T, Da + C) and ``visual`` (B, T, Dv + C), action
            MultiBinary((B, 2, C)). Used from ``info``, where present: ``action_mask`` (int8, 2 = free),
            ``reward_audio`` and ``reward_visual``, and, for rewards that fewer bits share, ``label_credit``
            (B, 2, C) and ``per_video_reward`` (B, 2); plain numbers are logged. ``env.unwrapped.get_state()``
            and ``set_state()``, where present, make a resumed run equal to an uninterrupted one; an
            environment without them is reset with a seed of its own when a run is resumed.
        config: the options.
        reference: the policy that ``kl_coefficient`` pulls to, on the same device; it is copied. None: ``policy``
            as it is now.

    Raises:
        InputError: a reference, but no ``kl_coefficient``.
    """

    def __init__(
        self,
        policy: nn.Module,
        env: gymnasium.Env[Any, Any],
        config: ReinforceConfig | None = None,
        *,
        reference: nn.Module | None = None,
    ) -> None:
        self.policy = policy
        self.env = env
        self.config = config or ReinforceConfig()
        self.reference: nn.Module | None = None
        if self.config.kl_coefficient:
            self.reference = copy.deepcopy(reference or policy).requires_grad_(False)
        elif reference is not None:
            raise InputError(
                "a reference policy has no effect with kl_coefficient 0; set it, or leave it away"
            )
        self.device = next(policy.parameters()).device
        self.optimizer = torch.optim.Adam(policy.parameters(), lr=self.config.learning_rate)
        self.generator = torch.Generator().manual_seed(self.config.seed)
        self.reset_seed: int | None = self.config.seed
        self.episode = 0
        self.total_steps = 0
        self.advantages = AdvantageEstimator(self.config)
        credit = self.config.exploration == "actions" and self.config.advantage != "episode"
        self.branch_rewards = BranchRewards(self.config.branch_rewards, beside_credit=credit)
        self.exploration: ParameterExploration | None = None
        if self.config.exploration == "parameters":
            self.exploration = ParameterExploration(policy, self.config)

    # ------------------------------------------------------------------ the algorithm

    @own_torch_settings()
    def learn(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        resume: bool = False,
        progress: bool = False,
        tensorboard: bool = True,
        callback: Callable[[dict[str, float]], None] | None = None,
    ) -> list[dict[str, float]]:
        """Train until ``config.episodes`` episodes are done.

        Ctrl-C ends the run cleanly: the state after the last complete episode is written as a checkpoint and
        KeyboardInterrupt goes on to the caller.

        Args:
            folder: run folder for metrics.jsonl, metrics.csv, TensorBoard events, checkpoint.pt and
                policy.safetensors (of a `RemovalPolicy`). None: nothing is written.
            resume: go on from the folder's checkpoint, as if the run had never stopped.
            progress: show a progress bar on stderr.
            tensorboard: write TensorBoard events too, where the package is installed.
            callback: called with each episode's row once it is logged.

        Returns:
            The rows of the episodes that this call trained.

        Raises:
            InputError: no usable checkpoint to resume, one that would be overwritten, or another writer.
            RuntimeError: if the gradient stops being finite.
        """
        folder = None if folder is None else Path(folder)
        rows, log = [], None
        with ExitStack() as stack:
            if folder is not None:
                stack.enter_context(only_writer(folder))
                self._prepare(folder / CHECKPOINT_NAME, resume)
                log = stack.enter_context(RunLog(folder, keep_episodes=self.episode, tensorboard=tensorboard))
            bar = ProgressBar(self.config.episodes, "episode", initial=self.episode, shown=progress)
            stack.enter_context(bar)
            complete = None if folder is None else self.state_dict()
            self._play = stack.enter_context(
                rollouts_of(self.policy, self.env, self.config, self.branch_rewards)
            )
            try:
                while not self.finished:
                    before = self.episode
                    row = self._train_episode() if self.exploration is None else self._explore_parameters()
                    rows.append(row)
                    if log is not None:
                        log.write(row)
                    complete = None if folder is None else self.state_dict()
                    bar.update(self.episode - before)
                    bar.note(f"reward {row['rollout/ep_rew_mean']:.3f}")
                    if callback is not None:
                        callback(row)
                    every = self.config.checkpoint_every
                    if self.finished or self.episode // every > before // every:
                        self._save(folder, complete)
            except KeyboardInterrupt:
                self._save(folder, complete)
                raise
        if self.exploration is not None:
            self.exploration.settle()  # a checkpoint keeps the last parameters
        self._save_policy(folder)  # also where a run ended between its last checkpoint and this
        return rows

    @property
    def finished(self) -> bool:
        """Whether all episodes are done, or further ones would not help."""
        return self.episode >= self.config.episodes or bool(self.exploration and self.exploration.converged)

    @timed_part("policy")
    def _train_episode(self) -> dict[str, float]:
        """Play one episode, update the policy, and return the row to log."""
        start = time.perf_counter()
        log = EpisodeLog()
        noise = GradientNoise(self.policy.parameters()) if self.config.gradient_diagnostics else None
        waiting: list[Step] = []  # for an update
        updates: list[dict[str, float]] = []
        observation, info = self.env.reset(seed=self.reset_seed)
        self.reset_seed = None
        done = False
        while not done:
            step, observation, done = self._play_step(observation, info)
            info = step.info
            log.add(step)
            if self.total_steps + len(log) > self.config.warm_up_steps:
                waiting.append(step)
            if waiting and (done or len(waiting) == self.config.update_every):
                updates.append(self._update(waiting, noise))
                waiting.clear()
        return self._count_and_describe([log], updates, noise, start)

    @timed_part("policy")
    def _explore_parameters(self) -> dict[str, float]:
        """Play an update's antithetic pairs of episodes, move the parameters, and return the row to log."""
        assert self.exploration is not None
        start = time.perf_counter()
        seed = self.config.seed * EPISODES_APART + self.episode
        rollouts, update = self.exploration.play_and_update(self._play, self.generator, seed)
        return self._count_and_describe([rollout.log for rollout in rollouts], [update], None, start)

    def _count_and_describe(
        self,
        logs: list[EpisodeLog],
        updates: list[dict[str, float]],
        noise: GradientNoise | None,
        start: float,
    ) -> dict[str, float]:
        """Count the episodes that were just played; return the row to log, means over them."""
        steps = sum(map(len, logs))
        self.episode += len(logs)
        self.total_steps += steps
        return {
            "episode": self.episode,
            "time/total_timesteps": self.total_steps,
            "time/fps": steps / (time.perf_counter() - start),
            **means([log.rollout_metrics() for log in logs]),
            **means(updates),
            **(noise.metrics() if noise is not None and updates else {}),
            **means([log.environment_metrics() for log in logs]),
        }

    def _play_step(
        self, observation: dict[str, NDArray[Any]], info: dict[str, Any]
    ) -> tuple[Step, dict[str, NDArray[Any]], bool]:
        """Sample an action; return the step, the next observation, and whether the episode is over."""
        mask, action = self._act(observation, info)
        following, reward, terminated, truncated, info = self.env.step(action.numpy())
        scalar = float(reward)
        step = Step(observation, mask, action, self.branch_rewards(scalar, info), scalar, info)
        return step, following, terminated or truncated

    def _act(
        self, observation: dict[str, NDArray[Any]], info: dict[str, Any]
    ) -> tuple[Tensor | None, Tensor]:
        """Sample an action; return the mask that holds for it, and the action."""
        mask = torch.tensor(info["action_mask"]) if "action_mask" in info else None
        with torch.no_grad():  # around the policy alone: the environment trains a network in its step
            return mask, action_distribution(self.policy, observation, mask).sample(self.generator)

    def _update(self, steps: list[Step], noise: GradientNoise | None) -> dict[str, float]:
        """Take one Adam step along 1/N sum_i grad log pi(a_i) R (Eq. 15); backward() runs step by step."""
        sums: dict[str, Tensor] = {}
        self.optimizer.zero_grad()
        for step, advantage in zip(steps, self._episode_advantages(steps), strict=True):
            terms = self._terms(step, advantage, noise)
            loss = -terms.pop("gain") / len(steps)
            objective = loss - self.config.entropy_coefficient * terms["entropy"] / len(steps)
            if self.reference is not None:
                objective = objective + self.config.kl_coefficient * terms["kl"] / len(steps)
            torch.autograd.backward(objective)
            for name, term in {"loss": loss, **terms}.items():
                sums[name] = sums.get(name, 0.0) + term.detach()
        if noise is not None:
            noise.end_update()
        limit = self.config.max_gradient_norm or math.inf
        gradient_norm = nn.utils.clip_grad_norm_(self.policy.parameters(), limit).item()
        if not math.isfinite(gradient_norm):
            raise RuntimeError(
                f"episode {self.episode + 1}: the norm of the policy gradient is {gradient_norm}; check that "
                "rewards and features are finite, and lower learning_rate"
            )
        self.optimizer.step()
        loss, free = sums.pop("loss"), sums.pop("free").clamp(min=1)
        per_bit = {f"train/{name}": (total / free).item() for name, total in sums.items()}
        return {"train/policy_gradient_loss": loss.item(), **per_bit, "train/grad_norm": gradient_norm}

    def _terms(self, step: Step, advantage: Tensor | None, noise: GradientNoise | None) -> dict[str, Tensor]:
        """Return sums over the free bits of a step: log pi times the advantage, entropy, divergence, and 1."""
        distribution = action_distribution(self.policy, step.observation, step.mask)
        if advantage is None:
            advantage = self.advantages.of_step(self._outcome(step, distribution.free), distribution)
        log_probabilities = distribution.log_probabilities(step.action.to(self.device))
        if noise is not None:
            noise.add_step((log_probabilities * spread(advantage, self.config.advantage)).sum((1, 2)))
        terms = {
            "gain": (pooled(log_probabilities, self.config.advantage) * advantage).sum(),
            "entropy": distribution.entropy().sum(),
            "free": distribution.free.sum(),
        }
        if self.reference is not None:
            with torch.no_grad():
                reference = action_distribution(self.reference, step.observation, step.mask)
            terms["kl"] = distribution.divergence(reference).sum()
        return terms

    def _episode_advantages(self, steps: list[Step]) -> Sequence[Tensor | None]:
        """Return the (2,) that multiplies each step's log pi, or None where a step is rewarded on its own."""
        if self.config.advantage != "episode":
            return [None] * len(steps)
        rewards = torch.tensor([step.rewards for step in steps], dtype=torch.float64)
        return list(self.advantages.of_episode(rewards).to(self.device, torch.float32))

    def _outcome(self, step: Step, free: Tensor) -> Outcome:
        """Return what the environment paid for a step, as tensors on the policy's device."""
        per_video, credit = (
            torch.as_tensor(step.info[name], dtype=torch.float32).to(self.device)
            if name in step.info
            else None
            for name in ("per_video_reward", "label_credit")
        )
        branch = torch.tensor(step.rewards, device=self.device)
        return Outcome(free & step.action.to(self.device).bool(), branch, per_video, credit)

    # ------------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on, between two episodes; all copies."""
        # Exploring parameters, every episode begins from a seed of its own, perhaps in another process.
        get_state = getattr(self.env.unwrapped, "get_state", None) if self.exploration is None else None
        return copy.deepcopy(
            {
                "config": dataclasses.asdict(self.config),
                "data": None if (data := data_of(self.env)) is None else data.as_dict(),
                "episode": self.episode,
                "total_steps": self.total_steps,
                "policy": self.policy.state_dict(),
                "reference": None if self.reference is None else self.reference.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "generator": self.generator.get_state(),
                "baseline": self.advantages.average,
                "exploration": None if self.exploration is None else self.exploration.state_dict(),
                "env": get_state() if get_state is not None and self.episode else None,
            }
        )

    def load_state_dict(self, state: dict[str, Any], source: str = "state") -> None:
        """Restore what ``state_dict`` returned; ``source`` names its file in messages.

        Raises:
            InputError: if it is of a policy of other sizes or of a run with other options; nothing is changed then.
        """
        before = self.state_dict()
        try:
            self._restore(state, source)
        except InputError:
            self._restore(before, source)
            raise

    def _restore(self, state: dict[str, Any], source: str) -> None:
        try:
            self.config.check_resumes(state["config"], source)
            check_same_data(self.env, state.get("data"), source)
            self.policy.load_state_dict(state["policy"])
            if self.reference is not None:
                self.reference.load_state_dict(state["reference"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            self.episode, self.total_steps = state["episode"], state["total_steps"]
            self.advantages.average = state["baseline"]
            if self.exploration is not None:
                self.exploration.load_state_dict(state["exploration"])
        except KeyError as error:
            raise InputError(f"{source}: entry {error} is missing; not a complete checkpoint") from error
        except RuntimeError as error:
            text = one_line(error)
            raise InputError(
                f"{source}: does not fit this policy ({text}); use its own data and sizes"
            ) from error
        unwrapped: Any = self.env.unwrapped
        if state["env"] is not None:
            unwrapped.set_state(state["env"])
            self.reset_seed = None
        else:  # nothing to restore: a seed that no other resumption of the run shares
            self.reset_seed = self.config.seed + self.episode

    def _prepare(self, checkpoint: Path, resume: bool) -> None:
        """Load the checkpoint of a run that is resumed; refuse to overwrite one otherwise."""
        name_data(self.policy, self.env)
        if resume:
            self.load_state_dict(load_checkpoint(checkpoint), str(checkpoint))
        elif checkpoint.exists():
            raise InputError(f"{checkpoint}: a run is in this folder already; resume it or choose another")

    def _save(self, folder: Path | None, state: dict[str, Any] | None) -> None:
        """Write the checkpoint, and the policy alone for whoever only wants to use it."""
        if folder is not None and state is not None:
            save_checkpoint(folder / CHECKPOINT_NAME, state)
            self._save_policy(folder, state["policy"])

    def _save_policy(self, folder: Path | None, weights: dict[str, Tensor] | None = None) -> None:
        if folder is not None and isinstance(self.policy, RemovalPolicy):  # others: in the checkpoint only
            save_policy(self.policy, folder / POLICY_NAME, weights=weights)
