# SPDX-License-Identifier: Apache-2.0
"""Cases of float32 and int32: the outputs are floats, so that every bit is compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

Shape = Sequence[int]
Found = tuple[list[int], list[int]]

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3


def real(b: TfliteBuilder, shape: Shape, scale: float = 0.05, zero_point: int = 3) -> Found:
    """An int8 input and its float32 values."""
    source = b.tensor(shape, "int8", scale, zero_point)
    values = b.tensor(shape, "float32")
    b.operator("DEQUANTIZE", [source], [values])
    return [source], [values]


def mixed(b: TfliteBuilder, rng: np.random.Generator, shape: Shape, scale: float) -> Found:
    """Float32 values of many exponents: an int8 input times constants."""
    source, values = real(b, shape, scale)
    factors = b.tensor(shape, "float32", data=rng.uniform(0.5, 1.7, shape))
    scaled = b.tensor(shape, "float32")
    b.operator("MUL", [*values, factors], [scaled])
    return source, [scaled]


def unary(kind: str, shape: Shape, scale: float = 0.05, **options: Any) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, values = mixed(b, rng, shape, scale)
        result = b.tensor(shape, "float32")
        b.operator(kind, values, [result], **options)
        return sources, [result]

    return case


def binary(kind: str, left: Shape, right: Shape, *, constant: bool = False, **options: Any) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        shape = np.broadcast_shapes(tuple(left), tuple(right))
        sources, operands = mixed(b, rng, left, 0.05)
        if constant:
            operands.append(b.tensor(right, "float32", data=rng.normal(size=right)))
        else:
            more, other = mixed(b, rng, right, 0.03)
            sources, operands = sources + more, operands + other
        result = b.tensor(shape, "float32")
        b.operator(kind, operands, [result], **options)
        return sources, [result]

    return case


def compared(
    kind: str, dtype: str = "float32", shape: Shape = (3, 4, 5), row: Shape = (4, 1)
) -> Case:
    """A comparison and what is chosen by it; the condition is an output, too."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, values = real(b, shape)
        more, other = real(b, row)
        if dtype == "int32":
            values, other = [_cast(b, values[0], dtype)], [_cast(b, other[0], dtype)]
        condition = b.tensor(shape, "bool")
        b.operator(kind, values + other, [condition])
        if dtype == "int32":  # TFLM chooses between no int32
            return sources + more, [condition]
        result = b.tensor(shape, dtype)
        b.operator("SELECT_V2", [condition, *values, *other], [result])
        return sources + more, [condition, result]

    return case


def _cast(b: TfliteBuilder, index: int, dtype: str) -> int:
    result = b.tensor(b.subgraph.tensors[index].shape, dtype)
    b.operator("CAST", [index], [result])
    return result


def int32(kind: str, shape: Shape = (2, 3, 7), row: Shape = (7,)) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        left = b.tensor(shape, "int32")
        right = b.tensor(row, "int32", data=rng.integers(-(2**31), 2**31, row))
        result = b.tensor(shape, "int32")
        b.operator(kind, [left, right], [result])
        return [left], [result]

    return case


def cast(source: str, target: str, shape: Shape = (2, 31)) -> Case:
    quantised = {"scale": 0.1} if source == "int8" else {}

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        values = b.tensor(shape, source, **quantised)  # type: ignore[arg-type]
        if source == "float32":
            sources, values_of = mixed(b, rng, shape, 40.0)
            return sources, [_cast(b, values_of[0], target)]
        return [values], [_cast(b, values, target)]

    return case


def reduction(kind: str, shape: Shape, axes: Sequence[int], *, keep: bool = True) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, values = mixed(b, rng, shape, 0.05)
        places = {axis % len(shape) for axis in axes}
        kept = [n for axis, n in enumerate(shape) if axis not in places]
        due = [1 if axis in places else n for axis, n in enumerate(shape)] if keep else kept
        result = b.tensor(due, "float32")
        index = b.tensor((len(axes),), "int32", data=axes)
        b.operator(kind, [*values, index], [result], keepDims=keep)
        return sources, [result]

    return case


def softmax(shape: Shape, beta: float = 1.0) -> Case:
    return unary("SOFTMAX", shape, beta=beta)


