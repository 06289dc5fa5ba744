# SPDX-License-Identifier: Apache-2.0
"""Cases of the elementwise operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
BOTH_COMPUTED, LEFT_CONSTANT, RIGHT_CONSTANT = None, 0, 1

Shape = tuple[int, ...]
#: Scale and zero point of the operands and of the output, in that order.
Quantised = Sequence[tuple[float, int]]


def _drawn(rng: np.random.Generator, count: int) -> list[tuple[float, int]]:
    """Quantisation parameters of that many tensors."""
    return [
        (float(np.float32(10.0 ** rng.uniform(-2.5, -0.5))), int(rng.integers(-128, 128)))
        for _ in range(count)
    ]


def _operand(
    b: TfliteBuilder,
    rng: np.random.Generator,
    shape: Shape,
    quantised: tuple[float, int],
    constant: bool,
) -> int:
    data = rng.integers(-128, 128, shape, np.int8) if constant else None
    return b.tensor(shape, scale=quantised[0], zero_point=quantised[1], data=data)


def binary(
    kind: str,
    left: Shape,
    right: Shape,
    *,
    constant: int | None = BOTH_COMPUTED,
    quantised: Quantised | None = None,
    **options: Any,
) -> Case:
    """An operator on two operands of those shapes."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        parameters = list(quantised or _drawn(rng, 3))
        operands = [
            _operand(b, rng, shape, parameters[i], constant == i)
            for i, shape in enumerate((left, right))
        ]
        scale, zero_point = parameters[2]
        y = b.tensor(np.broadcast_shapes(left, right), scale=scale, zero_point=zero_point)
        b.operator(kind, operands, [y], **options)
        return [x for i, x in enumerate(operands) if i != constant], [y]

    return case


#: Name, both shapes, which operand is constant, fused activation.
_SHAPES: tuple[tuple[str, Shape, Shape, int | None, int], ...] = (
    ("same", (1, 3, 5, 7), (1, 3, 5, 7), BOTH_COMPUTED, NONE),
    ("same_constant", (2, 3, 4), (2, 3, 4), RIGHT_CONSTANT, RELU),
    ("scalar", (1, 4, 5, 3), (), RIGHT_CONSTANT, NONE),
    ("scalar_left", (), (2, 9), LEFT_CONSTANT, RELU6),
    ("one", (1,), (7,), BOTH_COMPUTED, NONE),
    ("ones", (1, 1, 1), (1, 1), BOTH_COMPUTED, RELU_N1_TO_1),
    ("channels", (1, 4, 3, 6), (6,), RIGHT_CONSTANT, RELU),
    ("channels_left", (1, 1, 1, 5), (2, 3, 2, 5), LEFT_CONSTANT, NONE),
    ("channels_computed", (1, 4, 3, 6), (1, 1, 1, 6), BOTH_COMPUTED, RELU6),
    ("map", (1, 4, 5, 3), (1, 4, 5, 1), BOTH_COMPUTED, NONE),
    ("rows", (2, 3, 4), (3, 1), BOTH_COMPUTED, RELU_N1_TO_1),
    ("crossed", (1, 5, 1, 3), (2, 1, 4, 1), BOTH_COMPUTED, NONE),
    ("crossed_constant", (3, 1, 2, 1), (2, 1, 5), LEFT_CONSTANT, RELU),
    ("outer", (6, 1), (1, 7), BOTH_COMPUTED, NONE),
    ("rank_5", (2, 1, 3, 1, 2), (1, 4, 3, 2, 1), BOTH_COMPUTED, NONE),
    ("rank_6", (2, 2, 1, 3, 1, 2), (1, 1, 4, 3, 2, 1), RIGHT_CONSTANT, RELU),
)
#: Name, operands and output.
_EDGES: tuple[tuple[str, Quantised], ...] = (
    ("low_points", ((0.03, -128), (0.05, -128), (0.07, -128))),
    ("high_points", ((0.03, 127), (0.05, 127), (0.07, 127))),
    ("opposite_points", ((0.03, -128), (0.05, 127), (0.02, 127))),
    ("saturating", ((0.9, 11), (0.8, -5), (0.001, 3))),
    ("vanishing", ((0.0003, 100), (0.0002, -100), (0.9, -7))),
    ("unlike_scales", ((1e-6, -3), (0.7, 8), (0.6, 1))),
    ("underflowing", ((1e-12, -3), (0.5, 8), (0.25, 1))),
    ("equal_scales", ((0.125, 0), (0.125, 0), (0.25, 0))),
)


