# SPDX-License-Identifier: Apache-2.0
"""The type of a NumPy array whose dtype is known only at run time."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
