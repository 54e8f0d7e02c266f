"""What a file belongs to is in the file; what does not belong together is not combined."""

import json
import shutil
from pathlib import Path

import h5py
import pytest

from rlld_agents.cli import main
from rlld_agents.labels.about import about_path
from rlld_agents.policies.files import load_policy, save_policy
from rlld_agents.runs.checkpoint import load_checkpoint
from rlld_gym.data import FeatureStore, open_data
from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.files import read_json, write_sealed_json
from rlld_gym.parsing.task_file import load_task_network, read_info, save_task_network
from tests.reliability.toys import QUICK, RUN, rolled, toy_store


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a run, its store, one of other features and one of another order of classes."""
    folder = tmp_path_factory.mktemp("provenance")
    toy_store().save(folder / "toy.h5")
    toy_store(features_seed=1).save(folder / "replaced.h5")
    rolled(toy_store()).save(folder / "rolled.h5")
    assert main(["train", "--data", str(folder / "toy.h5"), *RUN, "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def unfinished(place: Path, tmp_path: Path) -> Path:
    """Return a copy of the run as if it had been interrupted after its episodes."""
    folder = tmp_path / "run"
    shutil.copytree(place / "run", folder)
    (folder / "result.json").unlink()
    return folder


def test_every_file_of_a_run_says_what_its_data_are(place: Path) -> None:
    run, expected = place / "run", FeatureStore.open(place / "toy.h5").fingerprint
    found = {
        "config": read_json(run / "config.json", "it")["data"]["fingerprint"],
        "result": read_json(run / "result.json", "it")["data"],
        "parser": read_json(run / "parsers" / "weak-seed0.json", "it")["data"],
        "labels": read_json(about_path(run / "denoised_labels.csv"), "it")["data"],
        "checkpoint": load_checkpoint(run / "checkpoint.pt")["data"],
    }
    for kind, values in found.items():
        assert DataFingerprint.from_dict(values, kind) == expected, kind
    assert load_policy(run).data == expected
    assert read_info(run / "task.safetensors").data == expected


@pytest.mark.parametrize("words", [["evaluate"], ["denoise", "--out", "labels"]])
def test_another_order_of_classes_is_refused(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [*words, "--checkpoint", str(place / "run"), "--data", str(place / "rolled.h5")]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "class 0 is 'Speech' there, 'Car' here; the same classes in another order" in error
    assert not list(tmp_path.iterdir())


def test_other_features_are_said_where_a_network_is_used_on_them(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--checkpoint", str(place / "run"), "--data", str(place / "replaced.h5")]) == 0
    assert "learned from other data: the features are others (toy, " in capsys.readouterr().err
    assert main(["evaluate", "--checkpoint", str(place / "run")]) == 0
    assert "other data" not in capsys.readouterr().err


@pytest.mark.parametrize(("store", "difference"), [("replaced", "features"), ("rolled", "another order")])
def test_a_run_does_not_go_on_with_other_data(
    place: Path, unfinished: Path, capsys: pytest.CaptureFixture[str], store: str, difference: str
) -> None:
    before = (unfinished / "config.json").read_bytes()
    assert (
        main(["train", "--resume", str(unfinished), "--data", str(place / f"{store}.h5"), "--episodes", "2"])
        == 2
    )
    error = capsys.readouterr().err
    assert "the data set was changed or replaced" in error
    assert difference in error
    assert (unfinished / "config.json").read_bytes() == before


def test_a_run_goes_on_where_its_data_have_moved(place: Path, unfinished: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"  # a name without a suffix
    shutil.copy(place / "toy.h5", moved)
    assert main(["train", "--resume", str(unfinished), "--data", str(moved)]) == 0
    results = [json.loads((run / "result.json").read_text()) for run in (place / "run", unfinished)]
    assert results[0]["test"] == results[1]["test"]


def test_a_checkpoint_of_other_data_is_refused(
    place: Path, unfinished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the configuration is that of the right ones."""
    other = tmp_path / "other"
    data = str(place / "replaced.h5")
    assert main(["train", "--data", data, *RUN, "--label-sets", "denoised", "--out", str(other)]) == 0
    shutil.copy(other / "checkpoint.pt", unfinished / "checkpoint.pt")
    assert main(["train", "--resume", str(unfinished), "--episodes", "2"]) == 2
    assert "checkpoint.pt: the run was begun with other data" in capsys.readouterr().err


