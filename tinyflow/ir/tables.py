"""Functions of one int8 tensor, as tables: their dataclasses and rules."""

from __future__ import annotations

from tinyflow.ir.checks import Rule
from tinyflow.ir.operators import Operator

#: What must hold of each, see `verify`.
RULES: dict[type[Operator], Rule] = {}
