"""A hook of mkdocs: pages that lie outside docs/ join the site, and links to them lead there.

README.md becomes the first page; CONTRIBUTING.md, CHANGELOG.md and the licence follow. Source files that a page
links become pages of their own, so that the site works without the repository and the pages' links work on both.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
"""Files of the repository's top folder -> their places in the site."""

SOURCE_SUFFIXES: Final = {".py": "python", ".yml": "yaml", "": "text"}
LINK: Final = re.compile(r"(?<=\]\()(?P<target>[^)#\s]+)(?P<rest>[^)]*)(?=\))")
FENCED: Final = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and those of source files that are linked."""
    for name, place in PAGES.items():
        files.append(File.generated(config, place, content=(ROOT / name).read_text(encoding="utf-8")))
    sources = {
        target
        for file in files.documentation_pages()
        for target in _targets(file.content_string, file.src_uri)
        if _is_source(target)
    }
    for source in sorted(sources):
        code = (ROOT / source).read_text(encoding="utf-8")
        page = f"# {source}\n\n````{SOURCE_SUFFIXES[Path(source).suffix]}\n{code}````\n"
        files.append(File.generated(config, _source_page(source), content=page))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links that lead out of docs/ lead to the pages that stand for their targets."""

    def moved(link: re.Match[str]) -> str:
        target = link["target"]
        if "://" in target:
            return link[0]
        place = _place(_resolved(target, page.file.src_uri))
        return posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or ".") + link["rest"]

    parts = FENCED.split(markdown)
    return "".join(part if i % 2 else LINK.sub(moved, part) for i, part in enumerate(parts))


def _targets(markdown: str, uri: str) -> Iterator[str]:
    """Yield the files, seen from the repository's top folder, that a page of the site links."""
    for part in FENCED.split(markdown)[::2]:
        for link in LINK.finditer(part):
            if "://" not in link["target"]:
                yield _resolved(link["target"], uri)


def _resolved(target: str, uri: str) -> str:
    """Return a link's target, seen from the repository's top folder."""
    at_top = {place: name for name, place in PAGES.items()}
    page = at_top.get(uri, f"docs/{uri}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def _place(path: str) -> str:
    """Return where a file of the repository is in the site."""
    if _is_source(path):
        return _source_page(path)
    return PAGES.get(path, path.removeprefix("docs/"))


def _is_source(path: str) -> bool:
    """Return whether a file has a page that shows it: source files outside docs/."""
    outside = path not in PAGES and not path.startswith("docs/")
    return outside and Path(path).suffix in SOURCE_SUFFIXES and (ROOT / path).is_file()


def _source_page(path: str) -> str:
    return f"source/{path}.md"
