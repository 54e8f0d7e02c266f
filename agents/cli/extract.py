"""``rlld data extract``: features of raw videos, in the folders that ``rlld data import`` reads."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from rlld_gym.data.extract.run import ExtractReport
    from rlld_gym.data.extract.sampling import TimeGrid

_FOLDER_OPTIONS: Final = (
    ("--audio-folder", "vggish", ("vggish", "clap")),
    ("--visual-2d-folder", "res152", ("res152", "clip", "r2plus1d_18")),
    ("--visual-3d-folder", "r2plus1d_18", ("r2plus1d_18",)),
)
"""Option of the import, its default, and the streams that it may name; 2D features may have a row for each segment,
so a 3D stream alone can stand there."""


@dataclass(frozen=True)
class Extract:
    """Make features of raw videos: one npy file per video and stream, in the folders that rlld data import reads.

    An interrupted extraction goes on where it stopped when the same command is given again. Needs PyAV, torchvision
    and, for clip and clap, transformers: pip install "rlld-gym[extract]".
    """

    videos: Path
    """Folder of video files, named as in the annotation files, or by LLP's ids: mp4, mkv, webm, avi, ..."""
    out: Path
    """Folder for the features: OUT/STREAM/NAME.npy."""
    streams: tuple[Literal["vggish", "res152", "r2plus1d_18", "clip", "clap"], ...] = (
        "vggish",
        "res152",
        "r2plus1d_18",
    )
    """vggish (T, 128), res152 (8 T, 2048) and r2plus1d_18 (T, 512) are LLP's; clip (8 T, 768), clap (T, 512)."""
    seconds: float = 10.0
    """How much of each video is taken, from its beginning."""
    segment_length: float = 1.0
    """Seconds of a segment; T = SECONDS / SEGMENT_LENGTH."""
    frames_per_second: float = 8.0
    """At which frames are sampled."""
    weights: tuple[str, ...] = ("pretrained",)
    """pretrained: published ones, fetched once and kept; STREAM=FILE: your copy of these; random: for trials."""
    device: str = "auto"
    """cpu, cuda, ...; auto takes the first GPU there is; with Ray, one for each actor where the cluster has any."""
    batch: int = 80
    """Frames, or pieces of sound, that a network reads at a time: as many as the device has memory for."""
    videos_at_a_time: int = 4
    """Videos that go through the networks together."""
    workers: int = 1
    """Threads that decode videos while the networks run, at most VIDEOS_AT_A_TIME; with Ray, actors."""
    backend: Literal["process", "ray"] = "process"
    """process: this one; ray: actors of Ray Data, here or on a cluster (RAY_ADDRESS) that sees the same folders."""
    show: int = 20
    """How many remarks on videos to print; all are in OUT/notes.tsv."""

    def run(self) -> int:
        """Extract, print what was done and the command that imports it.

        Returns:
            The exit status: 0, or 1 where videos could not be decoded.

        Raises:
            InputError: options, folders, libraries or weights that cannot be used.
        """
        from rlld_gym.data.extract.run import extract
        from rlld_gym.data.extract.sampling import TimeGrid
        from rlld_gym.data.extract.weights import parse_weights
        from rlld_gym.data.extract.worker import ExtractOptions

        grid = TimeGrid.of(self.seconds, self.segment_length, self.frames_per_second)
        weights = parse_weights(self.weights, self.streams)
        options = ExtractOptions(grid, self.streams, weights, self.device, self.batch)
        report = extract(
            self.videos,
            self.out,
            options,
            at_a_time=self.videos_at_a_time,
            workers=self.workers,
            backend=self.backend,
            progress=True,
        )
        self._tell(report, grid)
        return 1 if report.failed else 0

    def _tell(self, report: "ExtractReport", grid: "TimeGrid") -> None:
        """Print remarks on stderr, and counts, shapes and what to type next on stdout."""
        notes = [note for found in report.notes.values() for note in found]
        for note in notes[: self.show]:
            print(note, file=sys.stderr)
        if len(notes) > self.show:
            print(f"... and {len(notes) - self.show} more in {self.out / 'notes.tsv'}", file=sys.stderr)
        print(
            f"{self.out}: {report.made} videos extracted, {report.before} were there, {len(report.failed)} failed"
        )
        for stream, shape in report.sizes.items():
            print(f"{stream:<14}({', '.join(map(str, shape))})")
        print(f"\nimport with: {self._import_command(report, grid)}")

    def _import_command(self, report: "ExtractReport", grid: "TimeGrid") -> str:
        """Return the command that reads the features."""
        words = ["rlld", "data", "import", "--annotations", "ANNOTATIONS", "--features", str(self.out)]
        words += ["--out", "STORE.h5"]
        free = list(self.streams)
        for option, default, names in _FOLDER_OPTIONS:
            chosen = next((name for name in names if name in free), None)
            if chosen is None:
                words += ["--no-3d"] if default == "r2plus1d_18" else [option, "FOLDER"]
                continue
            free.remove(chosen)
            if chosen != default:
                words += [option, chosen]
        if not report.by_id:
            words += ["--feature-file", "{name}.npy"]
        if grid.num_segments != 10:
            words += ["--segments", str(grid.num_segments)]
        if grid.frames_per_segment != 8:
            words += ["--frames-per-segment", str(grid.frames_per_segment)]
        if report.failed:
            words.append("--skip-missing")
        return shlex.join(words)
