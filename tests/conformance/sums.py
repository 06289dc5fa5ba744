# SPDX-License-Identifier: Apache-2.0
"""Cases of sums of several tensors, of running sums, and of what fills and updates tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

Shape = Sequence[int]
Found = tuple[list[int], list[int]]
#: Scale and zero point.
Quantised = tuple[float, int]


def _tensor(
    b: TfliteBuilder, shape: Shape, dtype: str, quantised: Quantised, data: Any = None
) -> int:
    scale, zero_point = quantised
    if dtype not in ("int8", "int16"):
        return b.tensor(shape, dtype, data=data)
    return b.tensor(shape, dtype, scale, zero_point if dtype == "int8" else 0, data=data)


def _computed(b: TfliteBuilder, shape: Shape, dtype: str, quantised: Quantised) -> tuple[int, int]:
    """An input, and its values: floats come from int8."""
    if dtype != "float32":
        x = _tensor(b, shape, dtype, quantised)
        return x, x
    x, values = _tensor(b, shape, "int8", quantised), b.tensor(shape, dtype)
    b.operator("DEQUANTIZE", [x], [values])
    return x, values


def _values(rng: np.random.Generator, shape: Shape, dtype: str) -> Any:
    if dtype == "float32":
        return rng.normal(size=tuple(shape))
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, tuple(shape), endpoint=True)


def add_n(
    shape: Shape,
    count: int,
    dtype: str = "int8",
    *,
    quantised: tuple[Quantised, Quantised] = ((0.05, 7), (0.12, -11)),
    constant: int | None = None,
) -> Case:
    """A sum of that many tensors, of which that at `constant` is one."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        found = [_computed(b, shape, dtype, quantised[0]) for _ in range(count)]
        sources = [values for _, values in found]
        if constant is not None:
            data = _values(rng, shape, dtype)
            sources[constant] = _tensor(b, shape, dtype, quantised[0], data)
        y = _tensor(b, shape, dtype, quantised[1])
        b.operator("ADD_N", sources, [y])
        return [x for x, _ in found], [y]

    return case


