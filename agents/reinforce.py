"""REINFORCE for label denoising: Eq. 12-15 of RLLD (arXiv 2412.19563), to be read from top to bottom.

The paper's gradient is 1/N sum_i grad log pi(a_audio_i, a_visual_i | h_i) R(S), with N the steps of an
episode. What it leaves open is read like this:

- R(S) is the return of the whole episode, the plain sum of its N rewards, and the same number multiplies
  every step: Eq. 15 writes R(S) without the index i. R(S) = R_terminal + R_inter (Eq. 11) thus holds with
  R_inter summed over the steps. The environment's ``terminal_scale`` and ``terminal_every`` set the terminal
  reward's share.
- Each branch has its own return: log pi of the audio bits is multiplied with the sum of
  ``info["reward_audio"]``, log pi of the visual bits with the sum of ``info["reward_visual"]``.
- A step's state is a batch of videos, so log pi is the sum over all free bits of the batch, not a mean. (Adam
  divides any constant factor out again.)

These are the defaults of ``ReinforceConfig``; every option departs from the paper only when it is set.
"""

import copy
import dataclasses
import math
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from rlld_gym.errors import InputError

from .checkpoint import CHECKPOINT_NAME, load_checkpoint, save_checkpoint
from .distribution import MaskedBernoulli
from .episode import Episode, resized, returns
from .policy import HybridAttentionPolicy, save_policy
from .runlog import RunLog, environment_metrics

POLICY_NAME = "policy.safetensors"


