# SPDX-License-Identifier: Apache-2.0
"""Element-wise operators of int8 on cores with the DSP extension."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.elementwise import Mul, Sub
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Add, Operator
from tinyflow.ir.quantization import FixedPoint, Quantization, activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import (
    Constant,
    Kernel,
    Overlap,
    RowForm,
    Source,
    is_image,
    output_of,
    row_elements,
)
from tinyflow.kernels.generated.requantise import requantisation
from tinyflow.kernels.makers import VariantMaker
from tinyflow.kernels.name import KernelName, clamp_words
from tinyflow.kernels.portable.elementwise import loops
from tinyflow.numerics.multipliers import ADD_LEFT_SHIFT, add_multipliers, output_multiplier
from tinyflow.numerics.requantize import Ints, multiply_array

#: The kernels, by template: a sum in one rounding, one with a table for an operand, a product.
_NAMES = {
    "sum": KernelName("add", "s8", "dsp", words=("rounded", "once")),
    "sum_table": KernelName("add", "s8", "dsp", words=("lut",)),
    "product": KernelName("mul", "s8", "dsp"),
}
_HEADER = "tinyflow_elementwise_s8.h"
_INT8 = np.arange(-128, 128)


@dataclass(frozen=True, eq=False)
class Operands:
    """Two int8 operands, their output, and the runs of contiguous elements.

    Attributes:
        run: elements of a run.
        nest: the loops around it, as `portable.elementwise.loops` gives them.
    """

    op: Add | Sub | Mul
    left: Tensor
    right: Tensor
    output: Tensor
    run: int
    nest: Mapping[str, Any]

    @property
    def limits(self) -> tuple[int, int]:
        """The fused clamp."""
        return activation_range(self.op.activation, self.output.q)

    @property
    def runs(self) -> int:
        """Number of runs."""
        return self.output.elements // self.run


def _operands(op: Add | Sub | Mul, graph: Graph, board: Board) -> Operands | None:
    """The operands, or None if no generated kernel supports them."""
    left, right = graph.tensors[op.left], graph.tensors[op.right]
    output = output_of(graph, op)
    if board.core not in DSP_CORES or any(
        tensor.dtype is not DType.INT8 for tensor in (left, right, output)
    ):
        return None
    rank = max(len(left.shape), len(right.shape), len(output.shape))
    shape = (1,) * (rank - len(output.shape)) + output.shape
    nest = loops(op, shape, left.shape, right.shape)
    if nest["extents"][-1] > 1 and any(steps[-1] != 1 for steps in nest["steps"]):
        return None
    return Operands(op, left, right, output, nest["extents"][-1], nest)


# ---- sums ----


@dataclass(frozen=True)
class OneRoundingSum:
    """A sum in one rounding: `((left * L + right * R) / 2^8 + offset) / 2^shift`, both floored.

    It is the same as TFLM's three roundings for every pair of operands.
    """

    left: int
    right: int
    offset: int
    shift: int


def sum_s8(op: Add | Sub, graph: Graph, board: Board) -> Iterator[Kernel]:
    """ADD and SUB: int8, runs of neighbours in both operands, either may be constant.

    On Cortex-M4, M7 and M33. In place. Row by row, both computed and of the output's shape.
    """
    operands = _operands(op, graph, board)
    if operands is None:
        return
    sign = 1 if isinstance(op, Add) else -1
    points = add_multipliers(op, operands.left, operands.right, operands.output)
    weighted = _weighted(operands, sign, points)
    if weighted is not None:
        constants = {
            "left": weighted.left,
            "right": weighted.right,
            "offset": weighted.offset,
        }
        shift = {"shift": weighted.shift}
        yield _kernel(operands, "sum", constants, parameters=shift)
    yield from _sum_by_table(operands, sign, points)


def _weighted(
    operands: Operands, sign: int, points: tuple[FixedPoint, FixedPoint, FixedPoint]
) -> OneRoundingSum | None:
    """Return the cheapest exact form of a sum, found by trial; None if no form tried is exact."""
    left, right = (
        _scaled_operand(operands.left.q, points[0]),
        _scaled_operand(operands.right.q, points[1]),
    )
    exact = (
        multiply_array(left[:, None] + sign * right[None, :], points[2])
        + operands.output.q.zero_point
    )
    low, high = operands.limits
    expected = np.clip(exact, low, high)
    ratios = [
        operands.left.q.scale / operands.output.q.scale,
        sign * operands.right.q.scale / operands.output.q.scale,
    ]
    greatest = 256 * (abs(ratios[0]) + abs(ratios[1])) + 256
    # SMLAW's word is 32 bits, its sum too.
    shift = min(
        30 - math.ceil(math.log2(greatest)),
        *(22 - math.ceil(math.log2(abs(ratio))) for ratio in ratios),
    )
    if not 1 <= shift <= 31:
        return None
    # Halves go away from zero: where sums come to exact halves, slightly larger factors are right.
    for larger in (0.0, *(2.0**-power for power in range(21, 12, -1))):
        by = [round(ratio * (1 + larger) * (1 << (shift + 8))) for ratio in ratios]
        found = _offset(by, shift, expected, (low, high))
        if found is not None:
            return OneRoundingSum(by[0], by[1], found, shift)
    return None


def _scaled_operand(q: Quantization, point: FixedPoint) -> Ints:
    """Every value of an operand as TFLM scales it, int64 [256]."""
    return multiply_array((_INT8 - q.zero_point) << ADD_LEFT_SHIFT, point)


def _offset(by: list[int], shift: int, expected: Ints, limits: tuple[int, int]) -> int | None:
    """The offset that gives all expected outputs, or None."""
    if any(not -(1 << 31) <= factor < 1 << 31 for factor in by):
        return None
    left, right = ((_INT8 * factor * 256) >> 16 for factor in by)
    sums = left[:, None] + right[None, :]
    # floor((sum + offset) / 2^shift) is the output; at the limits it may be beyond.
    least = ((expected << shift) - sums)[expected > limits[0]]
    most = (((expected + 1) << shift) - 1 - sums)[expected < limits[1]]
    low = int(least.max(initial=-(1 << 30)))
    high = int(most.min(initial=1 << 30))
    offset = (low + high) // 2
    reach = max(abs(int(sums.max()) + offset), abs(int(sums.min()) + offset), abs(offset))
    return offset if low <= high and reach + 2 < 1 << 31 else None


def _sum_by_table(
    operands: Operands, sign: int, points: tuple[FixedPoint, FixedPoint, FixedPoint]
) -> Iterator[Kernel]:
    output = operands.output
    requant = requantisation(
        np.array([points[2].multiplier], np.int32),
        np.array([points[2].shift], np.int32),
        output.q.zero_point,
        operands.limits,
    )
    # Of the larger scale the factor is 1/2: a shift by 19.
    half = FixedPoint(1 << 30, 0)
    if requant is None or half not in points[:2]:
        return
    shifted_right = points[1] == half
    looked_up, shifted = (operands.left, operands.right)[:: 1 if shifted_right else -1]
    signs = (1, sign) if shifted_right else (sign, 1)
    scaled = _scaled_operand(looked_up.q, points[0 if shifted_right else 1])
    table = signs[0] * scaled - signs[1] * (shifted.q.zero_point << (ADD_LEFT_SHIFT - 1))
    by_byte = np.roll(table, 128).astype(np.int32)
    multiplier, power = requant.words[0].tolist()
    yield _kernel(
        operands,
        "sum_table",
        {"multiplier": f"{multiplier}u", "power": f"{power}u", "zero_point": requant.zero_point},
        parameters={"negated": signs[1] < 0, "signed": requant.signed},
        table=Constant("table", "int32_t", by_byte, "the scaled operand by its byte [256]"),
        first="left" if shifted_right else "right",
    )


# ---- products ----


def product_s8(op: Mul, graph: Graph, board: Board) -> Iterator[Kernel]:
    """MUL: int8, scale below 1/4, runs of neighbours in both operands, either may be constant.

    On Cortex-M4, M7 and M33. In place. Row by row, both computed and of the output's shape.
    """
    operands = _operands(op, graph, board)
    if operands is None:
        return
    left, right, output = operands.left.q, operands.right.q, operands.output.q
    point = output_multiplier(op, left.scale * right.scale / output.scale)
    requant = requantisation(
        np.array([point.multiplier], np.int32),
        np.array([point.shift], np.int32),
        output.zero_point,
        operands.limits,
    )
    if requant is None:
        return
    multiplier, power = requant.words[0].tolist()
    constants = {
        "left": f"{_twice(-left.zero_point)}u",
        "right": f"{_twice(-right.zero_point)}u",
        "multiplier": f"{multiplier}u",
        "power": f"{power}u",
        "zero_point": requant.zero_point,
    }
    yield _kernel(operands, "product", constants, parameters={"signed": requant.signed})


def _twice(value: int) -> int:
    """A value in both halves of a word."""
    return (value & 0xFFFF) * 0x10001


# ---- what they share ----


def _kernel(
    operands: Operands,
    kind: str,
    constants: Mapping[str, object],
    *,
    parameters: Mapping[str, int | bool],
    table: Constant | None = None,
    first: str = "left",
) -> Kernel:
    op, output = operands.op, operands.output
    low, high = operands.limits
    clamped = (low, high) != (-128, 127)
    kernel = _NAMES[kind]
    name = kernel.plus(*_words(parameters), *clamp_words(low, high))
    given: dict[str, int | str | bool] = {"name": str(name), **parameters}
    given |= {"clamped": clamped, "low": low, "high": high}
    fields = {"left": operands.left, "right": operands.right}
    computed = all(not tensor.is_constant for tensor in fields.values())
    alike = all(tensor.shape == output.shape for tensor in fields.values())
    overlaps = tuple(
        Overlap(field)
        for field, tensor in fields.items()
        if not tensor.is_constant and tensor.elements == output.elements
    )
    return Kernel(
        operator=op,
        function=str(name),
        library="tinyflow",
        template="generated/binary.c.j2",
        context={
            "function": str(name),
            "kind": kind,
            "constants": constants,
            "first": first,
            "second": "right" if first == "left" else "left",
            "run": operands.run,
            "runs": operands.runs,
            "row": row_elements(output),
            "loops": operands.nest,
        },
        constants=(
            *([table] if table else []),
            *(
                Constant(field, "int8_t", tensor.values, f"{field} {list(tensor.shape)}")
                for field, tensor in fields.items()
                if tensor.is_constant
            ),
        ),
        header=_HEADER,
        file="",
        needs=("tinyflow_elementwise.h",),
        sources=(Source(name, f"{kind}.S.j2", tuple(given.items())),),
        overlaps=overlaps,
        row_form=RowForm("generated/binary_row.c.j2", overlaps=overlaps)
        if computed and alike and is_image(output)
        else None,
        name=kernel,
        work={"calls": operands.runs, "fours": operands.runs * (operands.run // 4)}
        | {"ones": operands.runs * (operands.run % 4)},
    )


def _words(parameters: Mapping[str, int | bool]) -> list[str]:
    """The words of a function's name that say with which parameters its code is made."""
    words = []
    for key, value in parameters.items():
        if isinstance(value, bool):
            words += [key] if value else []
        else:
            words.append(f"{key}{value}")
    return words


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {
    Add: (sum_s8,),
    Sub: (sum_s8,),
    Mul: (product_s8,),
}
