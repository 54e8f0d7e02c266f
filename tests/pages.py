"""Blocks of the documentation's pages, run as a reader would: Python in one session, commands line by line."""

import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlld_agents.cli import main

DOCS = Path(__file__).resolve().parents[1] / "docs"


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each block of a page, those of lists without their indent."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for language, block in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        yield language, textwrap.dedent(block)


def run(language: str, block: str, names: dict[str, Any], shorter: Mapping[str, Sequence[str]]) -> None:
    """Run a block in the working directory; one that begins with ``# NAME.py`` becomes that file.

    Args:
        language: of the block; other than python and bash: nothing is done.
        block: its text.
        names: of the Python session.
        shorter: command of rlld -> words that make it one of seconds.
    """
    if language == "python":
        if file := re.match(r"# (\w+\.py)\n", block):
            Path(file[1]).write_text(block, encoding="utf-8")
        else:
            exec(compile(block, "page", "exec"), names)
    if language == "bash":
        for line in block.replace("\\\n", " ").splitlines():
            program, *words = shlex.split(line)
            assert program == "rlld"
            assert main([*words, *shorter.get(words[0], [])]) == 0, line
