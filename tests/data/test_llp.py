"""The official annotation files: their statistics, their reference scores and their 2020 revision."""

import json
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rlld_gym.data.classes import CLASSES, SPEECH, SPLITS, llp_statistics
from rlld_gym.data.llp.annotations import Annotations, SplitAnnotations, load_annotations
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import parsing_scores
from tests.data.annotation_folders import OFFICIAL, folder_2020
from tests.shared_files import shared_path


@pytest.fixture(scope="module")
def llp() -> Annotations:
    folder = {shared_path(f"llp/{name}").parent for name in OFFICIAL}.pop()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the current revision needs no repair
        return load_annotations(folder, strict=True)


def dense(split: SplitAnnotations) -> tuple[np.ndarray, np.ndarray]:
    assert split.dense_audio is not None
    assert split.dense_visual is not None
    return split.dense_audio, split.dense_visual


def test_shapes_order_and_read_only(llp: Annotations) -> None:
    assert [len(llp.split(name).filenames) for name in SPLITS] == [10000, 649, 1200]
    assert llp.train.filenames[0] == "BjCEufrlXm4_20_30"
    assert [CLASSES[c] for c in np.flatnonzero(llp.train.labels[0])] == ["Speech", "Dog"]
    assert llp.train.dense_audio is None
    assert llp.train.dense_visual is None
    for split in (llp.val, llp.test):
        for grid in dense(split):
            assert grid.shape == (len(split.filenames), 10, 25)
            assert grid.dtype == np.bool_
            assert not grid.flags.writeable
        assert not split.labels.flags.writeable
    with pytest.raises(ValueError, match="unknown split 'eval'"):
        llp.split("eval")


def test_label_counts(llp: Annotations) -> None:
    def videos_by_number(split: SplitAnnotations) -> dict[int, int]:
        return dict(Counter(split.labels.sum(1).tolist()))

    assert videos_by_number(llp.train) == {1: 4032, 2: 5879, 3: 89}
    assert videos_by_number(llp.val) == {1: 212, 2: 367, 3: 56, 4: 14}
    assert videos_by_number(llp.test) == {1: 404, 2: 649, 3: 118, 4: 25, 5: 3, 7: 1}
    assert llp.train.labels.sum(0).tolist() == [
        4988, 624, 528, 761, 192, 343, 455, 218, 299, 602, 186, 1172, 437, 1457, 495, 146, 445, 224, 411, 587,
        503, 99, 430, 291, 164,
    ]  # fmt: skip
    only_one = llp.train.labels[llp.train.labels.sum(1) == 1]
    assert not only_one[:, SPEECH].any()


@pytest.mark.parametrize(("split", "heard", "seen"), [("val", 0.951, 0.630), ("test", 0.944, 0.652)])
def test_agreement_of_labels_and_events(llp: Annotations, split: str, heard: float, seen: float) -> None:
    labels = llp.split(split).labels
    audio, visual = (grid.any(1) for grid in dense(llp.split(split)))
    assert audio[labels].mean() == pytest.approx(heard, abs=5e-4)
    assert visual[labels].mean() == pytest.approx(seen, abs=5e-4)


def test_equals_the_packaged_statistics(llp: Annotations) -> None:
    statistics = llp_statistics()
    for name in SPLITS:
        found = Counter(tuple(np.flatnonzero(row).tolist()) for row in llp.split(name).labels)
        assert found == {tuple(classes): count for classes, count in statistics["label_sets"][name]}
    bits = 1 << np.arange(10)
    labels = np.concatenate([llp.val.labels, llp.test.labels])
    audio, visual = (
        np.einsum("ntc,t->nc", np.concatenate(grids), bits)
        for grids in zip(dense(llp.val), dense(llp.test), strict=True)
    )
    for c, patterns in enumerate(statistics["temporal_patterns"]):
        present = labels[:, c]
        found = Counter(zip(audio[present, c].tolist(), visual[present, c].tolist(), strict=True))
        assert found == {(heard, seen): count for heard, seen, count in patterns}, CLASSES[c]


def test_packaged_statistics_are_the_reference_file() -> None:
    assert llp_statistics() == json.loads(shared_path("llp/llp_statistics.json").read_text(encoding="utf-8"))


