"""A trained parser of each kind on the small twin, and what starts from it."""

from functools import cache

import torch
from torch import Tensor, nn

from rlld_agents.policies.base import StartablePolicy
from rlld_agents.policies.start import startable_policy
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork, register_network
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser

DATA = shared_tensors("twin-tiny", "cpu")
HIDDEN_SIZE = 32
RECURRENT = "test-recurrent"


@register_network(RECURRENT)
class Recurrent(TaskNetwork):
    """A network that has nothing of HAN: recurrent sequences, wider than asked for, and max pooling."""

    def __init__(
        self, audio_size: int, visual_2d_size: int, visual_3d_size: int, num_classes: int, hidden_size: int
    ) -> None:
        super().__init__()
        self.audio = nn.GRU(audio_size, hidden_size, bidirectional=True, batch_first=True)
        self.visual = nn.GRU(
            visual_2d_size + visual_3d_size, hidden_size, bidirectional=True, batch_first=True
        )
        self.classifier = nn.Linear(2 * hidden_size, num_classes)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        return self.audio(audio)[0], self.visual(torch.cat((visual_2d, visual_3d), -1))[0]

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        segment = self.classifier(torch.stack((audio_sequence, visual_sequence), 2)).sigmoid()
        audio, visual = segment.amax(1).unbind(1)
        return ParsingOutput(torch.maximum(audio, visual), audio, visual, segment)


@cache
def parser(network: str = "han") -> TaskNetwork:
    """Return a parser that was trained on the weak labels."""
    labels = DATA["train"].labels
    recipe = get_recipe("compact-tiny").shortened(10).replace(network=network)
    return train_parser(DATA, labels, labels, recipe, hidden_size=HIDDEN_SIZE, seed=0).network


def started(network: str = "han") -> StartablePolicy:
    """Return a policy that starts from that parser."""
    return startable_policy(
        DATA["train"], hidden_size=HIDDEN_SIZE, seed=0, network=network, parser=parser(network)
    )
