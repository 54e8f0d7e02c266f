"""Defects: counts and places in the official files, and each kind on a small folder."""

from pathlib import Path

import numpy as np
import pytest

from rlld_gym.data.llp.annotations import Annotations, load_annotations
from rlld_gym.data.llp.defects import DEFECT_KINDS, Defect
from tests.data.annotation_folders import OFFICIAL, SMALL, small_folder, write_rows
from tests.shared_files import shared_path


@pytest.fixture(scope="module")
def llp() -> Annotations:
    return load_annotations({shared_path(f"llp/{name}").parent for name in OFFICIAL}.pop())


EXPECTED = {
    "AVVP_train.csv": {},
    "AVVP_val_pd.csv": {
        "no-audio-row": 4, "no-visual-row": 70, "no-audio-segment": 4, "no-visual-segment": 70,
        "no-audio-visual-segment": 93, "unlabelled-event": 27, "label-without-event": 13,
    },
    "AVVP_test_pd.csv": {
        "repeated-label": 1, "no-audio-row": 5, "no-visual-row": 121, "no-audio-segment": 6,
        "no-visual-segment": 121, "no-audio-visual-segment": 174, "unlabelled-event": 38,
        "label-without-event": 25,
    },
    "AVVP_eval_audio.csv": {
        "orphan": 14, "empty-interval": 6, "duplicate-row": 8, "overlapping-interval": 20,
        "overlapping-earlier-interval": 3, "touching-interval": 11,
    },
    "AVVP_eval_visual.csv": {"orphan": 11, "touching-interval": 3},
}  # fmt: skip


@pytest.mark.parametrize("file", OFFICIAL)
def test_counts_of_the_official_files(llp: Annotations, file: str) -> None:
    assert {kind: count for kind, count in llp.counts(file).items() if count} == EXPECTED[file]


def test_total_counts(llp: Annotations) -> None:
    assert list(llp.counts()) == list(DEFECT_KINDS)
    for kind, count in llp.counts().items():
        assert count == sum(expected.get(kind, 0) for expected in EXPECTED.values()), kind


def places(annotations: Annotations, kind: str, file: str) -> dict[int, str]:
    return {d.line: d.detail for d in annotations.defects if d.kind == kind and d.file == file}


def test_places_in_the_official_files(llp: Annotations) -> None:
    audio, visual = "AVVP_eval_audio.csv", "AVVP_eval_visual.csv"
    assert sorted(places(llp, "empty-interval", audio).values()) == [
        "8DF2PxdT5tE_390_400 Cheering 9-0",
        "Baue01N86wE_10_20 Dog 1-1",
        "CSWQ_HzQ_10_20 Basketball_bounce 9-9",
        "CaC2xvdLC34_250_260 Speech 9-9",
        "Gg3pK71kApY_30_40 Speech 10-10",
        "H5WcJwyjxIg_2_12 Baby_cry_infant_cry 0-0",
    ]
    assert {detail.split()[0] for detail in places(llp, "orphan", audio).values()} == {
        "AkAfFL5Q4QA_30_40", "P7x4FV4lg_570_580", "17iGUal2M_10_20", "CSWQ_HzQ_10_20", "7X3oSVoA_90_100",
        "VMTJRpjbE_150_160", "12eWNawPekw_30_40", "19jWnmYnlD8_30_400",
    }  # fmt: skip
    assert len({detail.split()[0] for detail in places(llp, "orphan", visual).values()}) == 7
    assert list(places(llp, "repeated-label", "AVVP_test_pd.csv").values()) == ["LcFWKgFphXI_20_30: Clapping"]
    assert {d.split()[0] for d in places(llp, "no-audio-row", "AVVP_val_pd.csv").values()} == {
        "DDVbCC9GbGE_50_60", "29-VHfXrz7E_30_40", "7YChvLYpyUk_30_40", "Js8vb6_jjR4_30_40",
    }  # fmt: skip


def test_lines_are_those_of_the_files(llp: Annotations) -> None:
    for file in OFFICIAL:
        lines = shared_path(f"llp/{file}").read_text(encoding="utf-8").split("\n")
        for defect in llp.defects:
            if defect.file == file:
                assert lines[defect.line - 1].startswith(defect.detail.split()[0].rstrip(":")), defect


def found(folder: Path) -> set[tuple[str, str, int]]:
    return {(d.kind, d.file, d.line) for d in load_annotations(folder).defects}


