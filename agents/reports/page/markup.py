"""Pieces of HTML; every text that comes from outside is escaped here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape


def tables_html(markdown: str) -> str:
    """Return Markdown tables and the sentences between them as HTML; a sentence before a table is its caption.

    Args:
        markdown: blocks of lines with an empty line between them; a block is a table where it begins with "|", code
            where it is indented, else a sentence.
    """
    blocks = [block for block in re.split(r"\n\s*\n", markdown.strip("\n")) if block.strip()]
    parts: list[str] = []
    for index, block in enumerate(blocks):
        following = blocks[index + 1] if index + 1 < len(blocks) else ""
        if block.startswith("|"):
            before = blocks[index - 1] if index and not blocks[index - 1].startswith("|") else ""
            parts.append(_markdown_table(block, before))
        elif block.startswith("    "):
            parts.append(f"<pre><code>{escape(block.strip())}</code></pre>")
        elif not following.startswith("|"):
            parts.append(f"<p>{escape(block)}</p>")
    return "\n".join(parts)


def table_html(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column names the rows.

    Args:
        caption: plain text.
        heads: HTML of the column heads.
        rows: HTML of the cells.
    """
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>' + "".join(f"<td>{cell}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def facts_html(facts: Mapping[str, str]) -> str:
    """Return names and values as a description list."""
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items()
    )


def _markdown_table(block: str, caption: str) -> str:
    heads, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
    cells = [[escape(cell) for cell in row] for row in rows]
    return table_html(caption, [escape(head) for head in heads], cells)
