"""A cell that makes a label set, for the cells of a study that train systems on it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlld_agents.baselines import Context, check_denoised
from rlld_agents.baselines.base import CannotOfferError
from rlld_agents.baselines.rows import LABEL_SETS
from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.experiments.study.removal_summary import removal_summary
from rlld_agents.labels.about import LabelOrigin
from rlld_agents.labels.files import write_labels
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
            InputError: the method cannot use the data.
        """
        setting = self.config.setting()
        train = setting.store.split("train")
        context = Context.of(setting, self.seed, lambda done, total: progress(min(done / max(total, 1), 1.0)))
        method = LABEL_SETS[self.labels].denoiser(self.config)
        started = time.perf_counter()
        try:
            denoised = method.denoise(context)
        except CannotOfferError as error:
            return {"method": self.name, "seed": self.seed, "skipped": str(error)}
        check_denoised(denoised, train.labels)
        names, classes = train.filenames, setting.store.classes
        path = label_path(folder, self.labels, self.seed)
        origin = LabelOrigin.of(setting.store)
        write_labels(path, names, classes, denoised.audio, denoised.visual, origin=origin)
        return {
            "method": self.name,
            "seed": self.seed,
            "removal": removal_summary(train, setting.store.header.never_visible_index, denoised),
            "seconds": round(time.perf_counter() - started, 1),
        }
