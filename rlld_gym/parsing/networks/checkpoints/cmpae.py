"""Checkpoints of CMPAE: a dictionary whose entry "model" holds the weights."""

from typing import Any

from rlld_gym.parsing.networks.checkpoints.layout import LAYER, PublicLayout, Shapes, register_layout


def cmpae_sizes(shapes: Shapes) -> dict[str, Any]:
    """Return the arguments of ``CMPAE`` that a checkpoint's shapes determine."""
    return {
        "audio_size": shapes.columns("fc_a.0.weight"),
        "visual_2d_size": shapes.columns("fc_v.0.weight"),
        "visual_3d_size": shapes.columns("fc_st.0.weight"),
        "num_classes": shapes.rows("fc_prob.weight"),
        "hidden_size": shapes.rows("fc_a.0.weight"),
        "feedforward_size": shapes.rows("hat_encoder.layers.0.linear1.weight"),
        "num_layers": shapes.count(r"hat_encoder\.layers\.(\d+)\."),
    }


register_layout(
    "cmpae",
    PublicLayout(
        names=(
            (r"^stem\.audio\.", "fc_a.0."),
            (r"^stem\.visual_2d\.", "fc_v.0."),
            (r"^stem\.visual_3d\.", "fc_st.0."),
            (r"^stem\.fusion\.", "fc_fusion.0."),
            (r"^pooling\.presence\.", "fc_prob."),
            (r"^pooling\.absence\.", "fc_prob_beta."),
            (r"^pooling\.audio_context\.", "v2a.0."),
            (r"^pooling\.visual_context\.", "a2v.0."),
            (r"^pooling\.time_attention\.", "fc_frame_att."),
            (r"^video_branch\.hidden\.", "classifier1.0."),
            (r"^video_branch\.classifier\.", "classifier2."),
            (r"^layers\.", "hat_encoder.layers."),
            *LAYER,
        ),
        sizes=cmpae_sizes,
        spare=(r"fc_global\.[02]\.(weight|bias)", r"hat_encoder\.norm[12]\.(weight|bias)"),
    ),
)
