"""The main experiment: train a denoiser, denoise the training videos, train and test parsers on that."""

import dataclasses
import shlex
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.forecast import Speed, in_less_time, in_words, seconds_of
from rlld_agents.experiments.own_networks import NETWORKS_KEY, network_checksums
from rlld_agents.experiments.parser_team import ParserTeam
from rlld_agents.experiments.parsers import ParserJob, decided_labels, run_parser_job
from rlld_agents.experiments.presets import Learned, make_preset
from rlld_agents.experiments.profiling import Profile, profile_table, total_seconds
from rlld_agents.labels import controls
from rlld_agents.labels.about import LabelOrigin
from rlld_agents.labels.exports import write_exports
from rlld_agents.labels.extremes import policy_warning
from rlld_agents.labels.files import write_labels
from rlld_agents.labels.removal import RemovalQuality, removal_quality
from rlld_agents.labels.revised import LabelSet, RevisedLabels
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.online import OnlinePlan
from rlld_agents.reports import figures, results
from rlld_agents.reports.experiment import Scores, draw_figures, result_tables
from rlld_agents.runs.folder import RESULT_NAME, Stopwatch, write_config
from rlld_agents.runs.inputs import INPUTS_KEY, input_checksums, require_same_inputs
from rlld_agents.runs.lock import only_writer
from rlld_gym.data.dense_videos import check_dense_videos, with_dense_videos
from rlld_gym.data.fingerprint import DataFingerprint, require_same
from rlld_gym.files import write_json, write_sealed_json, write_text
from rlld_gym.parsing.task_file import NAME as TASK_NAME
from rlld_gym.profiling import timed_part
from rlld_gym.progress import ProgressBar

LABELS_NAME = "denoised_labels.csv"
PROFILE_NAME = "profile.json"
DATA_NAME = "data.h5"
"""The data set with fewer validation videos, where the options ask for it."""


