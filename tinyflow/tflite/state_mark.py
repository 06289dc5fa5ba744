# SPDX-License-Identifier: Apache-2.0
"""Metadata of a .tflite about the state that its variable tensors hold between inferences.

A `.tflite` cannot distinguish a layer that begins each inference from zeros (Keras's
`stateful=False`) from one that goes on where it stopped: its variable tensors always
go on. A model converted from layers of the first kind is therefore marked, by an entry of its
metadata.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

_ENTRY = b"tinyflow_state"
_RESET = b"reset"


def mark_reset(model: Any) -> None:
    """Mark a model (`schema.ModelT`) as one that begins each inference from zero state."""
    model.buffers.append(schema.BufferT())
    model.buffers[-1].data = list(_RESET)
    entry = schema.MetadataT()
    entry.name, entry.buffer = _ENTRY, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def is_reset(model: Any) -> bool:
    """Whether the model (`schema.ModelT`) is marked to begin each inference from zero state."""
    for entry in model.metadata or []:
        if entry.name == _ENTRY and 0 <= entry.buffer < len(model.buffers):
            data = model.buffers[entry.buffer].data
            return data is not None and bytes(bytearray(data)) == _RESET
    return False
