# SPDX-License-Identifier: Apache-2.0
"""Jinja over `templates/`, and writing files so that an unchanged build stays untouched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tinyflow.resources import TEMPLATES
from tinyflow.storage.files import unwritable, write_file


def float_literal(value: float) -> str:
    """The C literal of a float32 that reads back as the same bits, `0.00390625f`."""
    if not abs(value) <= float(np.finfo(np.float32).max):
        raise ValueError(f"{value!r} has no C float literal")
    text = f"{np.float32(value):.9g}"
    return text + ("f" if any(mark in text for mark in ".e") else ".0f")


def string_literal(text: str) -> str:
    """The C literal of a string, safe for any text: all but printable ASCII becomes octal."""
    return '"' + "".join(_escape(byte) for byte in text.encode("utf-8")) + '"'


def _escape(byte: int) -> str:
    plain = 0x20 <= byte < 0x7F and byte not in b'"\\?'
    return chr(byte) if plain else f"\\{byte:03o}"


def comment_text(text: str) -> str:
    """Any text as the inside of one C comment line: it can neither end it nor leave its line."""
    printable = "".join(char if char.isprintable() else "?" for char in text).replace("\\", "/")
    # ??/ is a trigraph, a backslash to some compilers.
    return printable.replace("??/", "? ?/").replace("*/", "* /").replace("/*", "/ *")


@cache
def environment() -> Environment:
    """The one Jinja environment: an undefined name is an error, the output ends in a newline."""
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    jinja.filters["cfloat"] = float_literal
    jinja.filters["cstring"] = string_literal
    jinja.filters["ccomment"] = comment_text
    return jinja


def render(template: str, /, **context: Any) -> str:
    """The text of `templates/<template>` with that context.

    Raises:
        jinja2.UndefinedError: the template uses a name the context lacks.
    """
    return environment().get_template(template).render(**context)


def write_if_changed(path: Path, content: str | bytes) -> bool:
    """Write a file unless it holds that content already; returns whether it was written.

    Raises:
        InputError: it cannot be written, or a link, a folder or a device has that name.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    if not path.is_symlink() and path.is_file() and path.read_bytes() == data:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    write_file(path, data)
    return True


def write_folder(
    folder: Path, files: Mapping[str, str | bytes], *, keep: Collection[str] = ()
) -> None:
    """Make a generated folder hold exactly those files, by relative path.

    What is unchanged keeps its time stamp; everything else below the folder is removed, links
    first, but for the caches Python leaves next to its sources.

    Args:
        folder: the folder; created if missing.
        files: content by relative path.
        keep: names in the folder that are left alone.

    Raises:
        InputError: a file cannot be written.
    """
    wanted = {folder / name for name in files}
    kept = {folder / name for name in keep}
    for path in sorted(folder.rglob("*"), reverse=True):
        if kept.intersection((path, *path.parents)):
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.is_symlink() or (path not in wanted and path.parent.name != "__pycache__"):
            path.unlink()
    for name, content in files.items():
        write_if_changed(folder / name, content)
