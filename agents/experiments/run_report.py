"""From a run folder of ``rlld train`` to its report page.

Training leaves labels, policy and parser. What the page shows of each video follows from them: removal
probabilities by the policy, segments by the parser. So training keeps no more, and older runs have a page, too.
"""

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.experiment import DATA_NAME, LABELS_NAME
from rlld_agents.experiments.learning_charts import learning_charts
from rlld_agents.experiments.own_networks import require_own_networks
from rlld_agents.experiments.parsers import decided_labels_path, read_decided_labels
from rlld_agents.labels.files import read_labels
from rlld_agents.labels.removal import removal_quality
from rlld_agents.policies import files as policy_files
from rlld_agents.policies.denoising import denoise
from rlld_agents.reports.page.content import Page, Videos, prediction_codes, separating_scores
from rlld_agents.reports.page.document import write_page
from rlld_agents.runs.folder import RESULT_NAME, fingerprint_of, read_config
from rlld_agents.runs.setting import Setting
from rlld_gym.data.fingerprint import DataFingerprint, require_same
from rlld_gym.errors import InputError
from rlld_gym.files import read_json
from rlld_gym.parsing import task_file
from rlld_gym.parsing.prediction import gated_tracks, outputs_of

PAGE_NAME = "report.html"

FIGURES: Final = {
    "scores.png": "Test F-scores of the parsers",
    "removal.png": "Share of labels removed, per class",
    "convergence.png": "Validation F-scores of the task network during REINFORCE",
}
"""What the pictures in a run's folder of figures show; its learning curve is drawn in the page itself."""

CLIP_ENDINGS: Final = (".mp4", ".webm", ".m4v", ".mov", ".mkv", ".ogv")


def write_report(
    folder: Path,
    path: Path | None = None,
    *,
    clips: Path | None = None,
    data: str | None = None,
    device: str | None = None,
) -> Path:
    """Write the report page of a finished run.

    Args:
        folder: the run folder.
        path: the HTML file; None: report.html in the folder.
        clips: folder of the videos' clips, to link them; None: none.
        data: where the data set is now; None: where it was.
        device: where to compute; None: where the run did.

    Returns:
        The file.

    Raises:
        InputError: no run, one that is not finished, other data than the run's, or a folder without a clip of any
            video.
    """
    path = folder / PAGE_NAME if path is None else path
    described = read_config(folder)
    config = ExperimentConfig.from_dict(described["experiment"], str(folder / "config.json"))
    for name in (RESULT_NAME, LABELS_NAME):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: the run is not finished, {name} is missing; finish it: rlld train --resume {folder}"
            )
    begun_with, own_data = fingerprint_of(described, folder), folder / DATA_NAME
    _check_result(folder, begun_with)
    keeps_own = data is None and own_data.is_file()  # a part of the run's data
    data = str(own_data) if keeps_own else data or config.data
    setting = dataclasses.replace(config, data=data, device=device or config.device).setting()
    setting.check()
    if not keeps_own:
        require_same(begun_with, setting.store.fingerprint, f"{folder}: the run")
    write_page(run_page(folder, config, setting, path.parent, clips), path)
    return path


def run_page(
    folder: Path, config: ExperimentConfig, setting: Setting, page_folder: Path, clips: Path | None
) -> Page:
    """Return what a run's page shows; arguments as `write_report`."""
    store, train = setting.store, setting.store.split("train")
    left = read_labels(folder / LABELS_NAME, store.classes, train.filenames, train.labels)
    removed = train.labels[:, None] & ~np.stack(left, axis=1)
    decided = decided_labels_path(folder, "denoised", config.agent.seed)
    scores, boundary = _scores(folder, config, setting, removed, decided)
    dense = None
    if train.dense_audio is not None and train.dense_visual is not None:
        dense = np.stack((train.dense_audio, train.dense_visual), axis=2)
    videos = Videos(
        names=train.filenames,
        classes=store.classes,
        weak=train.labels,
        removed=removed,
        scores=scores,
        boundary=boundary,
        scores_are_probabilities=not decided.is_file(),
        predicted=_predictions(folder, setting),
        dense=dense,
        clips=() if clips is None else clip_addresses(clips, train.filenames, page_folder),
    )
    figures = {
        text: (folder / "figures" / name).read_bytes()
        for name, text in FIGURES.items()
        if (folder / "figures" / name).is_file()
    }
    return Page(
        title=f"{store.name}: {config.preset}, seed {config.agent.seed}",
        facts=_facts(folder, config, setting),
        # The command stands among the facts.
        tables=_text(folder / "results.md").partition("\n\nMade with\n\n")[0],
        charts=learning_charts(folder, config.label_sets, config.agent.seed, store.header.never_visible),
        figures=figures,
        quality=removal_quality(train.labels, *left, train.truth(), scores),
        videos=videos,
    )


