"""Names of packages that import their parts on first use, and ``python -m rlld_agents``."""

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("package", ["rlld_agents", "rlld_gym.data", "rlld_agents.sb3"])
def test_every_public_name_is_completed_and_found(package: str) -> None:
    code = (
        f"import {package} as package; print(' '.join(package.__all__)); print(' '.join(dir(package))); "
        "missing = [name for name in package.__all__ if not hasattr(package, name)]; assert not missing, missing"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    public, completed = (set(line.split()) for line in result.stdout.splitlines())
    assert public <= completed


def test_names_that_programs_use_stay() -> None:
    names = ("Reinforce", "ReinforceConfig", "HybridAttentionPolicy", "denoise", "load_policy", "save_policy")
    for name in (*names, "warm_start"):
        assert callable(getattr(importlib.import_module("rlld_agents"), name))
    jomold = importlib.import_module("rlld_agents.baselines.jomold")
    assert callable(jomold.estimate_noise_ratios)
    assert callable(jomold.denoise_epoch)


def test_the_package_is_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "rlld_agents", "--help"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: rlld ")
    assert "benchmark" in result.stdout
