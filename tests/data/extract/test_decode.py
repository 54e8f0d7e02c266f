"""What is decoded from a video is what was to be seen and heard in that second, whatever the file is like."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rlld_gym.data.extract.decode import Clip, decode
from rlld_gym.data.extract.log_mel import log_mel, mel_weights
from rlld_gym.data.extract.notes import UndecodableVideoError
from rlld_gym.data.extract.sampling import LLP_GRID, TimeGrid
from tests.data.extract.clips import COLOURS, TONES, turn, write_clip
from tests.shared_files import shared_path

av = pytest.importorskip("av")
GRID = TimeGrid(3)


def decoded(path: Path, grid: TimeGrid = GRID) -> Clip:
    return decode(path, grid, {"whole": lambda image: torch.from_numpy(image.copy())}, [16000])


def colours(clip: Clip) -> NDArray[np.int64]:
    """Return the number of the colour that each frame has, away from the white corner."""
    seen = np.stack([frame.numpy()[-8:, -8:].mean(axis=(0, 1)) for frame in clip.frames["whole"]])
    distance = np.abs(seen[:, None] - np.array(COLOURS)).max(axis=-1)
    assert distance.min(axis=1).max() < 30, "every frame has one of the colours"
    return distance.argmin(axis=1)


def pitches(clip: Clip, grid: TimeGrid = GRID) -> list[int]:
    """Return the number of the tone that is loudest within each segment; -1 for silence."""
    bands = [int(mel_weights()[round(tone / 16000 * 512)].argmax()) for tone in TONES]
    heard = []
    for segment in grid.cut_sound(clip.sound[16000], 16000):
        mel = log_mel(segment[1600:-1600]).mean(axis=0)
        loudest = int(mel.argmax())
        near = int(np.abs(np.array(bands) - loudest).argmin())
        heard.append(near if mel[loudest] > -2 and abs(bands[near] - loudest) <= 1 else -1)
    return heard


def kinds(clip: Clip) -> list[str]:
    return [note.kind for note in clip.notes]


@pytest.mark.parametrize("frame_rate", [5.0, 12.5, 29.97, 60.0])
def test_the_right_second_lights_up(tmp_path: Path, frame_rate: float) -> None:
    clip = decoded(write_clip(tmp_path / "a.mp4", frame_rate=frame_rate))
    np.testing.assert_array_equal(colours(clip), np.repeat([0, 1, 2], 8))
    assert pitches(clip) == [0, 1, 2]
    assert kinds(clip) == []


@pytest.mark.parametrize("name", ["a.mkv", "a.avi", "a.mov", "a.ts"])
def test_containers(tmp_path: Path, name: str) -> None:
    """Among them one whose clock does not begin at zero (ts)."""
    clip = decoded(write_clip(tmp_path / name, layout="mono"))
    np.testing.assert_array_equal(colours(clip), np.repeat([0, 1, 2], 8))
    assert pitches(clip) == [0, 1, 2]


def test_variable_frame_rate(tmp_path: Path) -> None:
    """Many pictures in the first second, two in the next two: each stays until the next one comes."""
    times = [*np.arange(0, 1, 1 / 50).tolist(), 1.0, 1.99, 2.0, 2.9]
    clip = decoded(write_clip(tmp_path / "a.mkv", times=times))
    np.testing.assert_array_equal(colours(clip), np.repeat([0, 1, 2], 8))


def test_frames_are_those_of_ffmpeg_at_that_rate(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).choice([0.02, 0.04, 0.11, 0.3], 40)).tolist()
    times = [time - times[0] for time in times if time - times[0] < 3]
    path = write_clip(tmp_path / "a.mkv", times=times)
    frames = [frame.numpy() for frame in decoded(path).frames["whole"]]
    reference = ffmpeg_at_8(path)
    assert len(reference) == 23, "not quite three seconds: spread as LLP's are"
    for ours, theirs in zip(frames, np.round(np.linspace(0, 22, 24)).astype(int), strict=True):
        np.testing.assert_array_equal(ours, reference[theirs])


def ffmpeg_at_8(path: Path) -> list[NDArray[np.uint8]]:
    """Return the frames that FFmpeg's own filter makes at 8 frames a second."""
    with av.open(str(path)) as container:
        graph = av.filter.Graph()
        source = graph.add_buffer(template=container.streams.video[0])
        rate, sink = graph.add("fps", "8"), graph.add("buffersink")
        source.link_to(rate)
        rate.link_to(sink)
        graph.configure()
        found: list[NDArray[np.uint8]] = []
        for frame in [*container.decode(video=0), None]:
            graph.push(frame)
            while True:
                try:
                    found.append(graph.pull().to_ndarray(format="rgb24"))
                except (av.error.BlockingIOError, av.error.EOFError):
                    break
        return found


