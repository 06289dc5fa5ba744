# SPDX-License-Identifier: Apache-2.0
"""AVERAGE_POOL_2D, MAX_POOL_2D and MEAN on cores with the DSP extension."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import AveragePool2D, MaxPool2D, Mean, Operator, Pool2D, Unary
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Kernel, Overlap, RowForm, Source, nhwc, output_of
from tinyflow.kernels.generated.requantise import requantisation
from tinyflow.kernels.makers import VariantMaker
from tinyflow.kernels.name import KernelName, clamp_words
from tinyflow.numerics.multipliers import mean_multiplier

#: The kinds of windows, in kernels' names.
_NAMES = {"average": "average_pool", "max": "max_pool", "mean": "mean"}
#: `TINYFLOW_POOL_ROWS` of `tinyflow_pool.h`.
_MOST_ROWS = 32
#: This many int8 values have a sum within int16.
_LANE_PIXELS = 256
#: Averages of up to this many pixels are exact: 257 n^2 < 2^30, and the sum times 4 fits 32 bits.
_MOST_AVERAGED = 2000


@dataclass(frozen=True)
class PoolingShape:
    """A pooling's sizes, each as (rows, columns)."""

    images: int
    input: tuple[int, int]
    output: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int]
    channels: int

    def fields(self) -> dict[str, int]:
        """Fields of `tinyflow_pool_params`."""
        pairs = {"input": self.input, "output": self.output, "kernel": self.kernel}
        sizes = {
            f"{name}_{axis}": value
            for name, pair in pairs.items()
            for axis, value in zip(("height", "width"), pair, strict=True)
        }
        return sizes | {
            "stride_y": self.stride[0],
            "stride_x": self.stride[1],
            "pad_y": self.pads[0],
            "pad_x": self.pads[1],
            "channels": self.channels,
        }

    def lead(self) -> int:
        """Fewest bytes that the output must begin before the input.

        A pixel is written before later windows are read, and while its own window is.
        """
        (height, width), (out_height, out_width) = self.input, self.output
        y, x = np.divmod(np.arange(out_height * out_width), out_width)
        row = np.maximum(y * self.stride[0] - self.pads[0], 0) * width
        starts = row + np.maximum(x * self.stride[1] - self.pads[1], 0)
        # The lowest address that this window and all later ones read.
        needed = np.minimum.accumulate(starts[::-1])[::-1]
        written = np.arange(len(starts))
        following = np.append(needed[1:], height * width)
        return int(max((written - needed).max(), (written + 1 - following).max())) * self.channels