def cumsum(
    shape: Shape,
    axis: int,
    dtype: str = "int8",
    *,
    quantised: tuple[Quantised, Quantised] = ((0.05, 7), (0.2, -11)),
    exclusive: bool = False,
    reverse: bool = False,
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        del rng
        x, values = _computed(b, shape, dtype, quantised[0])
        y = _tensor(b, shape, dtype, quantised[1])
        place = b.tensor((), "int32", data=axis)
        b.operator("CUMSUM", [values, place], [y], exclusive=exclusive, reverse=reverse)
        return [x], [y]

    return case


def update_slice(
    shape: Shape,
    update: Shape,
    dtype: str = "int8",
    *,
    starts: Sequence[int] | None = None,
    wide: bool = False,
    constant: int | None = None,
    again: bool = False,
) -> Case:
    """An update at starts that are constant, or an input; `again` at others after that."""
    quantised = (0.05, 7)

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x, part = (
            _tensor(
                b, each, dtype, quantised, _values(rng, each, dtype) if constant == place else None
            )
            for place, each in enumerate((shape, update))
        )
        kind = "int64" if wide else "int32"
        places = b.tensor((len(shape),), kind, data=starts)
        y = _tensor(b, shape, dtype, quantised)
        b.operator("DYNAMIC_UPDATE_SLICE", [x, part, places], [y])
        inputs = [i for place, i in enumerate((x, part)) if place != constant]
        inputs += [places] if starts is None else []
        if not again:
            return inputs, [y]
        origin = b.tensor((len(shape),), "int32", data=[0] * len(shape))
        z = _tensor(b, shape, dtype, quantised)
        b.operator("DYNAMIC_UPDATE_SLICE", [y, part, origin], [z])
        return inputs, [z]

    return case


def gather_nd(
    shape: Shape, indices: Shape, depth: int, dtype: str = "int8", *, constant: bool = False
) -> Case:
    """Slices at indices of that shape, each in `depth` dimensions."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        x = _tensor(b, shape, dtype, (0.05, 7))
        data = rng.integers(0, shape[:depth], (*indices, depth)) if constant else None
        places = b.tensor((*indices, depth), "int32", data=data)
        y = _tensor(b, (*indices, *shape[depth:]), dtype, (0.05, 7))
        b.operator("GATHER_ND", [x, places], [y])
        return [x] if constant else [x, places], [y]

    return case


def filled(shape: Shape, dtype: str = "int8", *, constant: bool = False) -> Case:
    """A tensor of one value, and what is larger where it is of int8."""

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        due = b.tensor((len(shape),), "int32", data=shape)
        value = _tensor(b, (), dtype, (0.05, 7), _values(rng, (), dtype) if constant else None)
        y = _tensor(b, shape, dtype, (0.05, 7))
        b.operator("FILL", [due, value], [y])
        x = _tensor(b, shape, "int8", (0.05, 7))
        z = _tensor(b, shape, "int8", (0.05, 7))
        if dtype == "int8":
            b.operator("MAXIMUM", [x, y], [z])
        else:
            b.operator("ZEROS_LIKE", [x], [z])
        # A tensor that no input changes is no output.
        return ([x], [z]) if constant else ([value, x], [y, z])

    return case


def zeros_like(shape: Shape, dtype: str = "int8") -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        del rng
        x, y = (_tensor(b, shape, dtype, each) for each in ((0.05, 7), (0.3, -9)))
        b.operator("ZEROS_LIKE", [x], [y])
        return [x], [y]

    return case


def broadcast_args(
    left: int, right: int, dtype: str = "int32", constant: int | None = None
) -> Case:
    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        operands = [
            b.tensor((rank,), dtype, data=rng.integers(0, 2, rank) if constant == place else None)
            for place, rank in enumerate((left, right))
        ]
        y = b.tensor((max(left, right),), dtype)
        b.operator("BROADCAST_ARGS", operands, [y])
        return [x for place, x in enumerate(operands) if place != constant], [y]

    return case


_FLOAT = "float32"
CASES: dict[str, Case] = {
    "add_n_two": add_n((2, 3, 5), 2),
    "add_n_five": add_n((40,), 5),
    "add_n_constant": add_n((4, 9), 3, constant=1),
    "add_n_saturating": add_n((4, 30), 3, quantised=((0.5, -128), (0.001, 127))),
    "add_n_vanishing": add_n((4, 30), 3, quantised=((1e-6, 100), (0.5, -100))),
    "add_n_least_scale": add_n((4, 30), 4, quantised=((0.5, -128), (1.01 * 2.0**-20, 0))),
    "add_n_wrapping": add_n((3, 11), 24, quantised=((0.5, -128), (0.7, 0))),
    "add_n_f32": add_n((3, 7), 4, _FLOAT),
    "add_n_f32_constant": add_n((3, 7), 2, _FLOAT, constant=0),
    **{
        f"cumsum_{dtype}_{name}": cumsum(shape, axis, dtype, exclusive=exclusive, reverse=reverse)
        for dtype in ("int8", _FLOAT)
        for name, shape, axis, exclusive, reverse in (
            ("vector", (17,), 0, False, False),
            ("last", (3, 9), -1, False, True),
            ("first", (7, 5), 0, True, False),
            ("middle", (2, 6, 4), 1, True, True),
            ("of_one", (2, 1, 4), 1, False, False),
        )
    },
    "cumsum_saturating": cumsum((2, 60), 1, quantised=((0.5, -128), (0.01, -128))),
    "cumsum_wrapping": cumsum((1, 90), 1, quantised=((0.5, -128), (9.0, 0))),
    "update_slice": update_slice((4, 5), (2, 3)),
    "update_slice_constant_start": update_slice((4, 5), (2, 3), starts=(1, 2)),
    "update_slice_outside": update_slice((4, 5), (2, 3), starts=(-7, 90)),
    "update_slice_int64": update_slice((4, 5, 2), (2, 5, 1), wide=True),
    "update_slice_of_constant": update_slice((4, 5), (2, 3), constant=0),
    "update_slice_by_constant": update_slice((4, 5), (2, 3), constant=1),
    "update_slice_whole": update_slice((3, 4), (3, 4)),
    "update_slice_vector": update_slice((19,), (4,), starts=(6,)),
    "update_slice_rank_5": update_slice((2, 3, 2, 3, 4), (1, 2, 2, 1, 3), starts=(1, 1, 0, 2, 1)),
    "update_slice_int16": update_slice((4, 5), (2, 3), "int16", starts=(1, 1)),
    "update_slice_int32": update_slice((4, 5), (2, 3), "int32"),
    "update_slice_f32": update_slice((4, 5), (2, 3), _FLOAT, starts=(2, 0)),
    "update_slice_twice": update_slice((4, 5), (2, 3), starts=(2, 1), again=True),
    "gather_nd_rows": gather_nd((5, 4), (3,), 1),
    "gather_nd_elements": gather_nd((5, 4, 3), (2, 2), 3),
    "gather_nd_one": gather_nd((5, 4, 3), (), 2),
    "gather_nd_rank_5": gather_nd((2, 3, 2, 3, 2), (4,), 4),
    "gather_nd_constant": gather_nd((5, 4, 3), (6,), 2, constant=True),
    "gather_nd_f32": gather_nd((5, 4), (3,), 1, _FLOAT),
    "fill": filled((3, 4)),
    "fill_constant": filled((3, 4), constant=True),
    "fill_int32": filled((2, 3, 2), "int32"),
    "fill_f32": filled((7,), _FLOAT),
    **{f"zeros_like_{dtype}": zeros_like((3, 5), dtype) for dtype in ("int8", "int32", "int64")},
    "zeros_like_f32": zeros_like((3, 5), _FLOAT),
    "zeros_like, two layers that are alike": zeros_like((3, 5)),
    "broadcast_args": broadcast_args(3, 3),
    "broadcast_args_longer": broadcast_args(2, 5),
    "broadcast_args_shorter": broadcast_args(4, 1, "int64"),
    "broadcast_args_constant": broadcast_args(3, 4, constant=0),
}
