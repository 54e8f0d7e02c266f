"""Files as users have them: names, links, modes, spreadsheets, and what the system refuses."""

import csv
import errno
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from rlld_agents.cli import main
from rlld_agents.cli.train_parser import labels_from
from rlld_agents.labels.about import LabelOrigin, about_path
from rlld_agents.labels.exports import pair_problem
from rlld_agents.labels.files import read_labels, write_labels
from rlld_agents.labels.row_lists import write_row_lists
from rlld_agents.runs.folder import read_config
from rlld_gym.data import FeatureStore
from rlld_gym.data.store.check import check_store
from rlld_gym.data.store.opening import open_store_file
from rlld_gym.errors import InputError
from rlld_gym.files import atomic_folder, atomic_path, write_json, write_text
from rlld_gym.os_errors import explain
from rlld_gym.tensor_files import TensorFormat
from tests.reliability.toys import rolled, toy_store

NAMES = ("Siren, ambulance", 'a "quoted" one', "two\nlines", "a\rreturn", "平仮名 $x_1$ %")


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_writers_on_two_machines_never_share_a_temporary_file(tmp_path: Path) -> None:
    """Both may be process 7 of their machine; here, both are this one."""
    with atomic_path(tmp_path / "a") as first, atomic_path(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
    with atomic_folder(tmp_path / "b") as ours, atomic_folder(tmp_path / "b") as theirs:
        assert ours != theirs
    assert (tmp_path / "a").read_text() == "first", "the last to end"


@pytest.mark.usefixtures("umask")
def test_modes_follow_the_umask(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "")
    with atomic_path(tmp_path / "weights") as temporary:
        save_file({"a": np.zeros(3)}, temporary)  # which keeps its files to their owner
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o640}


def test_links_are_followed_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(tmp_path / "there" / name)
    (tmp_path / "there" / "old").write_text("old")
    for name in ("old", "new"):
        write_text(tmp_path / name, "written")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "there" / name).read_text() == "written"


def test_names_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    path = folder / "store"
    toy_store().save(path)
    assert FeatureStore.open(path).fingerprint == toy_store().fingerprint
    write_text(folder / "command.md", f"rlld train --data {path}")
    assert b"caf\xe9" in (folder / "command.md").read_bytes()
    assert main(["data", "check", str(path)]) == 0
    write_json(folder / "config.json", {"path": str(path)})
    with pytest.raises(InputError, match="not the configuration"):
        read_config(folder)


def test_networks_are_read_whatever_their_path(tmp_path: Path) -> None:
    """The library that reads them takes UTF-8 only; it writes to any path."""
    form, path = TensorFormat("test", 1, "network", "x"), tmp_path / os.fsdecode(b"caf\xe9") / "x"
    form.write(path, {"weights": torch.arange(3.0)}, {"name": "one"})
    assert form.read_about(path)["name"] == "one"
    assert form.read_tensors(path)["weights"].tolist() == [0.0, 1.0, 2.0]


