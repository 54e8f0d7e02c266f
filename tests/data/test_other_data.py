"""Data sets that are not LLP: any number of segments, own classes, names and files, labels that are missing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlld_gym.data import FeatureStore
from rlld_gym.data.label_names import join_names, split_names
from rlld_gym.data.llp.annotations import load_annotations
from rlld_gym.data.llp.importer import FeatureFilesError, import_store, skipped_path
from rlld_gym.data.llp.layout import DataLayout, read_classes
from rlld_gym.data.llp.npy_layout import FeatureFolders
from rlld_gym.data.split import Split
from rlld_gym.data.store.check import check_store
from rlld_gym.errors import InputError
from tests.data import made_up

FOLDERS = FeatureFolders("audio", "video", None)
OWN = DataLayout(made_up.OWN, num_segments=20, feature_file="{name}.npy")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made_up.own()
    return tmp_path


def store_of(segments: int) -> FeatureStore:
    generator = np.random.default_rng(0)
    splits = {}
    for name in ("train", "val", "test"):
        labels = generator.random((5, 3)) < 0.6
        labels[:, 0] = True
        dense = labels[:, None] & (generator.random((2, 5, segments, 3)) < 0.7)
        splits[name] = Split(
            name=name,
            filenames=tuple(f"{name} {row}" for row in range(5)),
            audio=generator.normal(size=(5, segments, 4)).astype("float16"),
            visual=generator.normal(size=(5, segments, 6)).astype("float16"),
            labels=labels,
            dense_audio=dense[0],
            dense_visual=dense[1],
        )
    return FeatureStore(splits, classes=("a", "b,c", "d"), visual_2d_size=6, attributes={}, name="any")


@pytest.mark.parametrize("segments", [1, 20, 64])
def test_a_store_of_any_length_comes_back(segments: int, tmp_path: Path) -> None:
    path, store = tmp_path / "any.h5", store_of(segments)
    store.save(path)
    opened = FeatureStore.open(path, memory_map=True)
    assert opened.num_segments == segments
    for name in ("audio", "dense_visual"):
        np.testing.assert_array_equal(getattr(opened.split("val"), name), getattr(store.split("val"), name))


def test_splits_of_different_lengths_are_refused() -> None:
    splits = {name: store_of(20 if name == "val" else 10).split(name) for name in ("train", "val", "test")}
    with pytest.raises(ValueError, match="split 'val': segments, sizes, classes or dtype"):
        FeatureStore(splits, classes=("a", "b,c", "d"), visual_2d_size=6, attributes={}, name="any")


@pytest.mark.parametrize("names", [[], ["Dog"], ["Siren, ambulance", 'a "b"', "Dog"], ["Siren, ambulance"]])
def test_names_in_a_field_come_back(names: list[str]) -> None:
    assert split_names(join_names(names)) == names


def test_pandas_may_write_the_tables(own: Path) -> None:
    expected = load_annotations("annotations", layout=OWN).train.labels
    for separator in (",", "\t"):
        for split in ("train", "val", "test"):
            table = pd.read_csv(f"annotations/{split}.csv", sep=None, engine="python")
            table.to_csv(f"annotations/{split}.csv", sep=separator, index=False)
        np.testing.assert_array_equal(load_annotations("annotations", layout=OWN).train.labels, expected)
    siren = made_up.OWN.index("Siren, ambulance")
    assert expected[:, siren].any()


def test_videos_without_features_are_left_out_listed_and_counted(own: Path) -> None:
    target = own / "own.h5"
    with pytest.raises(FeatureFilesError, match=r"1 missing.*--skip-missing"):
        import_store("annotations", "features", target, folders=FOLDERS, layout=OWN)
    store = import_store("annotations", "features", target, folders=FOLDERS, layout=OWN, skip_missing=True)
    assert skipped_path(target).read_text() == "split\tfilename\ntrain\ttrain clip 3\n"
    assert store.attributes["sources"]["left_out"] == {"without features": {"train": 1}}
    assert "train clip 3" not in store.split("train").filenames
    labels = load_annotations("annotations", layout=OWN).train.labels
    np.testing.assert_array_equal(store.split("train").labels, np.delete(labels, 3, axis=0))
    values = np.load("features/audio/train clip 4.npy").astype("float16")
    np.testing.assert_array_equal(store.split("train").audio[3], values)
    assert store.split("val").truth() is None
    assert check_store(target) == []
    Path("features/video/train clip 3.npy").write_bytes(Path("features/video/train clip 4.npy").read_bytes())
    import_store("annotations", "features", target, folders=FOLDERS, layout=OWN)
    assert not skipped_path(target).exists()


def test_only_videos_that_were_watched_count_on_request(own: Path) -> None:
    with pytest.warns(UserWarning, match="of the 8 videos of split 'val' have no event in either file"):
        everybody = load_annotations("watched", layout=OWN)
    layout = DataLayout(made_up.OWN, 20, feature_file="{name}.npy", dense="listed")
    watched = load_annotations("watched", layout=layout)
    left_out = set(watched.val.unlisted)
    assert left_out == set(everybody.val.filenames) - set(watched.val.filenames) == {"val clip 1"}
    chosen = [name not in left_out for name in everybody.val.filenames]
    assert everybody.val.dense_audio is not None
    assert watched.val.dense_audio is not None
    np.testing.assert_array_equal(watched.val.dense_audio, everybody.val.dense_audio[chosen])
    assert len(watched.train.filenames) == len(everybody.train.filenames)


def test_another_length_than_the_files_have_is_named(own: Path) -> None:
    layout = DataLayout(made_up.OWN, feature_file="{name}.npy")
    with pytest.raises(FeatureFilesError, match="import with --segments 20"):
        import_store("annotations", "features", "own.h5", folders=FOLDERS, layout=layout, skip_missing=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no class names"),
        ("Dog\nCat\nDog\n", "line 3: 'Dog' is on line 1 already"),
        ("Dog\tCat\n", "holds a tab"),
    ],
)
def test_class_files_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_classes(path)


def test_names_with_commas_are_shown_as_the_table_must_have_them(own: Path) -> None:
    train = Path("annotations/train.csv")
    names = r'the 7 class names Dog,"Siren, ambulance",Rain,.*stands in double quotes'
    train.write_text('filename,event_labels\ntrain clip 1,"Siren, ambulance"\n')
    with pytest.raises(InputError, match=f'{names}, which a CSV doubles: """Siren, ambulance"""$'):
        load_annotations("annotations", layout=OWN)
    train.write_text("filename\tevent_labels\ntrain clip 1\tSiren, ambulance\n")
    with pytest.raises(InputError, match=f"{names}$"):
        load_annotations("annotations", layout=OWN)
    train.write_text('filename,event_labels\ntrain clip 1,"""Siren, ambulance"""\n')
    assert load_annotations("annotations", layout=OWN).train.labels.sum() == 1


def test_a_missing_table_goes_by_the_names_of_those_that_are_there(own: Path) -> None:
    Path("watched/dense_visual.csv").unlink()
    with pytest.raises(
        InputError, match=r"watched: missing dense_visual\.csv; expected train\.csv, val\.csv, "
    ):
        load_annotations("watched", layout=OWN)


def test_a_class_that_is_unknown_is_named_with_the_classes_there_are(own: Path) -> None:
    with pytest.raises(InputError, match="never visible 'Speech': no such class; expected one of Dog, Siren"):
        import_store("annotations", "features", "own.h5", layout=OWN, never_visible="Speech")
    layout = DataLayout(("Dog", "Cat"), 20, feature_file="{name}.npy")
    with pytest.raises(InputError, match="expected the 2 class names Dog,Cat"):
        load_annotations("annotations", layout=layout)
