"""The first half of a cell: a method removes labels, and those that are left are written."""

import time
from collections.abc import Callable
from pathlib import Path

from rlld_agents.baselines import Context, check_denoised
from rlld_agents.baselines.base import Denoised, unchanged_labels
from rlld_agents.baselines.rows import Row
from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.labels.about import LabelOrigin
from rlld_agents.labels.files import write_labels
from rlld_agents.runs.processes import Share
from rlld_agents.runs.setting import Setting
from rlld_gym.plugins import within_plugin


def remove_labels(
    row: Row, config: StudyConfig, setting: Setting, seed: int, progress: Share
) -> tuple[Denoised, float]:
    """Return what a row's method leaves, checked, and the seconds that it took.

    Args:
        row: of the study.
        config: the study, from which methods take options.
        setting: data, recipe, width and device.
        seed: of the method.
        progress: called with the share that is done; it never falls, however many stages a method has.

    Raises:
        CannotOfferError: the method cannot do anything with these data.
        InputError: it cannot use them for another reason.
    """
    started = time.perf_counter()
    context = Context.of(setting, seed, _rising(progress))
    with within_plugin(f"the row {row.method}"), unchanged_labels(context, f"the row {row.method}"):
        denoised = row.denoiser(config).denoise(context)
    check_denoised(denoised, setting.store.split("train").labels)
    return denoised, time.perf_counter() - started


def write_left(path: Path, setting: Setting, denoised: Denoised) -> None:
    """Write the labels that are left, with what they belong to."""
    train = setting.store.split("train")
    origin = LabelOrigin.of(setting.store)
    write_labels(path, train.filenames, setting.store.classes, denoised.audio, denoised.visual, origin=origin)


def _rising(progress: Share) -> Callable[[int, int], None]:
    """Return what a method reports epochs to, of which every stage may count anew."""
    highest = 0.0

    def report(done: int, total: int) -> None:
        nonlocal highest
        highest = max(highest, min(done / max(total, 1), 1.0))
        progress(highest)

    return report
