"""Element-wise operators of two operands: how a .tflite has them, and what of them is accepted."""

from __future__ import annotations

from tinyflow.frontend.operator_reader import Read

READERS: dict[str, Read] = {}
