# SPDX-License-Identifier: Apache-2.0
"""Set of operators that compute in float32, for a reader of the report."""

from __future__ import annotations

from tinyflow.ir.detection import DetectionPostProcess
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.ir.signal import Fft, SignalOverlapAdd
from tinyflow.ir.types import DType
from tinyflow.ir.unquantised import is_float


def computes_in_float32(graph: Graph, operator: Operator) -> bool:
    """Whether an operator computes in float32; moving and converting is not computing."""
    if isinstance(operator, Fft | SignalOverlapAdd | DetectionPostProcess):
        return graph.tensors[next(operator.inputs())].dtype is DType.FLOAT32
    return is_float(graph, operator)
