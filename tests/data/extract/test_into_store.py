"""Videos and annotation files become a store by one command: the one that extraction and import make by two."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from rlld_agents.cli import main
from rlld_gym.data import FeatureStore
from rlld_gym.data.extract.into_store import extract_into_store
from rlld_gym.data.extract.run import extract
from rlld_gym.data.extract.sampling import TimeGrid
from rlld_gym.data.extract.worker import ExtractOptions
from rlld_gym.data.llp.importer import import_store
from rlld_gym.data.llp.layout import DataLayout
from rlld_gym.data.llp.npy_layout import FeatureFolders
from rlld_gym.data.store.check import check_store
from rlld_gym.errors import InputError
from tests.data.extract.clips import write_clip

pytestmark = pytest.mark.skipif(find_spec("torchvision") is None, reason="needs torchvision")
STREAMS = ("vggish", "r2plus1d_18")
OPTIONS: Final = ExtractOptions(
    TimeGrid(2, 1.0, 2.0), STREAMS, dict.fromkeys(STREAMS, "random"), "cpu", batch=8
)
WORDS: Final = [
    *("data", "extract", "--videos", "videos", "--store", "out/own.h5", "--annotations", "annotations"),
    *("--streams", *STREAMS, "--seconds", "2", "--frames-per-second", "2", "--weights", "random"),
    *("--device", "cpu"),
]
ROWS: Final = {
    "train.csv": ["filename,event_labels", "dog park,Dog", "long one,Speech"],
    "val.csv": ["filename,event_labels", "harbour 2,Dog"],
    "test.csv": ["filename,event_labels", "silent,Car"],
}


def annotate(folder: Path, rows: dict[str, list[str]]) -> None:
    folder.mkdir(exist_ok=True)
    for name, lines in rows.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []


def damage(store: Path) -> list[str]:
    """Return what is wrong with a store, but that it is small."""
    return [problem for problem in check_store(store) if "needs 2 to learn" not in problem]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with videos, of which one is not annotated, and their annotation files."""
    monkeypatch.chdir(tmp_path)
    Path("videos").mkdir()
    for name, seconds in (("dog park", 2.0), ("harbour 2", 2.0), ("long one", 3.5), ("stranger", 0.5)):
        write_clip(Path("videos", f"{name}.mp4"), seconds, frame_rate=10.0)
    write_clip(Path("videos", "silent.mkv"), 2.0, frame_rate=10.0, sound=False)
    annotate(Path("annotations"), ROWS)
    return tmp_path


