"""A cell that makes a label set, for the cells of a study that train systems on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rlld_agents.baselines.rows import LABEL_SETS
from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.experiments.study.removal import remove_labels, write_left
from rlld_agents.experiments.study.removal_summary import removal_summary
from rlld_agents.runs.processes import Share


def label_path(folder: Path, labels: str, seed: int) -> Path:
    """Return the file of a label set that a study's systems share."""
    return folder / "labels" / f"{labels}-seed{seed}.csv"


@dataclass(frozen=True)
class LabelCell:
    """A label set of `LABEL_SETS` with one seed.

    Attributes:
        config: the study.
        labels: key of the label set.
        seed: of the method.
    """

    entries: ClassVar = frozenset(("method", "seed", "removal", "seconds"))

    config: StudyConfig
    labels: str
    seed: int

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"labels-{self.labels}"

    def run(self, folder: Path, progress: Share) -> dict[str, Any]:
        """Remove labels and write those that are left.

        Raises:
            CannotOfferError: the method cannot do anything with the data.
            InputError: it cannot use them for another reason.
        """
        setting = self.config.setting()
        row = LABEL_SETS[self.labels]
        denoised, seconds = remove_labels(row, self.config, setting, self.seed, progress)
        write_left(label_path(folder, self.labels, self.seed), setting, denoised)
        train = setting.store.split("train")
        return {
            "method": self.name,
            "seed": self.seed,
            "removal": removal_summary(train, setting.store.header.never_visible_index, denoised),
            "seconds": round(seconds, 1),
        }
