import importlib.util
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.baselines import METHODS, Denoised, check_denoised, make
from rlld_gym.errors import InputError
from tests.agents.baselines.contexts import assert_keeps_its_promises, small_context

MINE = (
    "weak",
    "label_smoothing",
    "no_visual_speech",
    "random",
    "oracle",
    "jomold",
    "jomold+cl",
    "jomold-as-published",
    "no_visual_speech+cl",
    "ma",
    "ma+cl",
)


@pytest.mark.parametrize("name", MINE)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**31), videos=st.integers(2, 100))
def test_every_method_keeps_its_promises(name: str, seed: int, videos: int) -> None:
    method = make(name)
    assert method.name == name
    denoised = assert_keeps_its_promises(method, small_context(seed, videos))
    json.dumps(denoised.details, allow_nan=False)


def test_names_of_the_registry_are_unique_constructors() -> None:
    assert set(MINE) < set(METHODS)
    assert len({(method.home, str(method.preset)) for method in METHODS.values()}) == len(METHODS)


def test_presets_can_be_overridden() -> None:
    assert make("jomold+cl", contrastive_weight=0.0).name == "jomold"
    assert make("ma", contrastive_weight=1.0) == make("ma+cl")


def test_unknown_method_and_option_are_named_with_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"'jomould'; choose from weak, .*jomold.*, which need no dense .*joint"
    ):
        make("jomould")
    with pytest.raises(InputError, match=r"unknown option 'ramp' of JoMoLD; it has .*warm_up"):
        make("jomold", ramp=1)


def test_the_list_of_methods_needs_no_torch() -> None:
    code = "import sys, rlld_agents.baselines as b; assert b.METHODS; sys.exit('torch' in sys.modules)"
    assert importlib.util.find_spec("torch")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


WEAK = np.array([[True, False], [True, True]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"audio": ~WEAK}, "audio labels: 1 were not among"),
        ({"visual": WEAK[:1]}, "visual labels: found bool"),
        ({"visual": WEAK.astype(float)}, "visual labels: found float64"),
        ({"removal_score": np.zeros((2, 2), np.float32)}, "removal_score: found float32"),
        ({"removal_score": np.ones((2, 2, 2), np.float32)}, "0 where there is no label"),
        ({"removal_score": np.full((2, 2, 2), np.nan, np.float32)}, "finite"),
    ],
)
def test_broken_promises_are_found(changes: dict[str, np.ndarray], message: str) -> None:
    check_denoised(Denoised(WEAK, WEAK), WEAK)
    with pytest.raises(ValueError, match=message):
        check_denoised(Denoised(**{"audio": WEAK, "visual": WEAK} | changes), WEAK)


def test_what_is_no_denoised_is_refused_in_a_line() -> None:
    nothing: Any = None
    with pytest.raises(InputError, match="a denoiser returned NoneType, expected"):
        check_denoised(nothing, WEAK)
