"""The documentation against the code: generated pages are current, links lead somewhere, snippets run."""

import re
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]


@pytest.mark.parametrize("page", ["environment", "rates"])
def test_environment_pages_are_those_of_the_class_docstrings(page: str) -> None:
    module = runpy.run_path(str(ROOT / "docs" / "make_environment_page.py"))
    assert (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") == module[f"{page}_page"]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    missing = [
        target for target in targets if "://" not in target and not (page.parent / target).resolve().exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_are_short(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("|")]
    assert [line for line in lines if len(line) > 120] == []


def test_every_page_is_in_the_sites_navigation() -> None:
    listed = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    missing = [
        str(page.relative_to(ROOT / "docs"))
        for page in (ROOT / "docs").glob("**/*.md")
        if not re.search(rf"[ :]{re.escape(str(page.relative_to(ROOT / 'docs')))}\n", listed)
    ]
    assert missing == []


def test_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/environment.md",
        "docs/rates.md",
        "docs/which_form.md",
        "docs/planted_noise.md",
        "docs/autoreset.md",
        "docs/compare.md",
        "docs/stacked.md",
        "docs/systems.md",
    ],
)
def test_python_snippets_run(page: str) -> None:
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert snippets
    for snippet in snippets:
        if "stable_baselines3" in snippet and find_spec("stable_baselines3") is None:
            continue
        exec(compile(snippet, page, "exec"), {})
