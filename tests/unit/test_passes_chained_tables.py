# SPDX-License-Identifier: Apache-2.0
"""Chains of tables become one, and tables that only clamp become fused activations."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest

from tests.support.rewritten import check_exact, file_of, optimised, titles
from tests.support.tflite_builder import TfliteBuilder

pytestmark = pytest.mark.slow

needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
#: Functions and the quantisation of their outputs, None if any is right.
FUNCTIONS: tuple[tuple[str, tuple[float, int] | None, dict[str, Any]], ...] = (
    ("ABS", None, {}),
    ("HARD_SWISH", None, {}),
    ("LEAKY_RELU", None, {"alpha": 0.3}),
    ("LOGISTIC", (1 / 256, -128), {}),
    ("QUANTIZE", None, {}),
    ("RELU", None, {}),
    ("RELU6", None, {}),
    ("TANH", (1 / 128, 0), {}),
)
ELEMENTS = 256


def function(b: TfliteBuilder, source: int, rng: np.random.Generator) -> int:
    kind, fixed, options = FUNCTIONS[rng.integers(len(FUNCTIONS))]
    scale, zero_point = fixed or (float(rng.uniform(0.01, 0.2)), int(rng.integers(-128, 128)))
    shape = [int(extent) for extent in b.subgraph.tensors[source].shape]
    output = b.tensor(shape, scale=scale, zero_point=zero_point)
    b.operator(kind, [source], [output], **options)
    return output


def chain(seed: int, length: int) -> Any:
    def build(b: TfliteBuilder) -> tuple[int, int]:
        rng = np.random.default_rng(seed)
        value = source = b.tensor((ELEMENTS,), scale=0.06, zero_point=int(rng.integers(-20, 21)))
        for _ in range(length):
            value = function(b, value, rng)
        return source, value

    return build


@needs_compiler
@pytest.mark.parametrize("first", range(0, 36, 12))
def test_chains_of_any_functions_become_one_table(first: int) -> None:
    graph = check_exact(file_of([chain(seed, 2 + seed % 4) for seed in range(first, first + 12)]))
    assert len(graph.operators) <= 12


def test_a_result_that_is_read_twice_ends_a_chain() -> None:
    b = TfliteBuilder()
    x, y, z, total = (b.tensor((4,), scale=0.1) for _ in range(4))
    b.operator("LEAKY_RELU", [x], [y], alpha=0.5)
    b.operator("ABS", [y], [z])
    b.operator("ADD", [y, z], [total])
    assert titles(optimised(b.build([x], [total]))) == ["LEAKY_RELU", "ABS", "ADD"]
    assert titles(optimised(b.build([x], [z, y]))) == ["LEAKY_RELU", "ABS"]
    assert titles(optimised(b.build([x], [z]))) == ["LEAKY_RELU+ABS"]


#: Of operators with a fused activation.
NONE, RELU, RELU6 = 0, 1, 3


def layer(kind: str, then: str, same: bool, scale: float, zero_point: int, fused: int) -> Any:
    """An operator with a fused activation, and a function behind it."""

    def build(b: TfliteBuilder) -> tuple[int, int]:
        rng = np.random.default_rng(zero_point + 128)
        shape = (1, 5, 5, 4)
        first = (scale, zero_point) if kind.endswith("POOL_2D") else (0.1, 7)
        source = b.tensor(shape, scale=first[0], zero_point=first[1])
        middle = b.tensor(shape, scale=scale, zero_point=zero_point)
        options: dict[str, Any] = {"fusedActivationFunction": fused}
        operands = [source]
        if kind == "CONV_2D":
            weights = rng.integers(-127, 128, (4, 3, 3, 4))
            operands.append(b.tensor((4, 3, 3, 4), scale=0.01, data=weights))
            options |= {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        elif kind == "ADD":
            operands.append(source)
        else:
            options |= {"strideH": 1, "strideW": 1, "filterHeight": 2, "filterWidth": 2}
        b.operator(kind, operands, [middle], **options)
        output = b.tensor(shape, scale=scale if same else 2 * scale, zero_point=zero_point)
        b.operator(then, [middle], [output])
        return source, output

    return build


KINDS = ("CONV_2D", "ADD", "AVERAGE_POOL_2D", "MAX_POOL_2D")


def cases() -> list[tuple[Any, ...]]:
    return [
        (then, same, scale, zero_point, fused)
        for then, fused in (("RELU", NONE), ("RELU", RELU6), ("RELU6", NONE), ("RELU6", RELU))
        for same, scale, zero_point in ((True, 0.05, -10), (True, 0.1, -128), (False, 0.02, 100))
    ]


@needs_compiler
@pytest.mark.parametrize("kind", KINDS)
def test_fused_activations_are_exact(kind: str) -> None:
    check_exact(file_of([layer(kind, *case) for case in cases()]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_clamp_is_fused_where_the_scale_stays(kind: str) -> None:
    for then in ("RELU", "RELU6"):
        for fused in (NONE, RELU):
            graph = optimised(file_of([layer(kind, then, True, 0.05, -10, fused)]))
            assert titles(graph) == [kind]
            assert graph.operators[0].activation.value == then  # type: ignore[attr-defined]
    assert titles(optimised(file_of([layer(kind, "RELU", False, 0.05, -10, NONE)]))) == [
        kind,
        "RELU",
    ]


def test_a_clamp_that_is_done_already_is_dropped() -> None:
    assert titles(optimised(file_of([layer("ADD", "RELU", True, 0.1, -128, NONE)]))) == ["ADD"]
