"""Several policies as one: the mean of their removal probabilities."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_agents.policies.base import RemovalPolicy


class PolicyEnsemble(RemovalPolicy):
    """Policies of one make and size that decide by the mean of their removal probabilities.

    The mean of probabilities, not of logits: it ranked audio labels better in every run that we compared and visual
    ones as well, and an average over well calibrated members is a probability that one can threshold. Returned are
    its log-odds, so that an ensemble stands wherever a policy does: it denoises, is stored in one file, and its
    members can be reinforced together.

    Args:
        members: one or more policies.

    Raises:
        ValueError: no members, or members of different makes or sizes.
    """

    kind = "ensemble"

    def __init__(self, members: Sequence[RemovalPolicy]):
        super().__init__()
        if not members:
            raise ValueError("an ensemble needs at least one policy")
        first = members[0]
        if any(other.kind != first.kind or other.sizes() != first.sizes() for other in members):
            raise ValueError("policies of an ensemble must be of one make and size")
        self.members = nn.ModuleList(members)
        self.audio_size = first.audio_size
        self.visual_size = first.visual_size
        self.num_classes = first.num_classes
        self.initialized_labels = first.initialized_labels

    @property
    def policies(self) -> list[RemovalPolicy]:
        """The members."""
        return [member for member in self.members if isinstance(member, RemovalPolicy)]

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        """Return the log-odds of the mean probability of removing each label; see the base class."""
        logits = torch.stack([member(audio, visual) for member in self.members])
        # log(mean p) - log(mean (1 - p)), exact also where probabilities round to 0 or 1.
        remove, keep = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        return remove.logsumexp(0) - keep.logsumexp(0)

    def sizes(self) -> dict[str, Any]:
        """Return number, make and sizes of the members, JSON-able."""
        first = self.policies[0]
        return {"number": len(self.members), "kind": first.kind, "sizes": first.sizes()}

    def shift_logits(self, shift: Tensor) -> None:
        """Add (2, C) numbers to the log-odds of every member."""
        for member in self.policies:
            member.shift_logits(shift)
