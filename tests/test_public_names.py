"""Names that are imported on first use: all there, and listed, so that tab completion works."""

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("name", ["rlld_agents", "rlld_agents.sb3", "rlld_gym.data", "rlld_gym.parsing"])
def test_public_names_are_listed_and_there(name: str) -> None:
    if name.endswith("sb3"):
        pytest.importorskip("sb3_contrib")
    module = importlib.import_module(name)
    assert set(module.__all__) <= set(dir(module))
    assert all(getattr(module, public) is not None for public in module.__all__)


def test_listing_names_does_not_import_torch() -> None:
    program = "import sys, rlld_agents, rlld_gym.data; dir(rlld_agents), dir(rlld_gym.data)"
    end = "; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program + end], check=True)
