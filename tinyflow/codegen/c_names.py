# SPDX-License-Identifier: Apache-2.0
"""C names. Nothing a model file says reaches C as an identifier or a path unchecked."""

from __future__ import annotations

import re
from pathlib import Path

_RESERVED = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while main""".split()
)
#: `<name>.h` would shadow the C library's header of that name.
_C_HEADERS = frozenset(
    """assert complex ctype errno features fenv float inttypes iso646 limits locale malloc math
    newlib reent setjmp signal stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib
    stdnoreturn string strings tgmath threads time uchar unistd wchar wctype""".split()
)
_OWN_PREFIXES = ("tinyflow_", "arm_", "cmsis_")


def c_identifier(text: str, *, limit: int = 32) -> str:
    """Any text as a lower-case C identifier that can name a model's functions and its header.

    Never empty, a keyword, a header of the C library, or one of tinyflow's own.

    >>> c_identifier("MobileNet v2 (0.35)")
    'mobilenet_v2_0_35'
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:limit].rstrip("_") or "model"
    taken = name in _RESERVED or name in _C_HEADERS or name.startswith(_OWN_PREFIXES)
    if name[0].isdigit() or taken:
        name = f"model_{name}"
    return name


def model_name(path: Path) -> str:
    """The C name of a model from its file's name."""
    return c_identifier(path.stem or path.name)


def layer_title(name: str, *, limit: int = 80) -> str:
    """A layer's name for people: of fused names the first, unprintable characters dropped."""
    parts = ("".join(char for char in part if char.isprintable()) for part in name.split(";"))
    printable = next(filter(None, parts), "unnamed")
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"
