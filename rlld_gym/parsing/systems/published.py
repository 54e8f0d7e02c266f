"""Recipes of the published systems besides HAN and JoMoLD, as their authors' code trains them.

Ties between epochs go to the later one, also where the published code keeps the earlier one (VALOR, DHHN).
"""

from typing import Final

from rlld_gym.parsing.recipe import Recipe
from rlld_gym.parsing.thresholds import Thresholds

_COMMON = Recipe(
    name="system",
    step_size=10,
    gamma=0.1,
    batch_size=64,
    audio_weight=1.0,
    video_target="original",
    gate="global",
    selection="segment_type",
)
"""What most of them have in common: three equal weights, the weak label for the video, and Tian et al.'s gate."""

_TEACHERS = _COMMON.replace(
    optimizer="adamw",
    learning_rate=1e-4,
    weight_decay=1e-3,
    first_moment_decay=0.5,
    gradient_clip=1.0,
    epochs=60,
)
"""VALOR's, on which MM-CSE builds."""

_VALOR = _TEACHERS.replace(
    name="valor", network="valor", lowest_learning_rate=1e-6, warm_up=10.0, decay="cosine"
)
_VALOR_PLUS = _VALOR.replace(
    name="valor_plus", network="valor_plus", learning_rate=3e-4, lowest_learning_rate=3e-6
)
_MGN = _COMMON.replace(
    name="mgn", network="mgn", learning_rate=3e-4, epochs=40, batch_size=16, visual_confidence=0.9
)
_CPSP = _MGN.replace(
    name="cpsp",
    network="cpsp",
    network_options={"threshold": 0.09},
    epochs=12,
    contrastive_weight=1.0,
    contrastive="ma",
    gate="modality",
    selection="last",
)
_CVCMS = _COMMON.replace(
    name="cvcms",
    network="cvcms",
    learning_rate=7e-5,
    step_size=7,
    gamma=0.5,
    epochs=40,
    video_target="union",
    selection="event_type",
)
_DHHN = _COMMON.replace(
    name="dhhn",
    network="dhhn",
    network_options={"audio_guide_rate": 2.0, "visual_guide_rate": 0.2},
    objective_options={"guide_targets": "video"},
    learning_rate=3e-4,
    epochs=10,
    visual_confidence=0.9,
    gate="modality",
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
# Ours, as nothing is public of how these two were made to parse: the rates and batches are the publications'.
_AVE = _COMMON.replace(name="ave", network="ave", learning_rate=1e-3, gamma=0.5, epochs=40)

SYSTEM_RECIPES: Final[tuple[Recipe, ...]] = (
    _VALOR,
    _VALOR.replace(name="valor-rlld", objective_options={"share": 0.5}),
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
    _TEACHERS.replace(name="mm_cse", network="mm_cse", gate="mixed"),
    _AVE,
    _AVE.replace(name="avsdn", network="avsdn", gradient_clip=0.1, step_size=15, epochs=45),
    _MGN,
    _MGN.replace(name="mm_pyramid", network="mm_pyramid", learning_rate=1e-4),
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

- "valor", "valor_plus", "valor_plus_plus": Lai et al., NeurIPS 2023, launch scripts; "valor-rlld": VALOR as RLLD
  uses it (arXiv 2412.19563, section 4.3): of what the teachers find, the most probable labels up to one half.
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
