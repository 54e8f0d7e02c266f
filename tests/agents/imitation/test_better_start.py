"""Reward decides whether REINFORCE goes on from imitation or begins with a parser's evidence."""

from rlld_agents import HybridAttentionPolicy
from rlld_agents.imitation.rewarded import better_start
from rlld_agents.policies.combined import CombinedPolicy
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.reinforce.reward_only import evidence_policy, reward_only_config
from rlld_agents.runs.setting import Setting
from rlld_gym.data.tensors import StoreTensors

ENVIRONMENT = {
    "data": "twin-tiny",
    "recipe": "compact-tiny",
    "hidden_size": 16,
    "episode_length": 4,
    "task_start_epochs": 2,
    "device": "cpu",
}


def imitated(data: StoreTensors, bias: float) -> CombinedPolicy:
    """Return a policy whose prior gives every label the same log-odds of removal, whatever the evidence."""
    train = data["train"]
    prior = HybridAttentionPolicy(
        audio_size=train.audio.shape[-1],
        visual_size=train.visual.shape[-1],
        num_classes=train.labels.shape[-1],
        visual_3d_size=train.visual.shape[-1] - train.visual_2d_size,
        hidden_size=16,
    )
    for head in (prior.audio_head, prior.visual_head):
        head.logit.weight.data.zero_()
        head.logit.bias.data.fill_(bias)
    policy = CombinedPolicy(prior, evidence_policy(ENVIRONMENT, data, 16))
    policy.weigh_evidence(0.0)
    return policy


def test_what_earns_less_than_evidence_is_left() -> None:
    data = Setting("twin-tiny", device="cpu").tensors
    config = reward_only_config(episodes=8)
    ruinous = imitated(data, 30.0)
    assert isinstance(better_start(ruinous, ENVIRONMENT, config, data, 16), EvidencePolicy)
