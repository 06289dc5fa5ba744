# SPDX-License-Identifier: Apache-2.0
"""The costs of kernels on a board: shipped with tinyflow, or measured once and kept."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tinyflow.boards import Board
from tinyflow.costs.digest import model_digest
from tinyflow.costs.measure import kernel_shapes, measure_costs, shapes_digest
from tinyflow.costs.table import CostTable, board_key, read_costs, shipped_costs
from tinyflow.distribution import VERSION
from tinyflow.ir.operators import Operator
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.progress import Progress
from tinyflow.storage.cache import Cache, ContentHash
from tinyflow.toolchain.compiler import compiler_identity

_FILE = "costs.json"


def board_costs(
    board: Board,
    kinds: Iterable[type[Operator]],
    cmsis: CmsisNN,
    cache: Cache,
    progress: Progress,
) -> CostTable:
    """The costs on a board of the kernels of some kinds of operators.

    A board without a shipped table is measured, a minute or so, kind by kind; what was measured
    is kept in the cache until a kernel changes.

    Raises:
        BuildError: the compiler refused a kernel.
        DeviceError: a kernel faulted.
    """
    shipped = shipped_costs(board)
    if shipped is not None:
        return shipped
    tables = [
        _measured(board, kind, cmsis, cache, progress)
        for kind in sorted(set(kinds), key=lambda kind: kind.kind)
    ]
    return CostTable(
        board=board_key(board),
        model=model_digest(),
        families={name: code for table in tables for name, code in table.families.items()},
        kernels={name: costs for table in tables for name, costs in table.kernels.items()},
        sources=tuple(source for table in tables for source in table.sources),
    )


def _measured(
    board: Board, kind: type[Operator], cmsis: CmsisNN, cache: Cache, progress: Progress
) -> CostTable:
    key = ContentHash("costs", VERSION, board_key(board), model_digest(), compiler_identity())
    for family in kernel_shapes([kind], board, cmsis).values():
        for name, shapes in family.items():
            key.add(name, shapes_digest(shapes, cmsis))

    def make(folder: Path) -> None:
        progress.stage(f"measure the kernels of {kind.kind} on {board.id}, this once")
        table = measure_costs([kind], board, cmsis, progress)
        (folder / _FILE).write_text(table.to_json(), encoding="utf-8")

    found = read_costs(cache.fetch(key.key(), make, f"the costs of {kind.kind}") / _FILE)
    assert found is not None
    return found