def test_one_table_is_of_one_data_set(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, folder = tmp_path / "data.h5", tmp_path / "study"
    shutil.copy(place / "toy.h5", data)
    options = ["--methods", "weak", "--parser-epochs", "1", "--workers", "1", "--device", "cpu"]
    assert main(["benchmark", "--data", str(data), *options, "--seeds", "1", "--out", str(folder)]) == 0
    shutil.copy(place / "replaced.h5", data)
    assert main(["benchmark", "--resume", str(folder), "--seeds", "2"]) == 2
    assert "the data set was changed or replaced: the features are others" in capsys.readouterr().err
    # A cell of another study, as if it had been copied here.
    shutil.copy(place / "toy.h5", data)
    cell = folder / "cells" / "weak-seed0.json"
    values = read_json(cell, "it")
    values["data"]["features"] = "0123456789abcdef"
    cell.write_text(json.dumps(values))
    assert main(["benchmark", "--resume", str(folder)]) == 2
    assert "weak, seed 0 (here) used different data: the features are others" in capsys.readouterr().err


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    """In memory and in a file, with and without checksums, under any name."""
    twin = open_data("twin-tiny")
    twin.save(tmp_path / "a name without suffix")
    saved = FeatureStore.open(tmp_path / "a name without suffix")
    assert saved.fingerprint == twin.fingerprint
    assert twin.fingerprint.seed == 0
    with h5py.File(saved.path, "r+") as file:  # as if an older version had written it
        file.attrs["checksums"] = "{}"
    assert FeatureStore.open(tmp_path / "a name without suffix").fingerprint == twin.fingerprint
    assert (
        DataFingerprint.from_dict(json.loads(json.dumps(twin.fingerprint.as_dict())), "x") == twin.fingerprint
    )


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"classes": ("Speech", "Dog", "Cat")}, "4 classes there, 3 here"),
        ({"classes": ("Speech", "Dog", "Cat", "Bus")}, "class 3 is 'Car' there, 'Bus' here"),
        ({"videos": (32, 8, 9)}, "videos in split 'test': 8 there, 9 here"),
        ({"features_seed": 5}, "the features are others"),
        (
            {"change": lambda key, arrays: arrays["labels"].__ior__(key == "train")},
            "names or labels are others",
        ),
        (
            {"change": lambda key, arrays: arrays.update(filenames=arrays["filenames"][::-1])},
            "names or labels",
        ),
        ({"name": "other name"}, None),
    ],
)
def test_what_differs_is_named(change: dict[str, object], difference: str | None) -> None:
    found = toy_store().fingerprint.difference(toy_store(**change).fingerprint)  # type: ignore[arg-type]
    assert found is None if difference is None else found is not None and difference in found


def test_a_report_is_of_the_data_and_the_files_of_its_run(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, mixed, page = tmp_path / "other", tmp_path / "mixed", tmp_path / "page.html"
    assert main(["train", "--data", str(place / "rolled.h5"), *RUN, "--out", str(other)]) == 0
    command = ["report", str(place / "run"), "--out", str(page)]
    assert main([*command, "--data", str(place / "replaced.h5")]) == 2
    assert "the data set was changed or replaced: the features are others" in capsys.readouterr().err
    for name, difference in (
        ("result.json", f"{mixed / 'result.json'}: the run was begun with other data"),
        ("policy.safetensors", "policy.safetensors: is not the network behind result.json"),
        ("task.safetensors", "task.safetensors: is not the network behind result.json"),
    ):
        shutil.copytree(place / "run", mixed)
        shutil.copy(other / name, mixed / name)
        assert main(["report", str(mixed), "--out", str(page)]) == 2
        assert difference in capsys.readouterr().err
        shutil.rmtree(mixed)
    assert not page.exists()
    shutil.copy(place / "toy.h5", tmp_path / "moved.h5")
    assert main([*command, "--data", str(tmp_path / "moved.h5")]) == 0


@pytest.mark.parametrize("name", ["policy", "task"])
def test_a_report_is_not_made_of_another_runs_network(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Of the same data and sizes: only the weights are others."""
    run = tmp_path / "run"
    shutil.copytree(place / "run", run)
    if name == "policy":
        policy = load_policy(run)
        next(policy.parameters()).data.add_(1.0)
        save_policy(policy, run / "policy.safetensors")
    else:
        network, info = load_task_network(run / "task.safetensors")
        next(network.parameters()).data.add_(1.0)
        save_task_network(run / "task.safetensors", network, info)
    assert main(["report", str(run)]) == 2
    assert f"{name}.safetensors: is not the network behind result.json" in capsys.readouterr().err


def test_a_report_needs_the_result_of_a_run(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(place / "run", run)
    write_sealed_json(run / "result.json", {"test": {}})
    assert main(["report", str(run)]) == 2
    assert "result.json: no result of 'rlld train'" in capsys.readouterr().err


def test_a_start_of_other_data_is_said_and_a_replaced_one_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, run = tmp_path / "start.safetensors", tmp_path / "begun"
    shutil.copy(place / "run" / "task.safetensors", start)
    options = [*QUICK, "--label-sets", "denoised", "--workers", "1", "--device", "cpu", "--no-report"]
    words = [
        "train",
        "--data",
        str(place / "replaced.h5"),
        *options,
        "--task-start",
        str(start),
        "--out",
        str(run),
    ]
    assert main(words) == 0
    assert "the task network learned from other data: the features are others" in capsys.readouterr().err

    moved = tmp_path / "moved.safetensors"
    start.rename(moved)
    again = ["train", "--resume", str(run), "--no-report"]
    assert main([*again, "--task-start", str(moved)]) == 0, "the content decides"
    network, info = load_task_network(moved)
    next(network.parameters()).data.add_(1.0)
    save_task_network(moved, network, info)
    assert main([*again, "--episodes", "2"]) == 2
    assert "was begun with another --task-start file" in capsys.readouterr().err


def test_a_recipe_file_that_was_changed_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, study = tmp_path / "mine.json", tmp_path / "study"
    recipe.write_text('{"epochs": 1, "batch_size": 16}')
    words = ["--methods", "weak", "--workers", "1", "--device", "cpu"]
    data = ["--data", str(place / "toy.h5"), "--recipe", str(recipe)]
    assert main(["benchmark", *data, *words, "--seeds", "1", "--out", str(study)]) == 0
    recipe.write_text('{"epochs": 1, "batch_size": 8}')
    assert main(["benchmark", "--resume", str(study), "--seeds", "2"]) == 2
    assert "was begun with another --recipe file" in capsys.readouterr().err
