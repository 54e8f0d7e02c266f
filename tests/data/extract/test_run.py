"""A folder of videos, some of them broken, becomes folders of features, and these a store."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from rlld_agents.cli import main
from rlld_gym.data import FeatureStore
from rlld_gym.data.extract import worker
from rlld_gym.data.extract.decode import decode
from rlld_gym.data.extract.run import ExtractReport, extract
from rlld_gym.data.extract.sampling import TimeGrid
from rlld_gym.data.extract.worker import ExtractOptions, FeatureExtractor
from rlld_gym.errors import InputError
from tests.data.extract.clips import write_clip
from tests.shared_files import shared_path

pytestmark = pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")
STREAM = "r2plus1d_18"
OPTIONS = ExtractOptions(TimeGrid(2, 1.0, 2.0), (STREAM,), {STREAM: "random"}, "cpu", batch=8)


def make_videos(folder: Path) -> Path:
    folder.mkdir()
    for name, seconds, frame_rate in (
        ("dog park", 2.0, 10.0),
        ("harbour 2", 2.0, 30.0),
        ("long one", 3.5, 12.0),
    ):
        write_clip(folder / f"{name}.mp4", seconds, frame_rate=frame_rate)
    write_clip(folder / "silent.mkv", 2.0, sound=False)
    write_clip(folder / "no picture.mp4", 2.0, pictures=False)
    (folder / "broken.mp4").write_bytes(b"not a video at all")
    (folder / "readme.txt").write_text("not one either")
    return folder


def arrays(folder: Path) -> dict[str, NDArray[np.float32]]:
    return {str(path.relative_to(folder)): np.load(path) for path in sorted(folder.rglob("*.npy"))}


def assert_same(
    found: Mapping[str, NDArray[np.float32]], expected: Mapping[str, NDArray[np.float32]]
) -> None:
    """Videos may have shared batches with others, which moves the last digits."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5)


def counts(report: ExtractReport) -> tuple[int, int, int]:
    return report.made, report.before, len(report.failed)


def test_broken_videos_are_named_and_do_not_stop_the_others(tmp_path: Path) -> None:
    videos = make_videos(tmp_path / "videos")
    report = extract(videos, tmp_path / "out", OPTIONS, at_a_time=2, workers=2)
    assert counts(report) == (4, 0, 2)
    assert sorted(report.failed) == ["broken", "no picture"]
    made = arrays(tmp_path / "out")
    assert sorted(made) == [
        f"{STREAM}/{name}.npy" for name in ("dog park", "harbour 2", "long one", "silent")
    ]
    assert {array.shape for array in made.values()} == {(2, 512)}
    assert {array.dtype for array in made.values()} == {np.dtype(np.float32)}
    rows = [line.split("\t") for line in (tmp_path / "out" / "notes.tsv").read_text().splitlines()]
    assert [row[:2] for row in rows] == [
        ["video", "kind"],
        ["broken", "failed"],
        ["long one", "longer"],
        ["no picture", "failed"],
    ]
    assert not list((tmp_path / "out").rglob("*.partial"))


@pytest.mark.long
def test_what_was_interrupted_goes_on(tmp_path: Path) -> None:
    """Also with other videos beside it; finished files are left alone, failures are tried again."""
    videos = make_videos(tmp_path / "videos")
    extract(videos, tmp_path / "whole", OPTIONS, at_a_time=4)
    late = [videos / "long one.mp4", videos / "no picture.mp4", videos / "silent.mkv"]
    for path in late:
        path.rename(tmp_path / path.name)
    first = extract(videos, tmp_path / "out", OPTIONS, at_a_time=1)
    assert counts(first) == (2, 0, 1)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.npy")}
    for path in late:
        (tmp_path / path.name).rename(path)
    write_clip(videos / "broken.mp4", 2.0, frame_rate=10.0)
    second = extract(videos, tmp_path / "out", OPTIONS, at_a_time=3)
    assert counts(second) == (3, 2, 1)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    found = arrays(tmp_path / "out")
    np.testing.assert_allclose(found.pop(f"{STREAM}/broken.npy"), found[f"{STREAM}/dog park.npy"], atol=1e-5)
    assert_same(found, arrays(tmp_path / "whole"))
    listed = (tmp_path / "out" / "notes.tsv").read_text()
    assert "broken" not in listed, "it is whole now"
    assert "long one" in listed


