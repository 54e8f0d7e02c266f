"""Checkpoints of MGN: bare state dictionaries."""

from typing import Any

from rlld_gym.parsing.networks.checkpoints.layout import STEM, PublicLayout, Shapes, register_layout


def _sizes(shapes: Shapes) -> dict[str, Any]:
    transformers = ("audio_cug", "visual_cug", "av_mcg")
    return {
        "audio_size": shapes.columns("fc_a.weight"),
        "visual_2d_size": shapes.columns("fc_v.weight"),
        "visual_3d_size": shapes.columns("fc_st.weight"),
        "num_classes": shapes.rows("audio_token"),
        "hidden_size": shapes.columns("audio_token"),
        "num_segments": shapes.columns("audio_cug.han_encoder.mlp_inter.fc1.weight"),
        "depths": tuple(shapes.count(rf"{name}\.blocks\.(\d+)\.") for name in transformers),
    }


register_layout(
    "mgn",
    PublicLayout(
        names=(
            *STEM,
            (r"^(audio|visual)_tokens$", r"\1_token"),
            (r"^(audio|visual)_transformer\.", r"\1_cug."),
            (r"^cross_transformer\.", "av_mcg."),
            (r"^video_classifier\.", "fc_prob."),
            (r"^audio_classifier\.", "fc_prob_a."),
            (r"^visual_classifier\.", "fc_prob_v."),
            (r"^token_classifier\.", "fc_cls."),
            (r"\.renewal\.", ".han_encoder."),
            # Inside a block.
            (r"(blocks\.\d+)\.attention_norm\.", r"\1.norm1."),
            (r"(blocks\.\d+)\.query_key_value\.", r"\1.attn.qkv."),
            (r"(blocks\.\d+)\.attention_out\.", r"\1.attn.proj."),
            (r"(blocks\.\d+)\.mlp_norm\.", r"\1.norm2."),
            # Inside a grouping.
            (r"\.token_norm\.", ".norm_tokens."),
            (r"\.segment_norm\.", ".norm_x."),
            (r"\.token_mixing\.", ".mlp_inter."),
            (r"\.mixed_norm\.", ".norm_post_tokens."),
            (r"\.attention\.", ".pre_assign_attn.attn."),
            (r"\.attended_norm\.", ".pre_assign_attn.norm2."),
            (r"\.attended_mlp\.", ".pre_assign_attn.mlp."),
            (r"\.query_norm\.", ".pre_assign_attn.norm_post."),
            (r"\.assignment\.", ".assign."),
            (r"\.output_norm\.", ".norm_new_x."),
            (r"\.output_mlp\.", ".mlp_channels."),
            (r"\.(attn|assign)\.(query|key|value)\.", lambda found: f".{found[1]}.{found[2][0]}_proj."),
            (r"\.(attn|assign)\.out\.", r".\1.proj."),
            (r"\.inner\.", ".fc1."),
            (r"\.outer\.", ".fc2."),
        ),
        sizes=_sizes,
    ),
)
