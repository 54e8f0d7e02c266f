"""A small finished run, made once per test session through the command line."""

import shlex
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


def command_in(page: str) -> list[str]:
    """Return the words of the command that a page of results was made with, as a shell reads them."""
    block = page.partition("Made with\n\n```bash\n")[2].partition("\n```")[0]
    return shlex.split(block.replace("\\\n", ""))
