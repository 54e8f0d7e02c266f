"""Recipes of the published systems besides HAN and JoMoLD, as their authors' code trains them.

Ties between epochs go to the later one, also where the published code keeps the earlier one (VALOR, DHHN).
"""

from typing import Final

from rlld_gym.parsing.recipe import Recipe
from rlld_gym.parsing.thresholds import Thresholds

_VALOR = Recipe(
    name="valor",
    network="valor",
    optimizer="adamw",
    learning_rate=1e-4,
    lowest_learning_rate=1e-6,
    weight_decay=1e-3,
    first_moment_decay=0.5,
    gradient_clip=1.0,
    warm_up=10.0,
    decay="cosine",
    epochs=60,
    batch_size=64,
    audio_weight=1.0,
    video_target="original",
    gate="global",
    selection="segment_type",
)
_VALOR_PLUS = _VALOR.replace(
    name="valor_plus", network="valor_plus", learning_rate=3e-4, lowest_learning_rate=3e-6
)
_CPSP = Recipe(
    name="cpsp",
    network="cpsp",
    network_options={"threshold": 0.09},
    learning_rate=3e-4,
    step_size=10,
    gamma=0.1,
    epochs=12,
    batch_size=16,
    audio_weight=1.0,
    contrastive_weight=1.0,
    contrastive="ma",
    visual_confidence=0.9,
    video_target="original",
    gate="modality",
    selection="last",
)
_MGN = Recipe(
    name="mgn",
    network="mgn",
    learning_rate=3e-4,
    step_size=10,
    gamma=0.1,
    epochs=40,
    batch_size=16,
    audio_weight=1.0,
    visual_confidence=0.9,
    video_target="original",
    gate="global",
    selection="segment_type",
)
_MM_PYRAMID = _MGN.replace(name="mm_pyramid", network="mm_pyramid", learning_rate=1e-4)
_CVCMS = Recipe(
    name="cvcms",
    network="cvcms",
    learning_rate=7e-5,
    step_size=7,
    gamma=0.5,
    epochs=40,
    batch_size=64,
    audio_weight=1.0,
    video_target="union",
    gate="global",
    selection="event_type",
)
_DHHN = Recipe(
    name="dhhn",
    network="dhhn",
    network_options={"audio_guide_rate": 2.0, "visual_guide_rate": 0.2},
    objective_options={"guide_targets": "video"},
    learning_rate=3e-4,
    step_size=10,
    gamma=0.1,
    epochs=10,
    batch_size=64,
    audio_weight=1.0,
    visual_confidence=0.9,
    video_target="original",
    gate="modality",
    selection="segment_type",
)

_CMPAE = Recipe(
    name="cmpae",
    network="cmpae",
    epochs=20,
    video_weight=0.6,
    visual_weight=0.6,
    contrastive_weight=1.0,
    visual_confidence=0.9,
    video_target="original",
    thresholds=Thresholds(audio=0.45, visual=0.45, segment=0.25),
    selection="mean",
)
_LSLD = Recipe(
    name="lsld",
    network="lsld",
    learning_rate=2e-4,
    epochs=20,
    batch_size=32,
    audio_weight=3.0,
    video_target="original",
)
_MM_CSE = Recipe(
    name="mm_cse",
    network="mm_cse",
    optimizer="adamw",
    learning_rate=1e-4,
    weight_decay=1e-3,
    first_moment_decay=0.5,
    gradient_clip=1.0,
    step_size=10,
    gamma=0.1,
    epochs=60,
    batch_size=64,
    audio_weight=1.0,
    video_target="original",
    gate="mixed",
    selection="segment_type",
)
# Ours, as nothing is public of how these two were made to parse: the rates and batches are the publications'.
_AVE = Recipe(
    name="ave",
    network="ave",
    learning_rate=1e-3,
    step_size=10,
    gamma=0.5,
    epochs=40,
    batch_size=64,
    audio_weight=1.0,
    video_target="original",
    gate="global",
    selection="segment_type",
)
_AVSDN = _AVE.replace(name="avsdn", network="avsdn", gradient_clip=0.1, step_size=15, epochs=45)

SYSTEM_RECIPES: Final[tuple[Recipe, ...]] = (
    _VALOR,
    _VALOR_PLUS,
    _VALOR_PLUS.replace(name="valor_plus_plus", network="valor_plus_plus"),
    _CPSP,
    _CPSP.replace(
        name="cpsp-released",
        network_options={"threshold": 0.099},
        objective_options={"video_contrast_weight": 0.0},
    ),
    _CMPAE,
    _LSLD,
    _MM_CSE,
    _AVE,
    _AVSDN,
    _MGN,
    _MM_PYRAMID,
    _CVCMS,
    _DHHN,
    _DHHN.replace(
        name="dhhn-retrain",
        network_options={"audio_guide_rate": 1.0, "visual_guide_rate": 1.0},
        objective_options={"guide_targets": "modality"},
        video_target="audio",
        epochs=5,
    ),
)
"""By system:

- "valor", "valor_plus", "valor_plus_plus": Lai et al., NeurIPS 2023, launch scripts.
- "cpsp": Zhou et al., TPAMI 2022, as the launch script means it; "cpsp-released": as that script runs, because a
  missing character cuts its options off.
- "mgn": Mo and Tian, NeurIPS 2022.
- "mm_pyramid": Yu et al., ACM MM 2022.
- "cvcms": Lin et al., NeurIPS 2021, launch script; its objective smooths. The published code selects the epoch on
  the test split and stops early; here it is the validation split, and all epochs are run.
- "dhhn": Jiang et al., ACM MM 2022, on weak labels; "dhhn-retrain": on denoised ones, an audio label that is
  removed counting as removed from the video, as in the released code. The published system keeps one checkpoint for
  each modality and scores each track with its own; here one network is kept, that of the best Type.
- "cmpae": Gao et al., CVPR 2023, without its removal of labels, which is JoMoLD's.
- "lsld": Fan et al., NeurIPS 2023.
- "mm_cse": Zhao et al., AAAI 2025, released defaults; among equal epochs the published code keeps the earlier one.
- "ave", "avsdn": ours, see the networks.
"""
