"""The main experiment: train a denoiser, denoise the training videos, train and test parsers on that."""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from rlld_gym.data import FeatureStore, open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.labels import EmptyRule
from rlld_gym.errors import InputError
from rlld_gym.files import write_json, write_text
from rlld_gym.parsing.recipes import Recipe, get_recipe

from . import controls, figures, results
from .denoise import RevisedLabels, denoise
from .experiment_config import ExperimentConfig
from .labels_file import write_labels
from .parsers import ParserJob, ParserSetting, run_parser_job
from .presets import Setting, make_preset
from .removal import RemovalQuality, removal_quality
from .run_folder import RESULT_NAME, Stopwatch, write_config
from .runlog import read_rows
from .task_file import NAME as TASK_NAME

LABELS_NAME = "denoised_labels.csv"

Scores = dict[str, list[dict[str, float]]]


class Experiment:
    """One run of the main experiment in a run folder.

    Every stage leaves its outcome in the folder, so a run that stopped anywhere goes on from there: the
    policy from its last checkpoint, the parsers from the first that is not trained yet.

    Args:
        config: the options.
        folder: the run folder.
        progress: show progress on stderr.
    """

    def __init__(self, config: ExperimentConfig, folder: Path, progress: bool = True):
        self.config = config
        self.folder = folder
        self.progress = progress
        self.device = choose_device(config.device)
        self.store: FeatureStore = open_data(config.data, config.data_seed)
        attributes = self.store.attributes
        recipe = get_recipe(config.recipe or str(attributes["recipe"]))
        self.hidden_size = config.hidden_size or int(attributes["hidden_size"])
        self.recipe: Recipe = (
            recipe if config.parser_epochs is None else recipe.shortened(config.parser_epochs)
        )

    def run(self) -> dict[str, Any]:
        """Run all stages that are not done yet and return what is written to result.json."""
        preset = make_preset(self._setting())  # before anything is written: bad options must leave no folder
        write_config(self.folder, self.config.as_dict(), self.command, self._describe_data())
        clock = Stopwatch(self.folder)
        self._say(f"{preset.describe()} on {self.store.name}, {self.device}")
        with clock.stage(preset.stage):
            learned = preset.learn(self.folder, self.progress)
        self._say("denoising the training videos")
        with clock.stage("denoise"):
            revised = learned.revised or denoise(
                learned.policy, self._tensors(), threshold=self.config.threshold, empty_rule=self._empty_rule
            )
            train = self.store.split("train")
            write_labels(
                self.folder / LABELS_NAME, train.filenames, self.store.classes, revised.audio, revised.visual
            )
        with clock.stage("parsers"):
            scores = self.train_parsers(self.label_sets(revised))
        quality = removal_quality(
            train.labels, revised.audio, revised.visual, train.truth(), revised.removal_probability
        )
        with clock.stage("figures"):
            self._draw(scores, quality)
        return self._report(scores, quality, learned.estimate, clock.seconds)

    # ------------------------------------------------------------------ stages

    def label_sets(self, revised: RevisedLabels) -> dict[str, controls.LabelSet]:
        """Return the label sets that were asked for and that the data can offer, in table order."""
        train = self.store.split("train")
        offered = {
            "weak": controls.weak(train),
            "label_smoothing": controls.weak(train),
            "random": controls.random_removal(train, revised.audio, revised.visual, self.config.agent.seed),
            "no_visual_speech": controls.no_visual_speech(train, self.store.classes),
            "denoised": controls.LabelSet(revised.audio, revised.visual),
            "oracle": controls.oracle(train),
        }
        return {name: s for name, s in offered.items() if name in self.config.label_sets and s is not None}

    def train_parsers(self, label_sets: dict[str, controls.LabelSet]) -> Scores:
        """Train and test ``parser_seeds`` parsers on each label set; none is trained twice."""
        seeds = [self.config.agent.seed + index for index in range(self.config.parser_seeds)]
        epochs = self.recipe.epochs
        setting = ParserSetting(self.folder, self.store, self._tensors(), self.recipe, self.hidden_size)
        self._say(
            f"training {len(label_sets) * len(seeds)} parsers for {epochs} epochs each ({self.recipe.name})"
        )
        scores: Scores = {}
        done = 0
        with tqdm(
            total=len(label_sets) * len(seeds) * epochs,
            unit="epoch",
            disable=not self.progress,
            file=sys.stderr,
        ) as bar:
            for name, labels in label_sets.items():
                for seed in seeds:
                    bar.set_description(f"parser on {figures.LABEL_SET_STYLE[name][0]}, seed {seed}")
                    network_path = self.folder / TASK_NAME if (name, seed) == ("denoised", seeds[0]) else None
                    job = ParserJob(name, labels, seed, network_path)

                    def advance(epoch: int, _total: int, before: int = done) -> None:
                        bar.update(before + epoch - bar.n)

                    row = run_parser_job(job, setting, advance)
                    done += epochs
                    bar.update(done - bar.n)
                    scores.setdefault(name, []).append(row)
        return scores

    # ------------------------------------------------------------------ reports

    def _draw(self, scores: Scores, quality: RemovalQuality) -> None:
        rows = read_rows(self.folder / "metrics.jsonl")
        names = [name for name, _ in results.SCORE_COLUMNS]
        rows = [row for row in rows if all(f"env/{name}" in row for name in names)]
        title = f"{self.store.name}, seed {self.config.agent.seed}"
        if rows:
            curves = {name: np.array([row[f"env/{name}"] for row in rows]) for name in names}
            text = f"Task network on validation videos during REINFORCE ({title})"
            figures.plot_convergence(
                self.folder / "figures" / "convergence.png", {"REINFORCE": [curves]}, text
            )
        figures.plot_scores(
            self.folder / "figures" / "scores.png", scores, f"Parsers on test videos ({title})"
        )
        figures.plot_removal(
            self.folder / "figures" / "removal.png", quality, self.store.classes, f"Removed labels ({title})"
        )

    def _report(
        self,
        scores: Scores,
        quality: RemovalQuality,
        estimate: dict[str, Any] | None,
        seconds: dict[str, float],
    ) -> dict[str, Any]:
        """Write result.json, results.md and removal_per_class.csv; return the content of result.json."""
        write_text(self.folder / "removal_per_class.csv", results.removal_csv(quality, self.store.classes))
        tables = self.tables(scores, quality, estimate)
        write_text(self.folder / "results.md", f"{tables}\n\nMade with\n\n    {self.command}\n")
        total = round(sum(seconds.values()), 3)
        result: dict[str, Any] = {
            "test": {name: results.mean_scores(rows) for name, rows in scores.items()},
            "removal": quality.as_dict(),
            "seconds": {**seconds, "total": total},
        }
        if estimate is not None:
            result["removal_estimate"] = estimate
        write_json(self.folder / RESULT_NAME, result)
        print(tables)
        self._say(f"{total:.0f} seconds in all; files and figures are in {self.folder}")
        return result

    def tables(self, scores: Scores, quality: RemovalQuality, estimate: dict[str, Any] | None = None) -> str:
        """Return the Markdown tables of the run."""
        seeds = self.config.parser_seeds
        number = "one parser" if seeds == 1 else f"mean of {seeds} parsers"
        parts = [
            f"Test F-scores (%), {self.store.name}, {number} per row",
            results.score_table(scores),
            f"Removed from the {len(self.store.split('train'))} training videos",
            results.removal_table(quality),
        ]
        if estimate is not None:
            parts += [
                f"The same, estimated by cross-validation on the {estimate['videos']} validation videos: "
                "removals by policies that did not learn from the video",
                results.estimate_table(estimate),
            ]
        if not any(int(modality.removed.sum()) for modality in (quality.audio, quality.visual)):
            parts.append(
                f"The policy removed nothing: no removal probability is above {self.config.threshold}. "
                "Rows of denoised and weak labels are therefore equal."
            )
        deviations = results.deviation_table(scores)
        if deviations:
            parts += ["Standard deviation over the parsers", deviations]
        return "\n\n".join(parts)

    # ------------------------------------------------------------------ details

    @property
    def command(self) -> str:
        """The command line that makes this run anew."""
        return shlex.join([*self.config.command_line(), "--out", str(self.folder)])

    def _setting(self) -> Setting:
        return Setting(self.config, self.store, self._tensors, self.recipe, self.hidden_size, self.device)

    @property
    def _empty_rule(self) -> EmptyRule:
        return self.config.environment.empty_rule

    def _tensors(self) -> StoreTensors:
        return shared_tensors(self.config.data, str(self.device), self.config.data_seed)

    def _describe_data(self) -> dict[str, Any]:
        counts = {name: len(self.store.split(name)) for name in ("train", "val", "test")}
        return {
            "name": self.store.name,
            "videos": counts,
            "recipe": dataclasses.asdict(self.recipe),
            "hidden_size": self.hidden_size,
            "device": str(self.device),
            "threads": torch.get_num_threads(),
        }

    def _say(self, text: str) -> None:
        if self.progress:
            print(text, file=sys.stderr)


def choose_device(name: str) -> torch.device:
    """Return a torch device by name; "auto" is the first GPU there is, else the CPU.

    Raises:
        InputError: for a device that torch does not know or that this machine lacks.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        detail = str(error).partition("\n")[0][:100]
        raise InputError(f"--device {name}: not usable here ({detail}); try --device cpu") from error
    # By the name that the environment uses, so that both share one copy of the data.
    return torch.device("cuda", 0) if device == torch.device("cuda") else device
