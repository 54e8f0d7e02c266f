"""Checkpoints of MM-Pyramid: bare state dictionaries of 394 entries, many of them never used or named twice."""

from typing import Any

from rlld_gym.parsing.networks.checkpoints.layout import (
    POOLING,
    STEM,
    PublicLayout,
    Shapes,
    register_layout,
)


def _sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "audio_size": shapes.columns("fc_a.weight"),
        "visual_2d_size": shapes.columns("fc_v.weight"),
        "visual_3d_size": shapes.columns("fc_st.weight"),
        "num_classes": shapes.rows("fc_prob.weight"),
        "hidden_size": shapes.rows("fc_a.weight"),
        "feedforward_size": shapes.rows("MMP.capture.msa.0.cmablock.layer.feed_forward.w_1.weight"),
        "levels": shapes.count(r"MMP\.capture\.msa\.(\d+)\."),
    }


_LAYER = (
    (r"\.query\.", ".self_attn.linears.0."),
    (r"\.key\.", ".self_attn.linears.1."),
    (r"\.value\.", ".self_attn.linears.2."),
    (r"\.out\.", ".self_attn.linears.3."),
    (r"\.query_norm\.", ".sublayer.0.norm."),
    (r"\.feedforward_norm\.", ".sublayer.1.norm."),
    (r"\.feedforward\.inner\.", ".feed_forward.w_1."),
    (r"\.feedforward\.outer\.", ".feed_forward.w_2."),
)

register_layout(
    "mm_pyramid",
    PublicLayout(
        names=(
            *STEM,
            *POOLING,
            *_LAYER,
            (r"^levels\.(\d+)\.audio_self\.", r"MMP.capture.msa.\1.asablock.layer."),
            (r"^levels\.(\d+)\.visual_self\.", r"MMP.capture.msa.\1.vsablock.layer."),
            (r"^levels\.(\d+)\.cross\.", r"MMP.capture.msa.\1.cmablock.layer."),
            (r"^levels\.(\d+)\.audio_mixing\.own_gate\.", r"MMP.capture.msa.\1.la1."),
            (r"^levels\.(\d+)\.audio_mixing\.other_gate\.", r"MMP.capture.msa.\1.la2."),
            (r"^levels\.(\d+)\.visual_mixing\.own_gate\.", r"MMP.capture.msa.\1.lv1."),
            (r"^levels\.(\d+)\.visual_mixing\.other_gate\.", r"MMP.capture.msa.\1.lv2."),
            (r"^levels\.(\d+)\.audio_unit\.", r"MMP.capture.anetwork.\1."),
            (r"^levels\.(\d+)\.visual_unit\.", r"MMP.capture.vnetwork.\1."),
            (r"\.dilated\.", ".conv1."),
            (r"\.pointwise\.", ".conv2."),
            (r"^audio_fusion\.layer\.", "MMP.fusion.aadaptiveinteraction."),
            (r"^visual_fusion\.layer\.", "MMP.fusion.vadaptiveinteraction."),
            (r"^audio_fusion\.weight\.", "MMP.fusion.aselectfusion."),
            (r"^visual_fusion\.weight\.", "MMP.fusion.vselectfusion."),
        ),
        sizes=_sizes,
        spare=(
            r"MMP\.capture\.[va]network\.\d+\.net\.[02]\.(weight|bias)",  # second names of conv1 and conv2
            r"MMP\.(capture|fusion)\.multiheadattn\.(linears\.\d|layer_norm)\.(weight|bias)",
            r"MMP\.(capture|fusion)\.feedforward\.w_[12]\.(weight|bias)",
            r"MMP\..*\.self_attn\.layer_norm\.(weight|bias)",
        ),
    ),
)
