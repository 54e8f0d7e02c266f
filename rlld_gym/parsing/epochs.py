"""What a training leaves behind: the history of its epochs and the network of the best one."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from rlld_gym.parsing.metrics import SCORE_NAMES
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipe import MEAN


@dataclass(frozen=True, eq=False)
class TrainedParser:
    """A trained task network and how it got there.

    Attributes:
        network: with the weights of the best epoch, in evaluation mode.
        best_epoch: that epoch, counted from 1.
        history: a dictionary per epoch: "epoch", "loss" (mean over the training videos) and the ten
            validation scores (percent) under ``SCORE_NAMES``; no scores where the last epoch was to be kept.
    """

    network: TaskNetwork
    best_epoch: int
    history: list[dict[str, float]]


class EpochRecord:
    """What became of a network in each epoch, and its weights in the best one.

    Args:
        selection: the validation score that decides, or "mean" of the ten; ties go to the later epoch, as all do
            without scores.
    """

    def __init__(self, selection: str) -> None:
        self._selection = selection
        self._history: list[dict[str, float]] = []
        self._best_epoch = 0
        self._best_weights: dict[str, Tensor] = {}

    def add(self, loss: float, scores: Mapping[str, float], network: nn.Module) -> None:
        """Note an epoch: its mean loss, validation scores (may be empty), and the network that they are of."""
        self._history.append({"epoch": len(self._history) + 1, "loss": loss, **scores})
        if self._newest_is_best():
            self._best_epoch = len(self._history)
            self._best_weights = {name: weight.clone() for name, weight in network.state_dict().items()}

    def parser(self, network: TaskNetwork) -> TrainedParser:
        """Give a network the weights of the best epoch and return it with the history."""
        network.load_state_dict(self._best_weights)
        return TrainedParser(network=network.eval(), best_epoch=self._best_epoch, history=self._history)

    def _newest_is_best(self) -> bool:
        newest, best = self._history[-1], self._history[self._best_epoch - 1]
        if self._best_epoch == 0:
            return True
        if self._selection == MEAN and SCORE_NAMES[0] in newest:
            return sum(newest[name] for name in SCORE_NAMES) >= sum(best[name] for name in SCORE_NAMES)
        return self._selection not in newest or newest[self._selection] >= best[self._selection]
