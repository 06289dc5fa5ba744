# SPDX-License-Identifier: Apache-2.0
"""Every operator that is compiled has conformance cases, of every value of its attributes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.conformance.driver import groups, model_of
from tests.conformance.test_conformance import FAMILIES, GENERATED
from tinyflow.boards import load_board
from tinyflow.kernels.generated.registry import generated_kernels
from tinyflow.tflite.importer import import_model
from tinyflow.tflite.read_core import IMPORTERS
from tinyflow.tflite.read_float import UNQUANTISED_KINDS

_NAMES = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}
_FUSED = (
    "ADD",
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MAX_POOL_2D",
    "MUL",
    "SUB",
    "TRANSPOSE_CONV",
)
_ACTIVATIONS = {
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU_N1_TO_1,
    schema.ActivationFunctionType.RELU6,
}
_BOTH = {False, True}
_PADDINGS = {schema.Padding.SAME, schema.Padding.VALID}

#: Values of an attribute of the schema of which each must have a case.
_ATTRIBUTES: dict[tuple[str, str], set[Any]] = {
    **{(kind, "fusedActivationFunction"): _ACTIVATIONS for kind in _FUSED},
    **{
        (kind, "padding"): _PADDINGS
        for kind in (
            "AVERAGE_POOL_2D",
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "MAX_POOL_2D",
            "TRANSPOSE_CONV",
        )
    },
    **{
        (kind, f"dilation{side}Factor"): {1, 2}
        for kind in ("CONV_2D", "DEPTHWISE_CONV_2D")
        for side in "HW"
    },
    **{(kind, "keepDims"): _BOTH for kind in ("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM")},
    **{
        (kind, option): _BOTH
        for kind in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
        for option in ("alignCorners", "halfPixelCenters")
    },
    ("ARG_MAX", "outputType"): {schema.TensorType.INT32, schema.TensorType.INT64},
    ("ARG_MIN", "outputType"): {schema.TensorType.INT32, schema.TensorType.INT64},
    ("BATCH_MATMUL", "adjX"): _BOTH,
    ("BATCH_MATMUL", "adjY"): _BOTH,
    ("DEPTHWISE_CONV_2D", "depthMultiplier"): {1, 2, 3, 4, 8},
    ("DEPTH_TO_SPACE", "blockSize"): {1, 2, 3},
    ("FULLY_CONNECTED", "keepNumDims"): _BOTH,
    ("GATHER", "batchDims"): {-1, 0, 1},
    ("MIRROR_PAD", "mode"): {schema.MirrorPadMode.REFLECT, schema.MirrorPadMode.SYMMETRIC},
    ("SOFTMAX", "beta"): {0.5, 1.0, 2.0},
    ("SPACE_TO_DEPTH", "blockSize"): {1, 2, 3},
    ("SVDF", "rank"): {1, 2, 3},
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", "timeMajor"): _BOTH,
}

#: Ranks of the first tensor written of which each must have a case.
_RANKS: dict[str, set[int]] = {
    "BATCH_MATMUL": {2, 3, 4, 5},
    "BROADCAST_TO": {2, 3, 5},
    "CONCATENATION": {1, 2, 3, 4, 5, 6},
    "FULLY_CONNECTED": {2, 3, 4},
    "GATHER": {1, 2, 3, 4, 5},
    "MIRROR_PAD": {1, 2, 3, 4, 5},
    "PAD": {1, 2, 3, 4, 5},
    "PADV2": {1, 2, 4, 5},
    "SELECT": {1, 2, 3, 6},
    "SELECT_V2": {1, 2, 3, 4, 5},
    "SLICE": {1, 2, 3, 4, 5},
    "SOFTMAX": {1, 2, 3, 4},
    "STRIDED_SLICE": {1, 2, 3, 4},
    "TILE": {1, 2, 3, 4, 5},
    "TRANSPOSE": {1, 2, 3, 4, 5},
    **{kind: {1, 2, 3, 4, 5, 6} for kind in ("ADD", "MAXIMUM", "MINIMUM", "MUL", "SUB")},
}

#: Types of the operand at a position of which each must have a case.
_TYPES: dict[tuple[str, int], set[str]] = {
    ("CONV_2D", 1): {"INT4", "INT8"},
    ("DEPTHWISE_CONV_2D", 1): {"INT4", "INT8"},
    ("FULLY_CONNECTED", 1): {"INT4", "INT8"},
    ("RESHAPE", 0): {"INT8", "INT16", "INT32"},
    ("SVDF", 4): {"INT8", "INT16"},
    ("TILE", 0): {"INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL"},
}


@cache
def _operators() -> dict[str, list[tuple[Any, Any]]]:
    """All operators of all cases by name, each with its subgraph."""
    found: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
    for content in _contents():
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        for operator in model.subgraphs[0].operators:
            code = model.operatorCodes[operator.opcodeIndex]
            kind = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
            kind = code.customCode.decode() if kind == "CUSTOM" else kind
            found[kind].append((operator, model.subgraphs[0]))
    return found


def _contents() -> Iterator[bytes]:
    for family in FAMILIES.values():
        yield model_of(family)


def _values(kind: str, read: Callable[[Any, Any], Any]) -> set[Any]:
    return {read(operator, graph) for operator, graph in _operators()[kind]}


def test_every_operator_has_a_case() -> None:
    assert {*IMPORTERS, *UNQUANTISED_KINDS} - set(_operators()) == set()


@pytest.mark.parametrize(("kind", "option"), _ATTRIBUTES)
def test_every_value_of_an_attribute_has_a_case(kind: str, option: str) -> None:
    found = _values(kind, lambda operator, _: getattr(operator.builtinOptions, option))
    assert _ATTRIBUTES[kind, option] - found == set()


@pytest.mark.parametrize("kind", _RANKS)
def test_every_rank_has_a_case(kind: str) -> None:
    found = _values(kind, lambda operator, graph: len(_shape(graph, operator.outputs[0])))
    assert _RANKS[kind] - found == set()


@pytest.mark.parametrize(("kind", "position"), _TYPES)
def test_every_type_has_a_case(kind: str, position: int) -> None:
    codes = {getattr(schema.TensorType, name): name for name in _TYPES[kind, position]}
    found = _values(
        kind, lambda operator, graph: codes.get(graph.tensors[operator.inputs[position]].type)
    )
    assert _TYPES[kind, position] - found == set()


@pytest.mark.parametrize(
    "kind", ["AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "TRANSPOSE_CONV"]
)
def test_batches_have_a_case(kind: str) -> None:
    assert max(_values(kind, lambda operator, graph: _shape(graph, operator.outputs[0])[0])) > 1


@pytest.mark.parametrize("operand", ["GATHER", "PADV2"])
def test_operands_that_may_be_computed_have_cases_of_both(operand: str) -> None:
    position = {"GATHER": 1, "PADV2": 2}[operand]
    found = _values(operand, lambda operator, graph: operator.inputs[position] in set(graph.inputs))
    assert found == {False, True}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_with_generated_kernels_run_them(family: str) -> None:
    board = load_board("stm32l4r5")
    graphs = (
        import_model(model_of(group), Path("group"), name="group")
        for group in groups(FAMILIES[family])
    )
    supported = any(
        any(generated_kernels(operator, graph, board))
        for graph in graphs
        for operator in graph.operators
    )
    assert supported is (family in GENERATED)


def _shape(graph: Any, index: int) -> tuple[int, ...]:
    shape = graph.tensors[index].shape
    return () if shape is None else tuple(shape)