class Experiment:
    """One run of the main experiment in a run folder.

    Every stage leaves its outcome in the folder, so a run that stopped anywhere goes on from there: the
    policy from its last checkpoint, the parsers from the first that is not trained yet.

    Args:
        config: the options.
        folder: the run folder.
        progress: show progress on stderr.
        cores: to share among processes that train parsers, where the options do not say how many. With more than
            one, or with the option ``workers``, a script must start the run under ``if __name__ == "__main__":``,
            because other processes read it again.
        begun_with: what identifies the data of the run that is resumed; None: a new run, or not known.

    Raises:
        InputError: the options or the data cannot be used, or the data are others than the run was begun with.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        folder: Path,
        progress: bool = True,
        *,
        cores: int = 1,
        begun_with: DataFingerprint | None = None,
    ):
        self.folder = folder
        self.progress = progress
        self.cores = cores
        self.setting = config.setting()
        self.profile = Profile(self.setting.device) if config.profile else None
        with self._profiled():
            self.setting.check()
        self.config = config.with_preset(self.setting.train_videos, self.setting.dense_videos)
        self.store = self.setting.store
        self.fingerprint = self.store.fingerprint
        require_same(begun_with, self.fingerprint, f"{folder}: the run")
        self.inputs = input_checksums(self.setting, self.config.recipe, self.config.environment.task_start)
        require_same_inputs(folder, self.inputs)
        if self.config.dense_videos is not None:
            check_dense_videos(self.store, self.config.dense_videos)

    def run(self) -> dict[str, Any]:
        """Run all stages that are not done yet and return what is written to result.json.

        Raises:
            InputError: options that the preset cannot use, or another process is writing to the folder.
        """
        with only_writer(self.folder):
            return self._run()

    def _run(self) -> dict[str, Any]:
        with self._profiled():
            # Before anything is written: bad options must leave no folder.
            preset = make_preset(self.config, self.setting)
            if self.config.dense_videos is not None:
                # Before the data: a run that is killed here can be resumed.
                write_config(self.folder, self.config.as_dict(), self.command, {INPUTS_KEY: self.inputs})
                self._keep_dense_videos(self.config.dense_videos)
                preset = make_preset(self.config, self.setting)
        team = ParserTeam(self.setting, self.folder, self.workers, profiled=self.config.profile)
        write_config(self.folder, self.config.as_dict(), self.command, self._describe_data(team.threads))
        clock = Stopwatch(self.folder)
        self._say(
            f"preset {self.config.preset}, {self.setting.dense_videos} dense validation videos: "
            f"{preset.describe()} on {self.store.name}, {self.setting.device}"
        )
        fixed = self.jobs(self.fixed_label_sets())
        if self.progress:
            self._say_forecast(len(fixed))
        with self._profiled():
            with team.started(fixed):
                with clock.stage(preset.stage):
                    learned = preset.learn(self.folder, self.progress)
                with clock.stage("denoise"):
                    first = self.decided(learned)
                    revised, denoised = self.denoise(first, learned)
                with clock.stage("parsers"):
                    more = self.jobs(self.random_label_set(revised)) + denoised
                    scores = self.train_parsers(team, fixed, more)
            train = self.store.split("train")
            quality = removal_quality(
                train.labels, revised.audio, revised.visual, train.truth(), revised.removal_probability
            )
        warning = policy_warning(quality, "the policy", self.config.removal_rule, first)
        result = self._report(scores, quality, learned.estimate, clock.seconds, warning)
        with self._profiled(), clock.stage("figures"), timed_part("figures"):
            draw_figures(self.folder, self.store, self.config.agent.seed, scores, quality)
        if self.profile is not None:
            self._report_profile(self.profile, team)
        return result

    # ------------------------------------------------------------------ stages

    def decided(self, learned: Learned) -> RevisedLabels:
        """Return what the policy alone leaves of the labels of the training videos."""
        self._say("denoising the training videos")
        rule = self.config.removal_rule
        return learned.revised or denoise(
            learned.policy,
            self.setting.tensors,
            threshold=rule.threshold,
            empty_rule=rule.empty_rule,
        )

    def denoise(self, revised: RevisedLabels, learned: Learned) -> tuple[RevisedLabels, list[ParserJob]]:
        """Write the denoised labels of the training videos; return them and the parsers to train on them.

        With ``--final online`` the first parser is trained here, because the labels follow from it.
        """
        rule = self.config.removal_rule
        jobs = self.jobs({"denoised": revised.label_set} if "denoised" in self.config.label_sets else {})
        if (self.config.final or learned.final) == "online" and jobs:
            plan = OnlinePlan(revised, learned.evidence_weight, rule.empty_rule)
            jobs = [dataclasses.replace(job, online=plan) for job in jobs]
            epochs = self.setting.recipe.epochs
            with ProgressBar(epochs, "epoch", "labels", shown=self.progress) as bar:
                run_parser_job(jobs[0], self.setting, self.folder, lambda done, _: bar.update_to(done))
                bar.update_to(epochs)  # also where the run had trained it before
            revised = decided_labels(jobs[0], self.folder)
        train, kept, origin = self.store.split("train"), revised.label_set, LabelOrigin.of(self.store)
        path = self.folder / LABELS_NAME
        write_labels(path, train.filenames, self.store.classes, *kept, origin=origin)
        write_exports(self.folder, origin, kept, pickle_for_ma=self.config.pickle_for_ma)
        return revised, jobs

    def fixed_label_sets(self) -> dict[str, LabelSet]:
        """Return the label sets that were asked for, that the data can offer and that depend on no policy."""
        train = self.store.split("train")
        return self._wanted(
            {
                "weak": controls.weak(train),
                "label_smoothing": controls.weak(train),
                "no_visual_speech": controls.no_visual_speech(train, self.store.header.never_visible_index),
                "oracle": controls.oracle(train),
            }
        )

    def random_label_set(self, revised: RevisedLabels) -> dict[str, LabelSet]:
        """Return, if it was asked for, as many labels removed at random as a denoiser did."""
        train, seed = self.store.split("train"), self.config.agent.seed
        return self._wanted({"random": controls.random_removal(train, revised.audio, revised.visual, seed)})

    def _wanted(self, offered: Mapping[str, LabelSet | None]) -> dict[str, LabelSet]:
        return {name: s for name, s in offered.items() if name in self.config.label_sets and s is not None}

    def jobs(self, label_sets: Mapping[str, LabelSet]) -> list[ParserJob]:
        """Return the parsers to train: ``parser_seeds`` on each label set."""
        first = self.config.agent.seed
        seeds = range(first, first + self.config.parser_seeds)
        return [
            ParserJob(
                name,
                labels,
                seed,
                self.folder / TASK_NAME if (name, seed) == ("denoised", first) else None,
                smoothed=name == "label_smoothing",
            )
            for name, labels in label_sets.items()
            for seed in seeds
        ]

    def train_parsers(self, team: ParserTeam, begun: list[ParserJob], more: list[ParserJob]) -> Scores:
        """Train and test all parsers, of which the team may have done some; none is trained twice."""
        jobs, epochs = [*begun, *more], self.setting.recipe.epochs
        self._say(f"training {len(jobs)} parsers for {epochs} epochs each ({self.setting.recipe.name})")
        with ProgressBar(len(jobs) * epochs, "epoch", "parsers", shown=self.progress) as bar:

            def advance(done: float, number: float) -> None:
                bar.update_to(round((len(jobs) - number + done) * epochs))

            team.finish(more, advance)
        scores: Scores = {}
        for job in jobs:  # all are done, unless another process was killed
            scores.setdefault(job.label_set, []).append(run_parser_job(job, self.setting, self.folder))
        return {name: scores[name] for name in figures.in_table_order(scores)}

    # ------------------------------------------------------------------ reports

    def _report(
        self,
        scores: Scores,
        quality: RemovalQuality,
        estimate: dict[str, Any] | None,
        seconds: dict[str, float],
        warning: str | None,
    ) -> dict[str, Any]:
        """Write result.json, results.md and removal_per_class.csv; return the content of result.json."""
        total = round(sum(seconds.values()), 3)
        result: dict[str, Any] = {
            "test": {name: results.mean_scores(rows) for name, rows in scores.items() if all(rows)},
            "removal": quality.as_dict(),
            "seconds": {**seconds, "total": total},
            "data": self.fingerprint.as_dict(),
            NETWORKS_KEY: network_checksums(self.folder),
        }
        if estimate is not None:
            result["removal_estimate"] = estimate
        write_sealed_json(self.folder / RESULT_NAME, result)
        tables = result_tables(self.store, scores, quality, estimate, warning)
        if self.setting.undertrained:
            tables += f"\n\n{self.setting.undertrained}."
        write_text(self.folder / "results.md", f"{tables}\n\n{results.made_with(self.command)}")
        write_text(self.folder / results.PER_CLASS_NAME, results.removal_csv(quality, self.store.classes))
        print(tables)
        self._say(f"{total:.0f} seconds in all; files and figures are in {self.folder}")
        return result

    def _report_profile(self, profile: Profile, team: ParserTeam) -> None:
        """Print and write where the time of this call went, in this process and in others."""
        seconds = total_seconds([profile.seconds, *team.profiles])
        sides = f"{team.workers} side by side" if team.workers > 1 else "one process"
        print(
            f"\nWhere the time went, {sides}, {profile.elapsed:.1f} seconds elapsed\n\n{profile_table(seconds)}"
        )
        whole = {"seconds": seconds, "elapsed": profile.elapsed, "workers": team.workers}
        write_json(self.folder / PROFILE_NAME, whole)

    # ------------------------------------------------------------------ details

    @property
    def workers(self) -> int:
        """How many processes train parsers, this one included.

        Unless the options say it: no more than have something to do while the policy learns. One with the preset
        "paper", whose episodes would be without the other cores for long, and on a GPU. What is done already does
        not count, so that a resumed run computes with the same number of threads.
        """
        seeds = self.config.parser_seeds
        if self.config.workers is not None:
            return min(self.config.workers, len(self.config.label_sets) * seeds)
        if self.config.preset == "paper" or self.setting.device.type != "cpu":
            return 1
        return min(self.cores, 1 + len(self.fixed_label_sets()) * seeds)

    @property
    def command(self) -> str:
        """The command line that makes this run anew."""
        return shlex.join([*self.config.command_line(), "--out", str(self.folder)])

    def _keep_dense_videos(self, number: int) -> None:
        """Go on with fewer validation videos, in a data set of the run's own that other processes can open."""
        path = self.folder / DATA_NAME
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            with_dense_videos(self.store, number, seed=self.config.agent.seed).save(path)
        self.setting = self.config.setting(str(path))
        self.store = self.setting.store

    def _profiled(self) -> AbstractContextManager[None]:
        return nullcontext() if self.profile is None else self.profile.active()

    def _describe_data(self, threads: int) -> dict[str, Any]:
        counts = {name: len(self.store.split(name)) for name in ("train", "val", "test")}
        return {
            "name": self.store.name,
            "videos": counts,
            "recipe": dataclasses.asdict(self.setting.recipe),
            "hidden_size": self.setting.hidden_size,
            "device": str(self.setting.device),
            "threads": threads,
            "fingerprint": self.fingerprint.as_dict(),
            INPUTS_KEY: self.inputs,
        }

    def _say_forecast(self, fixed: int) -> None:
        """Say how long the whole run takes, whatever of it is done already, and what would be faster."""
        policy_s = {"denoised", "random"} & set(self.config.label_sets)
        parsers = fixed + len(policy_s) * self.config.parser_seeds
        seconds = seconds_of(self.config, self.setting, parsers, Speed.measured(self.setting))
        sides = f", less with {self.workers} processes side by side" if self.workers > 1 else ""
        self._say(f"the whole run takes {in_words(seconds)} on an idle machine{sides}")
        advice = in_less_time(self.setting)
        if advice is not None:
            self._say(advice)

    def _say(self, text: str) -> None:
        if self.progress:
            print(text, file=sys.stderr)
