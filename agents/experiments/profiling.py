"""Where the time of a run goes: seconds of data, task training, validation, policy and the rest.

Calls are timed from outside: while a `Profile` is active, the functions of `CALLS` are replaced by ones that note
when they begin and end. Code that is not profiled knows nothing of this and waits for nothing.
"""

import functools
import pkgutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import torch

from rlld_agents.reports.results import markdown

REST = "rest"
WAITING = "waiting"
"""For other processes, which spend their own time."""

CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "data": (
        "rlld_gym.data.twins.generation:twin",
        "rlld_gym.data.store.feature_store:FeatureStore._loaded",
        "rlld_gym.data.store.feature_store:FeatureStore.to",
        "rlld_gym.data.tensors:SplitTensors.batch",
    ),
    "task training": (
        "rlld_gym.parsing.training:_train_epoch",
        "rlld_gym.denoising.task:TaskLearner.renew",
        "rlld_gym.denoising.task:TaskLearner.train",
    ),
    "validation": (
        "rlld_gym.parsing.prediction:predict",
        "rlld_gym.parsing.prediction:parsing_scores",
    ),
    "policy": (
        "rlld_agents.imitation.joint:warm_start",
        "rlld_agents.imitation.joint:denoise",
        "rlld_agents.experiments.experiment:denoise",
        "rlld_agents.reinforce.reinforce:Reinforce._train_episode",
    ),
    "environment": (
        "rlld_gym.envs.label_denoising:LabelDenoisingEnv.reset",
        "rlld_gym.envs.label_denoising:LabelDenoisingEnv.step",
    ),
    "figures": ("rlld_agents.experiments.experiment:draw_figures",),
    WAITING: ("rlld_agents.runs.processes:Processes.wait",),
}
"""What counts as what. Where one call is made within another, its time is its own: a batch that is gathered in a
training epoch is data, not training; a training step within an environment's step is task training."""

PARTS: Final = (*CALLS, REST)
"""The parts that a profile tells apart."""


class Profile:
    """Adds up the seconds of each part while it is active; may be entered again and again, but not within itself.

    Args:
        device: where the work is done; a GPU is waited for whenever a part begins or ends, which costs a little.

    Attributes:
        seconds: of each of `PARTS`, of this process's wall-clock time.
        elapsed: wall-clock seconds in which the profile was active.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.elapsed = 0.0
        self._device = device
        self._parts: list[str] = []
        self._since = 0.0

    @contextmanager
    def active(self) -> Iterator[None]:
        """Time the block: calls of `CALLS` as their parts, all else as the rest."""
        with ExitStack() as stack:
            for part, names in CALLS.items():
                for name in names:
                    stack.enter_context(self._timed(name, part))
            start = time.perf_counter()
            try:
                with self.part(REST):
                    yield
            finally:
                self.elapsed += time.perf_counter() - start

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block as a part, up to parts within it."""
        self._switch()
        self._parts.append(name)
        try:
            yield
        finally:
            self._switch()
            self._parts.pop()

    def _switch(self) -> None:
        """Give the time since the last switch to the part that it was spent in."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        if self._parts:
            self.seconds[self._parts[-1]] += now - self._since
        self._since = now

    @contextmanager
    def _timed(self, name: str, part: str) -> Iterator[None]:
        """Let a function or method count as a part within the block."""
        module, _, path = name.partition(":")
        *owners, attribute = path.split(".")
        owner = pkgutil.resolve_name(f"{module}:{'.'.join(owners)}")
        original: Callable[..., Any] = vars(owner)[attribute]

        @functools.wraps(original)
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.part(part):
                return original(*arguments, **options)

        setattr(owner, attribute, timed)
        try:
            yield
        finally:
            setattr(owner, attribute, original)


def total_seconds(processes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the seconds that processes spent on each part together, without waiting for each other."""
    return {part: sum(seconds[part] for seconds in processes) for part in PARTS if part != WAITING}


def profile_table(seconds: Mapping[str, float]) -> str:
    """Return seconds and shares of the parts as a Markdown table; parts that took no time are left out."""
    total = sum(seconds.values())
    parts = {**{name: value for name, value in seconds.items() if value > 0}, "total": total}
    rows = [[name, f"{value:.2f}", f"{100 * value / (total or 1.0):.1f} %"] for name, value in parts.items()]
    return markdown(["part", "seconds", "share"], rows)
