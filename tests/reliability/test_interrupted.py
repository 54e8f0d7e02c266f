"""Works that are ended, or cannot write, go on and come to the same end: a sample; `interrupted` has all calls."""

import os
import random

import pytest
import torch

from rlld_agents.experiments import experiment
from rlld_agents.reports import study
from tests.reliability.interrupted import arm_audit, trials
from tests.reliability.works import WORKS, load_modules, make_inputs

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
NUMBERS = {"train-paper": 2, "benchmark": 1, "import": 3, "denoise": 4}
"""Of calls that are tried of a work; the other presets' have the same writers."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder)
    load_modules()
    return folder


@pytest.mark.parametrize("mode", ["kill", "full"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_work_goes_on(name, mode, inputs, tmp_path, monkeypatch):
    # Pictures take longer than all else.
    monkeypatch.setattr(experiment, "draw_figures", lambda *_: None)
    for name_of_plot in ("plot_scores", "plot_removal"):
        monkeypatch.setattr(study.figures, name_of_plot, lambda *_: None)
    monkeypatch.setattr(study, "plot_convergence", lambda *_: None)
    torch.set_num_threads(1)  # processes are forked from this one

    def some(numbers):
        return random.Random(name + mode).sample(numbers, NUMBERS[name])

    found = list(trials(WORKS[name], mode, inputs, tmp_path, arm_audit, some))
    assert len(found) == NUMBERS[name]
    assert [(number, fault) for number, _, fault in found if fault] == []
