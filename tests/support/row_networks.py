# SPDX-License-Identifier: Apache-2.0
"""Random networks of windows, tables and sums, all of whose layers can run row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.windows import SAME, VALID, biases, positions, weights
from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.portable.window_rows import row_kernel

KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D", "ABS", "ADD")


def row_network(seed: int) -> bytes:
    """Three to eight layers, some of which branch and join; ends that nothing reads are outputs."""
    rng = np.random.default_rng(seed)
    b = TfliteBuilder()
    shape = (int(rng.integers(5, 15)), int(rng.integers(3, 9)), int(rng.integers(1, 7)))
    tensors = [(b.tensor((1, *shape), scale=0.05, zero_point=-4), shape)]
    used: set[int] = set()
    for _ in range(int(rng.integers(3, 9))):
        source = tensors[int(rng.integers(max(0, len(tensors) - 2), len(tensors)))]
        alike = [tensor for tensor, other in tensors if other == source[1]]
        kind = str(rng.choice(KINDS))
        if kind == "ADD":
            result = _sum(b, source, int(rng.choice(alike)), used)
        else:
            result = _layer(b, rng, kind, source)
        used.add(source[0])
        tensors.append(result)
    return b.build([tensors[0][0]], [tensor for tensor, _ in tensors[1:] if tensor not in used])


def residual_block() -> bytes:
    """Two poolings and a sum with what came in: two of its tensors need not lie there whole."""
    b = TfliteBuilder()
    x, p, q, y = (b.tensor((1, 64, 16, 4), scale=0.1) for _ in range(4))
    window: dict[str, Any] = {"filterHeight": 3, "filterWidth": 3, "strideH": 1, "strideW": 1}
    for source, result in ((x, p), (p, q)):
        b.operator("MAX_POOL_2D", [source], [result], **window)
    b.operator("ADD", [x, q], [y])
    return b.build([x], [y])


_Image = tuple[int, tuple[int, int, int]]


def _sum(b: TfliteBuilder, source: _Image, other: int, used: set[int]) -> _Image:
    tensor, shape = source
    result = b.tensor((1, *shape), scale=0.05, zero_point=-4)
    b.operator("ADD", [tensor, other], [result])
    used.add(other)
    return result, shape


def _layer(b: TfliteBuilder, rng: np.random.Generator, kind: str, source: _Image) -> _Image:
    tensor, (height, width, channels) = source
    if kind == "ABS":
        result = b.tensor((1, height, width, channels), scale=0.05, zero_point=-4)
        b.operator(kind, [tensor], [result])
        return result, source[1]
    kernel = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    stride = (int(rng.integers(1, 4)),) * 2 if kind != "CONV_2D" else (int(rng.integers(1, 3)), 1)
    dilation = (1, 1)
    padding = int(rng.choice([SAME, VALID])) if min(height, width) >= 5 else SAME
    if kind == "CONV_2D" and stride == (1, 1):
        dilation = (int(rng.integers(1, 3)), 1)
    filters = int(rng.integers(1, 9)) if kind == "CONV_2D" else channels
    due = positions((height, width), kernel, stride, dilation, padding)
    pooled = kind.endswith("POOL_2D")
    result = b.tensor((1, *due, filters), scale=0.05, zero_point=-4)
    inputs = [tensor]
    options: dict[str, Any] = {"strideH": stride[0], "strideW": stride[1], "padding": padding}
    if pooled:
        options |= {"filterHeight": kernel[0], "filterWidth": kernel[1]}
    else:
        deep = kind == "CONV_2D"
        shape = (filters, *kernel, channels) if deep else (1, *kernel, channels)
        axis = 0 if deep else 3
        inputs += [
            weights(b, rng, shape, per_channel=True, scale=0.01, axis=axis),
            biases(b, rng, filters),
        ]
        options |= {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
        options |= {} if deep else {"depthMultiplier": 1}
    b.operator(kind, inputs, [result], **options)
    return result, (*due, filters)


def row_kernels(graph: Graph, board: Board, cmsis: CmsisNN) -> list[Kernel]:
    """Return for each operator a kernel in portable C that has a row form, if there is one."""
    kernels = select_kernels(graph, board, cmsis, kernels="cmsis-nn")
    return [row_kernel(kernel.operator, graph, board) or kernel for kernel in kernels]
