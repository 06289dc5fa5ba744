# SPDX-License-Identifier: Apache-2.0
"""Rendering, literals, and files that are written only when they change."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyflow.render import comment_text, environment, float_literal, render, string_literal
from tinyflow.storage.folders import write_folder, write_if_changed


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_read_back_as_the_same_bits(value: float) -> None:
    literal = float_literal(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f|-?\d+\.0f", literal)
    assert np.float32(literal[:-1]).tobytes() == np.float32(value).tobytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_float_without_a_literal(value: float) -> None:
    with pytest.raises(ValueError, match="no C float literal"):
        float_literal(value)


@given(st.text())
def test_string_literals_are_plain_and_keep_every_byte(text: str) -> None:
    literal = string_literal(text)
    assert all(" " <= char <= "~" for char in literal)
    inside = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), literal[1:-1])
    assert inside.encode("latin-1") == text.encode("utf-8")
    assert '"' not in literal[1:-1]


@given(st.text(alphabet=st.sampled_from("*/\\\n\u2028 a{}?")))
def test_comment_text_stays_inside_its_comment_line(text: str) -> None:
    safe = comment_text(text)
    assert "*/" not in safe
    assert "/*" not in safe
    assert "??/" not in safe
    assert not safe.endswith("\\")
    assert len(safe.splitlines()) <= 1


def test_an_undefined_name_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        environment().from_string("{{ nothing }}").render()


def test_a_template_needs_its_context() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("project/memory.ld.j2")


def test_only_a_change_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.c"
    assert write_if_changed(path, "one")
    stamp = path.stat().st_mtime_ns
    assert not write_if_changed(path, "one")
    assert path.stat().st_mtime_ns == stamp
    assert write_if_changed(path, b"two")
    assert path.read_text() == "two"


def test_a_generated_folder_holds_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "old" / "deep").mkdir(parents=True)
    (tmp_path / "old" / "deep" / "stale.c").write_text("")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "platform.pyc").write_text("")
    write_folder(tmp_path, {"a/b.c": "b", "c.h": "c"})
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {"a/b.c", "c.h", "__pycache__/platform.pyc"}
    assert not (tmp_path / "old").exists()


def test_a_generated_folder_is_not_written_through_links(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "text.tex").write_text("years of work")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "src").symlink_to(thesis)
    (folder / "main.c").symlink_to(thesis / "text.tex")
    (folder / "new.c").symlink_to(thesis / "new.tex")
    (folder / "twice.c").hardlink_to(thesis / "text.tex")
    names = ("src/text.tex", "main.c", "new.c", "twice.c")
    write_folder(folder, dict.fromkeys(names, "generated"))
    assert {path.name: path.read_text() for path in thesis.iterdir()} == {
        "text.tex": "years of work"
    }
    assert {(folder / name).read_text() for name in names} == {"generated"}


def test_names_that_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".pio" / "build").mkdir(parents=True)
    (tmp_path / ".pio" / "build" / "x.o").write_text("object")
    (tmp_path / "stale.c").write_text("")
    write_folder(tmp_path, {"a.c": "a"}, keep=(".pio",))
    assert (tmp_path / ".pio" / "build" / "x.o").read_text() == "object"
    assert not (tmp_path / "stale.c").exists()
