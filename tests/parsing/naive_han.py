"""HAN with one layer, as its paper writes it: one modality after the other, with torch's own attention."""

import torch
from torch import Tensor, nn

from rlld_gym.parsing.networks import HAN, ParsingOutput, TaskNetwork


class NaiveHAN(TaskNetwork):
    """Copies the weights of a `HAN`; its parameters have the same names. There is no dropout."""

    def __init__(self, network: HAN) -> None:
        super().__init__()
        stem, layer, pooling = network.stem, network.layers[0], network.pooling
        width = stem.audio.out_features
        self.stem = nn.ModuleDict({name: like(part) for name, part in stem.named_children()})
        parts: dict[str, nn.Module] = {
            name: nn.MultiheadAttention(width, 1, batch_first=True)
            for name in ("self_attention", "cross_attention")
        }
        parts |= {name: like(getattr(layer, name)) for name in ("feedforward_in", "feedforward_out")}
        parts |= {name: nn.LayerNorm(width) for name in ("attention_norm", "feedforward_norm")}
        self.layers = nn.ModuleList([nn.ModuleDict(parts)])
        self.pooling = nn.ModuleDict({name: like(part) for name, part in pooling.named_children()})
        self.to(stem.audio.weight.dtype).load_state_dict(network.state_dict())

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        assert cross_attention
        heard = self.stem["audio"](audio)
        seen = torch.cat((self.stem["visual_2d"](visual_2d), self.stem["visual_3d"](visual_3d)), -1)
        seen = self.stem["fusion"](seen)
        return self.update(heard, seen), self.update(seen, heard)

    def update(self, sequence: Tensor, other: Tensor) -> Tensor:
        """Return a modality's sequence after the layer, given the other modality's before it."""
        layer = self.layers[0]
        own, _ = layer["self_attention"](sequence, sequence, sequence)
        across, _ = layer["cross_attention"](sequence, other, other)
        attended = layer["attention_norm"](sequence + own + across)
        inner = layer["feedforward_out"](torch.relu(layer["feedforward_in"](attended)))
        updated: Tensor = layer["feedforward_norm"](attended + inner)
        return updated

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        both = torch.stack((audio_sequence, visual_sequence), 2)
        segment = torch.sigmoid(self.pooling["classifier"](both))
        weighted = segment * torch.softmax(self.pooling["time_attention"](both), 1)
        video = (weighted * torch.softmax(self.pooling["modality_attention"](both), 2)).sum((1, 2))
        audio, visual = weighted.sum(1).unbind(1)
        return ParsingOutput(video, audio, visual, segment)


def like(linear: nn.Module) -> nn.Linear:
    """Return a linear map of the same sizes."""
    assert isinstance(linear, nn.Linear)
    return nn.Linear(linear.in_features, linear.out_features)
