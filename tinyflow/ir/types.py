"""Element types and fused activations."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import DTypeLike


class DType(Enum):
    """An element type; the value is its name in reports and in the report's JSON."""

    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    FLOAT32 = "float32"
    BOOL = "bool"

    @property
    def numpy(self) -> DTypeLike:
        """The NumPy type."""
        return np.dtype(self.value)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(np.dtype(self.value).itemsize)

    @property
    def c_type(self) -> str:
        """The C type."""
        match self:
            case DType.FLOAT32:
                return "float"
            case DType.BOOL:
                return "uint8_t"
            case _:
                return f"{self.value}_t"


class Activation(Enum):
    """An activation fused into an operator; a clamp of the quantised output."""

    NONE = "NONE"
    RELU = "RELU"
    RELU6 = "RELU6"
    RELU_N1_TO_1 = "RELU_N1_TO_1"


class Padding(Enum):
    """TFLite's two rules for padding a sliding window."""

    SAME = "SAME"
    VALID = "VALID"
