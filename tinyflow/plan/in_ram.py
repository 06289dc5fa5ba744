# SPDX-License-Identifier: Apache-2.0
"""Functions, and constants of the model, that start-up copies from flash to RAM."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.plan.code_in_ram import CodePlacement
from tinyflow.plan.constants_in_ram import PlacedWeights


@dataclass(frozen=True)
class InRam:
    """The functions that run from RAM, or None, and the constants in each RAM."""

    code: CodePlacement | None = None
    weights: tuple[PlacedWeights, ...] = ()


#: An image that runs, and reads its constants, from flash alone.
NOTHING_IN_RAM = InRam()
