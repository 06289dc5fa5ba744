# SPDX-License-Identifier: Apache-2.0
"""Jinja over `templates/`."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tinyflow.resources import TEMPLATES


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
