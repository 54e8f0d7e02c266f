"""What each part of learning from the reward alone is worth: rows of ``rlld benchmark`` with one part taken away.

rlld benchmark --methods $(python -m benchmarks.reward_only_parts) --seeds 5 --out runs/parts
python -m benchmarks.reward_only_parts_report runs/parts
"""

import argparse
import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import torch
from torch import Tensor, nn

from rlld_agents.baselines.base import Context, Denoised, environment_options
from rlld_agents.baselines.parts.outcome import learning_curve, parsed_with
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.policies.online import OnlinePlan
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_agents.reinforce.reward_only import evidence_policy, paid_arguments, reward_only_config
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.environment_ids import LABEL_DENOISING

ACTIONS = {"learning_rate": 0.03, "baseline": "ema", "reward_to_go": True}
"""REINFORCE over actions as its textbook form has it; its rate moves a shift as far in 64 updates as needed."""


@dataclass(frozen=True)
class Whole:
    """Nothing taken away; the others are this with one method or attribute of their own."""

    environment: ClassVar[dict[str, Any]] = {}
    """Arguments of the environment that differ, on top of the preset's."""

    def config(self, seed: int) -> ReinforceConfig:
        """Return the options of REINFORCE."""
        return reward_only_config(seed=seed)

    def policy(self, environment: dict[str, Any], context: Context) -> EvidencePolicy:
        """Return the policy before it has learned."""
        return evidence_policy(environment, context.data, context.hidden_size)

    def denoise(self, context: Context) -> Denoised:
        """Learn from the reward, then train the parser with the policy in the loop."""
        published = environment_options(context, type(self).__name__)
        environment = paid_arguments({**published, "task_start": "pretrained"})
        policy = self.policy(environment, context)
        env = gymnasium.make(LABEL_DENOISING, **{**environment, **self.environment})
        rows = Reinforce(policy, env, self.config(context.seed)).learn()
        env.close()
        plan = OnlinePlan(denoise(policy, context.data))
        return parsed_with(
            plan,
            context,
            final="online",
            contrastive_weight=0.0,
            used="dense, as the reward and to choose the epoch of the parser",
            details={"curve": learning_curve(rows)},
        )


class FreshParser(Whole):
    """Episodes start from new weights; the evidence stays that of the parser that has seen the weak labels."""

    environment: ClassVar = {"task_start": "fresh", "evidence": None}


class SummedInterReward(Whole):
    """The inter-rewards of an episode are summed, not averaged."""

    environment: ClassVar = {"inter_scale": 1.0}


class ActionExploration(Whole):
    """Every action bit is drawn; shifts and gains learn by the gradient of log pi."""

    def config(self, seed: int) -> ReinforceConfig:
        """Return the options of REINFORCE over actions."""
        return ReinforceConfig(seed=seed, **ACTIONS)  # type: ignore[arg-type]


class ScalarCredit(Whole):
    """All numbers of a branch are paid by the branch's return."""

    def config(self, seed: int) -> ReinforceConfig:
        """Return the options without credit per class."""
        return dataclasses.replace(reward_only_config(seed=seed), advantage="episode")


class BothModalities(EvidencePolicy):
    """Reads what the parser says with cross-attention: a dog that is heard is "seen"."""

    uses_evidence = False

    def evidence_of(self, split: SplitTensors, indices: Tensor | None = None) -> Tensor:
        """Return the parser's log-odds with both modalities in sight, (N, 2, C) float32."""
        rows = torch.arange(len(split), device=split.labels.device) if indices is None else indices
        parts = [self._log_odds(*split.batch(part)) for part in torch.split(rows, 256)]
        return torch.cat(parts)

    def forward(self, audio: Tensor, visual: Tensor, found: Tensor | None = None) -> Tensor:
        """Return the log-odds of removing each label; see the base class."""
        if found is None:
            two = self._visual_2d_size
            parts = audio[..., : self.audio_size], visual[..., :two], visual[..., two : self.visual_size]
            found = self._log_odds(*parts)
        return self.shift - self.gain * (found - self.centre) / self.spread

    @torch.no_grad()
    def _log_odds(self, audio: Tensor, visual: Tensor, visual_3d: Tensor) -> Tensor:
        output = self.network(audio, visual, visual_3d)
        return torch.logit(torch.stack((output.audio, output.visual), dim=1), eps=1e-6)


