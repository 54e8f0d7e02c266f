import json
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from rlld_gym.data.classes import CLASSES
from rlld_gym.data.llp import importer
from rlld_gym.data.llp.annotation_files import WEAK_FILES
from rlld_gym.data.llp.importer import FeatureFilesError, import_store
from rlld_gym.data.llp.npy_layout import FeatureFolders
from rlld_gym.data.store.check import check_store
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.errors import InputError
from tests.data.layouts import Layout, make_layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return make_layout(tmp_path)


@pytest.fixture(autouse=True)
def _blocks_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BLOCK_VIDEOS", 2)


def assert_nothing_written(out: Path) -> None:
    assert [path.name for path in out.parent.glob(f"{out.name}*")] == []


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_import_equals_a_naive_reading(layout: Layout, tmp_path: Path, dtype: str) -> None:
    store = import_store(layout.annotations, layout.features, tmp_path / "deep" / "llp.h5", dtype=dtype)
    assert (store.name, store.audio_size, store.visual_2d_size, store.visual_3d_size) == ("llp", 5, 6, 3)
    row = 0
    for name in ("train", "val", "test"):
        split = store.split(name)
        for video, filename in enumerate(split.filenames):
            assert filename == f"{layout.ids[row]}_30_40"
            frames = np.load(layout.file("res152", row))
            pooled = np.array([frames[8 * t : 8 * t + 8].astype("f8").mean(axis=0) for t in range(10)])
            tolerance = 1e-6 if dtype == "float32" else 2e-3
            np.testing.assert_allclose(split.visual[video, :, :6], pooled, atol=tolerance)
            np.testing.assert_array_equal(
                split.visual[video, :, 6:], np.load(layout.file("r2plus1d_18", row)).astype(dtype)
            )
            np.testing.assert_array_equal(
                split.audio[video], np.load(layout.file("vggish", row)).astype(dtype)
            )
            assert [CLASSES[index] for index in np.flatnonzero(split.labels[video])] == ["Speech", "Dog"]
            if split.dense_visual is not None:
                expected = np.zeros((10, 25), bool)
                expected[video : video + 3, CLASSES.index("Dog")] = True
                np.testing.assert_array_equal(split.dense_visual[video], expected)
            row += 1
    assert store.split("train").dense_audio is None
    assert check_store(tmp_path / "deep" / "llp.h5") == [
        "split 'val': 2 of 4 weak labels are in neither dense track: rows exchanged?",
        "split 'test': 3 of 6 weak labels are in neither dense track: rows exchanged?",
    ]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["llp.h5"]
    assert store.attributes["sources"]["folders"]["audio"] == "vggish"


def test_pooled_half_and_double_precision_files_are_read(layout: Layout, tmp_path: Path) -> None:
    pooled = np.random.default_rng(1).normal(size=(10, 6))
    np.save(layout.file("res152", 0), pooled)
    np.save(layout.file("res152", 1), np.asfortranarray(pooled.astype("f2")))
    np.save(layout.file("res152", 2), pooled.astype(">f4"))
    split = import_store(layout.annotations, layout.features, tmp_path / "x.h5", dtype="float32").split(
        "train"
    )
    np.testing.assert_array_equal(split.visual[0, :, :6], pooled.astype("f4"))
    np.testing.assert_array_equal(split.visual[1, :, :6], pooled.astype("f2").astype("f4"))
    np.testing.assert_array_equal(split.visual[2, :, :6], pooled.astype("f4"))


