# SPDX-License-Identifier: Apache-2.0
"""Cases of truth values and of integers without a scale, at a model's edges and within."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

Shape = Sequence[int]
Found = tuple[list[int], list[int]]


def binary(
    kind: str,
    left: Shape,
    right: Shape,
    *,
    dtype: str = "bool",
    result: str = "bool",
    constant: int | None = None,
) -> Case:
    """An operator on two inputs, of which that at `constant` is one."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        low, high = (0, 2) if dtype == "bool" else (-3, 4)
        operands = [
            b.tensor(
                shape, dtype, data=rng.integers(low, high, shape) if constant == place else None
            )
            for place, shape in enumerate((left, right))
        ]
        y = b.tensor(np.broadcast_shapes(tuple(left), tuple(right)), result)
        b.operator(kind, operands, [y])
        return [x for place, x in enumerate(operands) if place != constant], [y]

    return case


def negated(shape: Shape) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        del rng
        x, y = b.tensor(shape, "bool"), b.tensor(shape, "bool")
        b.operator("LOGICAL_NOT", [x], [y])
        return [x], [y]

    return case


def reduce_all(shape: Shape, axes: Sequence[int], *, keep: bool = True) -> Case:
    """Reduce random values, and values that are nearly all true."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        places = {axis % len(shape) for axis in axes}
        due = [
            1 if axis in places else extent
            for axis, extent in enumerate(shape)
            if keep or axis not in places
        ]
        x, mostly = b.tensor(shape, "bool"), b.tensor(shape, "bool")
        mask = b.tensor(shape, "bool", data=rng.random(shape) < 0.9)
        index = b.tensor((len(axes),), "int32", data=axes)
        results = [b.tensor(due, "bool") for _ in range(2)]
        b.operator("LOGICAL_OR", [x, mask], [mostly])
        b.operator("REDUCE_ALL", [x, index], results[:1], keepDims=keep)
        b.operator("REDUCE_ALL", [mostly, index], results[1:], keepDims=keep)
        return [x], results

    return case


def mask_of(b: TfliteBuilder, rng: np.random.Generator) -> Found:
    """A selection by several conditions on int8."""
    del rng
    shape = (2, 3, 5)
    x, z = (b.tensor(shape, scale=0.05, zero_point=3) for _ in range(2))
    conditions = [b.tensor(shape, "bool") for _ in range(5)]
    y = b.tensor(shape, scale=0.05, zero_point=3)
    b.operator("GREATER", [x, z], conditions[:1])
    b.operator("LESS_EQUAL", [x, z], conditions[1:2])
    b.operator("LOGICAL_OR", conditions[:2], conditions[2:3])
    b.operator("LOGICAL_NOT", conditions[:1], conditions[3:4])
    b.operator("LOGICAL_AND", conditions[2:4], conditions[4:])
    b.operator("SELECT_V2", [conditions[4], x, z], [y])
    return [x, z], [y, conditions[2]]


def whole_quotient(shape: Shape, row: Shape) -> Case:
    """DIV of int32 by constants other than 0."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = b.tensor(shape, "int32")
        divisors = rng.choice([1, 2, -1, 7, -5, 1000, 2**31 - 1], row)
        z = b.tensor(row, "int32", data=divisors)
        y = b.tensor(np.broadcast_shapes(tuple(shape), tuple(row)), "int32")
        b.operator("DIV", [x, z], [y])
        return [x], [y]

    return case


_SHAPES: tuple[tuple[str, Shape, Shape, int | None], ...] = (
    ("same", (2, 3, 5), (2, 3, 5), None),
    ("scalar", (4, 5), (), 1),
    ("row", (2, 3, 7), (7,), None),
    ("crossed", (1, 5, 1, 3), (2, 1, 4, 1), None),
    ("constant", (1, 6), (3, 1), 0),
    ("rank_5", (2, 1, 3, 1, 2), (2, 1, 3, 1, 2), None),
)
_COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")

CASES: dict[str, Case] = {
    **{
        f"{kind.lower()}_{name}": binary(kind, left, right, constant=constant)
        for kind in ("LOGICAL_AND", "LOGICAL_OR", "EQUAL", "NOT_EQUAL")
        for name, left, right, constant in _SHAPES
    },
    "logical_not": negated((2, 3, 7)),
    "logical_not_scalar": negated(()),
    "reduce_all_last": reduce_all((3, 4, 5), [-1]),
    "reduce_all_first": reduce_all((3, 4, 5), [0], keep=False),
    "reduce_all_outer": reduce_all((3, 4, 5), [0, 2], keep=False),
    "reduce_all_of_one": reduce_all((3, 1, 5), [1]),
    "reduce_all": reduce_all((3, 4, 5), [0, 1, 2]),
    "mask_of_conditions": mask_of,
    **{
        f"s64_{kind.lower()}_{name}": binary(kind, left, right, dtype="int64", constant=constant)
        for kind in _COMPARISONS
        for name, left, right, constant in _SHAPES[1:4]
    },
    **{
        f"s64_{kind.lower()}_{name}": binary(
            kind, left, right, dtype="int64", result="int64", constant=constant
        )
        for kind in ("MAXIMUM", "MINIMUM")
        for name, left, right, constant in _SHAPES
    },
    **{
        f"s32_squared_difference_{name}": binary(
            "SQUARED_DIFFERENCE", left, right, dtype="int32", result="int32", constant=constant
        )
        for name, left, right, constant in _SHAPES
    },
    "s32_div": whole_quotient((2, 3, 7), (7,)),
    "s32_div_scalar": whole_quotient((2, 30), ()),
}
