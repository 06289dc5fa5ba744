# SPDX-License-Identifier: Apache-2.0
"""Differences that a replay reports."""

from __future__ import annotations

from pathlib import Path

from benchmarks.replay import differences


def _side(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_equal_sides_do_not_differ(tmp_path: Path) -> None:
    files = {"lib/a.c": "int a;\n", "b.h": "\n"}
    base, here = _side(tmp_path / "base", files), _side(tmp_path / "here", files)
    assert list(differences(base, here)) == []


def test_changed_missing_and_new_files_differ_by_lines(tmp_path: Path) -> None:
    base = _side(tmp_path / "base", {"a.c": "1\n2\n3\n", "gone.S": "x\ny\n", "report.json": "1"})
    here = _side(tmp_path / "here", {"a.c": "1\n4\n3\n5\n", "new.ld": "z\n", "report.json": "2"})
    assert list(differences(base, here)) == [
        (Path("a.c"), 1, 2),
        (Path("gone.S"), 2, 0),
        (Path("new.ld"), 0, 1),
    ]
