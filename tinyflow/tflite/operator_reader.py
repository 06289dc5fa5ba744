# SPDX-License-Identifier: Apache-2.0
"""One operator of a .tflite while it is read, and the checks that its readers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Tensor
from tinyflow.ir.operators import (
    Operator,
    Window,
)
from tinyflow.ir.quantization import Quantization
from tinyflow.ir.types import Activation, DType, Padding
from tinyflow.tflite.custom_options import DamagedOptionsError, read_options

_ACTIVATIONS: dict[int, Activation] = {
    schema.ActivationFunctionType.NONE: Activation.NONE,
    schema.ActivationFunctionType.RELU: Activation.RELU,
    schema.ActivationFunctionType.RELU6: Activation.RELU6,
    schema.ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
}
#: The bound of a fused activation that is farthest from 0; the reference quantises it to int32.
_BOUNDS = {
    Activation.NONE: 0.0,
    Activation.RELU: 0.0,
    Activation.RELU6: 6.0,
    Activation.RELU_N1_TO_1: 1.0,
}
#: Larger ones come near to what int32 holds.
_LARGEST_BOUND = 2.0**30
_PADDINGS = {schema.Padding.SAME: Padding.SAME, schema.Padding.VALID: Padding.VALID}

#: First scale at which the reference shifts by more bits than a number has: undefined.
LARGEST_MULTIPLIER = 2.0**30

QUANTISE_HINT = (
    "Convert it with full int8 post-training quantisation, or give tinyflow the Keras model "
    "and calibration data."
)

#: Hint for a model of TensorFlow 1's quantisation.
UINT8_HINT = (
    "The layer computes in uint8, the quantisation of TensorFlow 1, which TensorFlow Lite Micro "
    "does not run either. Re-convert the float model to int8: TFLiteConverter with a "
    "representative_dataset, target_spec.supported_ops = [TFLITE_BUILTINS_INT8] and "
    "inference_input_type = tf.int8 (uint8 is fine for inputs and outputs)."
)


class OperatorReader:
    """One operator of the file, and the checks that the reading functions share."""

    def __init__(
        self,
        raw: Any,
        kind: str,
        subgraph: Any,
        tensors: list[Tensor],
        path: Path,
        handles: Mapping[int, int] | None = None,
    ) -> None:
        self.operator = raw
        self.kind = kind
        self.subgraph = subgraph
        self.tensors = tensors
        self.path = path
        #: The variables behind the file's handles.
        self.handles = handles or {}

    @property
    def name(self) -> str:
        """The layer's name: that of the tensor it writes, or of the variable it assigns."""
        written = indices(self.operator.outputs) or indices(self.operator.inputs)
        return self.tensors[written[0]].name

    @property
    def output(self) -> int:
        """The tensor it writes."""
        return indices(self.operator.outputs)[0]

    def input(self, position: int) -> int:
        """The tensor read at that position; an absent one is an error."""
        index = self.optional_input(position)
        if index is None:
            raise InputError(f"{self.path}: {self.kind} layer {self.name!r} lacks input {position}")
        return index

    def optional_input(self, position: int) -> int | None:
        """The tensor read at that position, None if it is absent."""
        inputs = indices(self.operator.inputs)
        if position >= len(inputs) or inputs[position] == -1:
            return None
        return inputs[position]

    def variable(self, position: int) -> int:
        """The variable whose handle is read at that position."""
        index = self.input(position)
        if index not in self.handles:
            raise self.refuse(f"the operand {self.tensors[index].name!r} is not a variable")
        return self.handles[index]

    def options(self, kind: type[Any]) -> Any:
        """Its options, which must be of that table of the schema."""
        options = self.operator.builtinOptions
        if not isinstance(options, kind):
            raise InputError(f"{self.path}: {self.kind} layer {self.name!r} lacks its options")
        return options

    def custom_options(self, *names: str) -> dict[str, int]:
        """The options of a custom operator, which must be integers of those names, in that order.

        TFLM's kernels read them by position and as signed integers; so do we.
        """
        content = self.operator.customOptions
        try:
            found = read_options(bytes([] if content is None else bytearray(content)))
        except DamagedOptionsError as error:
            raise InputError(
                f"{self.path}: {self.kind} layer {self.name!r}: its options are damaged: {error}"
            ) from error
        if tuple(found) != names or any(value.kind == "float" for value in found.values()):
            raise self.refuse(
                f"its options are {', '.join(found) or 'none'}; expected the integers "
                f"{', '.join(names)}"
            )
        return {name: _as_int32(value.signed) for name, value in found.items()}

    def results(self, count: int) -> list[int]:
        """The tensors it writes, of which there must be that many."""
        found = indices(self.operator.outputs)
        if len(found) != count:
            raise self.refuse(f"{len(found)} outputs, expected {count}")
        return found

    def operands(self, count: int) -> list[int]:
        """The tensors it reads, of which there must be that many."""
        found = [self.input(position) for position in range(len(indices(self.operator.inputs)))]
        if len(found) != count:
            raise self.refuse(f"{len(found)} inputs, expected {count}")
        return found

    def internal_state(self, what: str, initial: NDArray[np.generic]) -> int:
        """A state that the operator has inside, which the file has no tensor for; its index."""
        dtype = DType(initial.dtype.name)
        name = f"{self.name}/{what}"
        self.tensors.append(Tensor(name, initial.shape, dtype, initial=initial, internal=True))
        return len(self.tensors) - 1

    def refuse(self, problem: str, hint: str | None = None) -> UnsupportedError:
        """The error of an attribute that is not compiled; names operator and layer."""
        if hint is None and any(
            self.tensors[index].dtype is DType.UINT8
            for index in (*indices(self.operator.inputs), *indices(self.operator.outputs))
            if index != -1
        ):
            hint = UINT8_HINT
        return UnsupportedError(
            f"{self.path}: {self.kind} layer {self.name!r}: {problem}", hint=hint
        )

    def int8(self, *indices: int) -> None:
        """Check that activations are int8, quantised per tensor."""
        for index in indices:
            self.typed(index, DType.INT8)
            self.computed(index)
            self.per_tensor(index)

    def int8_or_int16(self, *indices: int) -> DType:
        """Check that activations are all int8, or all int16 of zero point 0; gives the type."""
        dtype = self.typed(indices[0], DType.INT8, DType.INT16)
        for index in indices:
            self.computed(index)
            self.quantised(index, dtype)
        return dtype

    def quantised(self, index: int, dtype: DType) -> None:
        """Check that a tensor is of that type and quantised per tensor, int16 by zero point 0."""
        self.typed(index, dtype)
        self.per_tensor(index)
        tensor = self.tensors[index]
        if dtype is DType.INT16 and tensor.q.zero_point:
            raise self.refuse(f"tensor {tensor.name!r} is int16 with a zero point other than 0")

    def unit_range(self, index: int) -> None:
        """Check that an int16 tensor has the scale of functions that stay within -1 and 1."""
        if self.tensors[index].q.scale != 1 / 32768:
            raise self.refuse("the output's scale is not 1/32768")

    def typed(self, index: int, *types: DType) -> DType:
        """Check that a tensor has one of some integer types; gives which."""
        tensor = self.tensors[index]
        if tensor.dtype is DType.FLOAT32:
            raise InputError(
                f"{self.path}: {self.kind} layer {self.name!r} computes in float32: "
                "the model is not fully quantised",
                hint=QUANTISE_HINT,
            )
        if tensor.dtype not in types:
            expected = " or ".join(dtype.value for dtype in types)
            raise self.refuse(
                f"tensor {tensor.name!r} is {tensor.dtype.value}, expected {expected}"
            )
        return tensor.dtype

    def computed(self, index: int) -> None:
        """Check that an operand is an activation."""
        tensor = self.tensors[index]
        if tensor.is_constant:
            raise self.refuse(f"the operand {tensor.name!r} is a constant")
        if tensor.is_state:
            raise self.refuse(f"the operand {tensor.name!r} is a variable (model state)")

    def some_computed(self, *indices: int) -> None:
        """Check that operands are not all constants."""
        if all(self.tensors[index].is_constant for index in indices):
            raise self.refuse("every operand is a constant")

    def broadcast_rank(self, most: int) -> None:
        """Check that operands of unlike shapes have at most that many dimensions."""
        left, right = (self.tensors[self.input(position)].shape for position in (0, 1))
        if left != right and max(len(left), len(right)) > most:
            raise self.refuse(f"a broadcast of rank {max(len(left), len(right))}, at most {most}")

    def image(self, *indices: int) -> None:
        """Check that tensors have four dimensions."""
        for index in indices:
            tensor = self.tensors[index]
            if len(tensor.shape) != 4:
                raise self.refuse(f"tensor {tensor.name!r} has the shape {list(tensor.shape)}")

    def per_tensor(self, index: int) -> None:
        """Check that a tensor has one scale; several that are all the same count as one."""
        tensor = self.tensors[index]
        found = tensor.quantization
        if found is not None and len({*zip(found.scales, found.zero_points, strict=True)}) == 1:
            if found.axis is not None:
                one = Quantization(found.scales[:1], found.zero_points[:1])
                self.tensors[index] = replace(tensor, quantization=one)
            return
        raise self.refuse(f"tensor {tensor.name!r} is not quantised per tensor")

    def weights(
        self,
        index: int,
        axis: int,
        types: tuple[DType, ...] = (DType.INT8,),
        *,
        offset_ignored: bool = False,
    ) -> None:
        """Check constant weights with zero points of 0, per tensor or along `axis`.

        With `offset_ignored` any zero point is taken for 0, as TFLM's kernel takes it.
        """
        tensor = self.tensors[index]
        if tensor.dtype is DType.FLOAT32:
            self.int8(index)
        if tensor.data is None:
            raise self.refuse(f"the weights {tensor.name!r} are computed, expected a constant")
        if tensor.dtype not in types or tensor.quantization is None:
            allowed = " or ".join(dtype.value for dtype in types)
            raise self.refuse(
                f"the weights {tensor.name!r} are {tensor.dtype.value}, expected {allowed}"
            )
        found, shape = tensor.quantization, tensor.shape
        if any(found.zero_points):
            if not offset_ignored:
                raise self.refuse(f"the weights {tensor.name!r} have a zero point other than 0")
            found = replace(found, zero_points=(0,) * len(found.scales))
            self.tensors[index] = replace(tensor, quantization=found)
        if found.axis in (None, axis) or len(found.scales) == 1:
            return
        # TFLM takes the scales as those of `axis` where the extents agree.
        extents = [shape[each] for each in (found.axis, axis) if 0 <= each < len(shape)]
        if len(extents) != 2 or len(set(extents)) != 1:
            raise self.refuse(f"the weights {tensor.name!r} are quantised along another dimension")
        self.tensors[index] = replace(self.tensors[index], quantization=replace(found, axis=axis))

    def rescaled(self, *sources: int) -> None:
        """Check that the product of scales is not absurdly greater than the output's scale."""
        scales = (self.tensors[index].quantization for index in sources)
        product = math.prod(max(found.scales) for found in scales if found is not None)
        if product / self.tensors[self.output].q.scale >= LARGEST_MULTIPLIER:
            raise self.refuse(
                "the scales give a multiplier of 2^30 or more",
                f"The output's scale is {self.tensors[self.output].q.scale:g}, the inputs' and "
                f"weights' have the product {product:g}: convert the model again, with "
                "representative data.",
            )

    def bias(self, position: int, *types: DType) -> int | None:
        """The bias, a constant of int32 or of the types given; None if it is absent."""
        index = self.optional_input(position)
        if index is not None:
            tensor, expected = self.tensors[index], types or (DType.INT32,)
            if tensor.data is None or tensor.dtype not in expected:
                names = " or ".join(dtype.value for dtype in expected)
                raise self.refuse(f"the bias {tensor.name!r} is not a constant of {names}")
        return index

    def activation(self, code: int) -> Activation:
        """The fused activation of the schema's code."""
        if code not in _ACTIVATIONS:
            raise self.refuse(
                f"the fused activation {code} is not supported",
                "Supported: " + ", ".join(activation.value for activation in Activation) + ".",
            )
        activation = _ACTIVATIONS[code]
        quantization = self.tensors[self.output].quantization
        if quantization is not None and _BOUNDS[activation] / quantization.scale > _LARGEST_BOUND:
            raise self.refuse(
                f"the bound {_BOUNDS[activation]} of {activation.value} is beyond 2^30 when "
                f"quantised by the output's scale {quantization.scale}"
            )
        return activation

    def window(self, options: Any, *, dilated: bool = False) -> Window:
        """The sliding window that the options describe."""
        if options.padding not in _PADDINGS:
            raise InputError(f"{self.path}: {self.kind} layer {self.name!r}: unknown padding")
        stride = (int(options.strideH), int(options.strideW))
        dilation = (
            (int(options.dilationHFactor), int(options.dilationWFactor)) if dilated else (1, 1)
        )
        if min(stride + dilation) < 1:
            raise InputError(
                f"{self.path}: {self.kind} layer {self.name!r}: stride or dilation below 1"
            )
        return Window(stride, _PADDINGS[options.padding], dilation)

    def depth_multiplier(self, options: Any) -> int:
        """The filters of DEPTHWISE_CONV_2D for each input channel.

        TFLM takes them from the options, LiteRT from the shapes.
        """
        channels, filters = (self.tensors[self.input(i)].shape[-1] for i in (0, 1))
        if options.depthMultiplier * channels != filters:
            raise self.refuse(
                f"depth_multiplier is {options.depthMultiplier} where {channels} input channels "
                f"have {filters} filters",
                "TensorFlow Lite Micro goes by the option, and gives other results than LiteRT; "
                "convert the model again.",
            )
        return int(options.depthMultiplier)

    def same_quantization(self, left: int, right: int) -> None:
        """Check that two tensors have the same scale and zero point."""
        if self.tensors[left].quantization != self.tensors[right].quantization:
            raise self.refuse("input and output differ in scale or zero point")

    def integers(self, position: int) -> list[int]:
        """The values of a constant operand of int32, flat."""
        tensor = self.tensors[self.input(position)]
        if tensor.data is None or tensor.dtype is not DType.INT32:
            raise self.refuse(f"{tensor.name!r} is not a constant of int32")
        return [int(value) for value in tensor.data.ravel()]


def _as_int32(value: int) -> int:
    """The low 32 bits of a number as a signed one."""
    return (value + 2**31) % 2**32 - 2**31


def indices(values: Any) -> list[int]:
    """A vector of the file as a list; an absent one is empty."""
    return [] if values is None else [int(value) for value in values]


#: Reads an operator of one kind, or refuses it.
Read = Callable[[OperatorReader], Operator]
