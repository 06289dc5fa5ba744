# SPDX-License-Identifier: Apache-2.0
"""CONV_2D and DEPTHWISE_CONV_2D on CMSIS-NN."""

from __future__ import annotations

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Conv2D, DepthwiseConv2D
from tinyflow.ir.quantization import activation_range
from tinyflow.kernels.base import Constant, Kernel, bias_constant, images, nhwc, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.numerics.multipliers import accumulator_multipliers

#: Called by arm_convolve_s8 for several groups of channels; releases without it support one.
GROUPS = "arm_nn_mat_mult_kernel_row_offset_s8_s16"


def convolve_s8(op: Conv2D, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """CONV_2D: int8, any stride, padding and dilation."""
    source, weights, output = (
        graph.tensors[op.input],
        graph.tensors[op.weights],
        output_of(graph, op),
    )
    _, height, width, channels = nhwc(source)
    filters, kernel_h, kernel_w, depth = weights.shape
    if depth != channels and not cmsis.has(GROUPS):
        return None
    pad_h, pad_w = op.window.pads((height, width), (kernel_h, kernel_w))
    multiplier, shift = accumulator_multipliers(source, weights, output, filters)
    pointwise = (
        (pad_h, pad_w, kernel_h, kernel_w) == (0, 0, 1, 1)
        and op.window.dilation == (1, 1)
        and depth == channels
    )
    return Kernel(
        operator=op,
        function="arm_convolve_wrapper_s8",
        library="CMSIS-NN",
        template="cmsis_nn/convolve_s8.c.j2",
        context={
            "op": op,
            "source": source,
            "output": output,
            "pads": (pad_h, pad_w),
            "range": activation_range(op.activation, output.q),
            "images": images(source, output),
            "input_dims": nhwc(source),
            "filter_dims": (filters, kernel_h, kernel_w, depth),
            "output_dims": nhwc(output),
        },
        constants=(
            Constant("weights", "int8_t", weights.values, f"weights {list(weights.shape)}, OHWI"),
            bias_constant(graph, op.bias, filters),
            Constant("multiplier", "int32_t", multiplier, f"requantisation [{filters}]"),
            Constant("shift", "int32_t", shift, f"requantisation [{filters}]"),
        ),
        # arm_convolve_s8: two columns of the im2col matrix, as int16, each padded to a word of
        # four (arm_convolve_s8_get_buffer_size); a pointwise convolution needs none.
        scratch=0 if pointwise else 2 * 2 * _round_up(kernel_h * kernel_w * depth, 4),
        macs=output.elements * kernel_h * kernel_w * depth,
        variant=_variant(op, pointwise, height),
        work={
            "calls": 1,
            "weights": weights.elements,
            "columns": output.elements // filters * kernel_h * kernel_w,
            "gathered": output.elements // filters * kernel_h * kernel_w * depth,
            "outputs": output.elements,
            "macs": output.elements * kernel_h * kernel_w * depth,
        },
    )


def _variant(op: Conv2D, pointwise: bool, height: int) -> str:
    """Return the path that `arm_convolve_wrapper_s8` takes."""
    if pointwise:
        return "1x1" if op.window.stride == (1, 1) else "1x1 strided"
    return "one row" if height == 1 else "im2col"


def depthwise_conv_s8(
    op: DepthwiseConv2D, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """DEPTHWISE_CONV_2D: int8, any stride, padding, dilation and multiplier."""
    source, weights, output = (
        graph.tensors[op.input],
        graph.tensors[op.weights],
        output_of(graph, op),
    )
    _, height, width, channels = nhwc(source)
    _, kernel_h, kernel_w, filters = weights.shape
    pad_h, pad_w = op.window.pads((height, width), (kernel_h, kernel_w))
    multiplier, shift = accumulator_multipliers(source, weights, output, filters)
    one_to_one = op.multiplier == 1 and op.window.dilation == (1, 1)
    fast_3x3 = one_to_one and (kernel_h, kernel_w) == (3, 3) and max(pad_h, pad_w) <= 1
    column = 2 * kernel_h * kernel_w * channels  # arm_depthwise_conv_s8_opt: int16 columns
    return Kernel(
        operator=op,
        function="arm_depthwise_conv_wrapper_s8",
        library="CMSIS-NN",
        template="cmsis_nn/depthwise_conv_s8.c.j2",
        context={
            "op": op,
            "source": source,
            "output": output,
            "pads": (pad_h, pad_w),
            "range": activation_range(op.activation, output.q),
            "images": images(source, output),
            "input_dims": nhwc(source),
            "filter_dims": (1, kernel_h, kernel_w, filters),
            "output_dims": nhwc(output),
        },
        constants=(
            Constant("weights", "int8_t", weights.values, f"weights {list(weights.shape)}, 1HWC"),
            bias_constant(graph, op.bias, filters),
            Constant("multiplier", "int32_t", multiplier, f"requantisation [{filters}]"),
            Constant("shift", "int32_t", shift, f"requantisation [{filters}]"),
        ),
        scratch=_round_up(column, 4)
        if one_to_one and not fast_3x3 and board.core in DSP_CORES
        else 0,
        macs=output.elements * kernel_h * kernel_w,
        variant="3x3" if fast_3x3 else "one to one" if one_to_one else "multiplied",
        work={
            "calls": 1,
            "pixels": output.elements // filters,
            "outputs": output.elements,
            "macs": output.elements * kernel_h * kernel_w,
        },
    )


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
