from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.labels.files import read_labels, write_labels
from rlld_gym.data.classes import CLASSES
from rlld_gym.errors import InputError

FILENAMES = ("BjCEufrlXm4_20_30", "29-VHfXrz7E_30_40", "AP0061o0Nvk_101.8_111.8")
ORIGINAL = np.zeros((3, 25), dtype=bool)
ORIGINAL[0, [0, 3]] = ORIGINAL[1, [0, 11, 5]] = ORIGINAL[2, 7] = True


def revised() -> tuple[np.ndarray, np.ndarray]:
    audio, visual = ORIGINAL.copy(), ORIGINAL.copy()
    visual[0, 0] = visual[1] = audio[2] = False
    return audio, visual


def test_written_text_and_round_trip_in_any_row_order(tmp_path: Path) -> None:
    path = tmp_path / "denoised_labels.csv"
    write_labels(path, FILENAMES, CLASSES, *revised())
    assert path.read_text().splitlines() == [
        "filename,audio_labels,visual_labels",
        'BjCEufrlXm4_20_30,"Speech,Dog",Dog',
        '29-VHfXrz7E_30_40,"Speech,Frying_(food),Singing",',
        "AP0061o0Nvk_101.8_111.8,,Fire_alarm",
    ]
    order = [2, 0, 1]
    audio, visual = read_labels(path, CLASSES, [FILENAMES[i] for i in order], ORIGINAL[order])
    np.testing.assert_array_equal(audio, revised()[0][order])
    np.testing.assert_array_equal(visual, revised()[1][order])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 5))
def test_round_trip_of_any_labels(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, c: int
) -> None:
    generator = np.random.default_rng(seed)
    original, audio, visual = generator.random((3, n, c)) < 0.5
    audio, visual = audio & original, visual & original
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    names, classes = [f"video{i}" for i in range(n)], [f"class{i}" for i in range(c)]
    write_labels(path, names, classes, audio, visual)
    read = read_labels(path, classes, names, original)
    np.testing.assert_array_equal(read, (audio, visual))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: found the columns"),
        ("filename\taudio_labels\tvisual_labels\n", "line 1: found the columns"),
        ("{h}\n{0},Speech,Spech\n", "line 2: unknown class 'Spech' in visual_labels"),
        ("{h}\nnobody,Speech,Speech\n", "line 2: video 'nobody' is not in the training split"),
        ("{h}\n{0},Speech,\n{0},Speech,\n", "line 3: video 'BjCEufrlXm4_20_30' was already on line 2"),
        ("{h}\n{0},Speech,Car\n", "line 2: 'Car' is in visual_labels but not among"),
        ("{h}\n{0},Speech,\n", "2 of 3 training videos have no row, the first is '29-VHfXrz7E_30_40'"),
        ("{h}\n{0},Speech,Dog,Dog\n", "line 2: found 4 fields, expected 3"),
        ('{h}\n{0},"Speech,Dog\n', "not a CSV file"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text.replace("{h}", "filename,audio_labels,visual_labels").replace("{0}", FILENAMES[0]))
    with pytest.raises(InputError) as error:
        read_labels(path, CLASSES, FILENAMES, ORIGINAL)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_labels(tmp_path / "none.csv", CLASSES, FILENAMES, ORIGINAL)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="not a CSV file in UTF-8"):
        read_labels(binary, CLASSES, FILENAMES, ORIGINAL)


def test_wrong_shape_or_unwritable_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected bool"):
        write_labels(tmp_path / "x.csv", FILENAMES, CLASSES, ORIGINAL[:2], ORIGINAL)
    for name, message in (("", "has no name"), (CLASSES[1], "the same name")):
        with pytest.raises(ValueError, match=message):
            write_labels(tmp_path / "x.csv", FILENAMES, (name, *CLASSES[1:]), ORIGINAL, ORIGINAL)
    assert not list(tmp_path.iterdir())
