"""Write docs/tutorial.ipynb: the tutorial as a notebook, a cell for each block of its page.

Run ``python docs/make_notebook.py`` after changing docs/tutorial.md; a test compares them, another runs it.
"""

import json
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)


def notebook(page: str) -> dict[str, Any]:
    """Return a page as a notebook (nbformat 4.5).

    Args:
        page: Markdown. Blocks of Python become cells, those that begin with ``# NAME.py`` write that file; blocks
            of commands are run by bash; what is between them becomes text.
    """
    cells: list[dict[str, Any]] = []
    parts = BLOCK.split(page)  # text, language, code, text, language, code, ..., text
    for start in range(0, len(parts), 3):
        if text := parts[start].strip():
            cells.append({"cell_type": "markdown", "metadata": {}, "source": _lines(text)})
        if start + 2 < len(parts):
            source = _lines(_code(*parts[start + 1 : start + 3]))
            cells.append(
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "metadata": {},
                    "outputs": [],
                    "source": source,
                }
            )
    return {
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def tutorial() -> str:
    """Return the tutorial's notebook as the text of its file."""
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    return json.dumps(notebook(page), indent=1, ensure_ascii=False) + "\n"


def _code(language: str, code: str) -> str:
    code = code.strip("\n")
    if language == "bash":
        return f"%%bash -e\n{code}"
    file = re.match(r"# (\w+\.py)\n", code)
    return f"%%writefile {file[1]}\n{code}" if file else code


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    DOCS.joinpath("tutorial.ipynb").write_text(tutorial(), encoding="utf-8")
