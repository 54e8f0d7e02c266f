"""Methods of the benchmark as label files, and parsers trained on such files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rlld_agents.baselines import make
from rlld_agents.baselines.registry import WITHOUT_DENSE
from rlld_agents.cli import main
from rlld_agents.cli.denoise import Denoise
from rlld_agents.experiments.study.config import BenchmarkConfig
from rlld_agents.experiments.study.study import Study
from rlld_agents.labels.files import read_labels
from rlld_agents.labels.row_lists import read_row_lists, write_row_lists
from rlld_gym.data import FeatureStore, open_data
from rlld_gym.data.classes import SPLITS
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.parsing.metrics import SCORE_NAMES
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.task_file import load_task_network
from tests.data.stores import small_store

SMALL = ["--data", "twin-tiny", "--epochs", "1", "--hidden-size", "16"]


def denoise(method: str, out: Path, *words: str) -> tuple[np.ndarray, np.ndarray]:
    """Run the command; return the labels of its two files, which must agree."""
    assert main(["denoise", "--with", method, *SMALL, *words, "--out", str(out)]) == 0
    store = open_data("twin-tiny")
    train = store.split("train")
    labels = read_labels(out / "denoised_labels.csv", store.classes, train.filenames, train.labels)
    rows = read_row_lists(out / "removed_rows.tsv", train.labels)
    for one, other in zip(labels, rows, strict=True):
        np.testing.assert_array_equal(one, other)
    return labels


def test_a_rule_becomes_label_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audio, visual = denoise("no_visual_speech", tmp_path)
    train = open_data("twin-tiny").split("train")
    speech = open_data("twin-tiny").classes.index("Speech")
    np.testing.assert_array_equal(audio, train.labels)
    assert not visual[:, speech].any()
    np.testing.assert_array_equal(np.delete(visual, speech, 1), np.delete(train.labels, speech, 1))
    assert "| visual |" in capsys.readouterr().out


def test_a_method_that_trains_parsers_repeats_for_a_seed(tmp_path: Path) -> None:
    first, again = (denoise("jomold", tmp_path / name) for name in ("first", "again"))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[1], open_data("twin-tiny").split("train").labels)


def test_parsers_learn_from_either_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    denoise("no_visual_speech", tmp_path / "labels")
    capsys.readouterr()
    tests = []
    for name in ("denoised_labels.csv", "removed_rows.tsv"):
        out = tmp_path / name
        words = ["--labels", str(tmp_path / "labels" / name), "--seeds", "2", "--out", str(out)]
        assert main(["train-parser", *SMALL, *words]) == 0
        tests.append(json.loads((out / "result.json").read_text())["test"])
        assert (out / "results.md").read_text() in capsys.readouterr().out
    assert tests[0] == tests[1]
    assert set(tests[0][0]) == set(SCORE_NAMES)
    assert tests[0][0] != tests[0][1]

    file = tmp_path / "removed_rows.tsv" / "parser-seed0.safetensors"
    assert main(["evaluate", "--data", "twin-tiny", "--checkpoint", str(file.parent)]) == 2
    assert f"name the file of a parser, such as {file}" in capsys.readouterr().err
    assert main(["evaluate", "--data", "twin-tiny", "--checkpoint", str(file)]) == 0

    store = open_data("twin-tiny")
    network, info = load_task_network(tmp_path / "removed_rows.tsv" / "parser-seed1.safetensors", "cpu")
    scores = evaluate(network, store.to("cpu")["test"], info.gate).as_dict()
    assert scores == pytest.approx(tests[0][1], abs=1e-4)


def test_recipes_and_weak_labels(tmp_path: Path) -> None:
    for recipe in ("han", "jomold"):
        words = ["--recipe", recipe, "--out", str(tmp_path / recipe)]
        assert main(["train-parser", *SMALL, *words]) == 0
        assert json.loads((tmp_path / recipe / "result.json").read_text())["recipe"] == recipe


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["denoise"], "either --checkpoint RUN or --with METHOD"),
        (["denoise", "--with", "weak", "--checkpoint", "run"], "either --checkpoint RUN or --with METHOD"),
        (["denoise", "--with", "weak"], "--data: needed with --with"),
        (["denoise", "--with", "magic", "--data", "twin-tiny"], "unknown method 'magic'"),
        (["denoise", "--with", "weak", "--data", "twin-tiny", "--threshold", "0.4"], "--threshold: is for"),
        (
            ["denoise", "--with", "jomold", "--data", "twin-tiny", "--epochs", "0"],
            "--epochs: found 0",
        ),
        (["denoise", "--checkpoint", "run", "--epochs", "3"], "--epochs: is for --with"),
        (["denoise", "--checkpoint", "run", "--batch-size", "3"], "--batch-size: is for --with"),
        (
            ["denoise", "--with", "ma", "--data", "twin-tiny", "--batch-size", "8"],
            "--batch-size 8: ma does not learn in the environment; leave it out",
        ),
        (
            ["denoise", "--with", "joint", "--data", "twin-tiny", "--batch-size", "600"],
            "subset 0.333333 of 1600 training videos is 533, less than the batch_size of 600",
        ),
        (["train-parser", "--data", "twin-tiny", "--seeds", "0"], "--seeds: found 0, expected at least 1"),
        (
            ["train-parser", "--data", "twin-tiny", "--labels", "none.csv"],
            "none.csv: no such file or folder; check the path; expected a label file (--labels)",
        ),
        (["train-parser", "--data", "twin-tiny", "--recipe", "soup"], "unknown recipe 'soup'"),
    ],
)
def test_impossible_requests(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_rows_of_another_data_set_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.tsv"
    original = np.ones((2000, 25), bool)
    kept = original.copy()
    kept[1999, 3] = False
    write_row_lists(path, original, kept, original)
    assert main(["train-parser", *SMALL, "--labels", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "is this the training split" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["denoised_labels.csv", "removed_rows.tsv", "AVVP_train_visual.csv"])
def test_labels_are_not_overwritten(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_text("mine")
    words = ["denoise", "--with", "weak", *SMALL, "--out", str(tmp_path)]
    assert main(words) == 2
    assert f"--out {tmp_path}: holds {name} already; choose another --out" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_labels_go_beside_other_files(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    words = ["denoise", "--with", "weak", *SMALL, "--out", str(tmp_path)]
    assert main(words) == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert main(words) == 2


def test_results_are_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train-parser", *SMALL, "--out", str(tmp_path / "parser")]
    assert main(words) == 0
    assert main(words) == 2
    assert "holds results already; choose another --out" in capsys.readouterr().err


def test_an_undertrained_method_that_removes_nearly_all_labels_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["denoise", "--with", "tests.agents.experiments.own_denoisers:RemovesAll", *SMALL]
    assert main([*words, "--out", str(tmp_path / "all")]) == 0
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    number = int(open_data("twin-tiny").split("train").labels.sum())
    assert f"removes-all removed {number} of {number} audio labels and {number} of {number} visual" in warning
    assert "leave --epochs out, its parsers had 1 of the recipe's 20" in warning


def test_keeping_all_labels_on_purpose_is_no_reason_to_warn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["denoise", "--with", "weak", *SMALL, "--out", str(tmp_path / "weak")]) == 0
    assert "warning" not in capsys.readouterr().err


def without_dense_labels(*names: str) -> FeatureStore:
    store = small_store()
    splits = {name: store.split(name) for name in SPLITS}
    splits |= {name: replace(splits[name], dense_audio=None, dense_visual=None) for name in names}
    return FeatureStore(splits, classes=store.classes, visual_2d_size=6, attributes={}, name="bare")


@pytest.mark.parametrize("names", [("val",), ("val", "test"), ("test",)])
def test_tables_say_where_parsers_are_those_of_the_last_epoch(names: tuple[str, ...], tmp_path: Path) -> None:
    data = tmp_path / "bare.h5"
    without_dense_labels(*names).save(data)
    words = ["train-parser", "--data", str(data), "--epochs", "2", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    text = (tmp_path / "out" / "results.md").read_text()
    assert ("parsers are those of the last epoch." in text) == ("val" in names)
    assert ("| weak labels" in text) == ("test" not in names)
    if len(names) == 1:
        config = BenchmarkConfig(data=str(data), methods=("weak",), device="cpu")
        notes = " ".join(Study(config, tmp_path / "study", progress=False).notes)
        assert ("parsers are those of the last epoch" in notes) == ("val" in names)


@pytest.mark.parametrize(("method", "trains"), [("weak", False), ("jomold", True)])
def test_only_methods_that_train_parsers_speak_of_their_epochs(
    method: str, trains: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_dense_labels("val", "test").save(tmp_path / "bare.h5")
    words = ["--data", str(tmp_path / "bare.h5"), "--epochs", "1", "--out", str(tmp_path / "out")]
    assert main(["denoise", "--with", method, *words]) == 0
    assert ("parsers are those of the last epoch" in capsys.readouterr().out) == trains


@pytest.mark.parametrize("method", [name for name in WITHOUT_DENSE if "+" not in name and name != "cleanlab"])
def test_methods_that_are_said_to_need_no_dense_labels_need_none(method: str, tmp_path: Path) -> None:
    without_dense_labels("val", "test").save(tmp_path / "bare.h5")
    words = ["--data", str(tmp_path / "bare.h5"), "--epochs", "1", "--out", str(tmp_path / "out")]
    assert main(["denoise", "--with", method, *words]) == 0


def test_a_system_with_teachers_is_refused_before_anything_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_dense_labels().save(tmp_path / "bare.h5")
    words = ["--data", str(tmp_path / "bare.h5"), "--system", "valor", "--out", str(tmp_path / "out")]
    assert main(["train-parser", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("or choose another --system or --recipe")


@pytest.mark.parametrize("method", ["paper", "scratch+label", "reinforce", "ppo-rates", "joint"])
def test_without_dense_labels_methods_that_need_a_reward_are_refused_for_that_reason(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if method == "ppo-rates":
        pytest.importorskip("stable_baselines3")
    without_dense_labels("val", "test").save(tmp_path / "bare.h5")
    words = ["denoise", "--with", method, "--data", str(tmp_path / "bare.h5"), "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "the validation videos have no dense labels to learn from" in capsys.readouterr().err


def test_a_small_data_set_is_learned_in_small_batches(tmp_path: Path) -> None:
    assert Denoise(tmp_path, with_="rlld", batch_size=24)._method("rlld") == make(
        "rlld", environment=EnvironmentOptions(batch_size=24)
    )