def pool_s8(op: Pool2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """AVERAGE_POOL_2D and MAX_POOL_2D: int8, windows of up to 32 rows or of the whole image.

    Averages of up to 256 pixels, of the whole image or one row 2000. On Cortex-M4, M7 and M33. In
    place, one image. Row by row, other than of the whole image.
    """
    source, output = graph.tensors[op.input], output_of(graph, op)
    if not _supports(op, graph, board):
        return
    images, height, width, channels = nhwc(source)
    shape = PoolingShape(
        images,
        (height, width),
        nhwc(output)[1:3],
        op.kernel,
        op.window.stride,
        op.window.pads((height, width), op.kernel),
        channels,
    )
    limits = activation_range(op.activation, output.q)
    if shape.output == (1, 1) and shape.kernel == shape.input:
        shape = _whole(images, height * width, channels)
    pixels = math.prod(shape.kernel)
    average = isinstance(op, AveragePool2D)
    if shape.kernel[0] > _MOST_ROWS or (average and pixels > _MOST_AVERAGED):
        return
    if average and pixels > _LANE_PIXELS and shape.kernel[0] > 1:
        return
    words = [(limit & 0xFF) * 0x01010101 for limit in limits]
    yield _kernel(
        op,
        shape,
        "average" if average else "max",
        {},
        [0, 0, 0, 0] if average else [*words, 0, 0],
        limits,
    )


def mean_s8(op: Mean, graph: Graph, board: Board) -> Iterator[Kernel]:
    """MEAN: int8, over neighbouring dimensions, scale below 1/4.

    On Cortex-M4, M7 and M33. In place, one image.
    """
    if not _supports(op, graph, board) or not op.axes:
        return
    if op.axes != tuple(range(op.axes[0], op.axes[-1] + 1)):
        return
    source, output = graph.tensors[op.input], output_of(graph, op)
    first, last = op.axes[0], op.axes[-1]
    count = math.prod(source.shape[first : last + 1])
    point = mean_multiplier(source, output, count)
    zero_point = output.q.zero_point
    requant = requantisation(
        np.array([point.multiplier], np.int32),
        np.array([point.shift], np.int32),
        zero_point,
        (-128, 127),
    )
    if requant is None or count * 256 >= 1 << 31:
        return
    multiplier, power = requant.words[0].tolist()
    # A mean's multiplier may be below 2^30; then twice that is not negative as an int32.
    upper = point.multiplier >= 1 << 30
    shape = _whole(math.prod(source.shape[:first]), count, math.prod(source.shape[last + 1 :]))
    bias = -source.q.zero_point * count
    constants = [bias & 0xFFFFFFFF, multiplier, power, zero_point & 0xFFFFFFFF]
    yield _kernel(op, shape, "mean", {"upper": upper}, constants, (-128, 127))


def _supports(op: Unary, graph: Graph, board: Board) -> bool:
    types = graph.tensors[op.input].dtype, output_of(graph, op).dtype
    return board.core in DSP_CORES and types == (DType.INT8, DType.INT8)


def _whole(images: int, pixels: int, channels: int) -> PoolingShape:
    """A window that is the whole image, as one row."""
    return PoolingShape(images, (1, pixels), (1, 1), (1, pixels), (1, 1), (0, 0), channels)


def _kernel(
    op: Unary,
    shape: PoolingShape,
    kind: str,
    parameters: Mapping[str, bool],
    constants: list[int],
    limits: tuple[int, int],
) -> Kernel:
    long = kind != "max" and math.prod(shape.kernel) > _LANE_PIXELS
    wide = shape.channels % 4 == 0 and shape.channels >= 8 and not long
    clamped = limits != (-128, 127)
    flags = {"wide": wide, "long": long, **parameters, "clamped": clamped}
    kernel = KernelName(_NAMES[kind], "s8", "dsp")
    # The limits of maxima are data, but for channels that no word of four holds.
    words = (word for word, on in flags.items() if on and word != "clamped")
    name = kernel.plus(*words, *clamp_words(*limits))
    given: dict[str, int | str | bool] = {"name": str(name), "kind": kind, "upper": False}
    given |= {**flags, "low": limits[0], "high": limits[1]}
    windows = shape.images * math.prod(shape.output)
    taps = windows * math.prod(shape.kernel)
    groups = _groups(shape.channels, wide=wide)
    inside = shape.input[0] * shape.input[1] * shape.channels
    outside = math.prod(shape.output) * shape.channels
    return Kernel(
        operator=op,
        function=str(name),
        library="tinyflow",
        template="generated/pool.c.j2",
        context={
            "function": str(name),
            "shape": shape.fields(),
            "averages": int(kind == "average"),
            "constants": constants,
            "images": {"count": shape.images, "input": inside, "output": outside},
        },
        header="tinyflow_pool.h",
        file="pool",
        sources=(Source(name, "pool.S.j2", tuple(given.items())),),
        overlaps=(Overlap("input", lead=shape.lead()),) if shape.images == 1 else (),
        row_form=_row_form(op, shape),
        name=kernel,
        work={"calls": shape.images, "windows": windows}
        | {f"{key} groups": windows * count for key, count in groups.items()}
        | {f"{key} taps": taps * count for key, count in groups.items()},
    )


def _groups(channels: int, *, wide: bool) -> dict[str, int]:
    """Return the number of groups of channels of each size."""
    eights = channels // 8 if wide else 0
    fours = (channels - 8 * eights) // 4
    return {"eight": eights, "four": fours, "one": channels % 4}


def _row_form(op: Unary, shape: PoolingShape) -> RowForm | None:
    """A pooling of one image, row by row; where the image is taken as one row there is none."""
    if not isinstance(op, Pool2D) or shape.images > 1 or shape.kernel != op.kernel:
        return None
    return RowForm(
        "generated/pool_row.c.j2",
        height=shape.kernel[0],
        stride=shape.stride[0],
        pad=shape.pads[0],
    )


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {
    AveragePool2D: (pool_s8,),
    MaxPool2D: (pool_s8,),
    Mean: (mean_s8,),
}
