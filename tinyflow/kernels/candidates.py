# SPDX-License-Identifier: Apache-2.0
"""Kernels that are legal for an operator and available."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tinyflow.boards import Board
from tinyflow.errors import UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    MaxPool2D,
    Mean,
    Operator,
    Pad,
    Quantize,
    Reshape,
    Softmax,
)
from tinyflow.ir.types import DType
from tinyflow.ir.unquantised import is_unquantised
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn import convolution, elementwise, fully_connected, pooling
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.generated.registry import generated_kernels
from tinyflow.kernels.makers import Maker
from tinyflow.kernels.portable import detection as portable_detection
from tinyflow.kernels.portable import elementwise as portable_elementwise
from tinyflow.kernels.portable import int4 as portable_int4
from tinyflow.kernels.portable import int16 as portable_int16
from tinyflow.kernels.portable import kernels as portable
from tinyflow.kernels.portable import logic as portable_logic
from tinyflow.kernels.portable import movement as portable_movement
from tinyflow.kernels.portable import signal as portable_signal
from tinyflow.kernels.portable import state as portable_state
from tinyflow.kernels.portable import sums as portable_sums
from tinyflow.kernels.portable import tables as portable_tables
from tinyflow.kernels.portable import unquantised as portable_unquantised
from tinyflow.kernels.portable import windows as portable_windows
from tinyflow.kernels.portable.window_rows import row_kernel

#: Kernels of each operator, the preferred first. A maker returns None if its kernel is not in
#: this copy of CMSIS-NN or not legal for the operator.
KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    Add: (elementwise.elementwise_add_s8, portable.add_s8, portable_elementwise.add_s8),
    AveragePool2D: (pooling.pool_s8,),
    Conv2D: (portable_int4.conv_s4, convolution.convolve_s8, portable_windows.grouped_conv_s8),
    DepthwiseConv2D: (portable_int4.depthwise_conv_s4, convolution.depthwise_conv_s8),
    Dequantize: (portable.dequantize,),
    FullyConnected: (
        portable_int4.fully_connected_s4,
        fully_connected.fully_connected_s8,
        portable_windows.computed_fully_connected_s8,
    ),
    MaxPool2D: (pooling.pool_s8,),
    Mean: (portable.mean_s8, portable_windows.mean_any_axes_s8),
    Pad: (portable_movement.pad_unquantised, elementwise.pad_s8, portable.pad_s8),
    Quantize: (portable.quantize,),
    Reshape: (portable.reshape,),
    Softmax: (elementwise.softmax_s8, portable.softmax_s8),
    **portable_elementwise.KERNELS,
    **portable_logic.KERNELS,
    **portable_sums.KERNELS,
    **portable_tables.KERNELS,
    **portable_movement.KERNELS,
    **portable_unquantised.KERNELS,
    **portable_windows.KERNELS,
    **portable_state.KERNELS,
    **portable_signal.KERNELS,
    **portable_detection.KERNELS,
}

#: Kernels of operators on int16, if they differ from those in `KERNELS`.
INT16_KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    **portable_elementwise.INT16_KERNELS,
    **portable_int16.KERNELS,
    **portable_movement.INT16_KERNELS,
    **portable_windows.INT16_KERNELS,
}


@dataclass(frozen=True)
class Candidates:
    """The kernels that support one operator.

    Those that cannot compute rows name the portable kernel that can, if there is one
    (`Kernel.row_kernel`).

    Attributes:
        operator: what they compute.
        generated: all legal variants of tinyflow's generated kernels.
        library: the first of CMSIS-NN's and tinyflow's portable kernels, in order of preference,
            that is legal and available; None if none is.
    """

    operator: Operator
    generated: tuple[Kernel, ...]
    library: Kernel | None

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """All kernels, the generated ones first."""
        return self.generated if self.library is None else (*self.generated, self.library)


def candidates(operator: Operator, graph: Graph, board: Board, cmsis: CmsisNN) -> Candidates:
    """The kernels that support an operator of the graph.

    Raises:
        UnsupportedError: there is none; names the operator and the layer.
    """
    if is_unquantised(graph, operator):
        return Candidates(operator, (), _unquantised(operator, graph, board, cmsis))
    made = (make(operator, graph, board, cmsis) for make in _makers(operator, graph))
    library = next((kernel for kernel in made if kernel is not None), None)
    generated = tuple(generated_kernels(operator, graph, board))
    if not generated and library is None:
        raise UnsupportedError(f"{operator.kind} layer {operator.name!r}: no kernel supports it")
    rows = row_kernel(operator, graph, board)

    def with_rows(kernel: Kernel) -> Kernel:
        able = rows is None or kernel.row_form is not None or kernel.aliases_input
        return kernel if able else replace(kernel, row_kernel=rows)

    return Candidates(
        operator, tuple(map(with_rows, generated)), None if library is None else with_rows(library)
    )


def _makers(operator: Operator, graph: Graph) -> tuple[Maker, ...]:
    kernels = KERNELS.get(type(operator), ())
    if graph.tensors[next(iter(operator.outputs()))].dtype is DType.INT16:
        return INT16_KERNELS.get(type(operator), kernels)
    return kernels


def _unquantised(operator: Operator, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel:
    make = portable_unquantised.UNQUANTISED_KERNELS.get(type(operator))
    kernel = None if make is None else make(operator, graph, board, cmsis)
    if kernel is None:
        raise UnsupportedError(
            f"{operator.kind} layer {operator.name!r}: no kernel supports it in float32",
            hint="Convert the model with full int8 post-training quantisation.",
        )
    return kernel
