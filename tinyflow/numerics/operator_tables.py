# SPDX-License-Identifier: Apache-2.0
"""The table of an operator that is a function of each int8 element on its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Quantize, Unary
from tinyflow.ir.quantization import Quantization
from tinyflow.ir.tables import (
    Abs,
    Elu,
    HardSwish,
    LeakyRelu,
    Logistic,
    Relu,
    Relu6,
    ReluN1To1,
    Rsqrt,
    Tanh,
)
from tinyflow.ir.types import DType
from tinyflow.ir.unquantised import Exp, Gelu, Log, Neg, Tabulated
from tinyflow.numerics import int8_tables as lookup

_Make = Callable[[Any, Quantization, Quantization], lookup.Table]

_TABLES: dict[type[Operator], _Make] = {
    Abs: lambda op, source, output: lookup.absolute(source, output),
    Elu: lambda op, source, output: lookup.elu(source, output),
    Exp: lambda op, source, output: lookup.exp(source, output),
    Gelu: lambda op, source, output: lookup.gelu(source, output, approximate=op.approximate),
    HardSwish: lambda op, source, output: lookup.hard_swish(source, output),
    LeakyRelu: lambda op, source, output: lookup.leaky_relu(source, output, op.alpha),
    Log: lambda op, source, output: lookup.log(source, output),
    Logistic: lambda op, source, output: lookup.logistic(source, output),
    Neg: lambda op, source, output: lookup.neg(),
    Quantize: lambda op, source, output: lookup.requantize(source, output),
    Relu: lambda op, source, output: lookup.relu(source, output),
    Relu6: lambda op, source, output: lookup.relu6(source, output),
    ReluN1To1: lambda op, source, output: lookup.relu_n1_to_1(source, output),
    Rsqrt: lambda op, source, output: lookup.rsqrt(source, output),
    Tabulated: lambda op, source, output: np.array(op.values, np.int8),
    Tanh: lambda op, source, output: lookup.tanh(source, output),
}


def table_of(op: Operator, graph: Graph) -> lookup.Table | None:
    """The operator's outputs for all 256 bytes of its input, int8 [256], in the bytes' order.

    None if it is no function of each element from int8 to int8.
    """
    if type(op) not in _TABLES or not isinstance(op, Unary):
        return None
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    if source.dtype is not DType.INT8 or output.dtype is not DType.INT8:
        return None
    return _table(op, source.q, output.q)


@lru_cache(maxsize=1024)
def _table(op: Operator, source: Quantization, output: Quantization) -> lookup.Table:
    table = _TABLES[type(op)](op, source, output)
    table.setflags(write=False)
    return table
