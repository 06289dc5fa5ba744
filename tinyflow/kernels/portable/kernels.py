# SPDX-License-Identifier: Apache-2.0
"""ADD, MEAN, PAD, SOFTMAX, QUANTIZE and DEQUANTIZE in portable C."""

from __future__ import annotations

import math

from tinyflow.boards import Board
from tinyflow.errors import UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Add, Dequantize, Mean, Pad, Quantize, Reshape, Softmax
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Kernel, Overlap, RowForm, output_of
from tinyflow.kernels.cmsis_nn.elementwise import (
    ADD_OVERLAPS,
    add_context,
    elementwise_work,
    pad_work,
    same_shapes,
    softmax_context,
    softmax_work,
)
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.numerics.multipliers import mean_multiplier, rescale

#: Suffixes of the functions that convert between types.
_SUFFIXES = {DType.INT8: "s8", DType.UINT8: "u8", DType.INT16: "s16", DType.INT32: "s32"}


def add_s8(op: Add, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ADD: int8, computed operands of the same shape."""
    if not same_shapes(op, graph):
        return None
    return Kernel(
        op,
        "tinyflow_add_s8",
        "tinyflow",
        "portable/add_s8.c.j2",
        add_context(op, graph),
        overlaps=ADD_OVERLAPS,
        row_form=RowForm("portable/add_row_s8.c.j2", overlaps=ADD_OVERLAPS),
        work=elementwise_work(output_of(graph, op)),
    )


def mean_s8(op: Mean, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """MEAN: int8, over neighbouring dimensions such as height and width."""
    if not op.axes or op.axes != tuple(range(op.axes[0], op.axes[-1] + 1)):
        return None
    source, output = graph.tensors[op.input], output_of(graph, op)
    count = math.prod(source.shape[axis] for axis in op.axes)
    return Kernel(
        op,
        "tinyflow_mean_s8",
        "tinyflow",
        "portable/mean_s8.c.j2",
        {
            "outer": math.prod(source.shape[: op.axes[0]]),
            "count": count,
            "inner": math.prod(source.shape[op.axes[-1] + 1 :]),
            "source": source,
            "output": output,
            "multiplier": mean_multiplier(source, output, count),
        },
        work={"calls": 1, "outputs": output.elements, "inputs": output.elements * count},
    )


#: Dimensions of tinyflow_pad_s8.
_PAD_RANK = 4


def pad_s8(op: Pad, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """PAD: int8, up to 4 dimensions, or 5 where one after the first is not padded."""
    source = graph.tensors[op.input]
    shape, pads = four_dimensions(op, source.shape)
    return Kernel(
        op,
        "tinyflow_pad_s8",
        "tinyflow",
        "portable/pad_s8.c.j2",
        {
            "value": source.q.zero_point,
            "shape": shape,
            "pads": pads,
        },
        work=pad_work(op, graph),
    )


def four_dimensions(
    op: Pad, shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Shape and paddings of tinyflow_pad_s8: what is not padded is one with the dimension before
    it.

    Raises:
        UnsupportedError: more dimensions are left than the kernel has.
    """
    merged: list[tuple[int, tuple[int, int]]] = []
    for extent, (before, after) in zip(shape, op.paddings, strict=True):
        if merged and before == after == 0:
            outer, pads = merged.pop()
            merged.append((outer * extent, (pads[0] * extent, pads[1] * extent)))
        else:
            merged.append((extent, (before, after)))
    if len(merged) > _PAD_RANK:
        raise UnsupportedError(
            f"{op.kind} layer {op.name!r}: {len(merged)} padded dimensions, at most {_PAD_RANK}"
        )
    merged = [(1, (0, 0))] * (_PAD_RANK - len(merged)) + merged
    return tuple(extent for extent, _ in merged), tuple(pads for _, pads in merged)


def softmax_s8(op: Softmax, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SOFTMAX: int8, over the last dimension; beyond 511 elements, rows of like ones excepted."""
    return Kernel(
        op,
        "tinyflow_softmax_s8",
        "tinyflow",
        "portable/softmax_s8.c.j2",
        softmax_context(op, graph),
        overlaps=(Overlap("input"),),
        work=softmax_work(op, graph),
    )


def softmax_s8_s16(op: Softmax, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel:
    """SOFTMAX: int8 to int16, over the last dimension, output scale 1/65536; beyond 511 elements,
    rows of like ones excepted.
    """
    return Kernel(
        op,
        "tinyflow_softmax_s8_s16",
        "tinyflow",
        "portable/softmax_s8_s16.c.j2",
        softmax_context(op, graph),
        header="tinyflow_wide.h",
        needs=("tinyflow_kernels.h",),
    )


def quantize(op: Quantize, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """QUANTIZE: float32, int8, uint8, int16 or int32 to int8, float32, int8, int16 or int32 to
    int16, int8 or int16 to int32, int8 to uint8.
    """
    source, output = graph.tensors[op.input], output_of(graph, op)
    suffix = _SUFFIXES[output.dtype]
    if source.dtype is DType.FLOAT32:
        return Kernel(
            op,
            f"tinyflow_quantize_f32_{suffix}",
            "tinyflow",
            "portable/quantize.c.j2",
            {"function": f"tinyflow_quantize_f32_{suffix}", "source": source, "output": output},
            # Each element is read before anything is written where it lies, or behind it.
            overlaps=(Overlap("input"),),
        )
    function = f"tinyflow_requantize_{_SUFFIXES[source.dtype]}_{suffix}"
    is_wide = DType.INT32 in (source.dtype, output.dtype)
    return Kernel(
        op,
        function,
        "tinyflow",
        "portable/requantize.c.j2",
        {
            "function": function,
            "source": source,
            "output": output,
            "multiplier": rescale(source, output),
        },
        header="tinyflow_wide.h" if is_wide else "tinyflow_kernels.h",
        file="requantize_wide" if is_wide else None,
        needs=("tinyflow_kernels.h",) if is_wide else (),
        work={} if is_wide else elementwise_work(output),
    )


def dequantize(op: Dequantize, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """DEQUANTIZE: int8, uint8 or int16 to float32."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    function = f"tinyflow_dequantize_{_SUFFIXES[source.dtype]}_f32"
    element = source.size // source.elements
    return Kernel(
        op,
        function,
        "tinyflow",
        "portable/dequantize.c.j2",
        {"function": function, "source": source, "output": output},
        # Front to back, the last byte of an element written is that of one read, or before it.
        overlaps=(Overlap("input", lead=(output.elements - 1) * (4 - element)),),
    )


def reshape(op: Reshape, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """RESHAPE: int8, uint8, int16, int32, uint32, int64, uint64 or bool.

    No code, the output is the input's memory.
    """
    return Kernel(op, "none", "none", "", aliases_input=True)
