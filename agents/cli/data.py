"""``rlld data``: make, verify and describe feature stores."""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from rlld_agents.cli.common import begins_with, is_hdf5, require_replaceable
from rlld_agents.cli.store_options import StoreOptions, problem_lines, require_number_shown
from rlld_gym.data.store.feature_store import FeatureStore, StoreHeader
from rlld_gym.data.store.recommended import faster_on_cpu
from rlld_gym.data.twins.variants import TWIN_NAMES, VARIANTS, VariantName, twin_parts
from rlld_gym.errors import InputError
from rlld_gym.files import write_text
from rlld_gym.options import require_seed
from rlld_gym.progress import ProgressBar


@dataclass(frozen=True)
class Import:
    """Read annotations and npy features (LLP's public layout, or that of other data) and write one store file.

    An interrupted import goes on where it stopped when the same command is given again.
    """

    annotations: Path
    """Folder with LLP's AVVP_train.csv, _val_pd, _test_pd, _eval_audio and _eval_visual; or train.csv, val.csv,
    test.csv and, where there are dense labels, dense_audio.csv and dense_visual.csv."""
    features: Path
    """Folder with vggish/ID.npy (T, Da), res152/ID.npy (8 T or T, D2) and r2plus1d_18/ID.npy (T, D3)."""
    out: Path
    """The store file to write, such as llp.h5."""
    no_3d: Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(name="no-3d")] = False
    """Import features without a 3D stream."""
    audio_folder: str = "vggish"
    """Folder of the audio features."""
    visual_2d_folder: Annotated[str, tyro.conf.arg(name="visual-2d-folder")] = "res152"
    """Folder of the visual features of frames."""
    visual_3d_folder: Annotated[str, tyro.conf.arg(name="visual-3d-folder")] = "r2plus1d_18"
    """Folder of the visual features of clips."""
    feature_file: str = "{id}.npy"
    """Name of a video's npy file in each folder: {id} is the first 11 characters of its name, {name} all of it."""
    segments: int = 10
    """T: into how many segments a video is cut; features have a row for each."""
    frames_per_segment: int = 8
    """Rows of the 2D features in a segment, where there is not one row for each segment."""
    teacher: Path | None = None
    """Folder of what segment-level teachers say of the training videos, as VALOR or LSLD leave it, or with
    audio/ID.npy and visual/ID.npy (10, 25) in [0, 1]; systems such as VALOR need it."""
    show: int = 20
    """How many unusable files to print; all are counted."""
    defects: Path | None = None
    """Text file for a list of all defects of the annotation files, by file and line; their counts are printed."""
    labels: StoreOptions = field(default_factory=StoreOptions)
    """Labels, and how features are kept."""

    def run(self) -> int:
        """Import, print a table of the store and return the exit status 0.

        Raises:
            InputError: the input cannot be imported; unusable files have been listed on standard error.
        """
        from rlld_gym.data.llp.annotations import load_annotations
        from rlld_gym.data.llp.importer import FeatureFilesError, import_store, skipped_path
        from rlld_gym.data.llp.layout import DataLayout
        from rlld_gym.data.llp.npy_layout import FeatureFolders

        labels = self.labels
        require_number_shown(self.show, "files")
        require_replaceable("--out", self.out, is_hdf5, "a store")
        layout = DataLayout(
            classes=labels.class_names(),
            num_segments=self.segments,
            frames_per_segment=self.frames_per_segment,
            feature_file=self.feature_file,
            dense=labels.dense,
        )
        if self.defects is not None:
            require_replaceable(
                "--defects", self.defects, lambda path: begins_with(path, b"defect "), "such a list"
            )
            write_text(self.defects, load_annotations(self.annotations, labels.strict, layout).report())
        visual_3d = None if self.no_3d else self.visual_3d_folder
        try:
            store = import_store(
                self.annotations,
                self.features,
                self.out,
                dtype=labels.dtype,
                strict=labels.strict,
                limit=labels.limit,
                folders=FeatureFolders(self.audio_folder, self.visual_2d_folder, visual_3d),
                layout=layout,
                never_visible=labels.never_visible,
                skip_missing=labels.skip_missing,
                teacher=self.teacher,
                progress=True,
            )
        except FeatureFilesError as error:
            print("\n".join(problem_lines(error.problems, self.show)), file=sys.stderr)
            raise
        print(store_table(self.out, store.header))
        if skipped_path(self.out).is_file():
            print(f"\nvideos without features are listed in {skipped_path(self.out)}")
        return 0