@dataclass(frozen=True)
class ReinforceConfig:
    """Options of ``Reinforce``; the defaults are the paper's preset."""

    episodes: int = 100
    """Episodes to train for, counted from the start of the run also when it is resumed."""
    learning_rate: float = 1e-4
    """Adam's learning rate."""
    branch_rewards: bool = True
    """Reinforce each branch with its own reward (Eq. 15), not both with the environment's."""
    reward_to_go: bool = False
    """Multiply a step with the rewards from that step on, not with the return of the whole episode."""
    discount: float = 1.0
    """Factor per step by which later rewards count less; 1 is the paper's undiscounted sum."""
    baseline: Literal["none", "ema"] = "none"
    """Subtract nothing, or a moving average of earlier episodes' returns, one for each branch (and step)."""
    baseline_decay: float = 0.9
    """How much of the moving average an episode keeps."""
    entropy_coefficient: float = 0.0
    """Weight of the entropy of the free bits, summed over a batch like log pi, in the objective."""
    max_gradient_norm: float | None = None
    """Scale the gradient down to this norm where it is longer."""
    checkpoint_every: int = 10
    """Episodes between checkpoints; one is always written at the end and on Ctrl-C."""
    seed: int = 0
    """Seed of the action samples and of the environment's first reset."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        rules = {
            "episodes": (self.episodes >= 1, "at least 1"),
            "learning_rate": (self.learning_rate > 0, "greater than 0"),
            "discount": (0 <= self.discount <= 1, "between 0 and 1"),
            "baseline": (self.baseline in ("none", "ema"), "none or ema"),
            "baseline_decay": (0 <= self.baseline_decay < 1, "at least 0 and less than 1"),
            "entropy_coefficient": (self.entropy_coefficient >= 0, "at least 0"),
            "max_gradient_norm": (
                self.max_gradient_norm is None or self.max_gradient_norm > 0,
                "greater than 0 or none",
            ),
            "checkpoint_every": (self.checkpoint_every >= 1, "at least 1"),
            "seed": (self.seed >= 0, "at least 0"),
        }
        for name, (holds, expected) in rules.items():
            if not holds:
                raise InputError(f"option {name}: found {getattr(self, name)}, expected {expected}")


class Reinforce:
    """REINFORCE with one return per branch (Eq. 12-15), through the Gymnasium API only.

    Args:
        policy: any module that, called with the observation's ``audio`` and ``visual`` as float32 tensors,
            returns removal logits (B, 2, C). It must not be stochastic itself (no dropout). Trained in place,
            where it is.
        env: observation Dict with ``audio`` (B, T, Da + C) and ``visual`` (B, T, Dv + C), action
            MultiBinary((B, 2, C)). Used from ``info``, where present: ``action_mask`` (int8, 2 = free),
            ``reward_audio`` and ``reward_visual``; plain numbers are logged. ``env.unwrapped.get_state()``
            and ``set_state()``, where present, make a resumed run equal to an uninterrupted one; an
            environment without them is reset with a seed of its own when a run is resumed.
        config: the options.
    """

    def __init__(
        self, policy: nn.Module, env: gymnasium.Env[Any, Any], config: ReinforceConfig | None = None
    ) -> None:
        self.policy = policy
        self.env = env
        self.config = config or ReinforceConfig()
        self.device = next(policy.parameters()).device
        self.optimizer = torch.optim.Adam(policy.parameters(), lr=self.config.learning_rate)
        self.generator = torch.Generator().manual_seed(self.config.seed)
        self.reset_seed: int | None = self.config.seed
        self.episode = 0
        self.total_steps = 0
        self.baseline: Tensor | None = None

    # ------------------------------------------------------------------ the algorithm

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
                policy.safetensors. None: nothing is written.
            resume: go on from the folder's checkpoint, as if the run had never stopped.
            progress: show a progress bar on stderr.
            tensorboard: write TensorBoard events too, where the package is installed.
            callback: called with each episode's row once it is logged.

        Returns:
            The rows of the episodes that this call trained.

        Raises:
            InputError: if ``resume`` finds no usable checkpoint, or a new run would overwrite one.
            RuntimeError: if the gradient stops being finite.
        """
        folder = None if folder is None else Path(folder)
        if folder is not None:
            self._prepare(folder / CHECKPOINT_NAME, resume)
        rows = []
        with ExitStack() as stack:
            log = None
            if folder is not None:
                log = stack.enter_context(RunLog(folder, keep_episodes=self.episode, tensorboard=tensorboard))
            bar = stack.enter_context(
                tqdm(total=self.config.episodes, initial=self.episode, unit="episode", disable=not progress)
            )
            complete = self._snapshot(folder)
            try:
                while self.episode < self.config.episodes:
                    row = self._train_episode()
                    rows.append(row)
                    if log is not None:
                        log.write(row)
                    complete = self._snapshot(folder)
                    bar.update()
                    bar.set_postfix(reward=f"{row['rollout/ep_rew_mean']:.3f}", refresh=False)
                    if callback is not None:
                        callback(row)
                    is_last = self.episode == self.config.episodes
                    if is_last or self.episode % self.config.checkpoint_every == 0:
                        self._save(folder, complete)
            except KeyboardInterrupt:
                self._save(folder, complete)
                raise
        return rows

    def _train_episode(self) -> dict[str, float]:
        """Play one episode, update the policy, and return the row to log."""
        start = time.perf_counter()
        episode = self._play_episode()
        weights, weight_statistics = self._weights(torch.tensor(episode.rewards, dtype=torch.float64))
        training = self._update(episode, weights)
        self.episode += 1
        self.total_steps += len(episode.actions)
        seconds = time.perf_counter() - start
        return {
            "episode": self.episode,
            "time/total_timesteps": self.total_steps,
            "time/fps": len(episode.actions) / seconds,
            "rollout/ep_rew_mean": sum(episode.scalar_rewards),
            "rollout/ep_len_mean": len(episode.actions),
            **weight_statistics,
            **training,
            **environment_metrics(episode.infos),
        }

    def _play_episode(self) -> Episode:
        """Sample actions until the environment ends the episode."""
        episode = Episode()
        observation, info = self.env.reset(seed=self.reset_seed)
        self.reset_seed = None
        done = False
        while not done:
            mask = torch.tensor(info["action_mask"]) if "action_mask" in info else None
            with torch.no_grad():  # around the policy alone: the environment trains a network in its step
                action = self._distribution(observation, mask).sample(self.generator)
            episode.observations.append(observation)
            episode.masks.append(mask)
            episode.actions.append(action)
            observation, reward, terminated, truncated, info = self.env.step(action.numpy())
            done = terminated or truncated
            scalar = float(reward)
            if self.config.branch_rewards and "reward_audio" in info and "reward_visual" in info:
                episode.rewards.append((float(info["reward_audio"]), float(info["reward_visual"])))
            else:
                episode.rewards.append((scalar, scalar))
            episode.scalar_rewards.append(scalar)
            episode.infos.append(info)
        return episode

    def _weights(self, rewards: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Return what multiplies each step's log-probability, (N, 2), and the branches' returns to log.

        The baseline comes from earlier episodes only, which keeps the gradient unbiased. The first episode
        has none and is used to start the average: its weights are zero.
        """
        gains = returns(rewards, self.config.reward_to_go, self.config.discount)
        totals = rewards.sum(0)
        statistics = {"rollout/return_audio": totals[0].item(), "rollout/return_visual": totals[1].item()}
        if self.config.baseline == "none":
            return gains, statistics
        baseline = gains if self.baseline is None else resized(self.baseline, len(gains))
        self.baseline = self.config.baseline_decay * baseline + (1 - self.config.baseline_decay) * gains
        return gains - baseline, statistics

    def _update(self, episode: Episode, weights: Tensor) -> dict[str, float]:
        """Take one Adam step along 1/N sum_i grad log pi(a_i) R (Eq. 15); backward() runs step by step."""
        steps = len(episode.actions)
        weights = weights.to(self.device, torch.float32)
        loss_sum = torch.zeros((), device=self.device)
        entropy_sum = torch.zeros((), device=self.device)
        free_bits = torch.zeros((), device=self.device)
        self.optimizer.zero_grad()
        for observation, action, mask, weight in zip(
            episode.observations, episode.actions, episode.masks, weights, strict=True
        ):
            distribution = self._distribution(observation, mask)
            log_probability = distribution.log_probability(action.to(self.device)).sum(0)
            entropy = distribution.entropy().sum()
            loss = -(log_probability * weight).sum() / steps
            (loss - self.config.entropy_coefficient * entropy / steps).backward()
            loss_sum += loss.detach()
            entropy_sum += entropy.detach()
            free_bits += distribution.free.sum()
        limit = self.config.max_gradient_norm or math.inf
        gradient_norm = nn.utils.clip_grad_norm_(self.policy.parameters(), limit).item()
        if not math.isfinite(gradient_norm):
            raise RuntimeError(
                f"episode {self.episode + 1}: the norm of the policy gradient is {gradient_norm}; check that "
                "rewards and features are finite, and lower learning_rate"
            )
        self.optimizer.step()
        return {
            "train/policy_gradient_loss": loss_sum.item(),
            "train/entropy": (entropy_sum / free_bits.clamp(min=1)).item(),
            "train/grad_norm": gradient_norm,
        }

    def _distribution(self, observation: dict[str, NDArray[Any]], mask: Tensor | None) -> MaskedBernoulli:
        """Return the policy's action distribution for one observation."""
        audio, visual = (
            torch.from_numpy(np.asarray(observation[name], np.float32)).to(self.device)
            for name in ("audio", "visual")
        )
        return MaskedBernoulli(self.policy(audio, visual), None if mask is None else mask.to(self.device))

    # ------------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on, between two episodes; all copies."""
        get_state = getattr(self.env.unwrapped, "get_state", None)
        return copy.deepcopy(
            {
                "config": dataclasses.asdict(self.config),
                "episode": self.episode,
                "total_steps": self.total_steps,
                "policy": self.policy.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "generator": self.generator.get_state(),
                "baseline": self.baseline,
                "env": get_state() if get_state is not None and self.episode else None,
            }
        )

    def load_state_dict(self, state: dict[str, Any], source: str = "state") -> None:
        """Restore what ``state_dict`` returned.

        Args:
            state: the state.
            source: name of its file, for error messages.

        Raises:
            InputError: if the state is of a policy of other sizes or of a run with other options
                (``episodes`` and ``checkpoint_every`` may differ).
        """
        try:
            self._check_same_run(state["config"], source)
            self.policy.load_state_dict(state["policy"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.set_state(state["generator"])
            self.episode, self.total_steps = state["episode"], state["total_steps"]
            self.baseline = state["baseline"]
        except KeyError as error:
            raise InputError(f"{source}: entry {error} is missing; not a complete checkpoint") from error
        except RuntimeError as error:
            detail = " ".join(str(error).split())[:200]
            raise InputError(
                f"{source}: does not fit this policy ({detail}); use the run's own data and sizes"
            ) from error
        unwrapped: Any = self.env.unwrapped
        if state["env"] is not None:
            unwrapped.set_state(state["env"])
            self.reset_seed = None
        else:  # nothing to restore: a seed that no other resumption of the run shares
            self.reset_seed = self.config.seed + self.episode

    def _check_same_run(self, saved: dict[str, Any], source: str) -> None:
        """Raise InputError if an option that shapes the run differs from the saved one."""
        for name, value in dataclasses.asdict(self.config).items():
            if name not in ("episodes", "checkpoint_every") and saved.get(name) != value:
                raise InputError(
                    f"{source}: trained with {name}={saved.get(name)}, found {name}={value}; "
                    "resume with the run's own options"
                )

    def _prepare(self, checkpoint: Path, resume: bool) -> None:
        """Load the checkpoint of a run that is resumed; refuse to overwrite one otherwise."""
        if resume:
            self.load_state_dict(load_checkpoint(checkpoint), str(checkpoint))
        elif checkpoint.exists():
            raise InputError(
                f"{checkpoint}: a run is in this folder already; resume it or choose another folder"
            )

    def _snapshot(self, folder: Path | None) -> dict[str, Any] | None:
        """Return a copy of the state, from which a run that is interrupted in mid-episode is saved."""
        return None if folder is None else self.state_dict()

    def _save(self, folder: Path | None, state: dict[str, Any] | None) -> None:
        """Write the checkpoint, and the policy alone for whoever only wants to use it."""
        if folder is None or state is None:
            return
        save_checkpoint(folder / CHECKPOINT_NAME, state)
        if isinstance(self.policy, HybridAttentionPolicy):  # others are in the checkpoint only
            save_policy(self.policy, folder / POLICY_NAME, weights=state["policy"])
