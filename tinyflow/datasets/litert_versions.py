# SPDX-License-Identifier: Apache-2.0
"""Operator versions that LiteRT's interpreter does not know, though its kernels compute them."""

from __future__ import annotations

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

#: The last version of an operator that LiteRT registers, where the converter writes later ones.
#: A later one of TILE takes more types, no other arithmetic.
_LAST_KNOWN = {schema.BuiltinOperator.TILE: 2}


def lower_versions(model: Any) -> bool:
    """Lower the versions in a model (`schema.ModelT`) in place; whether there were any to lower.

    The kernel still checks the types, and refuses those that it does not take.
    """
    lowered = False
    for code in model.operatorCodes:
        last = _LAST_KNOWN.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if last is not None and code.version > last:
            code.version, lowered = last, True
    return lowered


def with_lowered_versions(content: bytes) -> bytes:
    """A `.tflite` file's bytes with the versions lowered; the same bytes where none is."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    if not lower_versions(model):
        return content
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
