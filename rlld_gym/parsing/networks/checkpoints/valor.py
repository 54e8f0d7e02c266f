"""Checkpoints of VALOR, VALOR+ and VALOR++: bare state dictionaries of 34 or 82 entries."""

from rlld_gym.parsing.networks.checkpoints.han import han_sizes
from rlld_gym.parsing.networks.checkpoints.layout import LAYER, POOLING, STEM, PublicLayout, register_layout

for _system in ("valor", "valor_plus", "valor_plus_plus"):
    register_layout(
        _system,
        PublicLayout(
            names=(*STEM, *POOLING, (r"^layers\.", "hat_encoder.layers."), *LAYER),
            sizes=han_sizes,
            spare=(r"hat_encoder\.(norm[12]|final_norm_[av])\.(weight|bias)",),
        ),
    )