def test_small_folder(tmp_path: Path) -> None:
    annotations = load_annotations(small_folder(tmp_path))
    assert annotations.train.filenames == ("train_video_20_30", "train-vid-2_1.5_11.5")
    assert annotations.test.dense_audio is not None
    assert np.argwhere(annotations.test.dense_audio).tolist() == [[0, t, 4] for t in range(2, 10)]
    assert set(annotations.defects) == {
        Defect("no-visual-row", "AVVP_val_pd.csv", 2, "val_video_1_0_10 (Speech)"),
        Defect("no-visual-segment", "AVVP_val_pd.csv", 2, "val_video_1_0_10 (Speech)"),
        Defect("no-audio-visual-segment", "AVVP_val_pd.csv", 2, "val_video_1_0_10 (Speech)"),
        Defect("no-audio-row", "AVVP_test_pd.csv", 3, "test_video2_5_15 (Dog)"),
        Defect("no-audio-segment", "AVVP_test_pd.csv", 3, "test_video2_5_15 (Dog)"),
        Defect("no-visual-row", "AVVP_test_pd.csv", 3, "test_video2_5_15 (Dog)"),
        Defect("no-visual-segment", "AVVP_test_pd.csv", 3, "test_video2_5_15 (Dog)"),
        Defect("no-audio-visual-segment", "AVVP_test_pd.csv", 3, "test_video2_5_15 (Dog)"),
        Defect("label-without-event", "AVVP_test_pd.csv", 2, "test_video__30_40: Speech"),
        Defect("label-without-event", "AVVP_test_pd.csv", 3, "test_video2_5_15: Dog"),
    }


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        ("test_video__30_40 3 3 Cat", {"empty-interval"}),
        ("test_video__30_40 9 0 Cat", {"empty-interval"}),
        ("test_video__30_40 2 10 Cat", {"duplicate-row", "overlapping-interval"}),
        ("test_video__30_40 9 10 Cat", {"overlapping-interval"}),
        ("test_video__30_40 0 1 Cat", set()),
        ("test_video__30_40 0 9 Speech", set()),
        ("test_video_30_40 0 9 Speech", {"orphan"}),
        ("train_video_20_30 0 9 Speech", {"orphan"}),
    ],
)
def test_one_more_row(tmp_path: Path, row: str, kinds: set[str]) -> None:
    write_rows(small_folder(tmp_path), "AVVP_eval_audio.csv", [*SMALL["AVVP_eval_audio.csv"], row])
    assert {
        kind for kind, file, line in found(tmp_path) if (file, line) == ("AVVP_eval_audio.csv", 4)
    } == kinds


def test_intervals_are_compared_in_order_of_onset(tmp_path: Path) -> None:
    """Lines 4 to 7, unsorted: 0-6, 1-2 inside it, 3-4 clear of 1-2 but inside 0-6, 6-7 touching 0-6."""
    rows = ["6 7", "3 4", "1 2", "0 6"]
    write_rows(
        small_folder(tmp_path),
        "AVVP_eval_audio.csv",
        [*SMALL["AVVP_eval_audio.csv"], *(f"test_video2_5_15 {row} Dog" for row in rows)],
    )
    assert {(kind, line) for kind, file, line in found(tmp_path) if file == "AVVP_eval_audio.csv"} == {
        ("touching-interval", 4),
        ("overlapping-earlier-interval", 5),
        ("overlapping-interval", 6),
    }


def test_repeated_label_and_unlabelled_event(tmp_path: Path) -> None:
    rows = ["filename event_labels", "val_video_1_0_10 Dog,Dog,Car"]
    write_rows(small_folder(tmp_path), "AVVP_val_pd.csv", rows)
    annotations = load_annotations(tmp_path)
    assert annotations.val.labels.sum() == 2
    assert places(annotations, "repeated-label", "AVVP_val_pd.csv") == {2: "val_video_1_0_10: Dog"}
    assert places(annotations, "unlabelled-event", "AVVP_val_pd.csv") == {
        2: "val_video_1_0_10: Speech is heard"
    }


def test_report_counts_and_lists(tmp_path: Path) -> None:
    annotations = load_annotations(small_folder(tmp_path))
    lines = annotations.report().splitlines()
    assert lines[0].split() == ["defect", *OFFICIAL, "all"]
    assert ["label-without-event", *"002002"] in [line.split() for line in lines]
    assert "  AVVP_test_pd.csv:2: test_video__30_40: Speech" in lines
    assert sum(line.startswith("  AVVP") for line in lines) == len(annotations.defects)
    assert "  ... and 1 more" in annotations.report(limit=1)
