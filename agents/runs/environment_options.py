"""Options of the environment, as a block of a command's options."""

from dataclasses import dataclass
from typing import Literal

from rlld_gym.denoising.config import RewardKind
from rlld_gym.denoising.credit import CreditLoss


@dataclass(frozen=True)
class EnvironmentOptions:
    """Options of the environment rlld/LabelDenoising-v0; its documentation explains each at length."""

    batch_size: int = 128
    """Videos in a state."""
    overlap: float = 0.25
    """Share of a state's videos that the next state keeps."""
    episode_length: int = 32
    """Steps of an episode."""
    subset: float = 1 / 3
    """Share of the training videos that an episode draws from."""
    task_lifespan: Literal["episode", "run"] = "episode"
    """Whether every episode starts with a fresh task network or the same one goes on."""
    inter_weights: tuple[float, float] = (0.6, 0.4)
    """Weights of divergence and cosine in the soft inter-reward (Eq. 9)."""
    terminal_scale: float = 0.1
    """Factor of the validation F-score, in percent, in the terminal reward (Eq. 10)."""
    terminal_every: int | None = None
    """Steps between validation rewards; None pays one on the last step only."""
    reward: RewardKind = "paper"
    """What is paid: "paper" (Eq. 9-11), the "credit" of removed labels, or the sum of both."""
    credit_loss: CreditLoss = "segment_f1"
    """The validation loss that credit is about."""
    credit_videos: int = 256
    """Validation videos that a step's credit is computed from."""
    credit_scale: float = 1.0
    """Reward per unit of credit."""
    empty_rule: Literal["video", "modality"] = "video"
    """Undo the removals of a video that would lose all its labels, or of a modality that would."""
    overlap_labels: Literal["original", "revised"] = "original"
    """Which labels a kept video shows in the next state."""
    initialized_labels: bool = True
    """Whether states contain the labels (False: the ablation of that name)."""
