"""``rlld denoise``: revised labels of a data set's training videos, as files."""

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import tyro

from rlld_agents.cli.common import data_learned_from, data_of, epochs_bar, removal_rule_of
from rlld_gym.errors import InputError
from rlld_gym.options import require_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from rlld_agents.baselines.base import Denoiser
    from rlld_agents.labels.removal import RemovalQuality
    from rlld_agents.runs.setting import Setting
    from rlld_gym.data import FeatureStore


class _Outcome(NamedTuple):
    """A data set, what is left of its labels, what to say of that, and whether parsers were trained for it."""

    store: "FeatureStore"
    audio: "NDArray[np.bool_]"
    visual: "NDArray[np.bool_]"
    scores: "NDArray[np.float32] | None"
    warning: "Callable[[RemovalQuality], str | None]"
    trained: bool = False


class _Written(NamedTuple):
    """What is said of files that have been written."""

    text: str
    warning: str | None


@dataclass(frozen=True)
class Denoise:
    """Let a trained policy, or another method, revise the labels of the training videos; write them as files.

    Writes denoised_labels.csv (columns filename, audio_labels, visual_labels) and, for other code bases,
    AVVP_train_audio.csv and AVVP_train_visual.csv in the layout of LLP's AVVP_train.csv, removed_rows.tsv, the
    list of removals in the form of MA's code, and noise_ratios.npz, each class's share in the form of JoMoLD's.
    removal_per_class.csv has the counts of each class, to compare methods by.
    """

    out: Path
    """Folder for the files; labels that are there are not overwritten."""
    checkpoint: Path | None = None
    """A run folder or a policy.safetensors; either this or --with."""
    with_: Annotated[str | None, tyro.conf.arg(name="with")] = None
    """A method of the benchmark, trained on the spot: weak, no_visual_speech, jomold, ma, ...; an agent, such as
    ppo; or a denoiser of your own, as module:Class or an entry point rlld.denoisers."""
    data: str | None = None
    """Data set: twin-tiny, twin-small, twin-full or a store's path; None: that of the checkpoint's run."""
    threshold: float | None = None
    """A policy removes labels whose removal probability is above this; None: that of its run, else 0.5."""
    empty_rule: Literal["video", "modality"] | None = None
    """Undo a policy's removals of a video that would lose all its labels, or of a modality that would; None: as in
    its run, else video."""
    recipe: str | None = None
    """How a method trains its parsers: a name, or a JSON file; None: that of the task network,
    or else what the data set recommends."""
    task_network: str | None = None
    """Network that a method trains: a name, by its own recipe where none is named; or my_module:MyParser; None: the
    recipe's."""
    epochs: int | None = None
    """Epochs of a method's parsers, the recipe's schedule shrunk to fit; None: the recipe's own."""
    hidden_size: int | None = None
    """Width of a method's parsers; None: what the data set recommends."""
    batch_size: int | None = None
    """Videos in a state of the environment, for methods that learn in it; None: 128. A third of the training videos
    must fill it."""
    device: str = "auto"
    """cpu, cuda, ...; auto takes the first GPU there is."""
    seed: int | None = None
    """Seed of a twin and of a method; None: that of the checkpoint's run, else 0."""
    pickle_for_ma: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also write need_to_change.pkl, which the published code of MA and CVCMS opens; nothing here reads it."""

    def run(self) -> int:
        """Write the files and print how many labels were removed; return the exit status."""
        from rlld_agents.experiments.experiment import LABELS_NAME
        from rlld_agents.labels.about import about_path
        from rlld_agents.labels.exports import EXPORT_NAMES
        from rlld_agents.reports.results import PER_CLASS_NAME
        from rlld_agents.runs.lock import only_writer

        if (self.checkpoint is None) == (self.with_ is None):
            raise InputError("name what denoises: either --checkpoint RUN or --with METHOD")
        if self.seed is not None:
            require_seed("--seed", self.seed)
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"--out {self.out}: is a file; name a folder")
        with only_writer(self.out) as after_a_killed_one:
            written = (LABELS_NAME, *EXPORT_NAMES)
            names = (*written, *(about_path(name).name for name in written), PER_CLASS_NAME)
            there = [name for name in names if (self.out / name).exists()]
            if there and not after_a_killed_one:
                raise InputError(
                    f"--out {self.out}: holds {there[0]} already; choose another --out, or delete that file"
                )
            try:
                done = self._denoise()
            except BaseException:  # some of the files would be taken for all
                for name in names:
                    (self.out / name).unlink(missing_ok=True)
                raise
        print(done.text)
        if done.warning is not None:
            warnings.warn(done.warning, stacklevel=2)
        return 0

    def _denoise(self) -> _Written:
        """Write the files; return what is to be said of them."""
        from rlld_agents.experiments.experiment import LABELS_NAME
        from rlld_agents.labels.about import LabelOrigin
        from rlld_agents.labels.exports import write_exports
        from rlld_agents.labels.files import write_labels
        from rlld_agents.labels.removal import removal_quality
        from rlld_agents.reports.results import PER_CLASS_NAME, epoch_note, removal_csv, removal_table
        from rlld_gym.files import write_text

        outcome = self._by_policy() if self.with_ is None else self._by_method(self.with_)
        store, audio, visual, scores = outcome[:4]
        train = store.split("train")
        paths, origin = [self.out / LABELS_NAME], LabelOrigin.of(store)
        write_labels(paths[0], train.filenames, store.classes, audio, visual, origin=origin)
        paths += write_exports(self.out, origin, (audio, visual), pickle_for_ma=self.pickle_for_ma)
        quality = removal_quality(train.labels, audio, visual, train.truth(), scores)
        paths.append(self.out / PER_CLASS_NAME)
        write_text(paths[-1], removal_csv(quality, store.classes))
        parts = [f"Removed from the {len(train)} training videos of {store.name}", removal_table(quality)]
        if outcome.trained and (note := epoch_note(store.split("val"))):
            parts.append(f"{note}.")
        parts.append("\n".join(f"wrote {path}" for path in paths))
        return _Written("\n\n".join(parts), outcome.warning(quality))

    def _by_policy(self) -> _Outcome:
        """Return the data set and what a trained policy leaves of its labels."""
        from rlld_agents.labels.extremes import policy_warning
        from rlld_agents.policies.denoising import denoise
        from rlld_agents.policies.files import check_data, load_policy
        from rlld_gym.data import open_data
        from rlld_gym.data.fingerprint import warn_of_other_data
        from rlld_gym.devices import choose_device

        assert self.checkpoint is not None
        for option in ("recipe", "task_network", "epochs", "hidden_size", "batch_size"):
            if getattr(self, option) is not None:
                raise InputError(f"--{option.replace('_', '-')}: is for --with; a policy trains no parser")
        rule = removal_rule_of(self.checkpoint, self.threshold, self.empty_rule)
        policy = load_policy(self.checkpoint, choose_device(self.device))
        store = open_data(*data_of(self.checkpoint, self.data, self.seed))
        check_data(policy, store, str(self.checkpoint))
        warn_of_other_data(
            data_learned_from(self.checkpoint, policy.data),
            store.fingerprint,
            f"{self.checkpoint}: the policy",
        )
        revised = denoise(policy, store, threshold=rule.threshold, empty_rule=rule.empty_rule)
        who = f"the policy of {self.checkpoint}"
        return _Outcome(
            store,
            revised.audio,
            revised.visual,
            revised.removal_probability,
            lambda quality: policy_warning(quality, who, rule, revised),
        )

    def _by_method(self, name: str) -> _Outcome:
        """Return the data set and what a method of the benchmark leaves of its labels."""
        from rlld_agents.baselines import Context, check_denoised
        from rlld_agents.baselines.base import check_dense, unchanged_labels
        from rlld_agents.baselines.controls import LabelSmoothing, Weak
        from rlld_agents.labels.extremes import extreme_removal
        from rlld_agents.runs.setting import Setting
        from rlld_gym.envs.options import EnvironmentArguments, EnvironmentOptions
        from rlld_gym.plugins import within_plugin

        for option in ("threshold", "empty_rule"):
            if getattr(self, option) is not None:
                raise InputError(
                    f"--{option.replace('_', '-')}: is for --checkpoint; {name} has its own rule"
                )
        for option in ("epochs", "hidden_size"):
            value = getattr(self, option)
            if value is not None and value < 1:
                raise InputError(f"--{option.replace('_', '-')}: found {value}, expected at least 1")
        if self.data is None:
            raise InputError("--data: needed with --with")
        method = self._method(name)
        seed = self.seed or 0
        setting = Setting(
            self.data,
            seed,
            recipe=self.recipe,
            task_network=self.task_network,
            hidden_size=self.hidden_size,
            epochs=self.epochs,
            device=self.device,
        )
        setting.check()
        environment = getattr(method, "environment", None)
        if isinstance(environment, EnvironmentOptions):  # refused before the work begins
            check_dense(Context.of(setting, seed), method.name)
            arguments = setting.environment_arguments() | asdict(environment)
            EnvironmentArguments(**arguments).process_config(setting.store.header)
        trained = False
        with epochs_bar(name) as advance:

            def epoch_ended(done: int, total: int) -> None:
                nonlocal trained
                trained = True
                advance(done, total)

            context = Context.of(setting, seed, epoch_ended)
            with within_plugin(f"--with {name}"), unchanged_labels(context, f"--with {name}"):
                denoised = method.denoise(context)
        check_denoised(denoised, setting.store.split("train").labels)
        on_purpose, longer = isinstance(method, Weak | LabelSmoothing), _longer(setting)
        return _Outcome(
            setting.store,
            denoised.audio,
            denoised.visual,
            denoised.removal_score,
            lambda quality: (
                None
                if on_purpose
                else extreme_removal(quality, method.name, if_all=longer, if_nothing=longer)
            ),
            trained,
        )

    def _method(self, name: str) -> "Denoiser":
        """Return the method, with the options of the environment that were asked for."""
        from rlld_agents.baselines import make
        from rlld_gym.envs.options import EnvironmentOptions

        method = make(name)
        if self.batch_size is None:
            return method
        if not isinstance(getattr(method, "environment", None), EnvironmentOptions):
            raise InputError(
                f"--batch-size {self.batch_size}: {name} does not learn in the environment; leave it out"
            )
        return make(name, environment=EnvironmentOptions(batch_size=self.batch_size))


def _longer(setting: "Setting") -> str:
    """Return what to do about a method that removed nearly all labels, or none."""
    other = "or take another method (--with)"
    epochs, whole = setting.recipe.epochs, setting.whole_recipe.epochs
    if epochs < whole:
        return f"leave --epochs out, its parsers had {epochs} of the recipe's {whole}, {other}"
    return f"train its parsers longer (--epochs, now {epochs}), {other}"
