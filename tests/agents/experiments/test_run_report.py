"""From a run folder to its report page: what the page says is what policy and parser of the run say."""

import base64
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rlld_agents.cli import main
from rlld_agents.experiments.parsers import decided_labels_path, read_decided_labels
from rlld_agents.experiments.run_report import clip_addresses
from rlld_agents.labels.files import read_labels
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.files import load_policy
from rlld_gym import data
from rlld_gym.errors import InputError
from rlld_gym.parsing.prediction import predict
from rlld_gym.parsing.task_file import load_task_network
from tests.agents.cli_runs import small_run
from tests.agents.reports.test_page import unpacked

TRAIN = data.open_data("twin-tiny").split("train")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("runs") / "small", "--label-sets", "denoised", "weak")


def page_data(page: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    (text,) = re.findall(r'id="packed">([^<]*)<', page.read_text(encoding="utf-8"))
    return unpacked(base64.b64decode(text))


def rows_of(arrays: dict[str, NDArray[Any]]) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Return video and class of every row."""
    return np.repeat(np.arange(len(TRAIN)), np.diff(arrays["offsets"].astype(np.int64))), arrays["classes"]


def test_training_leaves_a_page_of_what_policy_and_parser_say(run: Path) -> None:
    header, arrays = page_data(run / "report.html")
    video, label = rows_of(arrays)
    store = data.open_data("twin-tiny")
    left = read_labels(run / "denoised_labels.csv", store.classes, TRAIN.filenames, TRAIN.labels)
    for modality, kept in enumerate(left):
        removed = (TRAIN.labels & ~kept)[video, label]
        np.testing.assert_array_equal(arrays["flags"] & (2 << modality) > 0, removed)
    probability = denoise(load_policy(run), store).removal_probability
    np.testing.assert_allclose(
        arrays["scores"].reshape(-1, 2) / 255, probability[video, :, label], atol=0.5 / 255 + 1e-6
    )
    network, info = load_task_network(run / "task.safetensors")
    tracks = predict(network, store.to("cpu")["train"], info.gate, thresholds=info.thresholds)
    cells = arrays["cells"].reshape(-1, 2, 10)
    for modality, track in enumerate(tracks):
        np.testing.assert_array_equal(cells[:, modality] & 2 > 0, track.numpy()[video, :, label])
    assert header["knows"] == {"scores": True, "predictions": True, "truth": True}
    html = (run / "report.html").read_text(encoding="utf-8")
    assert html.count("<svg") == 3, "returns, task network, parsers"
    assert html.count("data:image/png;base64,") == 3
    assert html.count("<caption>") == 4, "scores, removals, two tables of classes"


def test_a_page_can_be_left_out_and_made_later(tmp_path: Path) -> None:
    folder = small_run(tmp_path / "run", "--label-sets", "denoised", "--final", "online", "--no-report")
    assert not (folder / "report.html").exists()
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / f"{TRAIN.filenames[2]}.mp4").touch()
    page = tmp_path / "pages" / "page.html"
    page.parent.mkdir()
    assert main(["report", str(folder), "--out", str(page), "--videos", str(clips)]) == 0
    header, arrays = page_data(page)
    video, label = rows_of(arrays)
    decided = read_decided_labels(decided_labels_path(folder, "denoised", 0))
    scores = decided.removal_probability[video, :, label]
    np.testing.assert_allclose(arrays["scores"].reshape(-1, 2) / 255, scores, atol=0.5 / 255 + 1e-6)
    assert header["probabilities"] is False
    assert header["clips"][2] == f"../clips/{TRAIN.filenames[2]}.mp4"
    assert not any(header["clips"][:2] + header["clips"][3:])


def test_a_page_that_fails_is_a_warning(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    assert main(["train", "--resume", str(folder)]) == 0
    assert "no report page (" in capsys.readouterr().err


def test_what_is_no_finished_run_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err
    shutil.copy(run / "config.json", tmp_path)
    assert main(["report", str(tmp_path)]) == 2
    assert f"rlld train --resume {tmp_path}" in capsys.readouterr().err
    assert main(["report", str(run), "--data", "twin-small", "--out", str(tmp_path / "page.html")]) == 2
    assert "the run was begun with other data" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_clips_are_found_by_name_or_id(tmp_path: Path) -> None:
    clips = tmp_path / "my clips"
    clips.mkdir()
    for name in ("a#b_0_10.mp4", "-x_y_1234567.webm", "my.mp4", "c_0_10.txt"):
        (clips / name).touch()
    found = clip_addresses(clips, ("a#b_0_10", "-x_y_1234567_30_40", "c_0_10", "my_own_clip"), tmp_path)
    assert found == ["my%20clips/a%23b_0_10.mp4", "my%20clips/-x_y_1234567.webm", "", ""]
    with pytest.raises(InputError, match=r"holds no clip .*; expected files such as z_0_10\.mp4"):
        clip_addresses(clips, ("z_0_10",), tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        clip_addresses(tmp_path / "none", ("z_0_10",), tmp_path)
