# SPDX-License-Identifier: Apache-2.0
"""The table that `tinyflow_exp.c` computes exp in double precision with."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

#: Entries of the table; a power of two.
EXP_ENTRIES = 32


def exp_table() -> NDArray[np.int64]:
    """2^(i / 32) and what the double of it lacks, as the bits of doubles: [32, 2]."""
    with localcontext() as context:
        context.prec = 60
        parts = []
        for index in range(EXP_ENTRIES):
            value = Decimal(2) ** (Decimal(index) / EXP_ENTRIES)
            parts.append((float(value), float(value - Decimal(float(value)))))
    return np.array(parts, np.float64).view(np.int64)