def test_no_sound(tmp_path: Path) -> None:
    clip = decoded(write_clip(tmp_path / "a.mp4", sound=False))
    assert kinds(clip) == ["no sound"]
    assert clip.sound[16000].shape == (48000,)
    assert not clip.sound[16000].any()


def test_sound_that_begins_late_and_ends_early(tmp_path: Path) -> None:
    late = decoded(write_clip(tmp_path / "late.mkv", sound_begin=1.0))
    assert pitches(late) == [-1, 1, 2]
    early = decoded(write_clip(tmp_path / "early.mp4", sound_seconds=2.0))
    assert pitches(early) == [0, 1, -1]
    assert kinds(early) == ["short sound"]


def test_shorter_and_longer(tmp_path: Path) -> None:
    """Seconds stay seconds: the last picture and silence stand for what is missing, what is too much is cut."""
    path = write_clip(tmp_path / "a.mp4")
    short = decoded(path, TimeGrid(5))
    np.testing.assert_array_equal(colours(short), [*np.repeat([0, 1, 2], 8), *[2] * 16])
    assert pitches(short, TimeGrid(5)) == [0, 1, 2, -1, -1]
    assert kinds(short) == ["shorter", "short sound"]
    long = decoded(path, TimeGrid(2))
    np.testing.assert_array_equal(colours(long), np.repeat([0, 1], 8))
    assert pitches(long, TimeGrid(2)) == [0, 1]
    assert kinds(long) == ["longer"]


def test_segments_of_another_length(tmp_path: Path) -> None:
    clip = decoded(write_clip(tmp_path / "a.mp4"), TimeGrid(6, 0.5, 4.0))
    np.testing.assert_array_equal(colours(clip), np.repeat([0, 1, 2], 4))
    assert GRID.cut_sound(clip.sound[16000], 16000).shape == (3, 16000)


def test_a_turned_video_is_upright(tmp_path: Path) -> None:
    """A matrix that turns clockwise brings the white corner from the left to the right."""
    path = write_clip(tmp_path / "a.mp4")
    turn(path)
    frame = decoded(path).frames["whole"][0].numpy()
    assert frame.shape == (64, 48, 3)
    assert frame[:10, -8:].min() > 190
    assert frame[:10, :8].min() < 100


def test_a_hole_in_the_middle_is_named(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = np.random.default_rng(0).bytes(600)
    path.write_bytes(bytes(content))
    clip = decoded(path)
    assert "damaged" in kinds(clip)
    np.testing.assert_array_equal(colours(clip)[[2, -2]], [0, 2])


def test_the_half_of_a_file(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", 6.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = decoded(path, TimeGrid(6))
    assert "shorter" in kinds(clip)
    np.testing.assert_array_equal(colours(clip)[:16], np.repeat([0, 1], 8))


@pytest.mark.parametrize("content", [b"", b"no video at all\n" * 50, b"\0" * 5000])
def test_no_video_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(UndecodableVideoError, match=r"a\.mp4: cannot be opened as a video .*") as caught:
        decoded(tmp_path / "a.mp4")
    assert "\n" not in str(caught.value)


def test_a_file_without_its_index(tmp_path: Path) -> None:
    """Most mp4 files carry it at their end: half of one is nothing."""
    path = write_clip(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UndecodableVideoError):
        decoded(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", pictures=False)
    with pytest.raises(UndecodableVideoError, match="has no pictures"):
        decoded(path)


def test_a_real_clip() -> None:
    path = shared_path("llp/BjCEufrlXm4.mp4")
    clip = decoded(path, LLP_GRID)
    assert kinds(clip) == []
    assert clip.sound[16000].shape == (160000,)
    assert len(clip.frames["whole"]) == 80
    for ours, theirs in zip(clip.frames["whole"], ffmpeg_at_8(path), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)
