# SPDX-License-Identifier: Apache-2.0
"""Writes figures into a page of the documentation.

A page holds pairs of markers, `<!-- measured: NAME -->` and `<!-- end measured -->`; what is
between them is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tinyflow.storage.files import write_file

PERFORMANCE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; the first column is aligned left, all others right."""
    aligned = ("---", *("---:" for _ in head[1:]))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, aligned, *rows))


def write(name: str, text: str, page: Path = PERFORMANCE) -> None:
    """Replace what the page's markers of that name enclose.

    Raises:
        ValueError: the page has no such markers.
    """
    old = page.read_text(encoding="utf-8")
    begin, end = f"<!-- measured: {name} -->\n", "<!-- end measured -->"
    new, count = re.subn(
        re.escape(begin) + ".*?" + re.escape(end),
        lambda _: f"{begin}\n{text}\n{end}",
        old,
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{page}: {count} places for {name}")
    write_file(page, new)
