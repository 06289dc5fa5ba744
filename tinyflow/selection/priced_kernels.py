# SPDX-License-Identifier: Apache-2.0
"""Options of a layer: kernels, each with its predicted cost."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinyflow.boards import Board
from tinyflow.costs.table import Cost, CostTable
from tinyflow.kernels.base import Kernel
from tinyflow.plan.schedule import Schedule

#: Bytes of flash by which a layer's code is longer if it computes a row, and of the function that
#: calls the layers of a segment in turns.
_ROW_BYTES, _FUSED_BLOCK_BYTES = 120, 100

#: Bytes of flash of constants and functions, each by what identifies it: shared ones count once.
Pieces = Mapping[Hashable, int]


@dataclass(frozen=True, eq=False)
class PricedKernel:
    """A kernel that a layer may take.

    Attributes:
        kernel: the kernel.
        cost: its predicted cost, None if it was not measured.
        pieces: its constants and functions.
        own: bytes of flash that no other layer shares.
        by_rows: extra cost if the layer runs row by row, None if it cannot.
        row_pieces: constants and functions if the layer runs row by row on another kernel
            (`Kernel.row_kernel`); None otherwise.
    """

    kernel: Kernel
    cost: Cost | None
    pieces: Pieces
    own: int
    by_rows: Cost | None = None
    row_pieces: Pieces | None = field(default=None)

    @property
    def flash(self) -> int:
        """Bytes of flash, were it the only layer."""
        return self.own + sum(self.pieces.values())


def price(kernel: Kernel, costs: CostTable | None, rows: int, board: Board) -> PricedKernel:
    """The kernel with its predicted cost.

    Args:
        kernel: the kernel.
        costs: of the kernels on the board; None if they are not known.
        rows: of the layer's output.
        board: the board.
    """
    pieces = _constants(kernel)
    by_rows = kernel.row_kernel
    row_pieces = None if by_rows is None else _constants(by_rows)
    if costs is None:
        return PricedKernel(kernel, Cost(0, 0) if kernel.aliases_input else None, pieces, 0)
    more = costs.by_rows(kernel, rows, board)
    if by_rows is not None and row_pieces is not None:
        row_pieces = row_pieces | costs.code(by_rows)
    if costs.of(kernel) is None:
        nothing = Cost(0, 0) if kernel.aliases_input else None
        return PricedKernel(kernel, nothing, pieces, 0, more, row_pieces)
    return PricedKernel(
        kernel,
        costs.cost(kernel),
        pieces | costs.code(kernel),
        costs.layer_bytes(kernel),
        more,
        row_pieces,
    )


def without_row_kernel(option: PricedKernel) -> PricedKernel:
    """The option if no other kernel than its own may run row by row."""
    if option.row_pieces is None:
        return option
    kernel = replace(option.kernel, row_kernel=None)
    return replace(option, kernel=kernel, by_rows=None, row_pieces=None)


def _constants(kernel: Kernel) -> dict[Hashable, int]:
    return {
        (constant.c_type, hashlib.sha256(constant.values.tobytes()).digest()): constant.size
        for constant in kernel.constants
    }


def comparable(options: Sequence[PricedKernel]) -> tuple[PricedKernel, ...]:
    """The options with a predicted cost; the first one if there are none."""
    known = tuple(option for option in options if option.cost is not None)
    return known or tuple(options[:1])


def undominated(options: Sequence[PricedKernel]) -> tuple[PricedKernel, ...]:
    """Drop options that take no less scratch and no fewer cycles than another one."""
    kept: dict[Hashable, list[PricedKernel]] = {}
    for option in sorted(options, key=lambda one: (one.kernel.scratch, *_cycles(one), one.flash)):
        kernel, able = option.kernel, option.kernel.by_rows
        form = None if able is None else able.row_form
        rows = able and form and (form.window, form.overlaps, able is kernel)
        alike = kept.setdefault((kernel.overlaps, rows), [])
        if not any(all(map(int.__le__, _cycles(one), _cycles(option))) for one in alike):
            alike.append(option)
    return tuple(option for alike in kept.values() for option in alike)


def _cycles(option: PricedKernel) -> tuple[int, int]:
    """Return the cycles as a whole, and row by row."""
    whole = 0 if option.cost is None else option.cost.cycles
    return whole, whole + (0 if option.by_rows is None else option.by_rows.cycles)


def cost_of_rows(options: Sequence[PricedKernel], schedule: Schedule) -> Cost:
    """Return the extra cost of a schedule over running all layers whole."""
    more = [cost for index in schedule.by_rows if (cost := options[index].by_rows) is not None]
    return Cost(sum(one.cycles for one in more), sum(one.instructions for one in more))


def flash_of_rows(options: Sequence[PricedKernel], schedule: Schedule) -> int:
    """Return the extra flash bytes of a way over running all layers whole; may be negative."""
    layers = set(schedule.by_rows)
    code = _ROW_BYTES * len(layers) + _FUSED_BLOCK_BYTES * len(schedule.fused_blocks)
    if all(options[index].row_pieces is None for index in layers):
        return code
    whole: dict[Hashable, int] = {}
    running: dict[Hashable, int] = {}
    for index, option in enumerate(options):
        whole.update(option.pieces)
        other = option.row_pieces if index in layers else None
        running.update(option.pieces if other is None else other)
    return code + sum(running.values()) - sum(whole.values())


def least_flash(options: Sequence[PricedKernel], flash: int) -> int:
    """A lower bound of the flash of any way, where `flash` is that of running all layers whole."""
    if all(option.row_pieces is None for option in options):
        return flash
    kept: dict[Hashable, int] = {}
    for option in options:
        if option.row_pieces is None:
            kept.update(option.pieces)
    return sum(option.own for option in options) + sum(kept.values())