@pytest.mark.long
def test_one_command_makes_the_store_that_two_make(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(WORDS) == 0
    printed = capsys.readouterr()
    assert "out/own.h5: 4 videos extracted, 0 were there, 0 failed" in printed.out
    assert "1 more videos of videos are in no annotation file" in printed.out
    assert "audio 128, visual 2D 512, 3D 0, float16" in printed.out
    assert "long one  longer: " in printed.err
    assert left(Path("out")) == ["own.h5", "own.h5.notes.tsv"]
    assert "silent\tno sound" in Path("out/own.h5.notes.tsv").read_text()
    assert damage(Path("out/own.h5")) == []
    extract("videos", "features", OPTIONS)
    two = import_store(
        "annotations",
        "features",
        "two.h5",
        folders=FeatureFolders("vggish", "r2plus1d_18", None),
        layout=DataLayout(num_segments=2, frames_per_segment=2, feature_file="{name}.npy"),
    )
    one = FeatureStore.open("out/own.h5")
    assert (one.name, one.header.counts) == (two.name, two.header.counts)
    for split in ("train", "val", "test"):
        ours, theirs = one.split(split), two.split(split)
        assert ours.filenames == theirs.filenames
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        # Videos shared batches with others, which moves the last digits.
        np.testing.assert_allclose(ours.audio, theirs.audio, rtol=2e-3, atol=1e-4)
        np.testing.assert_allclose(ours.visual, theirs.visual, rtol=2e-3, atol=1e-4)
    made_by = one.attributes["sources"]["made_by"]["extraction"]
    assert made_by["weights"] == dict.fromkeys(STREAMS, "random")


def test_a_store_that_is_there_stays(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    Path("out/own.h5").write_text("mine")
    assert main(WORDS) == 2
    assert capsys.readouterr().err == (
        "rlld: error: out/own.h5: is there already; name another file, or delete it to extract anew\n"
    )
    assert Path("out/own.h5").read_text() == "mine"
    assert left(Path("out")) == ["own.h5"]


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({"val.csv": None}, "", "annotations: missing val.csv; expected train.csv, val.csv,"),
        ({"val.csv": ["filename,event_labels", "harbour 2,Dgo"]}, "", "'Dgo'"),
        (
            {
                f"dense_{modality}.csv": ["filename,onset,offset,event_labels", "harbour 2,0,20,Dog"]
                for modality in ("audio", "visual")
            },
            "",
            "the number of segments (--seconds, --segment-length)",
        ),
        ({"classes.txt": ["Dog", "Car"]}, "--classes annotations/classes.txt", "'Speech'"),
        (
            {"train.csv": [*ROWS["train.csv"], "nowhere,Dog", "no place,Dog"]},
            "",
            "2 of the 4 videos of split 'train' are not there, the first: nowhere; expected a file named nowhere",
        ),
        (
            {"val.csv": ["filename,event_labels", "BjCEufrlXm4_20_30,Dog"]},
            "--skip-missing",
            "1 of the 1 videos of split 'val' are not there, the first: BjCEufrlXm4_20_30; expected a file named "
            "BjCEufrlXm4_20_30 or BjCEufrlXm4, with an ending such as .mp4; nothing was written; restore them\n",
        ),
        ({}, "--never-visible Wnid", "never visible 'Wnid': no such class"),
        ({}, "--limit 0", "limit 0: expected at least 1 training video"),
        ({}, "--streams vggish clap res152", "no place for clap in a store"),
        ({}, "--streams vggish", "sound or pictures are missing in a store"),
        ({}, "--weights nonsense", "--weights nonsense"),
        ({}, "--out features", "found both --out and --store"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_extracted(
    here: Path,
    files: dict[str, list[str] | None],
    words: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    annotate(Path("annotations"), {name: lines for name, lines in files.items() if lines is not None})
    for name in (name for name, lines in files.items() if lines is None):
        Path("annotations", name).unlink()
    assert main([*WORDS, *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--videos videos", "found neither --out nor --store"),
        ("--videos videos --store own.h5", "--store: needs --annotations"),
        ("--videos videos --out features --annotations annotations", "leave them to rlld data import"),
        ("--videos videos --out features --skip-missing", "leave them to rlld data import"),
    ],
)
def test_options_that_do_not_go_together(
    words: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "extract", *words.split()]) == 2
    assert message in capsys.readouterr().err


def test_videos_named_by_ids(tmp_path: Path) -> None:
    """As LLP's may be; the whole name goes before the id, and one file is not two videos."""
    videos, annotations = tmp_path / "videos", tmp_path / "annotations"
    videos.mkdir()
    names = {"train": "aaaaaaaaaaa_0_10", "val": "bbbbbbbbbbb_5_15", "test": "aaaaaaaaaaa_10_20"}
    annotate(
        annotations,
        {f"{split}.csv": ["filename,event_labels", f"{name},Dog"] for split, name in names.items()},
    )
    write_clip(videos / "bbbbbbbbbbb.mp4", 0.5)
    write_clip(videos / "aaaaaaaaaaa.mp4", 0.5)
    with pytest.raises(
        InputError, match=r"aaaaaaaaaaa\.mp4: is it aaaaaaaaaaa_0_10 or aaaaaaaaaaa_10_20 of the"
    ):
        extract_into_store(videos, annotations, tmp_path / "own.h5", OPTIONS)
    write_clip(videos / "aaaaaaaaaaa_10_20.mp4", 0.5, frame_rate=10.0)
    report = extract_into_store(videos, annotations, tmp_path / "own.h5", OPTIONS)
    assert (report.extraction.made, report.unannotated) == (3, 0)
    assert report.store is not None
    assert [report.store.split(split).filenames[0] for split in names] == list(names.values())


@pytest.mark.long
def test_videos_that_fail(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Leave no store, unless it is to do without them; what is done is not done again."""
    Path("videos/long one.mp4").write_bytes(b"not a video at all")
    assert main(WORDS) == 1
    printed = capsys.readouterr()
    assert "out/own.h5: 3 videos extracted, 0 were there, 1 failed" in printed.out
    assert "no store: restore the videos that failed, or leave them out with --skip-missing" in printed.out
    assert "long one  failed: videos/long one.mp4: cannot be opened" in printed.err
    assert not Path("out/own.h5").exists()
    assert main([*WORDS, "--skip-missing"]) == 0
    assert "out/own.h5: 0 videos extracted, 3 were there, 1 failed" in capsys.readouterr().out
    assert left(Path("out")) == ["own.h5", "own.h5.notes.tsv", "own.h5.skipped.txt"]
    assert "long one" in Path("out/own.h5.skipped.txt").read_text()
    assert FeatureStore.open("out/own.h5").split("train").filenames == ("dog park",)


@pytest.mark.long
def test_a_limit_extracts_no_more_than_it_imports(here: Path) -> None:
    report = extract_into_store("videos", "annotations", "own.h5", OPTIONS, limit=1)
    assert (report.extraction.made, report.unannotated) == (3, 2)
    assert report.store is not None
    assert report.store.header.counts == {"train": 1, "val": 1, "test": 1}


KILLED: Final = """
import os, signal, sys
from rlld_gym.data.extract.into_store import extract_into_store
from rlld_gym.data.extract.worker import FeatureExtractor
from rlld_gym.data.llp import importer
from tests.data.extract.test_into_store import OPTIONS

def killed(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

embed = FeatureExtractor.embed
def until_harbour(self, videos):
    return killed() if videos[0].video == "harbour 2" else embed(self, videos)

if sys.argv[1] == "extraction":
    FeatureExtractor.embed = until_harbour
elif sys.argv[1] == "import":
    importer._fill = killed
else:
    import rlld_gym.data.extract.into_store as program
    program.shutil.rmtree = killed
extract_into_store("videos", "annotations", "own.h5", OPTIONS, at_a_time=1)
"""


def kill(where: str) -> None:
    command = [sys.executable, "-c", KILLED, where]
    paths = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == -signal.SIGKILL


@pytest.mark.long
def test_a_kill_at_any_time_leaves_what_goes_on(here: Path) -> None:
    """And never half a store; the videos that are done are not done again, their remarks are not lost."""
    kill("extraction")
    assert not Path("own.h5").exists()
    kill("import")
    assert not Path("own.h5").exists()
    made = {path: path.stat().st_mtime_ns for path in Path("own.h5.features").rglob("*.npy")}
    assert len(made) == 8
    kill("the end")
    assert damage(Path("own.h5")) == []
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert "long one\tlonger" in Path("own.h5.notes.tsv").read_text()
    with pytest.raises(InputError, match=r"delete it, and own\.h5\.features, which an interrupted"):
        extract_into_store("videos", "annotations", "own.h5", OPTIONS)


@pytest.mark.long
def test_other_options_do_not_go_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rlld_gym.data.extract.into_store.import_store", full)
        with pytest.raises(OSError, match="No space left"):
            extract_into_store("videos", "annotations", "own.h5", OPTIONS)
    other = ExtractOptions(TimeGrid(1, 2.0, 2.0), STREAMS, OPTIONS.weights, "cpu")
    with pytest.raises(InputError, match=r"own\.h5\.features: was extracted with segments 2, now it is 1"):
        extract_into_store("videos", "annotations", "own.h5", other)
    Path("own.h5.features/mine.txt").write_text("not to be removed")
    report = extract_into_store("videos", "annotations", "own.h5", OPTIONS)
    assert (report.extraction.made, report.extraction.before) == (0, 4)
    assert left(Path("own.h5.features")) == ["mine.txt"]
