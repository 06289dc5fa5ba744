# SPDX-License-Identifier: Apache-2.0
"""Text that a model's names cannot break: one line stays one line, and columns stay columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinyflow.codegen.c_names import layer_title

#: Characters of a name that are shown.
_LONGEST = 200


def printable(name: str) -> str:
    """A name with whatever is not printable escaped, as Python writes it; shortened if long."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def quoted(name: str) -> str:
    """A name in quotes, on one line."""
    escaped = printable(name.replace("\\", "\\\\")).replace('"', '\\"')
    return f'"{escaped}"'


def titled(name: str) -> str:
    """A name in quotes; of a layer that the converter fused from several the first."""
    return quoted(layer_title(name))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, indent: str = "  ") -> str:
    """Columns of text: numbers to the right with commas, texts to the left, None as `-`.

    The last column is not padded.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    numbers = [all(right for _, right in column) for column in zip(*cells, strict=True)]
    texts = [list(head), *([text for text, _ in row] for row in cells)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    right = numbers or [False] * len(head)
    return "".join(
        (
            indent + "  ".join(_padded(*each) for each in zip(row, widths, right, strict=True))
        ).rstrip()
        + "\n"
        for row in texts
    )


def _cell(value: object) -> tuple[str, bool]:
    """The text, and whether its column may be aligned to the right."""
    if value is None:
        return "-", True
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}", True
    return str(value), False


def _padded(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