def _text(path: Path) -> str:
    """Return a text for people; a path in it that is no UTF-8 shows replacement characters."""
    return path.read_text(encoding="utf-8", errors="replace")


def _check_result(folder: Path, begun_with: DataFingerprint | None) -> None:
    """Refuse a result of another command, of other data, or beside networks of another run."""
    path = folder / RESULT_NAME
    result = read_json(path, "the result of a run")
    if not isinstance(result.get("seconds"), dict) or "removal" not in result:
        raise InputError(
            f"{path}: no result of 'rlld train'; put the run's own back: rlld train --resume {folder}"
        )
    if begun_with is not None and "data" in result:  # older versions wrote none
        require_same(DataFingerprint.from_dict(result["data"], str(path)), begun_with, f"{path}: the run")
    require_own_networks(folder, result)


def clip_addresses(folder: Path, names: tuple[str, ...], page_folder: Path) -> list[str]:
    """Return for each video the address of its clip as seen from the page's folder, "" where there is none.

    A clip is a file that is called as the video is, or as the video's id is (the name without ``_START_END``).

    Raises:
        InputError: no folder, or it holds no clip of any of the videos.
    """
    if not folder.is_dir():
        raise InputError(f"--videos {folder}: not a folder; name the folder of the clips")
    stems = {file.stem: file.name for file in sorted(folder.iterdir()) if file.suffix.lower() in CLIP_ENDINGS}
    found = [stems.get(name) or stems.get(_without_times(name)) for name in names]
    if not any(found):
        raise InputError(
            f"--videos {folder}: holds no clip of a training video; expected files such as {names[0]}.mp4 or "
            f"{_without_times(names[0])}.mp4"
        )
    base = Path(os.path.relpath(folder.resolve(), page_folder.resolve())).as_posix()
    return ["" if name is None else quote(f"{base}/{name}") for name in found]


def _without_times(name: str) -> str:
    """Return the id in a video's name, such as -x_y for -x_y_30_40; a name of another form as it is."""
    return re.sub(r"_\d+_\d+$", "", name)


def _scores(
    folder: Path, config: ExperimentConfig, setting: Setting, removed: NDArray[np.bool_], decided: Path
) -> tuple[NDArray[np.float32] | None, NDArray[np.float64] | None]:
    """Return the removal scores (N, 2, C) behind a run's labels and what separates them, (2, C), where known."""
    weak = setting.store.split("train").labels
    if decided.is_file():
        scores = read_decided_labels(decided).removal_probability
        return scores, separating_scores(scores, removed, weak)
    file = folder / policy_files.POLICY_NAME
    if not file.is_file():
        return None, None
    policy, store = policy_files.load_policy(file, setting.device), setting.store
    policy_files.check_data(policy, store, str(file))
    scores = denoise(policy, setting.tensors).removal_probability
    return scores, np.full(removed.shape[1:], config.threshold)


def _predictions(folder: Path, setting: Setting) -> NDArray[np.uint8] | None:
    """Return what the parser of the denoised labels says of the training videos, as bytes (N, T, 2, C)."""
    file = folder / task_file.NAME
    if not file.is_file():
        return None
    network, info = task_file.load_task_network(file, setting.device)
    task_file.check_fits(info, setting.store, file)
    codes = []
    for output in outputs_of(network, setting.tensors["train"]):
        tracks = np.stack([t.cpu().numpy() for t in gated_tracks(output, info.gate, info.thresholds)], axis=2)
        codes.append(prediction_codes(output.segment.float().cpu().numpy(), tracks))
    return np.concatenate(codes)


def _facts(folder: Path, config: ExperimentConfig, setting: Setting) -> dict[str, str]:
    """Return what a run was, for people."""
    described: dict[str, Any] = read_config(folder)
    seconds = json.loads((folder / RESULT_NAME).read_text(encoding="utf-8"))["seconds"]["total"]
    counts = setting.store.header.counts
    return {
        "data": f"{setting.store.name}, {len(setting.store.classes)} classes",
        "videos": ", ".join(f"{name} {count}" for name, count in counts.items()),
        "policy": f"preset {config.preset}, seed {config.agent.seed}",
        "parsers": f"recipe {setting.recipe.name}, width {setting.hidden_size}",
        "time": f"{seconds:.0f} seconds",
        "command": str(described.get("command", "")),
    }