REFERENCE_SCORES = {
    ("nothing", "test"): "0.5 10.1 14.5 8.4 0.0  0.5 10.1 14.5 8.4 0.0",
    ("audio speech", "test"): "16.6 10.1 14.5 13.7 14.4  9.3 10.1 14.5 11.3 7.7",
    ("labels", "test"): "76.1 60.3 52.6 63.0 71.7  63.0 55.8 44.7 54.5 61.6",
    ("no visual speech", "test"): "76.1 72.5 61.5 70.0 75.4  63.0 68.6 52.6 61.4 63.0",
    ("track labels", "test"): "80.1 89.8 82.8 84.2 82.0  66.1 83.7 71.4 73.7 68.3",
    ("truth", "test"): "100 100 100 100 100  100 100 100 100 100",
    ("nothing", "val"): "0.6 10.8 14.3 8.6 0.0  0.6 10.8 14.3 8.6 0.0",
    ("audio speech", "val"): "19.1 10.8 14.3 14.7 17.2  11.9 10.8 14.3 12.3 10.3",
    ("labels", "val"): "77.1 58.7 52.1 62.6 71.5  63.8 53.5 44.1 53.8 61.1",
    ("no visual speech", "val"): "77.1 71.3 61.8 70.1 75.9  63.8 66.9 53.2 61.3 63.3",
    ("track labels", "val"): "81.1 89.4 83.2 84.6 82.6  67.1 82.3 71.8 73.8 68.5",
    ("truth", "val"): "100 100 100 100 100  100 100 100 100 100",
}


def predictions(name: str, split: SplitAnnotations) -> tuple[np.ndarray, np.ndarray]:
    truth_audio, truth_visual = dense(split)
    everywhere = np.repeat(split.labels[:, None, :], 10, axis=1)
    speech = np.zeros_like(everywhere)
    speech[:, :, SPEECH] = True
    nothing = np.zeros_like(everywhere)
    return {
        "nothing": (nothing, nothing),
        "audio speech": (speech, nothing),
        "labels": (everywhere, everywhere),
        "no visual speech": (everywhere, everywhere & ~speech),
        "track labels": (
            np.repeat(truth_audio.any(1, keepdims=True), 10, axis=1),
            np.repeat(truth_visual.any(1, keepdims=True), 10, axis=1),
        ),
        "truth": (truth_audio, truth_visual),
    }[name]


@pytest.mark.parametrize(("prediction", "split"), REFERENCE_SCORES)
def test_reference_scores(llp: Annotations, prediction: str, split: str) -> None:
    annotations = llp.split(split)
    scores = parsing_scores(*predictions(prediction, annotations), *dense(annotations))
    expected = [float(text) for text in REFERENCE_SCORES[prediction, split].split()]
    assert [round(score, 1) for score in scores.as_dict().values()] == expected


def test_2020_revision_is_repaired_to_the_current_one(llp: Annotations, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="broken rows of the 2020 revision") as caught:
        old = load_annotations(folder_2020(tmp_path))
    (warning,) = caught
    assert warning.filename == __file__
    for text in ("line 930", "line 931", "line 2449", "JfZEqeLZqWk_30_40", "KvIjsmANkxI_10_20`"):
        assert text in str(warning.message)
    broken = [(d.file, d.line) for d in old.defects if d.kind == "broken-filename"]
    assert broken == [("AVVP_eval_audio.csv", line) for line in (930, 931, 2449)]
    assert [d for d in old.defects if d.kind != "broken-filename"] == list(llp.defects)
    for name in ("val", "test"):
        for one, other in zip(dense(old.split(name)), dense(llp.split(name)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_strict_refuses_the_2020_revision(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"AVVP_eval_audio\.csv: broken rows .*line 2449.*April 2024"):
        load_annotations(folder_2020(tmp_path), strict=True)


def test_only_rows_exactly_as_published_are_repaired(tmp_path: Path) -> None:
    """A row that merely looks like a broken one is an orphan; nothing is guessed."""
    folder = folder_2020(tmp_path)
    path = folder / "AVVP_eval_audio.csv"
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[929] = "Baby_cry_infant_cry\t0\t5\tSpeech"
    lines[2448] = "KvIjsmANkxI_10_20'\t0\t1\tCat"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.warns(UserWarning, match="broken rows of the 2020 revision: line 931: [^;]*; repaired"):
        annotations = load_annotations(folder)
    orphans = {d.line for d in annotations.defects if d.kind == "orphan" and d.file == path.name}
    assert {930, 2449} <= orphans
    assert 931 not in orphans
