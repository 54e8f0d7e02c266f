"""What every way to train the main experiment's policy offers and leaves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from rlld_agents.labels.revised import RevisedLabels
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.runs.setting import Setting
from rlld_gym.errors import InputError


@dataclass(frozen=True, eq=False)
class Learned:
    """What a preset leaves; the policy is also in the run folder.

    Attributes:
        policy: the trained policy.
        estimate: how good its removals are, estimated without the truth of the training labels; JSON-able. None
            where the preset makes no estimate.
        revised: the training videos' labels after its removals, where they are known already.
        evidence_weight: what a deviation of a parser's evidence counts beside the policy's log-odds, in log-odds,
            when labels are decided anew; None: evidence alone counts.
        final: how the final parser is best trained: on the labels as they are, or with the policy in the loop.
    """

    policy: RemovalPolicy
    estimate: dict[str, Any] | None = None
    revised: RevisedLabels | None = None
    evidence_weight: float | None = None
    final: Literal["frozen", "online"] = "frozen"


class Preset(Protocol):
    """A way to train a policy."""

    stage: str
    """What result.json calls the time that it takes."""

    def describe(self) -> str:
        """Return what is going to be done, in a few words."""

    def learn(self, folder: Path, progress: bool) -> Learned:
        """Train, or go on where an interrupted run stopped; the policy is also in the folder afterwards."""


def require_dense_labels(preset: str, setting: Setting, use: str) -> None:
    """Raise InputError where no validation video has dense labels; ``use`` completes "no dense labels"."""
    if setting.dense_videos == 0:
        raise InputError(
            f"--preset {preset}: the validation videos of {setting.store.name} have no dense labels{use}; "
            "'rlld denoise --with jomold' needs none"
        )
