"""LSLD: the parser of "Revisit Weakly-Supervised Audio-Visual Video Parsing from the Language Perspective"."""

from typing import ClassVar

from rlld_gym.parsing.networks.han import HAN


class LSLD(HAN):
    """Four stacked HAN layers on CLAP and CLIP features (Fan et al., NeurIPS 2023).

    The network is JoMoLD's HAN: what is LSLD's own is its depth, its features and its segment-level labels. The
    publication has no clip features; where data have some, the stem fuses them as HAN's does (ours).

    Args:
        audio_size: width of the audio features; the publication's are CLAP's.
        visual_2d_size: width of the visual features, of 8 frames a segment or pooled; the publication's are CLIP's.
        visual_3d_size: width of the clip features; 0, as published: none.
        num_classes: number of event classes C.
        hidden_size: width D of the sequences.
        feedforward_size: inner width of the feed-forward part; None: ``hidden_size``.
        num_layers: number of HAN layers.
        heads: of each attention; the publication has 1.
        dropout: probability inside the layers.
        visual_dropout: probability before the head, visual sequence only.

    Raises:
        InputError: ``num_layers`` below 1, or ``hidden_size`` is no multiple of ``heads``.
    """

    published_features: ClassVar[str] = (
        "CLAP (512) and CLIP (8 frames a segment, 512) features, no clip features"
    )

    def __init__(
        self,
        audio_size: int = 512,
        visual_2d_size: int = 512,
        visual_3d_size: int = 0,
        num_classes: int = 25,
        hidden_size: int = 512,
        *,
        feedforward_size: int | None = None,
        num_layers: int = 4,
        heads: int = 1,
        dropout: float = 0.1,
        visual_dropout: float = 0.5,
    ) -> None:
        super().__init__(
            audio_size,
            visual_2d_size,
            visual_3d_size,
            num_classes,
            hidden_size,
            feedforward_size=feedforward_size,
            num_layers=num_layers,
            heads=heads,
            dropout=dropout,
            flavour="jomold",
            visual_dropout=visual_dropout,
        )
