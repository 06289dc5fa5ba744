# SPDX-License-Identifier: Apache-2.0
"""Tables of functions of one int8 value: every entry is what the oracle computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.ir.quantization import Quantization
from tinyflow.numerics import int8_tables as lookup
from tinyflow.numerics.fixed_point import rounding_shift_right, truncate, wrap
from tinyflow.oracle.oracle import Oracle

pytestmark = pytest.mark.slow

BYTES = np.arange(256, dtype=np.uint8).view(np.int8)


def oracle_table(kind: str, source: Quantization, output: Quantization, **options: Any) -> Any:
    """The operator's output for all 256 inputs, indexed by the input's byte."""
    builder = TfliteBuilder()
    index = builder.tensor((1, 256), "int8", source.scale, source.zero_point)
    result = builder.tensor((1, 256), "int8", output.scale, output.zero_point)
    builder.operator(kind, [index], [result], **options)
    return Oracle(builder.build([index], [result])).run(BYTES.reshape(1, 256))[0].ravel()


@st.composite
def quantizations(
    draw: st.DrawFn, low: float = 2.0**-20, high: float = 2.0**12, zero_point: int | None = None
) -> Quantization:
    """A scale drawn by its logarithm, sometimes a power of two, and any zero point."""
    exponent = draw(
        st.floats(np.log2(low), np.log2(high))
        | st.integers(int(np.log2(low)), int(np.log2(high))).map(float)
    )
    points = st.integers(-128, 127) | st.sampled_from([-128, 0, 127])
    point = draw(points) if zero_point is None else zero_point
    return Quantization((float(np.float32(2.0**exponent)),), (point,))


def check(
    kind: str,
    table: Callable[..., Any],
    source: Quantization,
    output: Quantization,
    **options: Any,
) -> None:
    expected = oracle_table(kind, source, output, **options)
    np.testing.assert_array_equal(table(source, output, **options), expected)


@settings(deadline=None)
@given(quantizations(), quantizations(2.0**-29))
def test_relu_n1_to_1(source: Quantization, output: Quantization) -> None:
    check("RELU_N1_TO_1", lookup.relu_n1_to_1, source, output)


@settings(deadline=None)
@given(quantizations(2.0**-60, 2.0**60))
def test_logistic(source: Quantization) -> None:
    check("LOGISTIC", lookup.logistic, source, Quantization((1 / 256,), (-128,)))


@settings(deadline=None)
@given(quantizations(2.0**-60, 2.0**60))
def test_tanh(source: Quantization) -> None:
    check("TANH", lookup.tanh, source, Quantization((1 / 128,), (0,)))


@settings(deadline=None)
@given(quantizations(2.0**-30, 2.0**24), quantizations(2.0**-30, 2.0**30))
def test_hard_swish(source: Quantization, output: Quantization) -> None:
    assume(lookup.hard_swish_multipliers(source, output)[0].shift <= 0)
    check("HARD_SWISH", lookup.hard_swish, source, output)


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("RELU", lookup.relu),
        ("RELU6", lookup.relu6),
        ("ABS", lookup.absolute),
        ("ELU", lookup.elu),
    ],
)
@pytest.mark.parametrize("reach", [6, 15], ids=["usual", "extreme"])
@settings(deadline=None)
@given(data=st.data())
def test_functions_of_both_scales(
    kind: str, table: Callable[..., Any], reach: int, data: st.DataObject
) -> None:
    drawn = quantizations(2.0**-reach, 2.0**reach)
    check(kind, table, data.draw(drawn), data.draw(drawn))


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "ABS", "ELU"])
def test_equal_scales(kind: str) -> None:
    table = {"RELU": lookup.relu, "RELU6": lookup.relu6, "ABS": lookup.absolute, "ELU": lookup.elu}
    for zero_point in (-128, -1, 0, 5, 127):
        same = Quantization((0.0625,), (zero_point,))
        check(kind, table[kind], same, same)


@settings(deadline=None)
@given(
    quantizations(2.0**-10, 2.0**10),
    quantizations(2.0**-10, 2.0**10),
    st.floats(-4, 4, width=32) | st.sampled_from([0.0, -0.0, 1.0, 0.25, -1.0]),
)
def test_leaky_relu(source: Quantization, output: Quantization, alpha: float) -> None:
    check("LEAKY_RELU", lookup.leaky_relu, source, output, alpha=alpha)


def ties() -> list[tuple[Quantization, Quantization]]:
    """Scales whose ratio is (k + 1/2) / 64 in float32, so 64 maps to a tie, but not in double."""
    rng = np.random.default_rng(0)
    found: list[tuple[Quantization, Quantization]] = []
    while len(found) < 40:
        output = np.float32(rng.uniform(0.1, 1))
        due = np.float32((rng.integers(32, 64) + 0.5) / 64)
        source = due * output
        if source / output == due and float(source) / float(output) != float(due):
            found.append(
                (Quantization((float(source),), (0,)), Quantization((float(output),), (0,)))
            )
    return found


@pytest.mark.parametrize("kind", ["RELU", "ABS", "LEAKY_RELU"])
def test_ratios_are_of_double_precision(kind: str) -> None:
    for source, output in ties():
        if kind == "LEAKY_RELU":
            check(kind, lookup.leaky_relu, source, output, alpha=1.0)
        else:
            check(kind, lookup.relu if kind == "RELU" else lookup.absolute, source, output)


def test_the_ratio_of_relu_n1_to_1_is_of_single_precision() -> None:
    for pair in ties():  # as fine as this, nothing of interest is clamped
        source, output = (Quantization((q.scale / 128,), q.zero_points) for q in pair)
        check("RELU_N1_TO_1", lookup.relu_n1_to_1, source, output)


@pytest.mark.parametrize("scale", [1.3195079565048218, 2.491058111190796])
def test_hard_swish_divides_in_double_precision(scale: float) -> None:
    source, output = Quantization((1.0,), (0,)), Quantization((scale,), (0,))
    check("HARD_SWISH", lookup.hard_swish, source, output)


def test_six_is_divided_in_single_precision() -> None:
    for steps in range(1, 120):
        scale = float(np.float32(6.0 / (steps + 0.5)))
        source = Quantization((scale,), (-128,))
        check("RELU6", lookup.relu6, source, source)


@settings(deadline=None)
@given(quantizations(2.0**-20, 2.0**20, -128), quantizations())
def test_rsqrt(source: Quantization, output: Quantization) -> None:
    check("RSQRT", lookup.rsqrt, source, output)


def test_casts_follow_x86() -> None:
    assert truncate(1e10) == truncate(float("nan")) == -(1 << 31)
    assert truncate(-2.5) == -2
    assert wrap(1 << 31) == -(1 << 31)


@pytest.mark.parametrize(("value", "exponent", "expected"), [(-3, 1, -2), (3, 1, 2), (-1, 2, 0)])
def test_halves_go_away_from_zero(value: int, exponent: int, expected: int) -> None:
    assert rounding_shift_right(value, exponent) == expected


def litert_table(kind: str, source: Quantization, output: Quantization, **options: Any) -> Any:
    """Return the table of LiteRT's reference kernels, as `oracle_table`: TFLM has no int8 form of
    the operator.
    """
    builder = TfliteBuilder()
    index = builder.tensor((256,), "int8", source.scale, source.zero_point)
    result = builder.tensor((256,), "int8", output.scale, output.zero_point)
    builder.operator(kind, [index], [result], **options)
    interpreter = Interpreter(
        model_content=builder.build([index], [result]),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], BYTES)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@settings(deadline=None)
@given(quantizations(2.0**-14, 2.0**5), quantizations(2.0**-14, 2.0**5))
def test_what_only_litert_has(source: Quantization, output: Quantization) -> None:
    np.testing.assert_array_equal(lookup.exp(source, output), litert_table("EXP", source, output))
    np.testing.assert_array_equal(lookup.log(source, output), litert_table("LOG", source, output))
    symmetric = Quantization((source.scale,), (0,), None)
    np.testing.assert_array_equal(lookup.neg(), litert_table("NEG", symmetric, symmetric))
    for approximate in (False, True):
        np.testing.assert_array_equal(
            lookup.gelu(source, output, approximate=approximate),
            litert_table("GELU", source, output, approximate=approximate),
        )
