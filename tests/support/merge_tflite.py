# SPDX-License-Identifier: Apache-2.0
"""Several .tflite models side by side as one, so that one image holds them all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tinyflow.tflite.state_mark import mark_reset


def merge_tflite(models: Iterable[bytes], *, resets_state: bool = False) -> bytes:
    """One model with the inputs and outputs of all, in order."""
    first, *others = [schema.ModelT.InitFromObj(schema.Model.GetRootAs(one)) for one in models]
    for other in others:
        _append(first, other)
    first.signatureDefs = first.metadata = None
    if resets_state:
        mark_reset(first)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(first.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _append(model: Any, other: Any) -> None:
    (target,), (source,) = model.subgraphs, other.subgraphs
    tensors, buffers = len(target.tensors), len(model.buffers)
    codes = len(model.operatorCodes)
    for tensor in source.tensors:
        tensor.buffer += buffers
    for operator in source.operators:
        operator.opcodeIndex += codes
        operator.inputs = [index + tensors if index >= 0 else index for index in operator.inputs]
        operator.outputs = [index + tensors for index in operator.outputs]
        if operator.intermediates is not None:
            operator.intermediates = [index + tensors for index in operator.intermediates]
    model.buffers += other.buffers
    model.operatorCodes += other.operatorCodes
    target.tensors += source.tensors
    target.operators += source.operators
    target.inputs = [*target.inputs, *(index + tensors for index in source.inputs)]
    target.outputs = [*target.outputs, *(index + tensors for index in source.outputs)]
