"""Annotation files that cannot be used: one line says which file, what was found and what was expected."""

import subprocess
import sys
from pathlib import Path

import pytest

from rlld_gym.data.llp.annotations import load_annotations
from rlld_gym.errors import InputError
from tests.data.annotation_folders import SMALL, small_folder, write_rows

WEAK, DENSE = "filename event_labels", "filename onset offset event_labels"
TRAIN, VAL, AUDIO = "AVVP_train.csv", "AVVP_val_pd.csv", "AVVP_eval_audio.csv"


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_annotations(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("file", "lines", "expected"),
    [
        (TRAIN, [], ["empty file", "filename event_labels"]),
        (TRAIN, [WEAK], ["no rows below the header", "one row per video"]),
        (AUDIO, [DENSE], ["no rows below the header", "one row per event"]),
        (TRAIN, ["filename labels", "train_video_20_30 Dog"], ["line 1", "wrong header", "'labels'"]),
        (TRAIN, ["filename;event_labels", "train_video_20_30;Dog"], ["wrong header", "separated by tabs"]),
        (TRAIN, [DENSE, "train_video_20_30 0 3 Dog"], ["wrong header", "expected 2 columns"]),
        (TRAIN, [WEAK, "train_video_20_30 Dog 3"], ["number of columns", "line 2: 3", "expected 2 columns"]),
        (AUDIO, [DENSE, "val_video_1_0_10 0 4"], ["number of columns", "line 2: 3", "expected 4 columns"]),
        (TRAIN, [WEAK, "train_video_20_30 Dgo"], ["unknown class", "line 2", "'Dgo'", "closest: Dog"]),
        (TRAIN, [WEAK, "train_video_20_30 speech"], ["unknown class", "'speech'", "closest: Speech"]),
        (TRAIN, [WEAK, "train_video_20_30 Dog,"], ["unknown class", "''"]),
        (
            TRAIN,
            [WEAK, "train_video_20_30 "],
            ["no label: line 2: 'train_video_20_30'", "leave the video out"],
        ),
        (
            TRAIN,
            [WEAK, "train_video_20_30 ,"],
            ["no label: line 2: 'train_video_20_30'", "leave the video out"],
        ),
        (AUDIO, [DENSE, "val_video_1_0_10 0 4 Dog,Cat"], ["unknown class", "'Dog,Cat'"]),
        (TRAIN, [WEAK, "short_20_30 Dog"], ["malformed filename", "line 2: 'short_20_30'", "11-character"]),
        (TRAIN, [WEAK, "train_video Dog"], ["malformed filename", "_START_END"]),
        (TRAIN, [WEAK, "train_video_20_300 Dog"], ["malformed filename", "ten seconds apart"]),
        (TRAIN, [WEAK, "train/video_20_30 Dog"], ["malformed filename"]),
        (AUDIO, [DENSE, "val_video_1_0_10 0 11 Dog"], ["offset '11'", "line 2", "integers in 0..10"]),
        (AUDIO, [DENSE, "val_video_1_0_10 -1 4 Dog"], ["onset '-1'", "integers in 0..10"]),
        (AUDIO, [DENSE, "val_video_1_0_10 0.5 4 Dog"], ["onset '0.5'"]),
        (AUDIO, [DENSE, "val_video_1_0_10  4 Dog"], ["onset ''"]),
        (AUDIO, [DENSE, "other_video_0_10 0 4 Dog"], ["none of its 1 rows names a validation or test video"]),
    ],
)
def test_refused(tmp_path: Path, file: str, lines: list[str], expected: list[str]) -> None:
    write_rows(small_folder(tmp_path), file, lines)
    message = refusal(tmp_path)
    for text in (str(tmp_path / file), *expected):
        assert text in message


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    small_folder(tmp_path)
    (tmp_path / TRAIN).unlink()
    (tmp_path / AUDIO).unlink()
    message = refusal(tmp_path)
    assert f"missing {TRAIN}, {AUDIO};" in message
    assert "no such folder" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "row", "first"),
    [
        (TRAIN, "train_video_20_30 Car", "AVVP_train.csv line 2"),
        (TRAIN, "train_video_30_40 Car", "AVVP_train.csv line 2"),
        (VAL, "train-vid-2_40_50 Car", "AVVP_train.csv line 3"),
    ],
)
def test_duplicated_videos(tmp_path: Path, file: str, row: str, first: str) -> None:
    write_rows(small_folder(tmp_path), file, [*SMALL[file], row])
    message = refusal(tmp_path)
    for text in (
        file,
        "duplicated video id",
        f"line {len(SMALL[file]) + 1}: {row.partition(' ')[0]!r}",
        first,
    ):
        assert text in message


def test_many_problems_are_one_message(tmp_path: Path) -> None:
    rows = [f"train_vid{n:02}_20_30 Dgo" for n in range(20)]
    write_rows(small_folder(tmp_path), TRAIN, [WEAK, *rows])
    message = refusal(tmp_path)
    assert all(f"line {line}:" in message for line in (2, 3, 4))
    assert "line 5" not in message
    assert "and 17 more" in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"filename\tevent_labels\ntrain_video_20_30\tDog\xff\n", "line 2: not UTF-8"),
        ("filename\tevent_labels\n".encode("utf-16"), "line 1: not UTF-8"),
        (b"filename\tevent_labels\ntrain_video_20_30\t" + b"x" * 200_000, "field larger than field limit"),
    ],
)
def test_bytes_that_are_no_table(tmp_path: Path, content: bytes, expected: str) -> None:
    (small_folder(tmp_path) / TRAIN).write_bytes(content)
    message = refusal(tmp_path)
    assert expected in message
    assert len(message) < 500


@pytest.mark.parametrize("change", ["crlf", "byte-order mark", "blank lines", "no final newline"])
def test_harmless_variations(tmp_path: Path, change: str) -> None:
    path = small_folder(tmp_path) / TRAIN
    text = path.read_bytes()
    path.write_bytes(
        {
            "crlf": text.replace(b"\n", b"\r\n"),
            "byte-order mark": b"\xef\xbb\xbf" + text,
            "blank lines": text + b"\n\n",
            "no final newline": text.rstrip(b"\n"),
        }[change]
    )
    annotations = load_annotations(tmp_path)
    assert annotations.train.filenames == ("train_video_20_30", "train-vid-2_1.5_11.5")
    assert annotations.train.labels.sum(1).tolist() == [2, 1]


def test_reading_annotations_does_not_import_torch(tmp_path: Path) -> None:
    code = "import sys; from rlld_gym.data import load_annotations; load_annotations(sys.argv[1]); "
    command = [sys.executable, "-c", code + "sys.exit('torch' in sys.modules)", str(small_folder(tmp_path))]
    assert subprocess.run(command, check=False).returncode == 0
