"""Checkpoints of CPSP: bare state dictionaries; the threshold is not stored."""

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
    }


register_layout(
    "cpsp",
    PublicLayout(
        names=(
            *STEM,
            *POOLING,
            (r"^audio_lstm\.", "lstm.lstm_audio."),
            (r"^visual_lstm\.", "lstm.lstm_video."),
            (r"^propagation\.visual_message\.", "psp.v_L1."),
            (r"^propagation\.visual_query\.", "psp.v_L2."),
            (r"^propagation\.audio_query\.", "psp.a_L1."),
            (r"^propagation\.audio_message\.", "psp.a_L2."),
            (r"^propagation\.visual_out\.", "psp.v_fc."),
            (r"^propagation\.audio_out\.", "psp.a_fc."),
            (r"^propagation\.norm\.", "psp.layer_norm."),
        ),
        sizes=_sizes,
    ),
)