#: Products of scales that shift beyond 32 bits: the reference wraps.
_WRAPPING: Quantised = ((3000.0, -100), (2000.0, 5), (0.01, -128))


def _arithmetic(kind: str) -> dict[str, Case]:
    name = kind.lower()
    return {
        **{
            f"{name}_{shape}": binary(
                kind, left, right, constant=constant, fusedActivationFunction=activation
            )
            for shape, left, right, constant, activation in _SHAPES
        },
        **{
            f"{name}_{edge}": binary(kind, (4, 64), (4, 64), quantised=quantised)
            for edge, quantised in _EDGES
        },
    }


def _without_activation(kind: str) -> dict[str, Case]:
    name = kind.lower()
    return {
        **{
            f"{name}_{shape}": binary(kind, left, right, constant=constant)
            for shape, left, right, constant, _ in _SHAPES
        },
        **{
            f"{name}_{edge}": binary(kind, (4, 64), (64,), quantised=quantised)
            for edge, quantised in _EDGES
        },
    }


def _division() -> dict[str, Case]:
    """Divisors of 0 among them, and ratios of scales at the ends of what is compiled."""
    ratios: tuple[tuple[str, Quantised], ...] = (
        ("small", ((0.003, 5), (100.0, -3), (1000.0, 9))),
        ("least", ((2.0**-26, -128), (1.0, 127), (1.0, 0))),
        ("greatest", ((2.0**21, 7), (1.0, -128), (1.0, -5))),
    )
    every = np.arange(-128, 128)

    def all_pairs(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        del rng
        x = b.tensor((5, 1), "int8", 0.05, 2)
        z = b.tensor((256,), "int8", 0.02, -3, data=every)
        y = b.tensor((5, 256), "int8", 0.1, 0)
        b.operator("DIV", [x, z], [y])
        return [x], [y]

    edges = {name: quantised for name, quantised in _EDGES if name != "underflowing"}
    return {
        **{
            f"div_{shape}": binary(
                "DIV", left, right, constant=constant, fusedActivationFunction=activation
            )
            for shape, left, right, constant, activation in _SHAPES
        },
        **{
            f"div_{edge}": binary("DIV", (4, 64), (4, 64), quantised=quantised)
            for edge, quantised in (*edges.items(), *ratios)
        },
        "div_by_all": all_pairs,
    }


def _one_quantisation(kind: str) -> dict[str, Case]:
    """MAXIMUM and MINIMUM do not rescale."""
    return {
        f"{kind.lower()}_{shape}": binary(
            kind, left, right, constant=constant, quantised=[(0.05, -128)] * 3
        )
        for shape, left, right, constant, _ in _SHAPES
    }


def _prelu_cases() -> dict[str, Case]:
    shapes: tuple[tuple[str, Shape, Shape, int | None], ...] = (
        ("shared", (1, 4, 5, 3), (1, 1, 3), RIGHT_CONSTANT),
        ("each", (1, 3, 2, 5), (3, 2, 5), RIGHT_CONSTANT),
        ("scalar", (2, 9), (1,), RIGHT_CONSTANT),
        ("computed", (1, 4, 3, 2), (1, 4, 3, 2), BOTH_COMPUTED),
        ("vector", (17,), (17,), RIGHT_CONSTANT),
        ("map", (2, 4, 5, 3), (4, 5, 1), RIGHT_CONSTANT),
        ("rank_5", (2, 3, 2, 3, 2), (3, 1, 3, 1), RIGHT_CONSTANT),
    )
    return {
        **{
            f"prelu_{shape}": binary("PRELU", left, right, constant=constant)
            for shape, left, right, constant in shapes
        },
        **{
            f"prelu_{edge}": binary("PRELU", (4, 64), (64,), quantised=quantised)
            for edge, quantised in _EDGES
        },
    }


def selection(
    kind: str,
    shapes: tuple[Shape, Shape, Shape, Shape],
    constants: str,
    quantised: Quantised,
    select: str = "SELECT_V2",
) -> Case:
    """A comparison of the first two operands, and by it the third or the fourth.

    `constants` has a letter an operand: c where it is constant.
    """

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        values = (0.05, int(rng.integers(-128, 128)))
        parameters = [*quantised, values, values]
        left, right, yes, no = operands = [
            _operand(b, rng, shape, parameters[i], constants[i] == "c")
            for i, shape in enumerate(shapes)
        ]
        condition = b.tensor(np.broadcast_shapes(*shapes[:2]), "bool")
        due = shapes[2] if select == "SELECT" else np.broadcast_shapes(*shapes)
        y = b.tensor(due, scale=values[0], zero_point=values[1])
        b.operator(kind, [left, right], [condition])
        b.operator(select, [condition, yes, no], [y])
        return [x for i, x in enumerate(operands) if constants[i] != "c"], [y]

    return case


def mask(shape: Shape, left: Shape, right: Shape, select: str = "SELECT_V2") -> Case:
    """A selection by a constant condition."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        condition = b.tensor(shape, "bool", data=rng.integers(0, 2, shape))
        operands = [_operand(b, rng, each, (0.05, 3), False) for each in (left, right)]
        due = left if select == "SELECT" else np.broadcast_shapes(shape, left, right)
        y = b.tensor(due, scale=0.05, zero_point=3)
        b.operator(select, [condition, *operands], [y])
        return operands, [y]

    return case


def _comparisons() -> dict[str, Case]:
    kinds = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
    vector = ((6, 40), (6, 40), (6, 40), (6, 40))
    shapes: tuple[tuple[str, tuple[Shape, Shape, Shape, Shape], str], ...] = (
        ("same", vector, "...."),
        ("constant", ((2, 9, 5), (), (2, 9, 5), ()), ".c.c"),
        ("crossed", ((1, 5, 1, 3), (2, 1, 4, 1), (2, 5, 4, 3), (3,)), "...c"),
    )
    scales: tuple[tuple[str, Quantised], ...] = (
        ("alike", ((0.1, -4), (0.1, -4))),
        ("unlike", ((0.03, -128), (0.021, 127))),
        ("fine", ((0.0011, 20), (0.0023, -11))),
        ("coarse", ((0.99, 3), (0.4, 5))),
        ("underflowing", ((1e-12, 3), (0.4, 5))),
    )
    return {
        **{
            f"{kind.lower()}_{name}": selection(kind, each, constants, ((0.05, 5), (0.06, -9)))
            for kind in kinds
            for name, each, constants in shapes
        },
        **{
            f"{kind.lower()}_{name}": selection(kind, vector, "....", quantised)
            for kind in kinds
            for name, quantised in scales
        },
    }


def _select_v1() -> dict[str, Case]:
    """Conditions of the values' shape, of their first dimension, and of none."""
    scales = ((0.05, 5), (0.06, -9))
    conditions: tuple[tuple[str, Shape, Shape, str], ...] = (
        ("same", (2, 5, 4), (2, 5, 4), "...."),
        ("constants", (2, 5, 4), (2, 5, 4), ".cc."),
        ("first", (5,), (5, 3, 4), "...."),
        ("square", (4,), (4, 4), ".c.c"),
        ("vector", (9,), (9,), "..c."),
        ("scalar", (), (3, 7), "...."),
        ("rank_6", (2,), (2, 1, 3, 1, 2, 3), "...."),
    )
    return {
        **{
            f"select_{name}": selection(
                "GREATER", (condition, condition, shape, shape), constants, scales, "SELECT"
            )
            for name, condition, shape, constants in conditions
        },
        "select_mask": mask((3, 4), (3, 4), (3, 4), "SELECT"),
        "select_first_mask": mask((6,), (6, 4), (6, 4), "SELECT"),
        "select_scalar_mask": mask((), (3, 4), (3, 4), "SELECT"),
    }


CASES: dict[str, Case] = {
    **_arithmetic("MUL"),
    **_arithmetic("SUB"),
    **_arithmetic("ADD"),
    **_division(),
    **_one_quantisation("MAXIMUM"),
    **_one_quantisation("MINIMUM"),
    **_without_activation("SQUARED_DIFFERENCE"),
    **_prelu_cases(),
    **{
        f"{kind.lower()}_wrapping": binary(kind, (4, 64), (64,), quantised=_WRAPPING)
        for kind in ("MUL", "SQUARED_DIFFERENCE", "PRELU")
    },
    **_comparisons(),
    **_select_v1(),
    "select_v2_mask": mask((4, 1, 6), (3, 4, 5, 6), (5, 1)),
    "select_v2_scalar_mask": mask((), (3, 4), (3, 4)),
    "select_v2_rank_5": mask((2, 1, 3, 1, 2), (1, 4, 3, 2, 1), (2, 1, 1, 2, 2)),
    "select_v2_vector": mask((9,), (9,), (9,)),
    "select_v2_one": mask((1,), (1,), (1, 1)),
}