@dataclass(frozen=True)
class Check:
    """Verify a store file or a folder of shards: structure, checksums, finite features, consistent labels."""

    file: tyro.conf.Positional[Path]
    """The store file, or the folder."""

    def run(self) -> int:
        """Print "ok" or the problems, one a line; return the exit status 0, or 1 where there are problems."""
        from rlld_gym.data.store.check import check_store

        problems = check_store(self.file)
        for problem in problems:
            print(problem)
        print(f"{self.file}: {f'problems found: {len(problems)}' if problems else 'ok'}")
        return 1 if problems else 0


@dataclass(frozen=True)
class Info:
    """Print what a store file or a folder of shards holds."""

    file: tyro.conf.Positional[Path]
    """The store file, or the folder."""

    def run(self) -> int:
        """Print the table and return the exit status 0; InputError where the file cannot be used."""
        if str(self.file) in TWIN_NAMES:
            scale, variant = twin_parts(str(self.file))
            options = f"--scale {scale}" if variant is None else f"--scale {scale} --variant {variant}"
            raise InputError(
                f"{self.file} is no file: it is made in memory; 'rlld data twin {options} --out FILE' "
                "writes it and prints this table"
            )
        print(store_table(self.file, FeatureStore.open(self.file).header))
        return 0


@dataclass(frozen=True)
class Shard:
    """Write a store as a folder of shards, for data larger than memory or than a file may be.

    The folder is used wherever a store file is, with the same results; labels and policies of one fit the other.
    """

    file: tyro.conf.Positional[Path]
    """The store file; or a folder of shards, to cut it anew."""
    out: Path
    """The folder to write, which must not be there yet."""
    videos_per_shard: int = 100_000
    """Videos of a shard, 1 to 100000."""

    def run(self) -> int:
        """Write the folder, print a table of it and return the exit status 0.

        Raises:
            InputError: the store cannot be used, or the folder cannot be written.
        """
        from rlld_gym.data.store.shards.writing import write_shards

        store = FeatureStore.open(self.file, memory_map=True)
        with ProgressBar(sum(store.header.counts.values()), "video", "write") as bar:
            index = write_shards(store, self.out, self.videos_per_shard, bar.update)
        print(store_table(self.out, index.header))
        return 0


_VARIANT_HELP = "Break one assumption, otherwise the same twin: " + "; ".join(
    f"{name}: {variant.breaks}" for name, variant in VARIANTS.items()
)


