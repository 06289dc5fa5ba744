# SPDX-License-Identifier: Apache-2.0
"""Operators on float32 and int32, in portable C with the bits of TFLM's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyflow.boards import Board
from tinyflow.ir.elementwise import (
    AddN,
    Comparison,
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Maximum,
    Minimum,
    Mul,
    NotEqual,
    Prelu,
    Select,
    SelectV1,
    SquaredDifference,
    Sub,
)
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mean,
    Operator,
    Pool2D,
    Softmax,
    TensorId,
)
from tinyflow.ir.tables import (
    Abs,
    ElementFunction,
    Elu,
    HardSwish,
    L2Normalization,
    LeakyRelu,
    Logistic,
    LogSoftmax,
    Relu,
    Relu6,
    Rsqrt,
    Tanh,
)
from tinyflow.ir.types import Activation, DType
from tinyflow.ir.unquantised import (
    Cast,
    Ceil,
    Cos,
    Div,
    Embedding,
    Exp,
    Floor,
    FloorDiv,
    FloorMod,
    L2Pool2D,
    Log,
    Neg,
    Round,
    Sin,
    Sqrt,
    Square,
    Tabulated,
)
from tinyflow.ir.windows import (
    ArgExtreme,
    ArgMax,
    ArgMin,
    BatchMatMul,
    CumSum,
    ReduceMax,
    ReduceMin,
    Reduction,
    ResizeBilinear,
    Sum,
    extended,
    swapped,
)
from tinyflow.kernels.base import Constant, Kernel, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.kernels.portable.elementwise import loops
from tinyflow.kernels.portable.sums import add_n, cumsum
from tinyflow.kernels.portable.windows import arg_extreme_context, batch_steps, reduction_loops

_HEADERS = ("tinyflow_elementwise.h", "tinyflow_math.h", "tinyflow_windows.h")
#: C files of tinyflow_math.h that a function's C file needs.
_EXPONENTIAL = ("tinyflow_expf.c",)
_LOGARITHM = ("tinyflow_logf.c",)
_SINE = ("tinyflow_sincosf.c",)
_TANH = ("tinyflow_expm1f.c", "tinyflow_tanhf.c")
#: Suffixes of the functions on unquantised integers.
_INTEGERS = {DType.INT32: "s32", DType.INT64: "s64"}
_INFINITE = ("-HUGE_VALF", "HUGE_VALF")


def _kernel(op: Operator, function: str, template: str, **more: Any) -> Kernel:
    needs = (*_HEADERS, *more.pop("needs", ()))
    return Kernel(
        op,
        function,
        "tinyflow",
        f"portable/{template}.c.j2",
        header="tinyflow_unquantised.h",
        needs=needs,
        **more,
    )


def _bounds(activation: Activation) -> tuple[str, str]:
    """The clamp of a fused activation, in C (`CalculateActivationRange`)."""
    match activation:
        case Activation.NONE:
            return "-FLT_MAX", "FLT_MAX"
        case Activation.RELU:
            return "0.0f", "FLT_MAX"
        case Activation.RELU6:
            return "0.0f", "6.0f"
        case Activation.RELU_N1_TO_1:
            return "-1.0f", "1.0f"


def constants_of(graph: Graph, **fields: TensorId | None) -> tuple[Constant, ...]:
    """The operands that are constant, for flash."""
    found = []
    for field, index in fields.items():
        if index is not None and graph.tensors[index].is_constant:
            tensor = graph.tensors[index]
            comment = f"{field} {list(tensor.shape)}"
            found.append(Constant(field, tensor.dtype.c_type, tensor.values, comment))
    return tuple(found)


# -------------------------------------------------------------------------- elementwise


def _unary(name: str, file: str = "unary_f32", needs: tuple[str, ...] = ()) -> Maker:
    def make(op: ElementFunction, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
        context = {
            "function": f"tinyflow_{name}_f32",
            "elements": output_of(graph, op).elements,
            "alpha": op.alpha if isinstance(op, LeakyRelu) else None,
        }
        return _kernel(
            op, f"tinyflow_{name}_f32", "unary_f32", context=context, file=file, needs=needs
        )

    return make


def _loops_of(op: Operator, graph: Graph) -> dict[str, list[Any]]:
    shapes = [graph.tensors[index].shape for index in op.inputs()]
    # A rank above the output's has leading dimensions of 1 only.
    rank = max(map(len, shapes), default=0)
    output = extended(output_of(graph, op).shape, rank)
    return loops(op, output, *shapes)


def _binary(name: str) -> Maker:
    def make(op: Operator, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
        fields = op.input_fields
        constants = constants_of(graph, **{field: getattr(op, field) for field in fields})
        shared = {"loops": _loops_of(op, graph), "operands": fields}
        suffix = _INTEGERS.get(output_of(graph, op).dtype)
        if suffix is not None:
            function = f"tinyflow_{name}_{suffix}"
            context = {"function": function, **shared}
            file = f"binary_{suffix}"
            return _kernel(
                op, function, "binary_s32", context=context, constants=constants, file=file
            )
        function = f"tinyflow_{name}_f32"
        bounds = _bounds(op.activation) if isinstance(op, Add | Sub | Mul | Div) else _INFINITE
        context = {"function": function, "bounds": bounds, **shared}
        return _kernel(op, function, "binary_f32", context=context, constants=constants)

    return make


def floor_div(op: FloorDiv, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """FLOOR_DIV; a divisor of 0 ends the inference with an error."""
    return _floor(op, graph, "tinyflow_floor_div_f32", "checked_binary")


def floor_mod(op: FloorMod, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """FLOOR_MOD."""
    return _floor(op, graph, "tinyflow_floor_mod_f32", "binary_s32")


def _floor(op: FloorDiv | FloorMod, graph: Graph, function: str, template: str) -> Kernel:
    context = {"function": function, "loops": _loops_of(op, graph)}
    constants = constants_of(graph, left=op.left, right=op.right)
    return _kernel(op, function, template, context=context, constants=constants, file="floor_f32")


def compare(op: Comparison, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """Comparisons, of float32, int32, int64 or bool."""
    dtype = graph.tensors[op.left].dtype
    suffix = "bool" if dtype is DType.BOOL else _INTEGERS.get(dtype, "f32")
    function = f"tinyflow_compare_{suffix}"
    context = {
        "function": function,
        "loops": _loops_of(op, graph),
        "relation": f"TINYFLOW_{op.kind}",
    }
    constants = constants_of(graph, left=op.left, right=op.right)
    file = f"compare_{suffix}"
    return _kernel(
        op, function, "compare_unquantised", context=context, constants=constants, file=file
    )


def select(op: Select, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """Choice between values of 32 bits."""
    constants = constants_of(graph, condition=op.condition, left=op.left, right=op.right)
    return _kernel(
        op,
        "tinyflow_select_32",
        "select_32",
        context={"loops": _loops_of(op, graph)},
        constants=constants,
    )


_CAST_TYPES = {
    DType.BOOL: "TINYFLOW_CAST_BOOL",
    DType.INT8: "TINYFLOW_CAST_S8",
    DType.INT16: "TINYFLOW_CAST_S16",
    DType.INT32: "TINYFLOW_CAST_S32",
    DType.UINT32: "TINYFLOW_CAST_U32",
    DType.FLOAT32: "TINYFLOW_CAST_F32",
}


def cast(op: Cast, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """CAST: between bool, int8, int16, int32, uint32 and float32.

    Integers wrap, floats saturate.
    """
    source, output = graph.tensors[op.input], output_of(graph, op)
    context = {
        "from": _CAST_TYPES[source.dtype],
        "to": _CAST_TYPES[output.dtype],
        "elements": output.elements,
    }
    return _kernel(op, "tinyflow_cast", "cast", context=context)


def tabulated(op: Tabulated, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """TABLE: operators on each element of one int8 tensor, of which `tinyflow.passes` made one."""
    table = np.array(op.values, np.int8)
    return Kernel(
        op,
        "tinyflow_lut_s8",
        "tinyflow",
        "portable/lut_s8.c.j2",
        {"elements": output_of(graph, op).elements},
        constants=(Constant("table", "int8_t", table, "output by the input's byte [256]"),),
        header="tinyflow_tables.h",
    )


# ------------------------------------------------------------------------------- others


def _rows(tensor: Tensor) -> dict[str, int]:
    return {"rows": tensor.elements // tensor.shape[-1], "depth": tensor.shape[-1]}


def softmax(op: Softmax, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """Softmax over the last dimension."""
    context = {**_rows(graph.tensors[op.input]), "beta": op.beta}
    return _kernel(op, "tinyflow_softmax_f32", "softmax_f32", context=context, needs=_EXPONENTIAL)


def log_softmax(op: LogSoftmax, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """The logarithm of softmax over the last dimension."""
    context = _rows(graph.tensors[op.input])
    needs = (*_EXPONENTIAL, *_LOGARITHM)
    return _kernel(op, "tinyflow_log_softmax_f32", "log_softmax_f32", context=context, needs=needs)


def l2_normalization(
    op: L2Normalization, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """Rows of length 1."""
    context = _rows(graph.tensors[op.input])
    return _kernel(op, "tinyflow_l2_normalization_f32", "l2_normalization_f32", context=context)


def _reduce(name: str) -> Maker:
    def make(op: Mean | Reduction, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
        context = {
            "function": f"tinyflow_{name}_f32",
            "loops": reduction_loops(op, graph.tensors[op.input].shape, op.axes),
        }
        return _kernel(op, f"tinyflow_{name}_f32", "reduce_f32", context=context)

    return make


def conv(op: Conv2D | DepthwiseConv2D, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """Convolutions; a depthwise one has a group for each input channel."""
    source, output = graph.tensors[op.input], output_of(graph, op)
    weights = graph.tensors[op.weights].values
    if isinstance(op, DepthwiseConv2D):
        weights = weights.transpose(3, 1, 2, 0)
    filters, height, width, depth = weights.shape
    bias = np.zeros(filters, np.float32) if op.bias is None else graph.tensors[op.bias].values
    context = {
        "source": source,
        "output": output,
        "kernel": (height, width, depth),
        "window": op.window,
        "pads": op.window.pads((source.shape[1], source.shape[2]), (height, width)),
        "filters_per_group": filters // (source.shape[-1] // depth),
        "bounds": _bounds(op.activation),
    }
    constants = (
        Constant("weights", "float", weights, f"weights {list(weights.shape)}, OHWI"),
        Constant("bias", "float", bias, f"bias [{filters}]"),
    )
    macs = output.elements * height * width * depth
    return _kernel(
        op, "tinyflow_conv_f32", "conv_f32", context=context, constants=constants, macs=macs
    )


_POOLS = {AveragePool2D: "average", L2Pool2D: "l2", MaxPool2D: "max"}


def pool(op: Pool2D, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """Poolings."""
    source = graph.tensors[op.input]
    function = f"tinyflow_{_POOLS[type(op)]}_pool_f32"
    context = {
        "function": function,
        "source": source,
        "output": output_of(graph, op),
        "kernel": op.kernel,
        "window": op.window,
        "pads": op.window.pads((source.shape[1], source.shape[2]), op.kernel),
        "bounds": _bounds(op.activation),
    }
    return _kernel(op, function, "pool_f32", context=context)


def arg_extreme(op: ArgExtreme, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """ARG_MAX and ARG_MIN, to int32."""
    context = arg_extreme_context(op, graph)
    return _kernel(op, "tinyflow_arg_extreme_f32", "arg_extreme_f32", context=context)


def resize_bilinear(
    op: ResizeBilinear, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """RESIZE_BILINEAR."""
    context = {
        "source": graph.tensors[op.input],
        "output": output_of(graph, op),
        "align_corners": op.align_corners,
        "half_pixel_centers": op.half_pixel_centers,
    }
    return _kernel(op, "tinyflow_resize_bilinear_f32", "resize_bilinear_f32", context=context)


def fully_connected(
    op: FullyConnected, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """Products with weights that are constant or computed."""
    output = output_of(graph, op)
    columns, depth = graph.tensors[op.weights].shape
    context = {
        "operands": ("input", "weights"),
        "batches": (1, 1, 1),
        "left_steps": (0, 0, 0),
        "left_strides": (depth, 1),
        "right_steps": (0, 0, 0),
        "right_strides": (1, depth),
        "size": (output.elements // columns, depth, columns),
        "bounds": _bounds(op.activation),
    }
    constants = constants_of(graph, weights=op.weights, bias=op.bias)
    return _product(op, context, constants, output.elements * depth)


def batch_matmul(op: BatchMatMul, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """Products of computed matrices."""
    left, right, output = graph.tensors[op.left], graph.tensors[op.right], output_of(graph, op)
    rows, depth = swapped(left.shape[-2:], op.transpose_left)
    _, columns = swapped(right.shape[-2:], op.transpose_right)
    context = {
        "operands": op.input_fields,
        "batches": extended(output.shape, 5)[:3],
        "left_steps": batch_steps(left.shape),
        "left_strides": (1, rows) if op.transpose_left else (depth, 1),
        "right_steps": batch_steps(right.shape),
        "right_strides": (1, depth) if op.transpose_right else (columns, 1),
        "size": (rows, depth, columns),
        "bounds": _INFINITE,
    }
    constants = constants_of(graph, left=op.left, right=op.right)
    return _product(op, context, constants, output.elements * depth)


def _product(
    op: Operator, context: dict[str, Any], constants: tuple[Constant, ...], macs: int
) -> Kernel:
    return _kernel(
        op, "tinyflow_product_f32", "product_f32", context=context, constants=constants, macs=macs
    )


def embedding(op: Embedding, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """EMBEDDING_LOOKUP: a constant table of int8 or float32, computed indices of int32; an index
    outside of the table ends the inference with an error.
    """
    table, output = graph.tensors[op.table], output_of(graph, op)
    columns = table.elements // table.shape[0]
    dequantises = table.dtype is DType.INT8 and output.dtype is DType.FLOAT32
    context = {
        "rows": table.shape[0],
        "row_bytes": columns if dequantises else columns * table.dtype.itemsize,
        "scale": table.q.scale if dequantises else None,
        "count": graph.tensors[op.indices].elements,
    }
    function = "tinyflow_embedding_s8_f32" if dequantises else "tinyflow_embedding"
    constants = constants_of(graph, table=op.table)
    return _kernel(op, function, "embedding", context=context, constants=constants)


#: Of operators of UNQUANTISED_KERNELS that are compiled on other types than float32, too, all
#: types.
TYPES: dict[type[Operator], str] = {
    **dict.fromkeys((Add, Div, Mul, Select, SelectV1, SquaredDifference, Sub), "float32 or int32"),
    **dict.fromkeys(
        (Greater, GreaterEqual, Less, LessEqual, Maximum, Minimum), "float32, int32 or int64"
    ),
    **dict.fromkeys((Equal, NotEqual), "float32, int32, int64 or bool"),
}
#: Operators that touch float32, or int32 where they have it.
UNQUANTISED_KERNELS: dict[type[Operator], Maker] = {
    Abs: _unary("abs"),
    Add: _binary("add"),
    AddN: add_n,
    ArgMax: arg_extreme,
    ArgMin: arg_extreme,
    AveragePool2D: pool,
    BatchMatMul: batch_matmul,
    Ceil: _unary("ceil"),
    Conv2D: conv,
    Cos: _unary("cos", "sincos_f32", _SINE),
    CumSum: cumsum,
    DepthwiseConv2D: conv,
    Div: _binary("div"),
    Elu: _unary("elu", "elu_f32", ("tinyflow_expm1f.c",)),
    Equal: compare,
    Exp: _unary("exp", "exp_f32", _EXPONENTIAL),
    Floor: _unary("floor"),
    FloorDiv: floor_div,
    FloorMod: floor_mod,
    FullyConnected: fully_connected,
    Greater: compare,
    GreaterEqual: compare,
    HardSwish: _unary("hard_swish"),
    L2Normalization: l2_normalization,
    L2Pool2D: pool,
    LeakyRelu: _unary("leaky_relu"),
    Less: compare,
    LessEqual: compare,
    Log: _unary("log", "log_f32", _LOGARITHM),
    LogSoftmax: log_softmax,
    Logistic: _unary("logistic", "logistic_f32", _EXPONENTIAL),
    MaxPool2D: pool,
    Maximum: _binary("maximum"),
    Mean: _reduce("mean"),
    Minimum: _binary("minimum"),
    Mul: _binary("mul"),
    Neg: _unary("neg"),
    NotEqual: compare,
    Prelu: _binary("prelu"),
    ReduceMax: _reduce("reduce_max"),
    ReduceMin: _reduce("reduce_min"),
    Relu: _unary("relu"),
    Relu6: _unary("relu6"),
    ResizeBilinear: resize_bilinear,
    Round: _unary("round"),
    Rsqrt: _unary("rsqrt"),
    Select: select,
    SelectV1: select,
    Sin: _unary("sin", "sincos_f32", _SINE),
    Softmax: softmax,
    Sqrt: _unary("sqrt"),
    Square: _unary("square"),
    SquaredDifference: _binary("squared_difference"),
    Sub: _binary("sub"),
    Sum: _reduce("sum"),
    Tabulated: tabulated,
    Tanh: _unary("tanh", "tanh_f32", _TANH),
}

KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    Cast: (cast,),
    Embedding: (embedding,),
}
