"""How a .tflite has further convolutions, products, resizing and reductions."""

from __future__ import annotations

from tinyflow.frontend.operator_reader import Read

READERS: dict[str, Read] = {}
