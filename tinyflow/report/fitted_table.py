# SPDX-License-Identifier: Apache-2.0
"""Tables that fit a terminal: numbers are always whole, names are shortened.

Rich by itself cuts every column where a table is too wide. Here columns of names give way first,
then columns that a reader can do without go, and at last the others are continued in a second
table below the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

ColumnKind = Literal["number", "name", "prose"]
#: Cells between columns: in wide and in narrow terminals.
_GAPS = (2, 1)
_ELLIPSIS = "…"
#: A shortened name keeps these many cells of its beginning from that width on, else a third.
_BEGINNING, _ROOMY = 30, 36
#: Cells that a word in the title of a column of numbers may take.
_HEAD = 20


@dataclass(frozen=True)
class Column:
    """A column of a `FittedTable`.

    Attributes:
        title: its head; that of numbers is broken at spaces.
        kind: `number` is never shortened, `name` is, in the middle, and `prose` is broken into
            lines at spaces.
        least: cells that a name or prose keeps at least.
        style: of its cells.
        optional: whether it is left out where it would not fit; the last such column goes first.
    """

    title: str
    kind: ColumnKind = "name"
    least: int = 10
    style: str = ""
    optional: bool = False


@dataclass
class FittedTable:
    """A table that is laid out for the width it is printed at.

    Attributes:
        columns: from left to right; the first is repeated where the table is continued.
        title: above it, if not empty.
        show_header: whether the columns' titles are shown.
    """

    columns: Sequence[Column]
    title: str = ""
    show_header: bool = True
    _rows: list[tuple[tuple[Text, ...], str]] = field(default_factory=list)

    def add_row(self, *cells: str | Text, style: str = "") -> None:
        """Add a row, a cell for each column. Strings are plain text, not markup."""
        texts = (cell if isinstance(cell, Text) else Text(cell) for cell in cells)
        self._rows.append((tuple(texts), style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay out for the console's width."""
        for number, shown in enumerate(self._parts(options.max_width)):
            if number:
                yield Text()
            yield self._table(shown, options.max_width, continued=number > 0)

    # ---- which columns ----

    def _parts(self, width: int) -> list[list[int]]:
        """The columns of each table, by position."""
        shown = list(range(len(self.columns)))
        while not self._fits(shown, width):
            optional = [index for index in shown if self.columns[index].optional]
            if not optional:
                return self._split(shown, width)
            shown.remove(optional[-1])
        return [shown]

    def _split(self, shown: Sequence[int], width: int) -> list[list[int]]:
        first, *others = shown
        parts = [[first]]
        for index in others:
            if len(parts[-1]) > 1 and not self._fits([*parts[-1], index], width):
                parts.append([first])
            parts[-1].append(index)
        return parts

    def _fits(self, shown: Sequence[int], width: int) -> bool:
        return sum(self._least(index) for index in shown) + _GAPS[-1] * (len(shown) - 1) <= width

    # ---- how wide ----

    def _least(self, index: int) -> int:
        column = self.columns[index]
        natural = self._natural(index)
        return natural if column.kind == "number" else min(column.least, natural)

    def _natural(self, index: int, *, folded: bool = True) -> int:
        """The width that shows every cell whole; titles of numbers may be folded."""
        column = self.columns[index]
        title = column.title if self.show_header else ""
        if column.kind == "number" and folded:
            heads = [min(_HEAD, cell_len(word)) for word in title.split()]
        else:
            heads = [cell_len(title)]
        return max([1, *heads, *(cell[index].cell_len for cell, _ in self._rows)])

    def _widths(self, shown: Sequence[int], width: int) -> tuple[list[int], int]:
        """The width of each column, and of the gaps between them."""
        widths = [self._natural(index, folded=False) for index in shown]
        if sum(widths) + _GAPS[0] * (len(shown) - 1) <= width:
            return widths, _GAPS[0]
        widths = [self._natural(index) for index in shown]
        for gap in _GAPS:
            if sum(widths) + gap * (len(shown) - 1) <= width:
                return widths, gap
        excess = sum(widths) + gap * (len(shown) - 1) - width
        numbers = [self.columns[index].kind == "number" for index in shown]
        for floor in ([self._least(index) for index in shown], [1] * len(shown)):
            while excess > 0:
                # The widest of those that can give way does, a cell at a time.
                giving = [
                    at for at in range(len(shown)) if not numbers[at] and widths[at] > floor[at]
                ]
                if not giving:
                    break
                widths[max(giving, key=lambda at: widths[at])] -= 1
                excess -= 1
        return widths, gap

    # ---- the table ----

    def _table(self, shown: Sequence[int], width: int, *, continued: bool) -> Table:
        widths, gap = self._widths(shown, width)
        title = Text(self.title, style="bold") if self.title and not continued else None
        table = Table(
            box=None,
            title=title,
            show_header=self.show_header,
            pad_edge=False,
            padding=(0, gap, 0, 0),
        )
        for index, wide in zip(shown, widths, strict=True):
            column = self.columns[index]
            words = (_shortened(Text(word), wide).plain for word in column.title.split())
            table.add_column(
                Text(" ".join(words) if column.kind == "number" else column.title),
                justify="right" if column.kind == "number" else "left",
                style=column.style,
                min_width=wide,
                max_width=wide,
            )
        for cells, style in self._rows:
            table.add_row(
                *(
                    _shortened(cells[index], wide)
                    if self.columns[index].kind == "name"
                    else cells[index]
                    for index, wide in zip(shown, widths, strict=True)
                ),
                style=style,
            )
        return table


def _shortened(text: Text, width: int) -> Text:
    """A name of at most `width` cells; what is left out is in the middle, since names share
    their beginnings.
    """
    if text.cell_len <= width:
        return text
    plain = text.plain
    head = set_cell_size(plain, (width - 1) // 3 if width < _ROOMY else _BEGINNING).rstrip()
    tail = ""
    for char in reversed(plain):
        if cell_len(head) + 1 + cell_len(char + tail) > width:
            break
        tail = char + tail
    return Text(head + _ELLIPSIS + tail, style=text.style)
