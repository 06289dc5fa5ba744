"""C names. Nothing a model file says reaches C as an identifier or a path unchecked."""

from __future__ import annotations

import re
from pathlib import Path

_C_KEYWORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while main""".split()
)


def c_identifier(text: str, *, limit: int = 32) -> str:
    """Any text as a lower-case C identifier; never empty, a keyword, or one of tinyflow's own.

    >>> c_identifier("MobileNet v2 (0.35)")
    'mobilenet_v2_0_35'
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:limit].rstrip("_") or "model"
    if name[0].isdigit() or name in _C_KEYWORDS or name.startswith(("tf_", "arm_")):
        name = f"model_{name}"
    return name


def model_name(path: Path) -> str:
    """The C name of a model from its file's name."""
    return c_identifier(path.stem or path.name)


def layer_title(name: str, *, limit: int = 80) -> str:
    """A layer's name for people: of fused names the first, unprintable characters dropped."""
    first = name.split(";")[0]
    printable = "".join(char for char in first if char.isprintable())
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"