def convolution(
    kind: str,
    weights: tuple[int, int, int, int],
    *,
    channels: int,
    size: tuple[int, int] = (6, 7),
    padding: int = SAME,
    stride: int = 1,
    dilation: int = 1,
    bias: bool = True,
    activation: int = NONE,
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        depthwise = kind == "DEPTHWISE_CONV_2D"
        filters = weights[3] if depthwise else weights[0]
        sources, values = mixed(b, rng, (1, *size, channels), 0.05)
        inputs = [*values, b.tensor(weights, "float32", data=rng.normal(size=weights))]
        if bias:
            inputs.append(b.tensor((filters,), "float32", data=rng.normal(size=filters)))
        reach = [(n - 1) * dilation * (padding == VALID) for n in weights[1:3]]
        places = [-(-(n - r) // stride) for n, r in zip(size, reach, strict=True)]
        result = b.tensor((1, *places, filters), "float32")
        more: dict[str, Any] = {"depthMultiplier": filters // channels} if depthwise else {}
        b.operator(
            kind,
            inputs,
            [result],
            strideH=stride,
            strideW=stride,
            dilationHFactor=dilation,
            dilationWFactor=dilation,
            padding=padding,
            fusedActivationFunction=activation,
            **more,
        )
        return sources, [result]

    return case


def floored(kind: str, left: Shape, right: Shape, *, constant: bool = False) -> Case:
    """FLOOR_DIV or FLOOR_MOD by numbers of either sign, none of them 0."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, operands = mixed(b, rng, left, 0.5)
        signs = rng.choice([-1.0, 1.0], right)
        if constant:
            operands.append(b.tensor(right, "float32", data=signs * rng.uniform(0.1, 9, right)))
        else:
            more, other = real(b, right, 0.03)
            positive, divisor = b.tensor(right, "float32"), b.tensor(right, "float32")
            b.operator("EXP", other, [positive])
            b.operator("MUL", [positive, b.tensor(right, "float32", data=signs)], [divisor])
            sources, operands = sources + more, [*operands, divisor]
        result = b.tensor(np.broadcast_shapes(tuple(left), tuple(right)), "float32")
        b.operator(kind, operands, [result])
        return sources, [result]

    return case


def pool(
    kind: str,
    *,
    padding: int,
    stride: int,
    activation: int = NONE,
    shape: tuple[int, int, int, int] = (2, 5, 7, 3),
    kernel: tuple[int, int] = (3, 2),
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, values = mixed(b, rng, shape, 0.05)
        places = [
            -(-(n - (k - 1) * (padding == VALID)) // stride)
            for n, k in zip(shape[1:3], kernel, strict=True)
        ]
        result = b.tensor((shape[0], *places, shape[3]), "float32")
        b.operator(
            kind,
            values,
            [result],
            strideH=stride,
            strideW=stride,
            filterHeight=kernel[0],
            filterWidth=kernel[1],
            padding=padding,
            fusedActivationFunction=activation,
        )
        return sources, [result]

    return case


def fully_connected(
    *, bias: bool, activation: int = NONE, shape: tuple[int, int] = (3, 19), units: int = 5
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        rows, depth = shape
        sources, values = mixed(b, rng, shape, 0.05)
        inputs = [
            *values,
            b.tensor((units, depth), "float32", data=rng.normal(size=(units, depth))),
        ]
        inputs.append(b.tensor((units,), "float32", data=rng.normal(size=units)) if bias else -1)
        result = b.tensor((rows, units), "float32")
        b.operator("FULLY_CONNECTED", inputs, [result], fusedActivationFunction=activation)
        return sources, [result]

    return case


def computed_product(
    shape: tuple[int, int], units: int, *, bias: bool = False, activation: int = NONE
) -> Case:
    """FULLY_CONNECTED by weights that are computed."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        rows, depth = shape
        sources, values = mixed(b, rng, shape, 0.05)
        more, weights = mixed(b, rng, (units, depth), 0.03)
        inputs = [*values, *weights]
        inputs.append(b.tensor((units,), "float32", data=rng.normal(size=units)) if bias else -1)
        result = b.tensor((rows, units), "float32")
        b.operator("FULLY_CONNECTED", inputs, [result], fusedActivationFunction=activation)
        return sources + more, [result]

    return case


def arg_extreme(kind: str, shape: Shape, axis: int) -> Case:
    """Search few distinct values, so that there are several extremes; numbers and, by LOG, NaN."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, (values,) = real(b, shape, 0.9)
        whole, logarithm = (b.tensor(shape, "float32") for _ in range(2))
        place = axis % len(shape)
        due = [extent for at, extent in enumerate(shape) if at != place]
        index = b.tensor((), "int32", data=axis)
        results = [b.tensor(due, "int32") for _ in range(2)]
        factor = b.tensor((), "float32", data=0.1)
        small = b.tensor(shape, "float32")
        b.operator("MUL", [values, factor], [small])
        b.operator("FLOOR", [small], [whole])
        b.operator("LOG", [values], [logarithm])
        for source, result in zip((whole, logarithm), results, strict=True):
            b.operator(kind, [source, index], [result])
        return sources, results

    return case


def resize_bilinear(
    shape: tuple[int, int, int, int],
    size: tuple[int, int],
    *,
    corners: bool = False,
    half: bool = False,
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, values = mixed(b, rng, shape, 0.05)
        due = b.tensor((2,), "int32", data=size)
        result = b.tensor((shape[0], *size, shape[3]), "float32")
        options = {"alignCorners": corners, "halfPixelCenters": half}
        b.operator("RESIZE_BILINEAR", [*values, due], [result], **options)
        return sources, [result]

    return case


def batch_matmul(left: Shape, right: Shape, output: Shape, **options: Any) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, a = mixed(b, rng, left, 0.05)
        more, c = mixed(b, rng, right, 0.03)
        result = b.tensor(output, "float32")
        b.operator("BATCH_MATMUL", a + c, [result], **options)
        return sources + more, [result]

    return case


def moved(
    kind: str,
    sources: Sequence[Shape],
    results: Sequence[Shape],
    constants: Sequence[Any] = (),
    **options: Any,
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        found = [real(b, shape) for shape in sources]
        inputs = [index for more, _ in found for index in more]
        values = [index for _, more in found for index in more]
        fixed = [b.tensor(np.shape(value), "int32", data=value) for value in constants]
        outputs = [b.tensor(shape, "float32") for shape in results]
        operands = fixed + values if kind == "SPLIT" else values + fixed
        b.operator(kind, operands, outputs, **options)
        return inputs, outputs

    return case


def embedding(kind: str, dtype: str) -> Case:
    """Rows of a table at the indices that an int8 input gives; all are in range."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        indices, values = real(b, (9,), 19 / 255, -128)
        quantised = {"scale": 0.1} if dtype == "int8" else {}
        table = b.tensor(
            (20, 3),
            dtype,
            data=rng.integers(-128, 128, (20, 3)) if quantised else rng.normal(size=(20, 3)),
            **quantised,  # type: ignore[arg-type]
        )
        chosen = _cast(b, values[0], "int32")
        if kind == "GATHER":
            result = b.tensor((9, 3), dtype, **quantised)  # type: ignore[arg-type]
            b.operator(kind, [table, chosen], [result])
        else:
            result = b.tensor((9, 3), "float32")
            b.operator(kind, [chosen, table], [result])
        return indices, [result]

    return case


def back(kind: str, scale: float, zero_point: int, source_scale: float = 0.05) -> Case:
    """Float in the middle of int8, two operands, so that no table can replace it."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, values = mixed(b, rng, (4, 33), source_scale)
        middle = b.tensor((4, 33), "float32")
        b.operator(kind, values, [middle])
        result = b.tensor((4, 33), "int8", scale, zero_point)
        b.operator("QUANTIZE", [middle], [result])
        return sources, [result]

    return case


def tabulated(*kinds: str, scale: float = 0.02, zero_point: int = -5) -> Case:
    """Float in the middle of int8, a function of one tensor: a table replaces it."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        sources, (value,) = real(b, (3, 50))
        for kind in kinds:
            result = b.tensor((3, 50), "float32")
            b.operator(kind, [value], [result])
            value = result
        output = b.tensor((3, 50), "int8", scale, zero_point)
        b.operator("QUANTIZE", [value], [output])
        return sources, [output]

    return case


def layer_normalization() -> Case:
    """Layer normalisation as converters write it: mean, squared difference, mean, epsilon, RSQRT,
    scale and shift.
    """

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        shape, row = (2, 5, 12), (2, 5, 1)
        sources, values = real(b, shape)
        last = b.tensor((1,), "int32", data=[2])

        def step(kind: str, inputs: list[int], due: Shape, **options: Any) -> int:
            result = b.tensor(due, "float32")
            b.operator(kind, inputs, [result], **options)
            return result

        mean = step("MEAN", [*values, last], row, keepDims=True)
        spread = step("SQUARED_DIFFERENCE", [*values, mean], shape)
        variance = step("MEAN", [spread, last], row, keepDims=True)
        epsilon = b.tensor((), "float32", data=1e-3)
        root = step("RSQRT", [step("ADD", [variance, epsilon], row)], row)
        centred = step("SUB", [*values, mean], shape)
        gamma = b.tensor((12,), "float32", data=rng.uniform(0.5, 1.5, 12))
        beta = b.tensor((12,), "float32", data=rng.normal(size=12))
        scaled = step("MUL", [step("MUL", [centred, root], shape), gamma], shape)
        total = step("ADD", [scaled, beta], shape)
        result = b.tensor(shape, "int8", 0.03, -5)
        b.operator("QUANTIZE", [total], [result])
        return sources, [total, result]

    return case


IMAGE = (1, 4, 4, 4)
CASES: dict[str, Case] = {
    **{
        f"f32_{kind.lower()}": unary(kind, (2, 5, 13))
        for kind in (
            "ABS",
            "CEIL",
            "COS",
            "ELU",
            "EXP",
            "FLOOR",
            "LOG",
            "LOG_SOFTMAX",
            "HARD_SWISH",
            "LOGISTIC",
            "NEG",
            "RELU",
            "RELU6",
            "ROUND",
            "RSQRT",
            "SIN",
            "SQRT",
            "SQUARE",
            "TANH",
        )
    },
    "f32_exp_wide": unary("EXP", (1, 200), 0.9),
    "f32_elu_wide": unary("ELU", (1, 200), 0.9),
    "f32_tanh_wide": unary("TANH", (1, 200), 0.3),
    "f32_tanh_fine": unary("TANH", (1, 200), 1e-3),
    "f32_logistic_wide": unary("LOGISTIC", (1, 200), 1.0),
    "f32_square_overflow": unary("SQUARE", (1, 64), 1e18),
    "f32_square_underflow": unary("SQUARE", (1, 64), 1e-21),
    "f32_leaky_relu": unary("LEAKY_RELU", (3, 40), alpha=0.2),
    "f32_l2_normalization": unary("L2_NORMALIZATION", (3, 40)),
    "f32_l2_normalization_of_one": unary("L2_NORMALIZATION", (30, 1)),
    "f32_sin_wide": unary("SIN", (1, 200), 5e3),
    "f32_cos_wide": unary("COS", (1, 200), 1e30),
    "f32_log_fine": unary("LOG", (1, 200), 1e-30),
    "f32_log_softmax_wide": unary("LOG_SOFTMAX", (4, 50), 0.9),
    "f32_log_softmax_of_one": unary("LOG_SOFTMAX", (7, 1)),
    **{
        f"f32_{kind.lower()}_{name}": floored(kind, left, right, constant=constant)
        for kind in ("FLOOR_DIV", "FLOOR_MOD")
        for name, left, right, constant in (
            ("same", (3, 4, 5), (3, 4, 5), False),
            ("row", (2, 4, 5), (5,), False),
            ("constant", (2, 3, 7), (3, 7), True),
        )
    },
    "f32_softmax": softmax((3, 11)),
    "f32_softmax_beta": softmax((2, 3, 40), 0.37),
    **{
        f"f32_{kind.lower()}_{name}": binary(kind, *shapes, constant=name == "constant")
        for kind in ("ADD", "SUB", "MUL", "DIV", "SQUARED_DIFFERENCE", "MAXIMUM", "MINIMUM")
        for name, shapes in {
            "same": ((3, 4, 5), (3, 4, 5)),
            "row": ((2, 4, 5), (5,)),
            "both": ((3, 1, 5), (4, 1)),
            "constant": ((2, 3, 7), (3, 7)),
        }.items()
    },
    "f32_add_relu": binary("ADD", (3, 17), (17,), fusedActivationFunction=RELU),
    "f32_sub_relu6": binary("SUB", (3, 17), (17,), fusedActivationFunction=RELU6),
    "f32_mul_n1": binary("MUL", (3, 17), (17,), fusedActivationFunction=RELU_N1_TO_1),
    "f32_div_relu": binary("DIV", (3, 17), (17,), fusedActivationFunction=RELU),
    "f32_prelu": binary("PRELU", (2, 3, 6), (6,), constant=True),
    **{
        f"f32_{kind.lower()}": compared(kind)
        for kind in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
    },
    "s32_less": compared("LESS", "int32"),
    "s32_equal": compared("EQUAL", "int32"),
    **{f"s32_{kind.lower()}": int32(kind) for kind in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM")},
    **{
        f"cast_{source}_{target}": cast(source, target)
        for source in ("bool", "int8", "int32", "uint32", "float32")
        for target in ("bool", "int8", "int16", "int32", "uint32", "float32")
    },
    "f32_mean": reduction("MEAN", (2, 5, 12), [2]),
    "f32_mean_image": reduction("MEAN", (1, 6, 5, 3), [1, 2]),
    "f32_mean_outer": reduction("MEAN", (3, 4, 5), [0, -1], keep=False),
    "f32_sum": reduction("SUM", (2, 40), [1], keep=False),
    "f32_sum_first": reduction("SUM", (7, 5, 3), [0]),
    "f32_reduce_max": reduction("REDUCE_MAX", (2, 5, 12), [1]),
    "f32_reduce_min": reduction("REDUCE_MIN", (2, 5, 12), [2]),
    "f32_conv": convolution("CONV_2D", (4, 3, 3, 3), channels=3),
    "f32_conv_valid": convolution(
        "CONV_2D", (5, 2, 3, 2), channels=2, padding=VALID, stride=2, activation=RELU
    ),
    "f32_conv_dilated": convolution("CONV_2D", (2, 3, 3, 3), channels=3, dilation=2, bias=False),
    "f32_depthwise": convolution("DEPTHWISE_CONV_2D", (1, 3, 3, 3), channels=3),
    "f32_depthwise_multiplier": convolution(
        "DEPTHWISE_CONV_2D", (1, 3, 2, 6), channels=3, stride=2, activation=RELU6
    ),
    "f32_average_pool": pool("AVERAGE_POOL_2D", padding=SAME, stride=2),
    "f32_average_pool_valid": pool("AVERAGE_POOL_2D", padding=VALID, stride=1, activation=RELU),
    "f32_l2_pool": pool("L2_POOL_2D", padding=SAME, stride=2),
    "f32_l2_pool_valid": pool("L2_POOL_2D", padding=VALID, stride=1, activation=RELU6),
    "f32_max_pool": pool("MAX_POOL_2D", padding=SAME, stride=1),
    "f32_fully_connected": fully_connected(bias=True, activation=RELU),
    "f32_fully_connected_no_bias": fully_connected(bias=False),
    "f32_computed_product": computed_product((3, 19), 5),
    "f32_computed_product_bias": computed_product((2, 7), 4, bias=True, activation=RELU),
    "f32_arg_max": arg_extreme("ARG_MAX", (3, 40), -1),
    "f32_arg_min": arg_extreme("ARG_MIN", (3, 40), 1),
    "f32_arg_max_middle": arg_extreme("ARG_MAX", (2, 9, 3), 1),
    "f32_arg_min_first": arg_extreme("ARG_MIN", (9, 4), 0),
    "f32_resize_bilinear": resize_bilinear((1, 3, 4, 2), (6, 8)),
    "f32_resize_bilinear_smaller": resize_bilinear((2, 7, 9, 2), (3, 4)),
    "f32_resize_bilinear_half": resize_bilinear((1, 5, 3, 1), (8, 7), half=True),
    "f32_resize_bilinear_corners": resize_bilinear((1, 4, 5, 2), (9, 6), corners=True),
    "f32_resize_bilinear_one": resize_bilinear((1, 1, 1, 3), (3, 2), half=True),
    "f32_batch_matmul": batch_matmul((2, 3, 5), (2, 5, 4), (2, 3, 4)),
    "f32_batch_matmul_transposed": batch_matmul(
        (2, 5, 3), (1, 4, 5), (2, 3, 4), adjX=True, adjY=True
    ),
    "f32_reshape": moved("RESHAPE", [(2, 6)], [(3, 4)], [[3, 4]]),
    "f32_transpose": moved("TRANSPOSE", [(2, 3, 4)], [(4, 2, 3)], [[2, 0, 1]]),
    "f32_concatenation": moved("CONCATENATION", [(2, 3), (2, 2)], [(2, 5)], axis=1),
    "f32_pack": moved("PACK", [(3,), (3,)], [(3, 2)], axis=1, valuesCount=2),
    "f32_unpack": moved("UNPACK", [(3, 2)], [(3,), (3,)], axis=1, num=2),
    "f32_split": moved("SPLIT", [(2, 6)], [(2, 3), (2, 3)], [1], numSplits=2),
    "f32_split_v": moved("SPLIT_V", [(2, 6)], [(2, 1), (2, 5)], [[1, 5], 1], numSplits=2),
    "f32_slice": moved("SLICE", [(3, 5)], [(2, 3)], [[1, 2], [2, 3]]),
    "f32_strided_slice": moved("STRIDED_SLICE", [(3, 5)], [(2, 3)], [[0, 0], [3, 5], [2, 2]]),
    "f32_expand_dims": moved("EXPAND_DIMS", [(3, 4)], [(3, 1, 4)], [1]),
    "f32_squeeze": moved("SQUEEZE", [(3, 1, 4)], [(3, 4)], squeezeDims=[1]),
    "f32_broadcast_to": moved("BROADCAST_TO", [(3, 1)], [(3, 4)], [[3, 4]]),
    "f32_pad": moved("PAD", [(2, 3)], [(4, 6)], [[[1, 1], [2, 1]]]),
    "f32_mirror_pad": moved("MIRROR_PAD", [(2, 3)], [(4, 5)], [[[1, 1], [1, 1]]], mode=0),
    "f32_space_to_depth": moved("SPACE_TO_DEPTH", [IMAGE], [(1, 2, 2, 16)], blockSize=2),
    "f32_depth_to_space": moved("DEPTH_TO_SPACE", [IMAGE], [(1, 8, 8, 1)], blockSize=2),
    "f32_space_to_batch": moved(
        "SPACE_TO_BATCH_ND", [(1, 3, 4, 2)], [(4, 2, 2, 2)], [[2, 2], [[1, 0], [0, 0]]]
    ),
    "f32_batch_to_space": moved(
        "BATCH_TO_SPACE_ND", [(4, 2, 2, 2)], [(1, 3, 4, 2)], [[2, 2], [[1, 0], [0, 0]]]
    ),
    "f32_reverse": moved("REVERSE_V2", [(2, 5)], [(2, 5)], [[1]]),
    "f32_resize_nearest": moved("RESIZE_NEAREST_NEIGHBOR", [IMAGE], [(1, 6, 7, 4)], [[6, 7]]),
    "gather_s8": embedding("GATHER", "int8"),
    "gather_f32": embedding("GATHER", "float32"),
    "embedding_lookup_f32": embedding("EMBEDDING_LOOKUP", "float32"),
    "embedding_lookup_s8": embedding("EMBEDDING_LOOKUP", "int8"),
    "table_sin": tabulated("SIN"),
    "table_cos_exp": tabulated("COS", "EXP"),
    "table_log": tabulated("LOG"),
    "table_neg_square": tabulated("NEG", "SQUARE", scale=0.3, zero_point=-128),
    "subgraph_sqrt": back("SQRT", 0.02, -5),
    "subgraph_rsqrt": back("RSQRT", 0.02, 7),
    "subgraph_exp_saturating": back("EXP", 1e-6, 3, 0.5),
    "subgraph_tanh": back("TANH", 1 / 128, 0),
    "layer_normalization": layer_normalization(),
}
