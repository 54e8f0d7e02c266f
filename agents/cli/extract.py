"""``rlld data extract``: features of raw videos, in the folders that ``rlld data import`` reads, or in a store."""

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from rlld_agents.cli.store_options import StoreOptions, problem_lines, require_number_shown
from rlld_gym.errors import InputError

if TYPE_CHECKING:
    from rlld_gym.data.extract.run import ExtractReport
    from rlld_gym.data.extract.sampling import TimeGrid
    from rlld_gym.data.extract.worker import ExtractOptions

_FOLDER_OPTIONS: Final = (
    ("audio", "--audio-folder", "vggish"),
    ("visual_2d", "--visual-2d-folder", "res152"),
    ("visual_3d", "--visual-3d-folder", "r2plus1d_18"),
)
"""Part of a store, its option of the import, and the option's default."""


@dataclass(frozen=True)
class Extract:
    """Make features of raw videos: npy files that rlld data import reads; or, with their labels, a store.

    An interrupted extraction goes on where it stopped when the same command is given again. Needs PyAV, torchvision
    and, for clip and clap, transformers: pip install "rlld-gym[extract]".
    """

    videos: Path
    """Folder of video files, named as in the annotation files, or by LLP's ids: mp4, mkv, webm, avi, ..."""
    out: Path | None = None
    """Folder for the features: OUT/STREAM/NAME.npy. Give this or STORE."""
    store: Path | None = None
    """The store file to write, such as llp.h5: features and labels of the videos that ANNOTATIONS names. What is
    done lies in STORE.features until the store is complete."""
    annotations: Path | None = None
    """With STORE: folder of the annotation files, as rlld data import takes it."""
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
    """How many remarks on videos to print; all are in OUT/notes.tsv or STORE.notes.tsv."""
    labels: StoreOptions = field(default_factory=StoreOptions)
    """With STORE: labels, and how features are kept; as rlld data import takes them."""

    def run(self) -> int:
        """Extract, print what was done and the command that imports it, or a table of the store.

        Returns:
            The exit status: 0; or 1 where videos could not be decoded, unless a store does without them.

        Raises:
            InputError: options, folders, annotation files, libraries or weights that cannot be used.
        """
        from rlld_gym.data.extract.sampling import TimeGrid
        from rlld_gym.data.extract.weights import parse_weights
        from rlld_gym.data.extract.worker import ExtractOptions

        if (self.out is None) == (self.store is None):
            found = "neither --out nor --store" if self.out is None else "both --out and --store"
            raise InputError(
                f"found {found}; expected --out FEATURES for npy files, or --store FILE --annotations DIR for a "
                "store"
            )
        require_number_shown(self.show, "remarks")
        grid = TimeGrid.of(self.seconds, self.segment_length, self.frames_per_second)
        weights = parse_weights(self.weights, self.streams)
        options = ExtractOptions(grid, self.streams, weights, self.device, self.batch)
        if self.store is not None:
            return self._run_store(self.store, options)
        assert self.out is not None
        return self._run_npy(self.out, options)

    def _run_npy(self, out: Path, options: "ExtractOptions") -> int:
        from rlld_gym.data.extract.run import extract

        if self.annotations is not None or self.labels != StoreOptions():
            raise InputError(
                "--out: --annotations and options of labels are for --store; leave them to rlld data import"
            )
        report = extract(
            self.videos,
            out,
            options,
            at_a_time=self.videos_at_a_time,
            workers=self.workers,
            backend=self.backend,
            progress=True,
        )
        self._tell(report, out, out / "notes.tsv")
        print(f"\nimport with: {self._import_command(report, out, options.grid)}")
        return 1 if report.failed else 0

    def _run_store(self, path: Path, options: "ExtractOptions") -> int:
        from rlld_agents.cli.data import store_table
        from rlld_gym.data.extract.into_store import extract_into_store, notes_path, working_folder
        from rlld_gym.data.llp.importer import FeatureFilesError, skipped_path

        if self.annotations is None:
            raise InputError("--store: needs --annotations, the folder of the annotation files")
        labels = self.labels
        try:
            report = extract_into_store(
                self.videos,
                self.annotations,
                path,
                options,
                classes=labels.class_names(),
                dense=labels.dense,
                never_visible=labels.never_visible,
                dtype=labels.dtype,
                strict=labels.strict,
                limit=labels.limit,
                skip_missing=labels.skip_missing,
                at_a_time=self.videos_at_a_time,
                workers=self.workers,
                backend=self.backend,
                progress=True,
            )
        except FeatureFilesError as error:
            print("\n".join(problem_lines(error.problems, self.show)), file=sys.stderr)
            raise
        folder = working_folder(path)
        self._tell(
            report.extraction, path, folder / "notes.tsv" if report.store is None else notes_path(path)
        )
        if report.unannotated:
            print(f"{report.unannotated} more videos of {self.videos} are in no annotation file")
        if report.store is None:
            print(
                f"\nno store: restore the videos that failed, or leave them out with --skip-missing, and give the "
                f"same command again; what is done is in {folder}"
            )
            return 1
        print(f"\n{store_table(path, report.store.header)}")
        if skipped_path(path).is_file():
            print(f"\nvideos without features are listed in {skipped_path(path)}")
        return 0

    def _tell(self, report: "ExtractReport", out: Path, list_of_notes: Path) -> None:
        """Print remarks on stderr, and counts and shapes on stdout."""
        notes = [note for found in report.notes.values() for note in found]
        for note in notes[: self.show]:
            print(note, file=sys.stderr)
        if len(notes) > self.show:
            print(f"... and {len(notes) - self.show} more in {list_of_notes}", file=sys.stderr)
        print(
            f"{out}: {report.made} videos extracted, {report.before} were there, {len(report.failed)} failed"
        )
        for stream, shape in report.sizes.items():
            print(f"{stream:<14}({', '.join(map(str, shape))})")

    def _import_command(self, report: "ExtractReport", out: Path, grid: "TimeGrid") -> str:
        """Return the command that reads the features."""
        from rlld_gym.data.extract.store_streams import parts_of_store

        words = ["rlld", "data", "import", "--annotations", "ANNOTATIONS", "--features", str(out)]
        words += ["--out", "STORE.h5"]
        parts = parts_of_store(self.streams)
        for part, option, default in _FOLDER_OPTIONS:
            chosen = parts.get(part)
            if chosen is None:
                words += ["--no-3d"] if part == "visual_3d" else [option, "FOLDER"]
            elif chosen != default:
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