class CrossAttention(Whole):
    """The evidence comes from a parser that looks at both modalities."""

    environment: ClassVar = {"evidence": None}

    def policy(self, environment: dict[str, Any], context: Context) -> EvidencePolicy:
        """Return the policy with units and first shifts that fit its evidence."""
        return refitted(
            BothModalities, evidence_policy(environment, context.data, context.hidden_size), context
        )


class HeadsAlone(EvidencePolicy):
    """Reads no evidence; which labels go is what the paper's heads on the parser's encoder have learned."""

    def explored_parameters(self) -> dict[str, nn.Parameter]:
        """Return the shifts and the weights of both heads."""
        return {"shift": self.shift, **dict(self.heads.named_parameters())}


class NoEvidence(Whole):
    """The heads alone, from scratch; the shifts say how many labels of a class go, the heads which."""

    environment: ClassVar = {"evidence": None}

    def policy(self, environment: dict[str, Any], context: Context) -> EvidencePolicy:
        """Return the policy with random heads and without evidence."""
        found = refitted(HeadsAlone, evidence_policy(environment, context.data, context.hidden_size), context)
        generator = torch.Generator().manual_seed(context.seed)
        with torch.no_grad():
            found.gain.zero_()
            found.shift.copy_(
                torch.tensor([[-1.64], [-0.84]])
            )  # quantiles .05 and .2 of a normal distribution
            for head in found._heads:
                weight = torch.randn(head.logit.weight.shape, generator=generator)
                head.logit.weight.copy_(weight / weight.shape[1] ** 0.5)
        return found


class NoInitializedLabels(Whole):
    """Table 2's "w/o initialized labels": the observation has no labels (this policy reads none from it)."""

    environment: ClassVar = {"initialized_labels": False}


class NoSoftInterReward(Whole):
    """Table 2's "w/o soft inter-reward": only the validation score is paid."""

    environment: ClassVar = {"inter_weights": (0.0, 0.0)}


ROWS = {
    "Whole": "whole",
    "FreshParser": "fresh parser in every episode",
    "SummedInterReward": "sum of the inter-rewards",
    "ActionExploration": "exploration in actions, scalar credit",
    "CrossAttention": "evidence with cross-attention",
    "NoEvidence": "no evidence, heads alone",
    "ScalarCredit": "scalar credit",
    "NoSoftInterReward": "w/o soft inter-reward (Table 2)",
    "NoInitializedLabels": "w/o initialized labels (Table 2): none read",
}
"""The rows and what tables call them."""


def refitted(kind: type[EvidencePolicy], first: EvidencePolicy, context: Context) -> EvidencePolicy:
    """Return a policy of another kind on the same parser, with units and shifts that fit what it reads."""
    sizes = {**first.sizes(), "heads": kind is HeadsAlone}
    policy = kind(sizes.pop("network"), **sizes).to(first.shift.device)
    policy.network.load_state_dict(first.network.state_dict())
    if kind is BothModalities:
        train = context.data["train"]
        found = policy.evidence_of(train)
        policy.fit_units(train, found)
        shares = torch.tensor([[0.05], [0.2]]).expand(2, policy.num_classes)
        policy.remove_shares(train, found, shares)
    return policy


def main() -> None:
    """Print the rows as ``--methods`` takes them."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(*(f"benchmarks.reward_only_parts:{name}" for name in ROWS))


if __name__ == "__main__":
    main()
