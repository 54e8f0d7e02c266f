"""A cell that trains a published system on a label set and scores it by its own rule and by one common rule."""

import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from rlld_agents.baselines.base import CannotOfferError, number_of_parameters
from rlld_agents.baselines.systems import SYSTEMS
from rlld_agents.experiments.study.cells import result_path
from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.experiments.study.label_cell import LabelCell, label_path
from rlld_agents.labels.files import read_labels
from rlld_agents.runs.processes import Share
from rlld_agents.runs.setting import Setting
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.errors import InputError
from rlld_gym.files import read_json
from rlld_gym.parsing.epochs import EpochRecord
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipe import Recipe
from rlld_gym.parsing.recipes import system_recipe
from rlld_gym.parsing.thresholds import HALVES
from rlld_gym.parsing.training import train_parser

COMMON: Final[dict[str, Any]] = {"gate": "global", "thresholds": HALVES, "selection": "segment_type"}
"""The rule under which all systems are compared: Tian et al.'s gate, one half everywhere, the best segment Type."""


@dataclass(frozen=True)
class SystemCell:
    """A system of `SYSTEMS` on a label set with one seed.

    Attributes:
        config: the study.
        name: of the row.
        seed: of the labels and of the parser.
    """

    entries: ClassVar = frozenset(("seed", "system", "labels", "test", "common", "recipe", "epoch_seconds"))

    config: StudyConfig
    name: str
    seed: int

    def run(self, folder: Path, progress: Share) -> dict[str, Any]:
        """Train, choose epochs by both rules, score.

        Raises:
            CannotOfferError: the data set cannot offer such labels.
            InputError: the labels have not been made.
        """
        row = self.config.row(self.name)
        assert row.system is not None
        assert row.labels is not None
        setting = self.setting(row.system)
        store, data, recipe = setting.store, setting.tensors, setting.recipe
        train, path = store.split("train"), label_path(folder, row.labels, self.seed)
        if not path.is_file():
            raise self._without_labels(folder, row.labels)
        labels = read_labels(path, store.classes, train.filenames, train.labels)
        common = _CommonRule(data)
        started, processor = time.perf_counter(), time.process_time()
        trained = train_parser(
            data,
            *labels,
            recipe,
            hidden_size=setting.hidden_size,
            seed=self.seed,
            watch=common,
            progress=lambda done, total: progress(done / total),
        )
        processor = time.process_time() - processor - common.seconds
        return {
            "method": self.name,
            "seed": self.seed,
            "system": row.system,
            "labels": row.labels,
            "test": _scores(trained.network, data, recipe),
            "common": common.scores(trained.network, recipe),
            "best_epoch": trained.best_epoch,
            "recipe": recipe.name,
            "epochs": recipe.epochs,
            "width": setting.hidden_size,
            "parameters": number_of_parameters(trained.network),
            "seconds": round(time.perf_counter() - started, 1),
            "epoch_seconds": processor / recipe.epochs,
        }

    def _without_labels(self, folder: Path, labels: str) -> InputError:
        """Return why there are no labels: data that cannot offer them, or a cell that has not made them yet."""
        made_by = LabelCell(self.config, labels, self.seed)
        path = result_path(folder, made_by)
        skipped = read_json(path, "the result of a cell").get("skipped") if path.is_file() else None
        if skipped is not None:
            return CannotOfferError(skipped)
        return InputError(
            f"{self.name}: the labels of {made_by.name} are not there; resume the study to make them"
        )

    def setting(self, system: str) -> Setting:
        """Return data, recipe, width and device; options of the study that say otherwise have precedence."""
        config = self.config
        recommended = config.setting().store.header.recommended
        return Setting(
            config.data,
            config.data_seed,
            recipe=system_recipe(system, recommended.recipe),
            hidden_size=config.hidden_size or SYSTEMS[system].width(recommended.hidden_size),
            epochs=config.parser_epochs,
            device=config.device,
        )


class _CommonRule:
    """Watches a training and remembers its best epoch by the common rule.

    Attributes:
        seconds: of the processor that it has taken.
    """

    def __init__(self, data: StoreTensors) -> None:
        self.seconds = 0.0
        self._data = data
        self._record = EpochRecord(COMMON["selection"])

    def __call__(self, network: TaskNetwork) -> None:
        """Note an epoch."""
        started = time.process_time()
        scores = evaluate(network, self._data["val"], COMMON["gate"], thresholds=COMMON["thresholds"])
        self._record.add(0.0, scores.as_dict(), network)
        self.seconds += time.process_time() - started

    def scores(self, network: TaskNetwork, recipe: Recipe) -> dict[str, float]:
        """Return the ten test scores of the best epoch; ``network`` lends its form."""
        best = self._record.parser(copy.deepcopy(network)).network
        return _scores(best, self._data, recipe.replace(**COMMON))


def _scores(network: TaskNetwork, data: StoreTensors, recipe: Recipe) -> dict[str, float]:
    return evaluate(network, data["test"], recipe.gate, thresholds=recipe.thresholds).as_dict()
