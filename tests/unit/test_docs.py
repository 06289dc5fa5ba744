# SPDX-License-Identifier: Apache-2.0
"""The documentation agrees with the code, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("bakenn", reason="docs/operators.md lists the kernels of bakenn's CMSIS-NN")

from docs.generate import BLOCKS, ROOT, pages, stale

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("examples/*/*.md")]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_generated_parts_are_fresh() -> None:
    found = ", ".join(_name(path) for path in stale())
    assert not found, f"stale: {found}; run `python docs/generate.py`"


def test_every_block_is_shown_somewhere() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert {name for name in BLOCKS if f"<!-- generated: {name} -->" in text} == set(BLOCKS)
    assert text.count("<!-- generated: ") == text.count("<!-- end -->")


def test_generated_tables_are_whole() -> None:
    for path, text in pages().items():
        rows = [line for line in _FENCE.sub("", text).splitlines() if line.startswith("|")]
        assert all(line.endswith("|") for line in rows), path


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        if anchor:
            assert anchor in _anchors(path), link


def _anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