@dataclass(frozen=True)
class Twin:
    """Write a synthetic twin of LLP: as a store file, or as npy folders for real annotation files."""

    out: Path
    """The store file to write; with --layout llp, the folder in which the folders of npy files are made."""
    scale: Literal["tiny", "small", "full"] | None = None
    """Size and difficulty; by default small, with --layout llp full."""
    variant: Annotated[VariantName | None, tyro.conf.arg(help=_VARIANT_HELP)] = None
    seed: int = 0
    """Seed of the generator; the same seed gives the same twin."""
    layout: Literal["store", "llp"] = "store"
    """What to write."""
    annotations: Path | None = None
    """With --layout llp: folder of the annotation files for whose videos features are made."""
    limit: int | None = None
    """With --layout llp: make only the first LIMIT training videos; validation and test stay whole."""

    def run(self) -> int:
        """Generate, write, print what was written and return the exit status 0.

        Raises:
            InputError: options that do not go together, or unusable annotation files.
        """
        require_seed("--seed", self.seed)
        return self._run_layout() if self.layout == "llp" else self._run_store()

    def _run_store(self) -> int:
        from rlld_gym.data.twins.generation import twin

        for option, value in (("--annotations", self.annotations), ("--limit", self.limit)):
            if value is not None:
                raise InputError(
                    f"{option} {value}: needs --layout llp; without it a twin draws its own labels"
                )
        if self.out.is_dir():
            raise InputError(f"--out {self.out}: is a folder; name the file to write")
        require_replaceable("--out", self.out, is_hdf5, "a store")
        store = twin(self.scale or "small", self.seed, self.variant)
        store.save(self.out)
        print(store_table(self.out, FeatureStore.open(self.out).header))
        return 0

    def _run_layout(self) -> int:
        from rlld_gym.data.llp.annotations import load_annotations
        from rlld_gym.data.llp.npy_layout import write_npy_layout
        from rlld_gym.data.twins.generation import twin_for_annotations

        if self.annotations is None:
            raise InputError("--layout llp: needs --annotations, the folder of LLP's annotation files")
        if self.variant is not None:
            raise InputError(
                f"--variant {self.variant}: variants draw their own labels; leave out --layout llp"
            )
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit {self.limit}: expected at least 1 training video")
        annotations = load_annotations(self.annotations)
        store = twin_for_annotations(annotations, self.scale or "full", self.seed, self.limit)
        with ProgressBar(sum(store.header.counts.values()), "video", "write") as bar:
            files = write_npy_layout(
                store, self.out, seed=self.seed, progress=lambda _done, _all: bar.update()
            )
        print(f"{self.out}: {files} files of {sum(store.header.counts.values())} videos")
        return 0


def store_table(path: Path, header: StoreHeader) -> str:
    """Return a description of a store file, or of a folder of shards, in lines of text.

    Args:
        path: the file or the folder.
        header: what is known of it.

    Returns:
        What it is, then a table of its splits.
    """
    from rlld_gym.data.store.reading import read_labels
    from rlld_gym.data.store.shards.index import read_index
    from rlld_gym.data.store.shards.reading import read_shard_splits

    shards = read_index(path).shards if path.is_dir() else ()
    size = sum(shard.size for shard in shards) if shards else path.stat().st_size
    splits = read_shard_splits(path, header) if shards else read_labels(path, header)
    sizes = f"audio {header.audio_size}, visual 2D {header.visual_2d_size}, 3D {header.visual_3d_size}"
    recommended = header.recommended
    faster = faster_on_cpu(header.counts["train"], recommended.hidden_size)
    described = {
        "name": header.name,
        "folder" if shards else "file": f"{path} ({size / 1e6:.1f} MB)",
        **({"shards": f"{len(shards)}, of {sum(shards[0].videos.values())} videos"} if shards else {}),
        "features": f"{sizes}, {header.dtype}",
        "classes": len(header.classes),
        "segments": header.num_segments,
        "never visible": header.never_visible or "no class",
        "recommended": str(recommended),
        **({} if faster is None else {"faster on a CPU": str(faster)}),
        **header.attributes["sources"],
    }
    lines = [f"{key.replace('_', ' '):<20}{_brief(value)}" for key, value in described.items()]
    lines += ["", f"{'split':<8}{'videos':>8}{'labels per video':>18}{'dense':>8}{'heard %':>9}{'seen %':>8}"]
    for name, split in splits.items():
        truth, total = split.truth(), max(1, int(split.labels.sum()))
        shares = ["", ""] if truth is None else [f"{100 * int(track.sum()) / total:.1f}" for track in truth]
        known = "no" if truth is None else "yes"
        mean = total / len(split)
        lines.append(f"{name:<8}{len(split):>8}{mean:>18.3f}{known:>8}{shares[0]:>9}{shares[1]:>8}")
    return "\n".join(lines)


def _brief(value: Any) -> str:
    """Return a JSON value as one short text; checksums are cut to 12 characters."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_brief(entry)}" for key, entry in value.items()) or "none"
    text = "-" if value is None else str(value)
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text
