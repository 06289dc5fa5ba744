# SPDX-License-Identifier: Apache-2.0
"""Element types and fused activations."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import DTypeLike


class DType(Enum):
    """An element type; the value is its name in reports and in the report's JSON.

    INT4 is a type of constant weights alone, which the graph holds one to a byte, as int8.
    """

    INT4 = "int4"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    BOOL = "bool"

    @property
    def numpy(self) -> DTypeLike:
        """The NumPy type."""
        return np.dtype(np.int8 if self is DType.INT4 else self.value)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(np.dtype(self.numpy).itemsize)

    @property
    def c_type(self) -> str:
        """The C type."""
        match self:
            case DType.FLOAT32:
                return "float"
            case DType.BOOL:
                return "uint8_t"
            case DType.INT4:
                return "int8_t"
            case _:
                return f"{self.value}_t"


class Activation(Enum):
    """An activation fused into an operator; a clamp of the quantised output."""

    NONE = "NONE"
    RELU = "RELU"
    RELU6 = "RELU6"
    RELU_N1_TO_1 = "RELU_N1_TO_1"


class Padding(Enum):
    """TFLite's two rules for padding a sliding window, and padding that is given as such."""

    SAME = "SAME"
    VALID = "VALID"
    EXPLICIT = "EXPLICIT"
