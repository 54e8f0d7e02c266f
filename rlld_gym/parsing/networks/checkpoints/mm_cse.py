"""Checkpoints of MM-CSE, whose layers of single classes are entries of their own."""

from typing import Any

from rlld_gym.parsing.networks.checkpoints.layout import STEM, PublicLayout, Shapes, register_layout


def mm_cse_sizes(shapes: Shapes) -> dict[str, Any]:
    """Return the arguments of ``MMCSE`` that a checkpoint's shapes determine: all but ``num_heads``."""
    return {
        "audio_size": shapes.columns("fc_a.weight"),
        "visual_2d_size": shapes.columns("fc_v.weight"),
        "visual_3d_size": shapes.columns("fc_st.weight"),
        "num_classes": shapes.count(r"fc_prob\.fc\.(\d+)\."),
        "hidden_size": shapes.rows("fc_a.weight"),
        "class_size": shapes.rows("a_unmix.0.1.weight"),
        "feedforward_size": shapes.rows("av_enhance.layers.0.linear1.weight"),
        "num_layers": shapes.count(r"av_enhance\.layers\.(\d+)\."),
    }


register_layout(
    "mm_cse",
    PublicLayout(
        names=(
            *STEM,
            (r"^audio_classes\.heads\.0\.", "a_unmix.{row}.1."),
            (r"^visual_classes\.heads\.0\.", "v_unmix.{row}.1."),
            (r"^visual_classes\.heads\.1\.", "v_unmix.{row}.4."),
            (r"^(a|v)(udio|isual)_classes\.gate_in\.", r"alpha_\1.model.1."),
            (r"^(a|v)(udio|isual)_classes\.gate_out\.", r"alpha_\1.model.4."),
            (r"^(a|v)(udio|isual)_classes\.reduce\.", r"reduce_\1.0."),
            (r"^audio_reconstruction\.1\.", "a_recon.0."),
            (r"^audio_reconstruction\.3\.", "a_recon.2."),
            (r"^visual_reconstruction\.([13])\.", r"v_recon.model.\1."),
            (r"^pooling\.classifier\.", "fc_prob.fc.{row}."),
            (r"^pooling\.time_attention\.", "fc_frame_att.fc.{row}."),
            (r"^pooling\.modality_attention\.", "fc_av_att.fc.{row}."),
            (r"^layers\.", "av_enhance.layers."),
            (r"\bself_attention\.", "SECM_1.attn."),
            (r"\bcross_attention\.", "SECM_2.attn."),
            (r"\bself_compared\.", "LGSF_1.glob1."),
            (r"\bself_averaged\.", "LGSF_1.glob2."),
            (r"\bcross_recall\.", "LGSF_2.glob."),
            (r"\bself_out\.", "fc1."),
            (r"\bcross_out\.", "fc2."),
            (r"\bnorm\.", "norm1."),
            (r"\bfeedforward_in\.", "linear1."),
            (r"\bfeedforward_out\.", "linear2."),
        ),
        sizes=mm_cse_sizes,
        spare=(r"av_enhance\.final_norm_[av]\.(weight|bias)",),
    ),
)
