"""How a .tflite has the operators that only move elements, and what is accepted."""

from __future__ import annotations

from tinyflow.frontend.operator_reader import Read

READERS: dict[str, Read] = {}
