# SPDX-License-Identifier: Apache-2.0
"""DEPTHWISE_CONV_2D on int8, on cores with the DSP extension.

Lines of the input are gathered into columns of pairs of int16 in scratch, four channels at a
time. A window moves over them, one channel after the other; a driver in C works strip by strip.

- A line runs along the inner dimension, which is the width or the height.
- The weights of a channel stay in registers. Two neighbouring outputs of stride 1 share all words
  but one, so that a line of a 3x3 window takes four multiply-accumulates for both.
- A strip's last lines are the next strip's first: they are moved, not gathered again. So gathered
  input may be overwritten, and the output may overlap the input.

The functions that gather and multiply are generated. `moving` has those for all layers of
their kind, shapes being arguments: little code. `fixed` has those of one shape: few instructions.
"""

from __future__ import annotations

from collections.abc import Iterator

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import DepthwiseConv2D, Operator
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, Overlap, RowForm, images, output_of
from tinyflow.kernels.generated.depthwise import fixed, moving
from tinyflow.kernels.generated.depthwise.scaling import scaling_of
from tinyflow.kernels.generated.depthwise.shape import (
    CHANNELS,
    DepthwiseLayer,
    columns_of,
    depthwise_layer_of,
    is_in_place,
)
from tinyflow.kernels.generated.depthwise.window import DepthwiseWindow, weights_of
from tinyflow.kernels.makers import VariantMaker

#: Numbers of lines in scratch: few need little scratch, many are moved less often.
HEIGHTS = (4, 8, 16, 32)
#: The only height offered in shared code to layers that have their own code: all can share it.
_SHARED_HEIGHT = 8
#: More lines than this many times a window's gain almost nothing.
_MOST_HEIGHT = 11


