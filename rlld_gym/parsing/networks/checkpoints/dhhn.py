"""Checkpoints of DHHN: bare state dictionaries of the main network; the guides are not saved by the release."""

from typing import Any

from rlld_gym.parsing.networks.checkpoints.layout import (
    LAYER,
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
        "feedforward_size": shapes.rows("hat_encoder.layers.0.linear1.weight"),
        "num_layers": shapes.count(r"hat_encoder\.layers\.(\d+)\."),
        "guides": False,
    }


register_layout(
    "dhhn",
    PublicLayout(
        names=(
            *STEM,
            *POOLING,
            (r"^audio_scales\.(\d)\.convolution\.", r"conv_x1.\1.blocks.0.0."),
            (r"^audio_scales\.(\d)\.norm\.", r"conv_x1.\1.blocks.0.1."),
            (r"^visual_scales\.(\d)\.convolution\.", r"conv_x2.\1.blocks.0.0."),
            (r"^visual_scales\.(\d)\.norm\.", r"conv_x2.\1.blocks.0.1."),
            (r"^layers\.", "hat_encoder.layers."),
            *LAYER,
        ),
        sizes=_sizes,
        spare=(r"hat_encoder\.norm[12]\.(weight|bias)",),
        absent=(r"(audio|visual)_guide\..*",),
    ),
)

GUIDE_LAYOUT = PublicLayout(
    names=(
        (r"^audio\.", "fc_a."),
        (r"^visual_2d\.", "fc_v."),
        (r"^visual_3d\.", "fc_st."),
        (r"^fusion\.", "fc_fusion."),
        (r"^classifier\.", "fc_prob."),
        (r"^time_attention\.", "fc_frame_att."),
        (r"^layers\.", "audio_encoder.layers."),  # the visual guide's, too
        *LAYER,
    ),
    sizes=lambda _: {},
)
"""Public names of a guide's weights, should somebody have saved one."""
