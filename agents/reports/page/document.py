"""The page itself: one HTML file with its style, scripts, pictures and data inside."""

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from rlld_agents.reports.page.charts import chart_html
from rlld_agents.reports.page.class_tables import class_tables, outcome_legend
from rlld_agents.reports.page.content import Page
from rlld_agents.reports.page.markup import facts_html, tables_html
from rlld_agents.reports.page.packing import pack_videos
from rlld_gym.files import write_text

SCRIPTS = ("data.js", "decisions.js", "search.js", "list.js", "video.js", "tables.js", "main.js")
"""Scripts of the page in the order in which they run; together they are one module."""

POLICY = (
    "default-src 'none'; img-src data:; media-src 'self' file:; "
    "style-src 'unsafe-inline'; script-src 'sha256-{}'"
)
"""Nothing is loaded but clips that lie beside the page, and no other script runs, whatever a class is called."""


def write_page(page: Page, path: str | os.PathLike[str]) -> None:
    """Write a report page to one HTML file, atomically."""
    write_text(path, page_html(page))


def page_html(page: Page) -> str:
    """Return a report page as HTML."""
    script = "\n".join(_asset(name) for name in SCRIPTS)
    packed = pack_videos(page.videos)
    charts = "\n".join(map(chart_html, page.charts))
    return _filled(
        _asset("page.html"),
        {
            "title": escape(page.title),
            "policy": POLICY.format(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()),
            "style": _asset("page.css"),
            "facts": facts_html(page.facts),
            "tables": tables_html(page.tables),
            "charts": charts or "<p>No validation scores were logged.</p>",
            "figures": "\n".join(_figure(text, png) for text, png in page.figures.items()),
            "legend": outcome_legend(known=page.quality.audio.noisy is not None),
            "classes": class_tables(page.quality, page.videos.classes, page.videos.learned_noise),
            "digest": hashlib.sha256(packed).hexdigest()[:16],
            "videos": base64.b64encode(packed).decode(),
            "script": script,
        },
    )


def _figure(text: str, png: bytes) -> str:
    source = base64.b64encode(png).decode()
    return (
        f'<figure><div class="picture" tabindex="0">'
        f'<img alt="{escape(text)}" src="data:image/png;base64,{source}"></div>'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with each {{name}} replaced; what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def _asset(name: str) -> str:
    return files("rlld_agents.reports.page").joinpath(name).read_text(encoding="utf-8")