def test_a_store_that_grows_too_large_is_one_line(tmp_path: Path) -> None:
    """HDF5 fails to write, and then to close the file."""
    code = (
        "import resource, sys; from rlld_agents.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        "sys.exit(main(['data', 'twin', '--scale', 'tiny', '--out', sys.argv[1]]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s.h5")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "cannot be written: File too large" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_no_file_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    circle, nowhere, pipe = tmp_path / "circle", tmp_path / "nowhere", tmp_path / "pipe"
    circle.symlink_to(circle)
    nowhere.symlink_to(tmp_path / "missing")
    os.mkfifo(pipe)
    for words, message in (
        (["data", "info", circle], "its links lead in a circle"),
        (["data", "info", pipe], "a pipe, which is read only once"),
        (["train-parser", "--data", pipe, "--out", tmp_path / "out"], "a pipe, which is read only once"),
        (["train-parser", "--data", "twin-tiny", "--out", nowhere], "a link that leads nowhere"),
        (["train", "--quick", "--device", "cpu", "--out", circle], "a link that leads nowhere"),
    ):
        assert main([str(word) for word in words]) == 2
        assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "nowhere", "pipe"]


@pytest.mark.parametrize("ending", [b"\r\n", b"\n\n \n", b"\r"])
def test_label_files_from_spreadsheets(tmp_path: Path, ending: bytes) -> None:
    store = toy_store()
    origin, path, rows = LabelOrigin.of(store), tmp_path / "labels.csv", tmp_path / "rows.tsv"
    kept = origin.weak & (np.arange(4) != 0)
    write_labels(path, origin.filenames, origin.classes, kept, origin.weak, origin=origin)
    write_row_lists(rows, origin.weak, kept, origin.weak, origin=origin)
    for file in (path, rows):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", ending) + ending)
        found = labels_from(file, store.split("train"), store.classes)
        np.testing.assert_array_equal(found.audio, kept)
        np.testing.assert_array_equal(found.visual, origin.weak)


def test_any_name_is_written_and_read_back(tmp_path: Path) -> None:
    origin, path = LabelOrigin.of(toy_store(NAMES)), tmp_path / "labels.csv"
    videos = [f'video, "{row}"' for row in range(len(origin.filenames))]
    kept = origin.weak & (np.arange(len(NAMES)) != 1)
    write_labels(path, videos, NAMES, origin.weak, kept)
    audio, visual = read_labels(path, NAMES, videos, origin.weak)
    np.testing.assert_array_equal(audio, origin.weak)
    np.testing.assert_array_equal(visual, kept)
    with path.open(newline="") as file:  # what other readers see: rows of three fields
        assert [row[0] for row in csv.reader(file)][1:] == videos
    assert "comma" in str(pair_problem(origin.filenames, NAMES))


def test_labels_of_other_data_are_refused_and_changed_ones_said(tmp_path: Path) -> None:
    store = toy_store()
    origin, path, rows = LabelOrigin.of(store), tmp_path / "labels.csv", tmp_path / "rows.tsv"
    kept = origin.weak & (np.arange(4) != 0)
    write_labels(path, origin.filenames, origin.classes, kept, kept, origin=origin)
    write_row_lists(rows, origin.weak, kept, kept, origin=origin)
    other = rolled(store)  # labels by name fit it, row numbers do not
    by_name = labels_from(path, other.split("train"), other.classes)
    np.testing.assert_array_equal(by_name.audio, np.roll(kept, 1, axis=1))
    about_path(tmp_path / "copy.tsv").write_bytes(about_path(rows).read_bytes())
    write_text(tmp_path / "copy.tsv", "modality\tclass_index\ttrain_row\n")
    with pytest.raises(InputError, match=r"copy.tsv: labels of toy: .* or their order are others here"):
        labels_from(tmp_path / "copy.tsv", other.split("train"), other.classes)
    more = toy_store(change=lambda key, arrays: arrays["labels"].__ior__(key == "train"))
    with pytest.raises(InputError, match="labels of toy: the training videos, their weak labels are others"):
        labels_from(path, more.split("train"), more.classes)
    write_labels(path, origin.filenames, origin.classes, kept, kept, origin=origin)
    about = about_path(path).read_bytes()
    write_labels(path, origin.filenames, origin.classes, kept, origin.weak)
    about_path(path).write_bytes(about)
    with pytest.warns(UserWarning, match="its labels were changed since it was written"):
        labels_from(path, store.split("train"), store.classes)


BAD_NAMES = {
    "empty": ("Speech", "", "Cat", "Car"),
    "twice": ("Speech", "Dog", "Cat", "Dog"),
}


@pytest.mark.parametrize("kind", BAD_NAMES)
def test_names_that_cannot_be_told_apart_are_refused_at_opening(tmp_path: Path, kind: str) -> None:
    toy_store(BAD_NAMES[kind]).save(tmp_path / "s.h5")
    with pytest.raises(InputError, match=r"has no name|have the same name 'Dog'"):
        FeatureStore.open(tmp_path / "s.h5")
    assert "name" in check_store(tmp_path / "s.h5")[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    def spoil(key: str, arrays: dict[str, np.ndarray]) -> None:
        if key == "val":
            arrays["visual"][3, 2, 1] = value

    toy_store(change=spoil).save(tmp_path / "s.h5")
    with pytest.raises(InputError, match="features hold NaN or infinity"):
        FeatureStore.open(tmp_path / "s.h5").split("train")
    assert "1 videos: va000000003" in check_store(tmp_path / "s.h5")[0]


def test_refusals_leave_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def strip(key: str, arrays: dict[str, np.ndarray]) -> None:
        for name in ("labels", "dense_audio", "dense_visual"):
            arrays[name][...] &= key != "train"

    toy_store(change=strip).save(tmp_path / "none.h5")
    toy_store(videos=(32, 1, 8)).save(tmp_path / "one.h5")
    out = str(tmp_path / "out")
    for name, message in (
        ("none", "no training video of toy has a label"),
        ("one", "has 1 validation video"),
    ):
        data = str(tmp_path / f"{name}.h5")
        assert main(["train", "--data", data, "--rounds", "1", "--device", "cpu", "--out", out]) == 2
        assert message in capsys.readouterr().err
        assert main(["data", "check", data]) == 1
    one = str(tmp_path / "one.h5")
    study = ["compare", "--data", one, "--agents", "reinforce", "--controls", "keep-all", "--out", out]
    assert main([*study, "--batch-size", "500"]) == 2
    assert "less than the batch_size of 500" in capsys.readouterr().err
    assert not Path(out).exists()


def test_what_needs_dense_validation_labels_says_so_at_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def hide(key: str, arrays: dict[str, Any]) -> None:
        if key == "val":
            arrays.update(dense_audio=None, dense_visual=None)

    toy_store(change=hide).save(tmp_path / "s.h5")
    common = ["--data", str(tmp_path / "s.h5"), "--device", "cpu", "--out", str(tmp_path / "out")]
    for words in (
        *(["train", "--preset", preset] for preset in ("paper", "rlld", "joint", "imitation")),
        ["train-parser", "--epochs", "1", "--tune-thresholds"],
    ):
        assert main([*words, *common]) == 2
        assert re.search(
            r"validation (videos|split) of toy ha(ve|s) no dense labels", capsys.readouterr().err
        )
    assert [path.name for path in tmp_path.iterdir()] == ["s.h5"]


@pytest.mark.parametrize(
    ("number", "text", "help"),
    [
        (
            errno.ENOLCK,
            "[Errno 37] Unable to open file (unable to lock file, errno = 37)",
            "HDF5_USE_FILE_LOCKING",
        ),
        (errno.EAGAIN, "[Errno 11] Unable to open file (unable to lock file, errno = 11)", "another program"),
        (errno.EACCES, "", "no permission"),
        (errno.ENOSPC, "", "no space left"),
        (errno.EROFS, "", "read-only"),
        (errno.ESTALE, "", "is it mounted?"),
        (errno.EMFILE, "", "ulimit"),
    ],
)
def test_errors_of_the_system_are_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, text: str, help: str
) -> None:
    path = tmp_path / "s.h5"
    toy_store().save(path)

    def fail(*_: object, **__: object) -> None:
        raise OSError(text) if text else OSError(number, os.strerror(number))

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(InputError, match=help) as caught, open_store_file(path):
        pass
    assert not any(word in str(caught.value) for word in ("damaged", "truncated", "make it again"))
    assert help in str(explain(OSError(number, os.strerror(number))))


def test_a_file_system_without_locks_is_read_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = tmp_path / "s.h5", h5py.File
    toy_store().save(path)

    def file(*arguments: object, locking: bool = True, **options: object) -> object:
        if locking:
            raise OSError("[Errno 37] Unable to open file (unable to lock file, errno = 37)")
        return whole(*arguments, locking=False, **options)

    monkeypatch.setattr(h5py, "File", file)
    assert FeatureStore.open(path).classes == ("Speech", "Dog", "Cat", "Car")
    toy_store().save(tmp_path / "again.h5")


@pytest.mark.parametrize("words", [["--out", ""], ["--out="], ["--data", "", "--out", "x"]])
def test_empty_texts_are_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["train", *words]) == 2
    assert "found an empty text" in capsys.readouterr().err