def test_limit_shortens_the_training_split_only(layout: Layout, tmp_path: Path) -> None:
    for row in range(3, 7):
        layout.file("vggish", row).unlink()
    store = import_store(layout.annotations, layout.features, tmp_path / "x.h5", limit=3)
    assert store.header.counts == {"train": 3, "val": 2, "test": 3}
    with pytest.raises(InputError, match="limit 0: expected at least 1"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5", limit=0)


def test_without_3d_stream(layout: Layout, tmp_path: Path) -> None:
    (layout.features / "r2plus1d_18").rename(layout.features / "elsewhere")
    with pytest.raises(InputError, match=r"no folder 'r2plus1d_18' .* use --no-3d"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    store = import_store(
        layout.annotations, layout.features, tmp_path / "x.h5", folders=FeatureFolders(visual_3d=None)
    )
    assert (store.visual_size, store.visual_3d_size) == (6, 0)
    assert store.to("cpu")["val"].visual.shape == (2, 10, 6)


def test_missing_folders_and_unknown_dtype(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        import_store(layout.annotations, tmp_path / "none", tmp_path / "x.h5")
    with pytest.raises(InputError, match="no folder 'clap' with the audio features"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5", folders=FeatureFolders("clap"))
    with pytest.raises(InputError, match="dtype 'int8': expected float16 or float32"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5", dtype="int8")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


BAD_FILES: dict[str, tuple[str, Callable[[Path], None], str, str]] = {
    "missing": ("vggish", lambda path: path.unlink(), "missing", r"found no file; expected \(10, "),
    "rows": (
        "vggish",
        lambda p: np.save(p, np.zeros((9, 5), "f4")),
        "wrong shape",
        r"found \(9, 5\); expected \(10, 5",
    ),
    "frames": (
        "res152",
        lambda p: np.save(p, np.zeros((79, 6), "f4")),
        "wrong shape",
        r"found \(79, 6\); expected \(80, 6\) or \(10, 6\)",
    ),
    "size": ("r2plus1d_18", lambda p: np.save(p, np.zeros((10, 4), "f4")), "wrong shape", r"found \(10, 4\)"),
    "flat": ("vggish", lambda p: np.save(p, np.zeros(50, "f4")), "wrong shape", r"found \(50,\)"),
    "integers": ("vggish", lambda p: np.save(p, np.zeros((10, 5), "i4")), "wrong dtype", "found int32"),
    "truncated": ("res152", truncate, "unreadable", "found truncated, 2041 bytes where its header says 2048"),
    "empty": ("res152", lambda path: path.write_bytes(b""), "unreadable", "found EOF"),
    "text": ("res152", lambda path: path.write_text("not found"), "unreadable", "magic string"),
    "pickle": (
        "vggish",
        lambda p: np.save(p, np.array([{}]), allow_pickle=True),
        "unreadable",
        "found pickled Python objects",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_is_reported_before_anything_is_written(layout: Layout, tmp_path: Path, case: str) -> None:
    folder, spoil, kind, message = BAD_FILES[case]
    path = layout.file(folder, 4)
    spoil(path)
    with pytest.raises(FeatureFilesError, match=message) as caught:
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    (problem,) = caught.value.problems
    assert (problem.video, problem.file, problem.kind) == (layout.ids[4], str(path), kind)
    assert "1 of 36 files cannot be used" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert_nothing_written(tmp_path / "x.h5")


def test_all_bad_files_are_reported_together(layout: Layout, tmp_path: Path) -> None:
    layout.file("vggish", 11).unlink()
    layout.file("vggish", 0).unlink()
    truncate(layout.file("res152", 3))
    with pytest.raises(FeatureFilesError, match=r"3 of 36 files .* \(2 missing, 1 unreadable\)") as caught:
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    assert {problem.video for problem in caught.value.problems} == {layout.ids[row] for row in (0, 3, 11)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_all_reported_and_no_store_is_made(
    layout: Layout, tmp_path: Path, value: float
) -> None:
    out = tmp_path / "x.h5"
    out.write_bytes(b"an older file")
    for folder, row in (("res152", 1), ("vggish", 9)):
        array = np.load(layout.file(folder, row))
        array[7, 2] = value
        np.save(layout.file(folder, row), array)
    with pytest.raises(FeatureFilesError, match="2 of 36 files") as caught:
        import_store(layout.annotations, layout.features, out)
    assert {problem.kind for problem in caught.value.problems} == {"NaN or infinity"}
    expected = {str(layout.file("vggish", 9)), str(layout.file("res152", 1))}
    assert {problem.file for problem in caught.value.problems} == expected
    assert out.read_bytes() == b"an older file"
    assert sorted(path.name for path in tmp_path.glob("x.h5*")) == ["x.h5"]


def test_float16_overflow_is_refused_with_advice(layout: Layout, tmp_path: Path) -> None:
    array = np.load(layout.file("vggish", 5))
    array[3, 3] = -70_000
    np.save(layout.file("vggish", 5), array)
    with pytest.raises(FeatureFilesError, match=r"1 float16 overflow.*found 70000.*--dtype float32"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    assert_nothing_written(tmp_path / "x.h5")
    store = import_store(layout.annotations, layout.features, tmp_path / "x.h5", dtype="float32")
    assert store.split("train").audio[5, 3, 3] == -70_000


def test_damaged_source_file_is_refused_before_anything_is_written(layout: Layout, tmp_path: Path) -> None:
    for content in ("{", "[]", '{"hidden_size": "wide"}', '{"name": 3}'):
        (layout.features / "source.json").write_text(content)
        with pytest.raises(InputError, match=r"source\.json: not .* repair or remove it"):
            import_store(layout.annotations, layout.features, tmp_path / "x.h5")
        assert_nothing_written(tmp_path / "x.h5")


@pytest.mark.parametrize("other", ["train", "val"])
def test_duplicated_id_is_refused(layout: Layout, tmp_path: Path, other: str) -> None:
    with (layout.annotations / WEAK_FILES[other]).open("a") as file:
        file.write(f"{layout.ids[0]}_50_60\tDog\n")
    with pytest.raises(InputError, match="duplicated video id"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")


def test_empty_split_is_refused(layout: Layout, tmp_path: Path) -> None:
    (layout.annotations / WEAK_FILES["val"]).write_text("filename\tevent_labels\n")
    with pytest.raises(InputError, match="no rows"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")


class Interruption:
    """Lets some videos be read and then interrupts; counts the videos."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int | None) -> None:
        self.after, self.read = after, 0
        original = importer.read_video

        def read_video(*arguments: object) -> object:
            self.read += 1
            if self.after is not None and self.read > self.after:
                raise KeyboardInterrupt
            return original(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(importer, "read_video", read_video)
        monkeypatch.setattr(importer, "READING_THREADS", 1)


@pytest.fixture
def interrupted(layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interruption]:
    """Interrupt an import after seven videos, three complete blocks of two."""
    interruption = Interruption(monkeypatch, after=7)
    with pytest.raises(KeyboardInterrupt):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    assert not (tmp_path / "x.h5").exists()
    assert json.loads((tmp_path / "x.h5.partial.json").read_text())["done"] == 6
    interruption.after, interruption.read = None, 0
    yield interruption
    assert [path.name for path in tmp_path.glob("x.h5*")] == ["x.h5"]


def test_resumed_import_gives_the_same_file(
    layout: Layout, tmp_path: Path, interrupted: Interruption
) -> None:
    import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    assert interrupted.read == 6, "12 videos, 6 were done"
    import_store(layout.annotations, layout.features, tmp_path / "whole" / "x.h5")
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "whole" / "x.h5").read_bytes()


@pytest.mark.parametrize("change", ["feature", "label", "dtype", "partial", "state"])
def test_changed_input_or_damaged_partial_file_begins_anew(
    layout: Layout, tmp_path: Path, interrupted: Interruption, change: str
) -> None:
    dtype = "float16"
    if change == "feature":
        np.save(layout.file("vggish", 0), np.ones((10, 5), "f8"))
    elif change == "label":
        path = layout.annotations / WEAK_FILES["train"]
        path.write_text(path.read_text().replace("Speech", "Cello", 1))
    elif change == "dtype":
        dtype = "float32"
    elif change == "partial":
        (tmp_path / "x.h5.partial").write_bytes(b"")
    else:
        (tmp_path / "x.h5.partial.json").write_text("{")
    store = import_store(layout.annotations, layout.features, tmp_path / "x.h5", dtype=dtype)
    assert interrupted.read == 12
    fresh = import_store(layout.annotations, layout.features, tmp_path / "whole" / "x.h5", dtype=dtype)
    assert store.attributes["checksums"] == fresh.attributes["checksums"]


def test_problems_found_before_an_interruption_are_remembered(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(layout.file("vggish", 0), np.full((10, 5), np.nan))
    interruption = Interruption(monkeypatch, after=7)
    with pytest.raises(KeyboardInterrupt):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    interruption.after = None
    with pytest.raises(FeatureFilesError, match="1 of 36 files"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    assert_nothing_written(tmp_path / "x.h5")


def test_partial_file_that_another_process_writes(layout: Layout, tmp_path: Path) -> None:
    with (
        h5py.File(tmp_path / "x.h5.partial", "w"),
        pytest.raises(InputError, match=r"cannot be written.*delete it"),
    ):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")


def test_disk_without_room_is_refused(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"0\.00 GB free, but the store needs"):
        import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    assert_nothing_written(tmp_path / "x.h5")


def test_memory_is_bounded_by_the_block(
    monkeypatch: pytest.MonkeyPatch, layout: Layout, tmp_path: Path
) -> None:
    monkeypatch.undo()
    llp_video = 10 * (128 + 2048 + 512) * 4
    frames = importer.READING_THREADS * 80 * 2048 * 4 * 2
    assert importer.BLOCK_VIDEOS * llp_video * 4 + frames < 50e6, (
        "read, stacked, cast and joined, plus raw frames"
    )
    written: list[int] = []
    monkeypatch.setattr(importer, "BLOCK_VIDEOS", 5)
    original = importer.PartialStore.write

    def write(self: importer.PartialStore, audio: np.ndarray, *rest: object) -> None:
        written.append(len(audio))
        original(self, audio, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(importer.PartialStore, "write", write)
    import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    assert written == [5, 5, 2]


def test_imported_store_reopens_by_path(layout: Layout, tmp_path: Path) -> None:
    import_store(layout.annotations, layout.features, tmp_path / "x.h5")
    assert FeatureStore.open(tmp_path / "x.h5").header.counts == {"train": 7, "val": 2, "test": 3}
