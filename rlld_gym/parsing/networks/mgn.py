"""Multi-modal grouping network (Mo and Tian, NeurIPS 2022)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.parts.grouping import GroupingTransformer
from rlld_gym.parsing.networks.parts.stem import HANStem


class MGN(TaskNetwork):
    """Class tokens gather the segments of each modality, then those of both; each class token is classified.

    A segment's probability is that of its class in the video times a factor between 1.04 and 1.23, so that segments
    of a video hardly differ and a probability may exceed 1: as published. Audio segment t is tied to visual segment
    t, because its group token is built from the visual one.

    The sequences of `encode` are those of the stem; all else belongs to the head.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0: none.
        num_classes: number of event classes C.
        hidden_size: width D, a multiple of ``heads``.
        num_segments: T.
        depths: numbers of blocks of the audio, the visual and the cross-modal transformer.
        heads: of the attentions.
        drop_path: probability with which a video skips a block's branch in training.

    Raises:
        InputError: ``hidden_size`` is no multiple of ``heads``.
    """

    separates_modalities: ClassVar[bool] = False

    def __init__(
        self,
        audio_size: int = 128,
        visual_2d_size: int = 2048,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 128,
        *,
        num_segments: int = 10,
        depths: tuple[int, int, int] = (3, 3, 6),
        heads: int = 8,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        self.num_segments = num_segments
        self.stem = HANStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        self.audio_tokens = nn.Parameter(torch.zeros(num_classes, hidden_size))
        self.visual_tokens = nn.Parameter(torch.zeros(num_classes, hidden_size))
        audio_depth, visual_depth, cross_depth = depths
        self.audio_transformer = GroupingTransformer(
            hidden_size,
            num_classes,
            audio_depth,
            heads,
            drop_path=drop_path,
            renewed_segments=num_segments,
        )
        self.visual_transformer = GroupingTransformer(
            hidden_size, num_classes, visual_depth, heads, drop_path=drop_path
        )
        self.cross_transformer = GroupingTransformer(
            hidden_size, num_classes, cross_depth, heads, drop_path=drop_path
        )
        self.video_classifier = nn.Linear(hidden_size, 1)
        self.audio_classifier = nn.Linear(hidden_size, 1)
        self.visual_classifier = nn.Linear(hidden_size, 1)
        self.token_classifier = nn.Linear(hidden_size, num_classes)
        self.apply(_initialise)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Project features to one sequence per modality; see the base class.

        Raises:
            InputError: for another number of segments than the network is built for, and for ``cross_attention``
                False: the published network cannot see one modality alone.
        """
        if not cross_attention:
            raise InputError(
                "MGN has no form without cross attention: use another network where one is needed"
            )
        if audio.shape[1] != self.num_segments:
            raise InputError(f"MGN is built for {self.num_segments} segments, found {audio.shape[1]}")
        sequences: tuple[Tensor, Tensor] = self.stem(audio, visual_2d, visual_3d)
        return sequences

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Group, fuse and classify two projected sequences, (B, T, D) each."""
        batch = len(audio_sequence)
        audio_tokens, visual_tokens = (
            tokens.expand(batch, -1, -1) for tokens in (self.audio_tokens, self.visual_tokens)
        )
        audio, audio_shares = self.audio_transformer(audio_sequence, audio_tokens, visual_sequence)
        visual, visual_shares = self.visual_transformer(visual_sequence, visual_tokens)
        both, _ = self.cross_transformer(audio, visual)
        pooled_audio = self.audio_classifier(audio).squeeze(-1).sigmoid()
        pooled_visual = self.visual_classifier(visual).squeeze(-1).sigmoid()
        shares = torch.stack((audio_shares, visual_shares), 1).softmax(-1) + 1
        segment = torch.stack((pooled_audio, pooled_visual), 1).unsqueeze(-1) * shares
        video = self.video_classifier(both).squeeze(-1).sigmoid()
        return ParsingOutput(video, pooled_audio, pooled_visual, segment.permute(0, 3, 1, 2))

    def token_logits(self) -> tuple[Tensor, Tensor]:
        """Return what the audio and the visual class tokens are classified as, (C, C) each."""
        return self.token_classifier(self.audio_tokens), self.token_classifier(self.visual_tokens)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
