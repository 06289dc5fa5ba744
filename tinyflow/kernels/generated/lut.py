# SPDX-License-Identifier: Apache-2.0
"""Functions of one int8 value as look-up tables, four look-ups at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Quantize, Unary
from tinyflow.ir.types import DType
from tinyflow.ir.unquantised import Tabulated
from tinyflow.kernels.base import (
    Constant,
    Kernel,
    Overlap,
    RowForm,
    Source,
    is_image,
    output_of,
    row_elements,
)
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker, VariantMaker
from tinyflow.kernels.name import KernelName
from tinyflow.kernels.portable import tables, unquantised
from tinyflow.numerics.multipliers import rescale
from tinyflow.numerics.requantize import multiply_array

_NAME = KernelName("lut", "s8", "dsp")
#: Placeholder: the makers of tables do not use it.
_NO_CMSIS = CmsisNN("", "lib_deps", None, None, {})


def _lookup(make: Maker) -> VariantMaker:
    """The variants of a portable kernel that looks up a table."""

    def variants(op: Unary, graph: Graph, board: Board) -> Iterator[Kernel]:
        """Functions of one element: int8, by a table.

        On Cortex-M4, M7 and M33. In place. Row by row, with the table in flash.
        """
        kernel = make(op, graph, board, _NO_CMSIS) if _supports(op, graph, board) else None
        if kernel is not None and kernel.function == "tinyflow_lut_s8":
            yield from _kernels(op, graph, kernel.constants[0])

    return variants


def _supports(op: Unary, graph: Graph, board: Board) -> bool:
    types = graph.tensors[op.input].dtype, output_of(graph, op).dtype
    return board.core in DSP_CORES and types == (DType.INT8, DType.INT8)


def requantize_s8(op: Quantize, graph: Graph, board: Board) -> Iterator[Kernel]:
    """QUANTIZE: int8 to int8, by a table.

    On Cortex-M4, M7 and M33. In place. Row by row, with the table in flash.
    """
    if not _supports(op, graph, board):
        return
    source, output = graph.tensors[op.input], output_of(graph, op)
    values = np.arange(256).astype(np.uint8).view(np.int8).astype(np.int64) - source.q.zero_point
    scaled = multiply_array(values, rescale(source, output)) + output.q.zero_point
    table = np.clip(scaled, -128, 127).astype(np.int8)
    yield from _kernels(
        op, graph, Constant("table", "int8_t", table, "output by the input's byte [256]")
    )


def _kernels(op: Unary, graph: Graph, table: Constant) -> Iterator[Kernel]:
    """Yield kernels with the table in flash, and with it copied to RAM first."""
    output = output_of(graph, op)
    in_flash = Kernel(
        operator=op,
        function=str(_NAME),
        library="tinyflow",
        template="generated/lut.c.j2",
        context={
            "function": str(_NAME),
            "field": "input",
            "elements": output.elements,
            "row": row_elements(output),
            "copied": False,
        },
        constants=(table,),
        header="tinyflow_elementwise_s8.h",
        file="",
        needs=("tinyflow_elementwise.h",),
        sources=(Source(_NAME, "lut.S.j2", (("name", str(_NAME)),)),),
        overlaps=(Overlap("input"),),
        row_form=RowForm("generated/lut_row.c.j2", overlaps=(Overlap("input"),))
        if is_image(output)
        else None,
        name=_NAME.plus("flash"),
        work={"calls": 1, "fours": output.elements // 4, "ones": output.elements % 4},
    )
    yield in_flash
    yield replace(
        in_flash,
        context={**in_flash.context, "copied": True},
        scratch=table.size,
        row_form=None,
        name=_NAME.plus("ram"),
    )


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {
    **{kind: tuple(_lookup(make) for make in makers) for kind, makers in tables.LUTS.items()},
    Quantize: (requantize_s8,),
    Tabulated: (_lookup(unquantised.tabulated),),
}
