# SPDX-License-Identifier: Apache-2.0
"""Parameters of a layer's window, whatever its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import DepthwiseConv2D
from tinyflow.kernels.base import Source
from tinyflow.kernels.generated.depthwise.shape import DepthwiseLayer
from tinyflow.kernels.name import KernelName


@dataclass(frozen=True, eq=False)
class Weights:
    """A layer's constants.

    Attributes:
        taps: int8 (outer, inner, output channels): the window, its lines along the inner dimension.
        bias: int64 (output channels,), the input's zero point folded in.
    """

    taps: NDArray[np.int8]
    bias: NDArray[np.int64]


def weights_of(op: DepthwiseConv2D, graph: Graph, layer: DepthwiseLayer) -> Weights:
    """The constants of an operator."""
    taps = graph.tensors[op.weights].values.astype(np.int8)[0]
    if layer.transposed:
        taps = taps.swapaxes(0, 1)
    bias = np.zeros(taps.shape[2], np.int64)
    if op.bias is not None:
        bias = graph.tensors[op.bias].values.astype(np.int64)
    zero_point = graph.tensors[op.input].q.zero_point
    return Weights(taps, bias - zero_point * taps.astype(np.int64).sum(axis=(0, 1)))


@dataclass(frozen=True, eq=False)
class DepthwiseWindow:
    """Generated functions that gather lines and move a window along them.

    Attributes:
        im2col: the file of the one.
        source: the file of the other.
        name: the kernel's.
        constants: uint32 (output channels, words), as its template says.
        height: lines in scratch.
        place: bytes of scratch from one place of a line to the next.
        line: bytes of scratch from one line to the next.
        scratch: bytes.
        outputs: fields of `tinyflow_depthwise_outputs` that this function reads and not all do.
        line_work: terms that its cycles on a line are linear in.
        channel_work: the same for a channel of a strip.
        input_line_work: the same for gathering four channels of a line.
    """

    im2col: Source
    source: Source
    name: KernelName
    constants: NDArray[np.uint32]
    height: int
    place: int
    line: int
    scratch: int
    line_work: Mapping[str, int]
    channel_work: Mapping[str, int]
    input_line_work: Mapping[str, int]
    outputs: Mapping[str, int] = field(default_factory=dict)
