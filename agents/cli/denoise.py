"""``rlld denoise``: revised labels of a data set's training videos, as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlld_agents.cli.common import data_of, removal_rule_of
from rlld_gym.errors import InputError


@dataclass(frozen=True)
class Denoise:
    """Let a trained policy revise the labels of the training videos and write them as CSV files.

    Writes denoised_labels.csv (columns filename, audio_labels, visual_labels) and, for other code bases, the
    pair denoised_train_audio.csv and denoised_train_visual.csv in the layout of LLP's AVVP_train.csv; a video
    without a label has no row in these.
    """

    checkpoint: Path
    """A run folder or a policy.safetensors."""
    out: Path
    """Folder for the files."""
    data: str | None = None
    """Data set: twin-tiny, twin-small, twin-full or a store's path; None: that of the checkpoint's run."""
    threshold: float | None = None
    """Labels whose removal probability is above this are removed; None: that of the checkpoint's run, else 0.5."""
    empty_rule: Literal["video", "modality"] | None = None
    """Undo the removals of a video that would lose all its labels, or of a modality that would; None: as in the
    checkpoint's run, else video."""
    device: str = "auto"
    """cpu, cuda, ...; auto takes the first GPU there is."""
    seed: int | None = None
    """Seed of a twin; None: that of the checkpoint's run, else 0. Denoising itself draws nothing."""

    def run(self) -> int:
        """Write the files and print how many labels were removed; return the exit status."""
        from rlld_agents.denoise import denoise  # noqa: PLC0415 (torch)
        from rlld_agents.experiment import LABELS_NAME, choose_device  # noqa: PLC0415
        from rlld_agents.labels_file import write_labels, write_pair  # noqa: PLC0415
        from rlld_agents.policy import check_fits, load_policy  # noqa: PLC0415
        from rlld_agents.removal import removal_quality  # noqa: PLC0415
        from rlld_agents.results import removal_table  # noqa: PLC0415
        from rlld_gym.data import open_data  # noqa: PLC0415

        threshold, empty_rule = removal_rule_of(self.checkpoint, self.threshold, self.empty_rule)
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"--out {self.out}: is a file; name a folder")
        policy = load_policy(self.checkpoint, choose_device(self.device))
        store = open_data(*data_of(self.checkpoint, self.data, self.seed))
        check_fits(policy, store.audio_size, store.visual_size, len(store.classes), str(self.checkpoint))
        revised = denoise(policy, store, threshold=threshold, empty_rule=empty_rule)
        train = store.split("train")
        paths = [self.out / LABELS_NAME]
        write_labels(paths[0], train.filenames, store.classes, revised.audio, revised.visual)
        paths += write_pair(self.out, train.filenames, store.classes, revised.audio, revised.visual)
        quality = removal_quality(
            train.labels, revised.audio, revised.visual, train.truth(), revised.removal_probability
        )
        print(f"Removed from the {len(train)} training videos of {store.name}\n\n{removal_table(quality)}\n")
        print("\n".join(f"wrote {path}" for path in paths))
        return 0
