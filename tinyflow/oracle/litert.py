# SPDX-License-Identifier: Apache-2.0
"""LiteRT's reference kernels, for the few operators that TensorFlow Lite Micro lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tinyflow.arrays import Array
from tinyflow.errors import InputError


class LitertReference:
    """Runs a model in LiteRT's reference arithmetic: no delegate, no optimised kernel.

    Args:
        content: the `.tflite` file's bytes.
        keep_tensors: give every tensor its own memory, so that `tensor` can read it.

    Raises:
        InputError: LiteRT cannot load it.
    """

    def __init__(self, content: bytes, *, keep_tensors: bool = False) -> None:
        try:
            self._interpreter = Interpreter(
                model_content=content,
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                experimental_preserve_all_tensors=keep_tensors,
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise InputError(f"the oracle cannot load this model: {error}") from error
        self._inputs = [each["index"] for each in self._interpreter.get_input_details()]
        self._outputs = [each["index"] for each in self._interpreter.get_output_details()]

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for one set of inputs, each of the model's exact shape and type.

        Raises:
            InputError: an operator refuses its input, such as GATHER an index out of range.
        """
        for index, array in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, array)
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise InputError(f"the oracle refuses an input: {error}") from error
        return [self.tensor(index) for index in self._outputs]

    def reset(self) -> None:
        """Set variable tensors to what they are after loading."""
        self._interpreter.reset_all_variables()

    def tensor(self, index: int) -> Array:
        """A tensor of the last run, by its index in the file; most need `keep_tensors`."""
        return np.array(self._interpreter.get_tensor(index))
