"""Checkpoints of CVCMS's classes. The release itself writes none."""

from typing import Any

from rlld_gym.parsing.networks.checkpoints.layout import LAYER, STEM, PublicLayout, Shapes, register_layout


def _sizes(shapes: Shapes) -> dict[str, Any]:
    return {
        "audio_size": shapes.columns("fc_a.weight"),
        "visual_2d_size": shapes.columns("fc_v.weight"),
        "visual_3d_size": shapes.columns("fc_st.weight"),
        "num_classes": shapes.rows("fc_frame_att.weight"),
        "hidden_size": shapes.rows("fc_a.weight"),
        "feedforward_size": shapes.rows("hat_encoder.layers.0.linear1.weight"),
        "class_size": shapes.columns("fc_occ_prob_a.weight"),
        "num_layers": shapes.count(r"hat_encoder\.layers\.(\d+)\."),
        "num_class_layers": shapes.count(r"av_class_encoder\.layers\.(\d+)\."),
    }


register_layout(
    "cvcms",
    PublicLayout(
        names=(
            *STEM,
            (r"^layers\.", "hat_encoder.layers."),
            (r"^class_layers\.", "av_class_encoder.layers."),
            *LAYER,
            (r"^audio_classes\.", "fc_occ_class_a."),
            (r"^visual_classes\.", "fc_occ_class_v."),
            (r"^audio_classifier\.", "fc_occ_prob_a."),
            (r"^visual_classifier\.", "fc_occ_prob_v."),
            (r"^time_attention\.", "fc_frame_att."),
            (r"^modality_attention\.", "fc_av_att."),
        ),
        sizes=_sizes,
        spare=(
            r"fc_prob\.(weight|bias)",
            r"fc_occ_(class_av|(a|v|av)_[qkv]|frame_prob|modality_prob)\.(weight|bias)",
            r"(hat_encoder|av_class_encoder|frame_att_encoder|modality_encoder)\.norm[12]\.(weight|bias)",
            r"(frame_att_encoder|modality_encoder)\.layers\.\d+\..*",
        ),
    ),
)
