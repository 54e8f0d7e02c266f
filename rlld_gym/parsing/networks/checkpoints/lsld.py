"""Checkpoints of LSLD: a dictionary whose entry "model" holds the weights; there is no clip stream."""

from typing import Any

from rlld_gym.parsing.networks.checkpoints.layout import (
    LAYER,
    POOLING,
    STEM,
    PublicLayout,
    Shapes,
    register_layout,
)


def lsld_sizes(shapes: Shapes) -> dict[str, Any]:
    """Return the arguments of ``LSLD`` that a checkpoint's shapes determine."""
    return {
        "audio_size": shapes.columns("fc_a.weight"),
        "visual_2d_size": shapes.columns("fc_v.weight"),
        "visual_3d_size": shapes.columns("fc_st.weight") if shapes.has("fc_st.weight") else 0,
        "num_classes": shapes.rows("fc_prob.weight"),
        "hidden_size": shapes.rows("fc_a.weight"),
        "feedforward_size": shapes.rows("hat_encoder.layers.0.linear1.weight"),
        "num_layers": shapes.count(r"hat_encoder\.layers\.(\d+)\."),
    }


register_layout(
    "lsld",
    PublicLayout(
        names=(*STEM, *POOLING, (r"^layers\.", "hat_encoder.layers."), *LAYER),
        sizes=lsld_sizes,
        spare=(r"hat_encoder\.norm[12]\.(weight|bias)",),
    ),
)
