# SPDX-License-Identifier: Apache-2.0
"""The graph every room after the importer speaks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.operators import Operator, TensorId
from tinyflow.ir.quantization import Quantization
from tinyflow.ir.types import DType


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of static shape; a constant where `data` is given, a state where `initial` is.

    A state keeps its value between invocations; `initial` is the one it is reset to.

    Attributes:
        internal: the file has no such tensor: it is a state inside of an operator.
        channels: the indices of the last dimension that are left of the file's tensor; None if
            all are.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    data: NDArray[np.generic] | None = field(default=None, repr=False)
    initial: NDArray[np.generic] | None = field(default=None, repr=False)
    channels: tuple[int, ...] | None = field(default=None, repr=False)
    internal: bool = False

    @property
    def elements(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.elements * self.dtype.itemsize

    @property
    def is_constant(self) -> bool:
        """Whether the value is known at build time."""
        return self.data is not None

    @property
    def is_state(self) -> bool:
        """Whether the value is kept between invocations."""
        return self.initial is not None

    @property
    def q(self) -> Quantization:
        """The quantisation parameters, of a tensor that the verifier has seen to have them."""
        assert self.quantization is not None, f"{self.name} is not quantised"
        return self.quantization

    @property
    def values(self) -> NDArray[np.generic]:
        """The data of a constant."""
        assert self.data is not None, f"{self.name} is not constant"
        return self.data


@dataclass(frozen=True, eq=False)
class Graph:
    """Operators in execution order over an indexed set of tensors.

    With `resets_state` every invocation begins with the initial values of the states.

    Attributes:
        inputs, outputs: those that lie in memory.
        float_inputs, float_outputs: by position, the float32 tensor that the caller gives or is
            given in place of the quantised one in memory: it is converted on the way.
    """

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[TensorId, ...]
    outputs: tuple[TensorId, ...]
    resets_state: bool = False
    float_inputs: Mapping[int, TensorId] = field(default_factory=dict)
    float_outputs: Mapping[int, TensorId] = field(default_factory=dict)

    def input_tensors(self) -> Iterator[Tensor]:
        """The model's inputs as the caller gives them, in order."""
        return (
            self.tensors[self.float_inputs.get(position, index)]
            for position, index in enumerate(self.inputs)
        )

    def output_tensors(self) -> Iterator[Tensor]:
        """The model's outputs as the caller is given them, in order."""
        return (
            self.tensors[self.float_outputs.get(position, index)]
            for position, index in enumerate(self.outputs)
        )

    def used(self) -> frozenset[TensorId]:
        """The tensors that are an input or output of the model or of an operator."""
        edges = {*self.inputs, *self.outputs}
        return frozenset(edges).union(
            *([*operator.inputs(), *operator.outputs()] for operator in self.operators)
        )

    def states(self) -> list[TensorId]:
        """The states that are used, in order."""
        return sorted(index for index in self.used() if self.tensors[index].is_state)