def test_ctrl_c_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos = make_videos(tmp_path / "videos")
    embed, calls = FeatureExtractor.embed, []

    def interrupted(self: FeatureExtractor, batch: object) -> object:
        calls.append(batch)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return embed(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(FeatureExtractor, "embed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(videos, tmp_path / "out", OPTIONS, at_a_time=1)
    assert list(arrays(tmp_path / "out")) == [f"{STREAM}/dog park.npy"], "the first video was broken"
    assert "broken" in (tmp_path / "out" / "notes.tsv").read_text()


KILLED: Final = """
import os, signal, sys
from pathlib import Path
from rlld_gym.data.extract.run import extract
from rlld_gym.data.extract.worker import FeatureExtractor
from tests.data.extract.test_run import OPTIONS
embed = FeatureExtractor.embed
def until_the_last(self, videos):
    if videos[0].video == "silent":
        os.kill(os.getpid(), signal.SIGKILL)
    return embed(self, videos)
FeatureExtractor.embed = until_the_last
extract(sys.argv[1], sys.argv[2], OPTIONS, at_a_time=1)
"""


@pytest.mark.long
def test_remarks_outlive_a_kill(tmp_path: Path) -> None:
    """Those on videos that are done, which nobody looks at again; nothing is listed twice."""
    videos, out = make_videos(tmp_path / "videos"), tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED, videos, out], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert "long one\tlonger" in (out / "notes.tsv").read_text()
    with (out / "notes.tsv").open("a") as file:
        file.write("half of a r")
    assert counts(extract(videos, out, OPTIONS)) == (1, 3, 2)
    extract(videos, tmp_path / "whole", OPTIONS)
    assert (out / "notes.tsv").read_text() == (tmp_path / "whole" / "notes.tsv").read_text()


def test_whatever_a_video_does_to_the_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos = make_videos(tmp_path / "videos")

    def decode_or_not(path: Path, *arguments: object) -> object:
        if path.stem == "silent":
            raise MemoryError("no room for\na picture of 100000 x 100000")
        if path.stem == "long one":
            raise KeyboardInterrupt
        return decode(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "decode", decode_or_not)
    with pytest.raises(KeyboardInterrupt):
        extract(videos, tmp_path / "out", OPTIONS)
    (videos / "long one.mp4").unlink()
    report = extract(videos, tmp_path / "out", OPTIONS)
    assert report.failed == ["broken", "no picture", "silent"]
    detail = report.notes["silent"][0].detail
    assert detail.endswith(
        "silent.mkv: cannot be decoded (MemoryError: no room for a picture of 100000 x 100000)"
    )


def test_files_keep_their_names(tmp_path: Path) -> None:
    """A video that comes or goes later, and would rename all files, is refused: they would be made once more."""
    videos = tmp_path / "videos"
    videos.mkdir()
    write_clip(videos / "abcdefghijk_0_10.mp4", 0.5)
    extract(videos, tmp_path / "by id", OPTIONS)
    write_clip(videos / "dog park.mp4", 0.5)
    with pytest.raises(
        InputError, match=r"by id: .* first 11 characters .* which dog park\.mp4 does not allow"
    ):
        extract(videos, tmp_path / "by id", OPTIONS)
    extract(videos, tmp_path / "whole", OPTIONS)
    (videos / "dog park.mp4").unlink()
    with pytest.raises(InputError, match=r"whole names, .* now all are"):
        extract(videos, tmp_path / "whole", OPTIONS)
    assert list(arrays(tmp_path / "by id")) == [f"{STREAM}/abcdefghijk.npy"]
    assert list(arrays(tmp_path / "whole")) == [f"{STREAM}/abcdefghijk_0_10.npy", f"{STREAM}/dog park.npy"]


def test_other_options_need_another_folder(tmp_path: Path) -> None:
    videos = make_videos(tmp_path / "videos")
    extract(videos, tmp_path / "out", OPTIONS)
    for options, what in (
        (ExtractOptions(TimeGrid(1, 2.0, 2.0), (STREAM,), {STREAM: "random"}), "segments 2, now it is 1"),
        (ExtractOptions(OPTIONS.grid, (STREAM,), {STREAM: str(tmp_path / "a.pth")}), "random, now it is"),
    ):
        with pytest.raises(InputError, match=what):
            extract(videos, tmp_path / "out", options)
    (tmp_path / "theirs" / STREAM).mkdir(parents=True)
    np.save(tmp_path / "theirs" / STREAM / "a.npy", np.zeros(3))
    with pytest.raises(InputError, match="does not say what made them"):
        extract(videos, tmp_path / "theirs", OPTIONS)


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder of videos"):
        extract(tmp_path / "nowhere", tmp_path / "out", OPTIONS)
    (tmp_path / "videos").mkdir()
    with pytest.raises(InputError, match="no video in it"):
        extract(tmp_path / "videos", tmp_path / "out", OPTIONS)
    for name in ("abcdefghijk_0_10.mp4", "abcdefghijk_10_20.mp4"):
        (tmp_path / "videos" / name).touch()
    with pytest.raises(InputError, match=r"would both be abcdefghijk\.npy"):
        extract(tmp_path / "videos", tmp_path / "out", OPTIONS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [({"streams": ()}, "one or more of"), ({"streams": ("res50",)}, "res50"), ({"batch": 0}, "at least 1")],
)
def test_options_that_make_no_sense(options: dict[str, object], match: str) -> None:
    with pytest.raises(InputError, match=match):
        ExtractOptions(**options)  # type: ignore[arg-type]


def test_from_videos_to_a_store_by_two_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second command is the one that the first prints."""
    monkeypatch.chdir(tmp_path)
    make_videos(Path("videos"))
    words = "data extract --videos videos --out features --seconds 2 --frames-per-second 1 --weights random"
    assert main(words.split()) == 1, "two videos failed"
    out, err = capsys.readouterr()
    assert "4 videos extracted, 0 were there, 2 failed" in out
    assert "res152        (2, 2048)" in out
    assert "broken  failed: videos/broken.mp4: cannot be opened" in err
    assert "silent  no sound: silence stands for it" in err
    Path("annotations").mkdir()
    for split, name in (
        ("train", "dog park"),
        ("val", "harbour 2"),
        ("test", "long one"),
        ("train", "broken"),
    ):
        path = Path("annotations", f"{split}.csv")
        rows = path.read_text() if path.exists() else "filename,event_labels\n"
        path.write_text(f"{rows}{name},Dog\n")
    printed = next(line for line in out.splitlines() if line.startswith("import with: rlld "))
    command = shlex.split(printed.removeprefix("import with: rlld "))
    command[command.index("ANNOTATIONS")] = "annotations"
    assert main(command) == 0
    store = FeatureStore.open("STORE.h5")
    assert (store.num_segments, store.audio_size, store.visual_2d_size, store.visual_3d_size) == (
        2,
        128,
        2048,
        512,
    )
    assert sum(store.header.counts.values()) == 3
    clips = np.load("features/r2plus1d_18/harbour 2.npy")
    np.testing.assert_allclose(store.split("val").visual[0, :, 2048:], clips, rtol=1e-3, atol=1e-3)
    assert store.attributes["sources"]["made_by"]["extraction"]["weights"]["vggish"] == "random"
    assert main(words.split()) == 1
    assert "0 videos extracted, 4 were there, 2 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--seconds 10 --segment-length 3", "10 s in segments of 3 s"),
        ("--weights rnadom", "--weights rnadom: expected pretrained, random, or STREAM=FILE"),
        ("--weights random vggish=nowhere.pth", "nowhere.pth: no such file"),
        ("--streams res50", "--streams"),
        ("--workers 0", "0 workers"),
        ("--device moon", "--device moon"),
    ],
)
def test_errors_are_one_line(
    tmp_path: Path, words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "a.mp4", 0.5)
    command = ["data", "extract", "--videos", str(tmp_path), "--out", str(tmp_path / "out"), *words.split()]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_real_clip(tmp_path: Path) -> None:
    """LLP's shapes and its file's name, with the two networks that are quick."""
    path = shared_path("llp/BjCEufrlXm4.mp4")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "BjCEufrlXm4_20_30.mp4").symlink_to(path)
    streams = ("vggish", STREAM)
    options = ExtractOptions(streams=streams, weights=dict.fromkeys(streams, "random"))
    report = extract(tmp_path / "videos", tmp_path / "out", options)
    assert report.notes == {"BjCEufrlXm4_20_30": ()}
    made = arrays(tmp_path / "out")
    assert {name: array.shape for name, array in made.items()} == {
        "vggish/BjCEufrlXm4.npy": (10, 128),
        "r2plus1d_18/BjCEufrlXm4.npy": (10, 512),
    }
    assert all(np.isfinite(array).all() and array.std(axis=0).max() > 0 for array in made.values())


@pytest.mark.long
def test_the_printed_import_names_a_3d_stream_that_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("videos").mkdir()
    Path("annotations").mkdir()
    for split in ("train", "val", "test"):
        write_clip(Path("videos", f"{split} clip.mp4"), 2.0)
        Path("annotations", f"{split}.csv").write_text(f"filename,event_labels\n{split} clip,Dog\n")
    words = "data extract --videos videos --out features --seconds 2 --weights random --streams vggish r2plus1d_18"
    assert main(words.split()) == 0
    printed = capsys.readouterr().out.partition("import with: rlld ")[2].splitlines()[0]
    assert "--visual-2d-folder r2plus1d_18 --no-3d" in printed
    assert main([word.replace("ANNOTATIONS", "annotations") for word in shlex.split(printed)]) == 0
    store = FeatureStore.open("STORE.h5")
    assert (store.audio_size, store.visual_2d_size, store.visual_3d_size) == (128, 512, 0)
    clips = np.load("features/r2plus1d_18/val clip.npy")
    np.testing.assert_allclose(store.split("val").visual[0], clips, rtol=1e-3, atol=1e-3)
