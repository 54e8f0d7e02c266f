"""Small annotation folders for tests: a valid one, to be spoilt file by file."""

import shutil
from pathlib import Path

from tests.shared_files import shared_path

OFFICIAL = (
    "AVVP_train.csv", "AVVP_val_pd.csv", "AVVP_test_pd.csv", "AVVP_eval_audio.csv", "AVVP_eval_visual.csv",
)  # fmt: skip

SMALL = {
    "AVVP_train.csv": ["filename event_labels", "train_video_20_30 Speech,Dog", "train-vid-2_1.5_11.5 Car"],
    "AVVP_val_pd.csv": ["filename event_labels", "val_video_1_0_10 Speech"],
    "AVVP_test_pd.csv": ["filename event_labels", "test_video__30_40 Speech,Cat", "test_video2_5_15 Dog"],
    "AVVP_eval_audio.csv": [
        "filename onset offset event_labels",
        "val_video_1_0_10 0 4 Speech",
        "test_video__30_40 2 10 Cat",
    ],
    "AVVP_eval_visual.csv": ["filename onset offset event_labels", "test_video__30_40 3 5 Cat"],
}
"""File -> its lines, with blanks for tabs."""


def write_rows(folder: Path, name: str, lines: list[str]) -> None:
    (folder / name).write_text("".join(line.replace(" ", "\t") + "\n" for line in lines), encoding="utf-8")


def small_folder(folder: Path) -> Path:
    for name, lines in SMALL.items():
        write_rows(folder, name, lines)
    return folder


def folder_2020(folder: Path) -> Path:
    """Copy the official files into ``folder``, with the audio file in its 2020 revision."""
    for name in OFFICIAL:
        source = name.replace("audio.csv", "audio_2020.csv")
        shutil.copyfile(shared_path(f"llp/{source}"), folder / name)
    return folder
