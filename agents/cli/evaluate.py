"""``rlld evaluate``: scores of a trained parser, a trained policy, or both of a run."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlld_agents.cli.common import (
    data_learned_from,
    data_of,
    removal_rule_of,
    require_replaceable,
    run_folder_of,
)
from rlld_gym.errors import InputError
from rlld_gym.files import read_json, write_json
from rlld_gym.options import require_seed

if TYPE_CHECKING:
    from rlld_agents.labels.removal_rule import RemovalRule
    from rlld_gym.data import FeatureStore
    from rlld_gym.data.fingerprint import DataFingerprint
    from rlld_gym.parsing.networks import TaskNetwork
    from rlld_gym.parsing.recipes import Gate
    from rlld_gym.parsing.thresholds import Thresholds


@dataclass(frozen=True)
class Evaluate:
    """Score a trained parser (ten F-scores) or a trained policy (quality of its removals) on a data set."""

    checkpoint: Path
    """A run folder (both are scored), a task.safetensors, a policy.safetensors, or the parser-seedN.safetensors of
    train-parser."""
    system: str | None = None
    """The checkpoint is a file that the public code of this system wrote; its recipe: valor, cpsp, mgn, ..."""
    data: str | None = None
    """Data set: twin-tiny, twin-small, twin-full or a store's path; None: that of the checkpoint's run."""
    split: Literal["val", "test", "train"] = "test"
    """Videos to score on; train has no dense labels in LLP. A policy of the presets imitation and joint learned
    from the dense labels of val: its removals there say nothing."""
    threshold: float | None = None
    """A policy removes labels whose removal probability is above this; None: that of its run, else 0.5."""
    empty_rule: Literal["video", "modality"] | None = None
    """Undo a policy's removals of a video that would lose all its labels, or of a modality that would; None: as
    in its run, else video."""
    device: str = "auto"
    """cpu, cuda, ...; auto takes the first GPU there is."""
    seed: int | None = None
    """Seed of a twin; None: that of the checkpoint's run, else 0. Scoring itself draws nothing."""
    out: Path | None = None
    """JSON file for the scores."""

    def run(self) -> int:
        """Print the scores; return the exit status."""
        from rlld_agents.policies import files as policy
        from rlld_gym.parsing import task_file
        from rlld_gym.tensor_files import read_metadata

        if self.seed is not None:
            require_seed("--seed", self.seed)
        if self.out is not None:
            require_replaceable("--out", self.out, _is_scores, "what 'rlld evaluate' wrote")
        if self.system is not None:
            self._write({"scores": self._score_public(self.system)})
            return 0
        rule = removal_rule_of(self.checkpoint, self.threshold, self.empty_rule)
        files = [self.checkpoint]
        if self.checkpoint.is_dir():
            names = (task_file.NAME, policy.POLICY_NAME)
            files = [self.checkpoint / name for name in names if (self.checkpoint / name).is_file()]
            if not files:
                parsers = sorted(path.name for path in self.checkpoint.glob("parser-seed*.safetensors"))
                advice = (
                    f"; name the file of a parser, such as {self.checkpoint / parsers[0]}" if parsers else ""
                )
                raise InputError(
                    f"--checkpoint {self.checkpoint}: the folder holds neither {' nor '.join(names)}{advice}"
                )
        scores: dict[str, Any] = {}
        for file in files:
            kind = read_metadata(file).get("format")
            if kind == task_file.FORMAT.name:
                scores["scores"] = self._score_parser(file)
            elif kind == policy.FORMAT.name:
                scores["removal"] = self._score_policy(file, rule)
            else:
                raise InputError(
                    f"--checkpoint {file}: neither a task network nor a policy that rlld train wrote"
                )
        self._write(scores)
        return 0

    def _warn_of_other_data(self, own: "DataFingerprint | None", store: "FeatureStore", what: str) -> None:
        """Say what differs where the data are not those that a network learned from."""
        from rlld_gym.data.fingerprint import warn_of_other_data

        warn_of_other_data(data_learned_from(self.checkpoint, own), store.fingerprint, what)

    def _learned_note(self, own: "DataFingerprint | None", store: "FeatureStore") -> str | None:
        """Return what must be said where a policy is judged by labels that it learned from; None: by others."""
        from rlld_agents.runs.folder import read_config

        learned_from = data_learned_from(self.checkpoint, own)
        if learned_from is not None and learned_from.labels != store.fingerprint.labels:
            return None
        folder = run_folder_of(self.checkpoint)
        if folder is None:
            return "If the preset was imitation or joint, the policy learned from these videos: choose --split test"
        if read_config(folder)["experiment"].get("preset") not in ("imitation", "joint"):
            return None
        return (
            "The policy learned from the dense labels of these videos: results.md of its run estimates by "
            "cross-validation how good its removals are"
        )

    def _write(self, scores: dict[str, Any]) -> None:
        if self.out is not None:
            write_json(self.out, {"checkpoint": str(self.checkpoint), "split": self.split, **scores})

    def _score_public(self, system: str) -> dict[str, float]:
        """Print and return the ten F-scores of a checkpoint that a published system's own code wrote."""
        from rlld_gym.data import open_data
        from rlld_gym.parsing.networks import load_public_checkpoint
        from rlld_gym.parsing.recipes import get_recipe
        from rlld_gym.parsing.training import network_options

        if self.data is None:
            raise InputError("--data: a public checkpoint does not say what to score it on; name a data set")
        recipe = get_recipe(system)
        network = load_public_checkpoint(recipe.network, self.checkpoint, **network_options(recipe))
        store = open_data(self.data, self.seed or 0)
        network.require_features(store.audio_size, store.visual_2d_size, store.visual_3d_size)
        return self._print_scores(
            network, recipe.gate, recipe.thresholds, store, file=self.checkpoint, name=system
        )

    def _score_parser(self, file: Path) -> dict[str, float]:
        """Print and return the ten F-scores of a parser."""
        from rlld_gym.data import open_data
        from rlld_gym.parsing.task_file import check_fits, load_task_network

        network, info = load_task_network(file)
        store = open_data(*data_of(self.checkpoint, self.data, self.seed))
        check_fits(info, store, file)
        self._warn_of_other_data(info.data, store, f"{file}: the task network")
        return self._print_scores(
            network, info.gate, info.thresholds, store, file=file, name=str(info.trained_on.get("labels"))
        )

    def _print_scores(
        self,
        network: "TaskNetwork",
        gate: "Gate",
        thresholds: "Thresholds",
        store: "FeatureStore",
        *,
        file: Path,
        name: str,
    ) -> dict[str, float]:
        """Print and return a network's F-scores on the chosen split."""
        from rlld_agents.reports.results import score_table
        from rlld_gym.devices import choose_device
        from rlld_gym.parsing.prediction import evaluate

        device = choose_device(self.device)
        if store.split(self.split).truth() is None:
            known = [name for name in ("val", "test", "train") if store.split(name).truth() is not None]
            advice = (
                f"choose --split {' or '.join(known)}" if known else "no split has any: nothing can be scored"
            )
            raise InputError(f"--split {self.split}: {store.name} has no dense labels there; {advice}")
        tensors = store.to(device)[self.split]
        row = evaluate(network.to(device), tensors, gate, thresholds=thresholds).as_dict()
        print(f"F-scores (%) of {file} on the {self.split} split of {store.name}\n")
        print(score_table({name: [row]}), flush=True)
        return row

    def _score_policy(self, file: Path, rule: "RemovalRule") -> dict[str, dict[str, float | None]]:
        """Print and return the quality of a policy's removals."""
        from rlld_agents.labels.removal import removal_quality
        from rlld_agents.policies.denoising import denoise
        from rlld_agents.policies.files import check_data, load_policy
        from rlld_agents.reports.results import removal_table
        from rlld_gym.data import open_data
        from rlld_gym.devices import choose_device

        policy = load_policy(file, choose_device(self.device))
        store = open_data(*data_of(self.checkpoint, self.data, self.seed))
        check_data(policy, store, str(file))
        self._warn_of_other_data(policy.data, store, f"{file}: the policy")
        split = store.split(self.split)
        revised = denoise(
            policy, store, split=self.split, threshold=rule.threshold, empty_rule=rule.empty_rule
        )
        quality = removal_quality(
            split.labels, revised.audio, revised.visual, split.truth(), revised.removal_probability
        )
        print(f"Removals of {file} on the {self.split} split of {store.name}\n\n{removal_table(quality)}")
        if self.split == "val" and (note := self._learned_note(policy.data, store)):
            print(f"\n{note}")
        if split.truth() is None:
            print(f"{store.name} has no dense labels in this split: precision is unknown", file=sys.stderr)
        return quality.as_dict()


def _is_scores(path: Path) -> bool:
    """Return whether a file is what this command writes."""
    try:
        return {"checkpoint", "split"} <= read_json(path, "scores").keys()
    except InputError:
        return False
