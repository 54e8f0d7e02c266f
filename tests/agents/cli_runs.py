"""A small finished run, made once per test session through the command line."""

from pathlib import Path

from rlld_agents.cli import main

SMALL = (
    "--quick",
    "--preset",
    "paper",
    "--episodes",
    "2",
    "--episode-length",
    "3",
    "--batch-size",
    "32",
    "--parser-epochs",
    "1",
    "--workers",
    "1",
)


def small_run(folder: Path, *options: str) -> Path:
    """Train a small run in ``folder`` and return it."""
    assert main(["train", *SMALL, "--device", "cpu", "--out", str(folder), *options]) == 0
    return folder