def depthwise_s8(op: DepthwiseConv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """DEPTHWISE_CONV_2D: int8, any multiplier, scales of 1/4 or more not together with tiny ones.

    Along the width or the height stride 1 or 2, up to 7 taps and no dilation. On Cortex-M4, M7 and
    M33. In place, with enough scratch. Row by row, lines along the width.

    All variants: lines along width and height, few or many of them at a time, each in code for the
    shape if there is one, else in the code that layers share.
    """
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    if board.core not in DSP_CORES or (source.dtype, weights.dtype) != (DType.INT8, DType.INT8):
        return
    output = output_of(graph, op)
    scaling = scaling_of(op, source, weights, output)
    if scaling is None:
        return
    for transposed in (False, True):
        layer = depthwise_layer_of(op, source, weights, output, transposed=transposed)
        if not moving.is_supported(layer) or (transposed and layer.inner == layer.outer):
            continue
        constants = weights_of(op, graph, layer)
        heights = _heights(layer)
        for height in heights:
            special = fixed.window(layer, constants, scaling, source.q.zero_point, height, board)
            if special is not None:
                yield _kernel(op, graph, layer, special)
            if special is None or height == min(_SHARED_HEIGHT, heights[-1]):
                window = moving.window(layer, constants, scaling, height, board)
                yield _kernel(op, graph, layer, window)


def _heights(layer: DepthwiseLayer) -> list[int]:
    """Return the heights that hold a window, up to the first that holds all lines."""
    outer = layer.outer
    some = [height for height in HEIGHTS if outer.reach <= height <= _MOST_HEIGHT * outer.reach]
    enough = sum(height < outer.needed for height in some) + 1
    return some[:enough]


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {DepthwiseConv2D: (depthwise_s8,)}


def _kernel(
    op: DepthwiseConv2D, graph: Graph, layer: DepthwiseLayer, window: DepthwiseWindow
) -> Kernel:
    inner, outer = layer.inner, layer.outer
    strip = min((window.height - outer.reach) // outer.stride + 1, outer.output)
    return Kernel(
        operator=op,
        function="tinyflow_depthwise",
        library="tinyflow",
        template="generated/depthwise.c.j2",
        header="tinyflow_depthwise.h",
        file="depthwise",
        context=_plan(op, graph, layer, window, strip),
        constants=(
            Constant(
                "channels",
                "uint32_t",
                window.constants,
                f"bias, multiplier, shifts and taps of each channel [{layer.filters}]",
            ),
        ),
        scratch=window.scratch,
        macs=output_of(graph, op).elements * inner.kernel * outer.kernel,
        sources=(window.im2col, window.source),
        overlaps=(Overlap("input", exact=True),) if is_in_place(layer, strip) else (),
        row_form=None
        if layer.transposed or outer.dilation > 1
        else RowForm(
            "generated/depthwise_line.c.j2",
            outer.kernel,
            outer.stride,
            pad=outer.pad,
            work=_row_work(layer, window),
        ),
        name=window.name,
        work=_work(layer, window, strip),
    )


def _plan(
    op: DepthwiseConv2D, graph: Graph, layer: DepthwiseLayer, window: DepthwiseWindow, strip: int
) -> dict[str, object]:
    """Return the loop nest of the layer, as the fields of `tinyflow_depthwise_plan`."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    outer, columns = layer.outer, columns_of(layer.inner)
    pitch, line_pitch, output_pitch, output_line_pitch = layer.pitches
    zero = source.q.zero_point
    one_strip = strip >= outer.output and layer.multiplier == 1
    return {
        "functions": {
            "im2col": str(window.im2col.name),
            "window": str(window.source.name),
        },
        "images": images(source, output),
        "lines": {
            "zero": f"0x{(zero & 0xFFFF) * 0x10001:08x}u",
            "zero_bytes": f"0x{(zero & 0xFF) * 0x1010101:08x}u",
            "pitch": pitch,
            "line_pitch": line_pitch,
            "front": columns.front,
            "words": columns.words,
            "head": columns.head,
            "tail": columns.tail,
            "back": columns.back,
        },
        "outputs": {
            "zero_point": output.q.zero_point,
            "pitch": output_pitch,
            "lines": strip,
            **window.outputs,
            "channels": layer.multiplier,
            "plane": 4 if layer.multiplier == 1 else 0,
        },
        "walk": {
            "height": window.height,
            "columns": columns.count,
            "place": window.place // 4,
            "line": window.line // 4,
            "channels": layer.channels,
            "multiplier": layer.multiplier,
            "constants": window.constants.shape[1],
            "kernel": outer.reach,
            "stride": outer.stride,
            "pad": outer.pad,
            "input_lines": outer.size,
            "gathered": outer.used if one_strip else 0,
            "output_lines": outer.output,
            "output_line_pitch": output_line_pitch,
        },
    }


def _work(layer: DepthwiseLayer, window: DepthwiseWindow, strip: int) -> dict[str, int]:
    """Return the terms that the cycles of the layer are linear in."""
    outer, columns = layer.outer, columns_of(layer.inner).count
    strips = -(-outer.output // strip)
    groups = -(-layer.channels // CHANNELS)
    kept = max(0, outer.reach - outer.stride)
    return {
        "calls": 1,
        "strips": groups * strips * (strips > 1),
        "words moved": groups * (strips - 1) * kept * columns * CHANNELS,
        **_gathering(layer, window, outer.used),
        **_multiplying(layer, window, strips, outer.output),
    }


def _row_work(layer: DepthwiseLayer, window: DepthwiseWindow) -> dict[str, int]:
    """Return the work of a line of outputs: all lines of its window are gathered."""
    return {**_gathering(layer, window, layer.outer.kernel), **_multiplying(layer, window, 1, 1)}


def _gathering(layer: DepthwiseLayer, window: DepthwiseWindow, lines: int) -> dict[str, int]:
    fours, others = divmod(layer.channels, CHANNELS)
    work = {"input lines": (fours + (others > 0)) * lines}
    for name, count in window.input_line_work.items():
        work |= {name: fours * lines * count, f"{name} of one channel": others * lines * count}
    return work


def _multiplying(
    layer: DepthwiseLayer, window: DepthwiseWindow, strips: int, lines: int
) -> dict[str, int]:
    return {
        "channels": layer.filters * strips,
        "lines": layer.filters * lines,
        **{name: count * layer.filters * strips for name, count in window.channel_work.items()},
        **{name: count * layer.filters * lines for name, count in window.line_work.items()},
    }
