"""What torch cannot do on the second device, done without."""

import contextlib
from typing import Any

import pytest
import torch

from rlld_gym.denoising import task
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import make_optimizer


@pytest.fixture(autouse=True)
def _plain_optimizer_and_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out fused updates and autocast, which ask for a device type that torch knows."""

    def plain(network: TaskNetwork, recipe: Recipe) -> torch.optim.Adam:
        optimizer = make_optimizer(network, recipe)
        for group in optimizer.param_groups:
            group["fused"] = group["foreach"] = False
        return optimizer

    def no_autocast(*_: Any, **__: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    monkeypatch.setattr(task, "make_optimizer", plain)
    monkeypatch.setattr(torch, "autocast", no_autocast)
