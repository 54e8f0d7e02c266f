"""Checkpoints of HAN and JoMoLD. The public classes also hold modules that no forward pass calls."""

from typing import Any

from rlld_gym.parsing.networks.checkpoints.layout import (
    LAYER,
    POOLING,
    STEM,
    PublicLayout,
    Shapes,
    register_layout,
)


def han_sizes(shapes: Shapes) -> dict[str, Any]:
    """Return the arguments of ``HAN`` that a checkpoint's shapes determine."""
    return {
        "audio_size": shapes.columns("fc_a.weight"),
        "visual_2d_size": shapes.columns("fc_v.weight"),
        "visual_3d_size": shapes.columns("fc_st.weight"),
        "num_classes": shapes.rows("fc_prob.weight"),
        "hidden_size": shapes.rows("fc_a.weight"),
        "feedforward_size": shapes.rows("hat_encoder.layers.0.linear1.weight"),
        "num_layers": shapes.count(r"hat_encoder\.layers\.(\d+)\."),
    }


register_layout(
    "han",
    PublicLayout(
        names=(*STEM, *POOLING, (r"^layers\.", "hat_encoder.layers."), *LAYER),
        sizes=han_sizes,
        spare=(
            r"(cmt_encoder|hat_encoder)\.norm[12]\.(weight|bias)",
            r"(audio_encoder|visual_encoder|cmt_encoder)\.layers\.\d+\."
            r"(self_attn\.(in_proj_weight|in_proj_bias|out_proj\.(weight|bias))|(linear|norm)[12]\.(weight|bias))",
        ),
    ),
)
