"""Operators that move elements and compute nothing, in portable C."""

from __future__ import annotations

from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Maker

KERNELS: dict[type[Operator], tuple[Maker, ...]] = {}
