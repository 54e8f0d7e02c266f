"""Every example runs as a script, as its docstring says."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARIES = {
    "sb3": "stable_baselines3",
    "torchrl": "torchrl",
    "rllib": "ray",
    "tianshou": "tianshou",
    "skrl": "skrl",
}
EXAMPLES = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.py"))
LONG = (
    "_ppo",
    "compare_own_agent",
    "own_policy",
    *(f"{name}_rates" for name in (*LIBRARIES, "cleanrl") if name != "sb3"),
)
"""Ends of names: of those whose functions tests/libraries tests, or that others of their kind stand for."""


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(script, marks=[pytest.mark.long] if script.stem.endswith(LONG) else [])
        for script in EXAMPLES
    ],
    ids=lambda script: script.stem,
)
def test_example_runs_and_prints_something(script: Path) -> None:
    missing = [name for name in imported(script) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    quick = ["24"] if script.stem.endswith("_rates") else []
    finished = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", str(script), *quick],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("\n") >= 3
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 80


def imported(script: Path) -> list[str]:
    """Return the top-level packages that a script imports, also by way of our adapters."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    adapters = {f"rlld_agents.{adapter}": library for adapter, library in LIBRARIES.items()}
    return sorted({adapters.get(name, name.partition(".")[0]) for name in names})
