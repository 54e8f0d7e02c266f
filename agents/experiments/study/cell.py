"""One cell of a study: a row with one seed, from removing labels to test scores."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from rlld_agents.baselines.base import (
    EPOCH_SELECTION,
    LAST_EPOCH,
    NO_VALIDATION_LABELS,
    Context,
    Denoised,
    environment_options,
    number_of_parameters,
)
from rlld_agents.baselines.rows import Row
from rlld_agents.experiments.parsers import ParserJob, train_and_record
from rlld_agents.experiments.study.cells import file_stem
from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.experiments.study.peak_memory import peak_memory, reset_peak_memory
from rlld_agents.experiments.study.removal import remove_labels, write_left
from rlld_agents.experiments.study.removal_summary import removal_summary
from rlld_agents.labels.control_returns import mean_returns
from rlld_agents.labels.revised import LabelSet
from rlld_agents.runs.processes import Share
from rlld_agents.runs.setting import Setting
from rlld_gym.data import open_data
from rlld_gym.data.dense_videos import with_dense_videos
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.training import has_dense_labels

LABELS_FOLDER = "labels"
DATA_FOLDER = "data"
OF_DATA = ("data", "data_seed", "dense_videos", "dense_shift")
"""Options of a study that decide what data a row has."""

CONTROL_EPISODES = 3
"""Episodes that are played with a control's removals for its return."""

REMOVAL_SHARE = 0.9
"""Share of a cell's progress that the removal takes; the rest is for the parser."""


@dataclass(frozen=True)
class StudyCell:
    """A row of a study with one seed.

    Attributes:
        config: the study.
        name: of the row.
        seed: of the method and of the parser.
    """

    entries: ClassVar = frozenset(("method", "seed", "test", "validation", "removal", "seconds", "curve"))

    config: StudyConfig
    name: str
    seed: int

    def run(self, folder: Path, progress: Share) -> dict[str, Any]:
        """Remove labels, train a parser on what is left unless the method has one, score it, write the labels.

        Raises:
            CannotOfferError: the row has nothing to show on these data.
            InputError: it has no method here, or its method cannot use the data.
        """
        reset_peak_memory()
        row = self.config.row(self.name)
        config = replace(self.config, **row.study)
        setting = self._setting(config, row, folder)
        train = setting.store.split("train")
        started = time.perf_counter()
        denoised, removed_after = remove_labels(
            row, config, setting, self.seed, lambda share: progress(share * REMOVAL_SHARE)
        )
        stem = file_stem(self)
        network = denoised.network
        if network is None:
            job = ParserJob(
                stem.removesuffix(f"-seed{self.seed}"), LabelSet(denoised.audio, denoised.visual), self.seed
            )
            network = train_and_record(job, setting, folder)[0]
        seconds = time.perf_counter() - started
        gate, data = setting.recipe.gate, setting.tensors
        thresholds = setting.recipe.thresholds
        scores = {
            name: evaluate(network, data[name], gate, thresholds=thresholds).as_dict()
            for name in ("test", "val")
            if has_dense_labels(data[name])
        }
        source = open_data(config.data, config.data_seed).fingerprint
        write_left(folder / LABELS_FOLDER / f"{stem}.csv", setting, denoised)
        return {
            "method": self.name,
            "seed": self.seed,
            "data": source.as_dict(),
            "source": " ".join(str(row.study[name]) for name in OF_DATA[:2] if name in row.study),
            "test": scores.get("test", {}),
            "validation": scores.get("val", {}),
            "removal": removal_summary(train, setting.store.header.never_visible_index, denoised),
            "validation_labels": _validation_labels(denoised, has_dense_labels(data["val"])),
            "seconds": round(seconds, 1),
            "removal_seconds": round(removed_after, 1),
            "peak_memory_mb": round(peak_memory()),
            "parameters": number_of_parameters(network) + int(denoised.details.get("policy_parameters", 0)),
            "details": denoised.details,
            "curve": list(denoised.curve),
            **self._played(config, setting, row, denoised),
        }

    def _played(
        self, config: StudyConfig, setting: Setting, row: Row, denoised: Denoised
    ) -> dict[str, float]:
        """Return what a control's removals earn in the environment of the agents, paid as the paper says.

        Nothing where no agent is compared with it, or where the reward needs dense labels that are not there.
        """
        if not (config.plays_controls and row.control and has_dense_labels(setting.tensors["val"])):
            return {}
        arguments = environment_options(Context.of(setting, self.seed), self.name)
        arguments |= asdict(config.environment) | {"reward": "paper"}
        (played,) = mean_returns(
            [LabelSet(denoised.audio, denoised.visual)],
            episodes=CONTROL_EPISODES,
            seed=CONTROL_EPISODES * self.seed,
            **arguments,
        )
        return {"return": played}

    def _setting(self, config: StudyConfig, row: Row, folder: Path) -> Setting:
        """Return data, recipe, width and device of the cell."""
        return config.setting(*self._source(config, row, folder), changes=row.recipe)

    def _source(self, config: StudyConfig, row: Row, folder: Path) -> tuple[str, int]:
        """Return name or path of the data set and its seed; a cut validation split is in the seed's own file."""
        if config.dense_videos is None:
            return config.data, config.data_seed
        own = [Path(str(row.study[name])).name for name in OF_DATA if name in row.study]
        path = folder / DATA_FOLDER / f"{'-'.join([*own, f'seed{self.seed}'])}.h5"
        if not path.is_file():  # every row of the seed has the same videos
            path.parent.mkdir(parents=True, exist_ok=True)
            whole = open_data(config.data, config.data_seed)
            with_dense_videos(whole, config.dense_videos, shift=config.dense_shift, seed=self.seed).save(path)
        return str(path), 0


def _validation_labels(denoised: Denoised, known: bool) -> str:
    """Return what validation labels a row used; every parser's epoch is chosen on them, where they are known."""
    if not known:
        return LAST_EPOCH
    used = denoised.validation_labels
    return EPOCH_SELECTION if used == NO_VALIDATION_LABELS else used
