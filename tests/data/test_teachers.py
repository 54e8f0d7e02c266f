"""Teachers of the public layouts, and the twins' own."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlld_gym.data import open_data
from rlld_gym.data.llp.importer import FeatureFilesError, import_store
from rlld_gym.data.llp.teachers import read_teachers
from rlld_gym.data.twins.labels import EventLabels
from rlld_gym.data.twins.teachers import AUDIO_TEACHER, VISUAL_TEACHER, draw_teachers
from rlld_gym.errors import InputError
from rlld_gym.parsing.objectives import make_objective
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser
from tests.data.layouts import NUMBERS, Layout, make_layout
from tests.data.stores import small_store

VALOR_FOLDERS = ("CLAP/segment_pseudo_labels", "CLIP/segment_pseudo_labels")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return make_layout(tmp_path)


def answers(number: int = NUMBERS["train"]) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).integers(0, 2, (2, number, 10, 25))


def write_folders(root: Path, ids: tuple[str, ...], folders: tuple[str, str]) -> None:
    for folder, of_modality in zip(folders, answers(), strict=True):
        (root / folder).mkdir(parents=True)
        for video, array in zip(ids, of_modality, strict=False):
            np.save(root / folder / f"{video}.npy", array)


def write_archive(root: Path, ids: tuple[str, ...]) -> None:
    root.mkdir()
    heard, seen = (
        {video: torch.from_numpy(array).double() for video, array in zip(ids, part, strict=False)}
        for part in answers()
    )
    entries: dict[str, Any] = {"label_a": np.array(heard), "label_v": np.array(seen)}
    np.savez(root / "final_label.npz", **entries)


@pytest.mark.parametrize("kind", ["valor", "plain", "lsld"])
def test_public_layouts_are_imported(layout: Layout, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "teacher"
    if kind == "lsld":
        write_archive(root, layout.ids)
    else:
        write_folders(root, layout.ids, VALOR_FOLDERS if kind == "valor" else ("audio", "visual"))
    store = import_store(layout.annotations, layout.features, tmp_path / "x.h5", teacher=root)
    train = store.split("train")
    assert np.array_equal(train.teacher_audio, answers()[0])
    assert np.array_equal(train.teacher_visual, answers()[1])
    assert store.split("val").teacher_audio is None


def test_files_that_cannot_be_used_are_named_before_anything_is_written(
    layout: Layout, tmp_path: Path
) -> None:
    root = tmp_path / "teacher"
    write_folders(root, layout.ids, VALOR_FOLDERS)
    heard = root / VALOR_FOLDERS[0]
    (heard / f"{layout.ids[0]}.npy").unlink()
    np.save(heard / f"{layout.ids[1]}.npy", np.zeros((10, 24)))
    np.save(heard / f"{layout.ids[2]}.npy", np.full((10, 25), 1.5))
    with pytest.raises(FeatureFilesError, match="3 of 14 files cannot be used") as caught:
        import_store(layout.annotations, layout.features, tmp_path / "x.h5", teacher=root)
    assert [problem.kind for problem in caught.value.problems] == ["missing", "wrong shape", "out of range"]
    assert not list(tmp_path.glob("x.h5*"))
    with pytest.raises(
        InputError, match=r"--teacher .*nowhere: no such folder; expected a folder with one of"
    ):
        read_teachers(tmp_path / "nowhere", ())


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("made-by-a-file",)


def test_no_code_of_an_archive_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("final_label.npz", **{"label_a": np.array({"a": Malicious()}), "label_v": np.array({})})
    with pytest.raises(InputError, match="it asks for posix"):
        read_teachers(tmp_path, ("a",))
    assert not Path("made-by-a-file").exists()


def test_teachers_of_a_twin_are_as_often_wrong_as_they_should_be() -> None:
    generator = np.random.default_rng(0)
    labels = generator.random((4000, 25)) < 0.07
    dense = labels[:, None] & (generator.random((2, 4000, 10, 25)) < 0.5)
    events = EventLabels(labels, dense[0], dense[1])
    said = draw_teachers(events, seed=1)
    for found, truth, model in zip(said, dense, (AUDIO_TEACHER, VISUAL_TEACHER), strict=True):
        wrong = torch.distributions.Normal(0.0, 1.0).cdf(torch.tensor(-model.strength / 2)).item()
        asked = np.broadcast_to(labels[:, None], truth.shape)
        assert not found[~asked].any()
        for present in (True, False):
            places = asked & (truth == present)
            assert np.mean((found[places] > 0.5) != present) == pytest.approx(wrong, abs=0.02)
    assert all(np.array_equal(one, two) for one, two in zip(said, draw_teachers(events, seed=1), strict=True))
    assert not np.array_equal(said[0], draw_teachers(events, seed=2)[0])


def test_objectives_get_what_teachers_say_of_their_batch() -> None:
    train = open_data("twin-tiny").to("cpu")["train"]
    rows = torch.tensor([5, 2, 9])
    context = make_objective(get_recipe("valor")).context(train, 1, 0, 1, rows)
    assert context.teachers is not None
    assert train.teacher_visual is not None
    assert torch.equal(context.teachers[1], train.teacher_visual[rows].float())
    assert make_objective(get_recipe("han")).context(train, 1, 0, 1, rows).teachers is None


def test_a_system_with_teachers_refuses_data_without_them() -> None:
    data = small_store().to("cpu")
    labels = data["train"].labels
    recipe = get_recipe("valor").shortened(1)
    with pytest.raises(
        InputError, match="objective 'valor' needs segment-level teachers of the training videos"
    ):
        train_parser(data, labels, labels, recipe, hidden_size=8, seed=0)
    free = recipe.replace(objective_options={"teachers": False})
    assert train_parser(data, labels, labels, free, hidden_size=8, seed=0).best_epoch == 1
