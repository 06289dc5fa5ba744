# SPDX-License-Identifier: Apache-2.0
"""Products and sums with constants, folded into the convolution or product behind them.

`Normalization`, `Rescaling`, a lone BatchNormalization, `x / 255` and the like come as
MUL, ADD, SUB and DIV with a constant: y = a * x + b for each channel. In int8 they would be
elementwise operators, slower than many a convolution and each with its own rounding. In the
calibrated float model, before its ranges are made into scales,

- y goes into the weights and biases of the CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV and
  FULLY_CONNECTED that read it, through RESHAPE, PAD, AVERAGE_POOL_2D, MAX_POOL_2D, if all of its
  readers can take it: W(a x + b) + c = (W a) x + (c + W b);
- where they cannot, y becomes one DEPTHWISE_CONV_2D of size 1, if that is faster.

A reader that pads takes no b: zeros are padded behind the normalisation, not before it. Channels
whose factors differ much are left: all inputs of a convolution's filter share the scale of its
weights.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinyflow.arrays import Array
from tinyflow.convert.int8_rewrites import operator_code
from tinyflow.datasets.litert_versions import with_lowered_versions

_OPERATORS, _TYPES = schema.BuiltinOperator, schema.TensorType
_Floats = npt.NDArray[np.float64]
#: Largest ratio of the factors of one filter's inputs: two of eight bits.
_SPREAD = 4.0
#: From this many channels on one elementwise operator with a value for each channel is as fast as
#: the convolution in its place; one with a single value never is.
_FEW_CHANNELS = 8
_DEPTHWISE_VERSION = 3
#: Tolerance of outputs, as a share of the largest.
_TOLERANCE = 1e-5
_ELEMENTWISE = {_OPERATORS.MUL, _OPERATORS.ADD, _OPERATORS.SUB, _OPERATORS.DIV}
_ACTIVATIONS = {
    schema.ActivationFunctionType.NONE,
    schema.ActivationFunctionType.RELU,
    schema.ActivationFunctionType.RELU6,
}


def with_affine_folded(content: bytes, sample: Sequence[Array]) -> bytes:
    """A calibrated float `.tflite` with its affine functions folded.

    Both are run on a sample; where the outputs differ by more than 1e-5 of their largest value, as
    offsets that nearly cancel make them do, the file stays as it is.

    Args:
        content: the file's bytes.
        sample: one array (1, *shape) for each input.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    if not fold_affine(model):
        return content
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    folded = bytes(builder.Output())
    try:
        before, after = _outputs(content, sample), _outputs(folded, sample)
    except (RuntimeError, ValueError):  # an operator that LiteRT lacks
        return content
    for one, other in zip(before, after, strict=True):
        if not np.abs(one - other).max(initial=0) <= _TOLERANCE * np.abs(one).max(initial=0):
            return content
    return folded


def _outputs(content: bytes, sample: Sequence[Array]) -> list[Array]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=with_lowered_versions(content),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    for detail, array in zip(interpreter.get_input_details(), sample, strict=True):
        interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]


def fold_affine(model: Any) -> bool:
    """Fold what can be folded in a calibrated float model (`schema.ModelT`), in place.

    Returns:
        Whether anything was.
    """
    if len(model.subgraphs) != 1:
        return False
    folder = _Folder(model)
    changed = False
    while folder.step():
        changed = True
    if changed:
        folder.drop_unread()
    return changed


@dataclass
class _Affine:
    """y = factor * x + offset, broadcast to y's shape; made by `operators`, the last one last."""

    source: int
    result: int
    factor: _Floats
    offset: _Floats
    operators: list[Any]


@dataclass
class _Leaf:
    """A reader that takes the constants into its own."""

    operator: Any
    factor: _Floats
    offset: _Floats


class _Folder:
    def __init__(self, model: Any) -> None:
        self._model = model
        (self._graph,) = model.subgraphs
        self._reading: dict[int, list[Any]] = {}

    def step(self) -> bool:
        """Make one change; return False if there is none left."""
        self._reading = {}
        for operator in self._graph.operators:
            for index in dict.fromkeys(operator.inputs):
                self._reading.setdefault(int(index), []).append(operator)
        for affine in self._affines():
            leaves: list[_Leaf] = []
            moved: list[int] = []
            if self._plain_end(affine) and self._collect(
                affine.result, affine.factor, affine.offset, leaves, moved
            ):
                self._absorb(affine, leaves, moved)
                return True
        return any(self._to_depthwise(affine) for affine in self._affines())

    # ---- finding ----

    def _affines(self) -> Iterator[_Affine]:
        """Chains of elementwise operators with constants, the longest from each end."""
        producers = {out: op for op in self._graph.operators for out in op.outputs}
        for operator in self._graph.operators:
            end = self._one(operator)
            if end is None:
                continue
            if self._activation(operator) == 0 and any(
                self._one(reader) for reader in self._readers(end.result)
            ):
                single = len(self._readers(end.result)) == 1
                if single and end.result not in list(self._graph.outputs):
                    continue  # the chain goes on
            chain = end
            while True:
                before = producers.get(chain.source)
                first = None if before is None else self._one(before)
                if (
                    first is None
                    or self._activation(before)
                    or len(self._readers(chain.source)) > 1
                    or chain.source in list(self._graph.outputs)
                ):
                    break
                chain = _Affine(
                    first.source,
                    end.result,
                    chain.factor * first.factor,
                    chain.factor * first.offset + chain.offset,
                    [*first.operators, *chain.operators],
                )
            yield chain

    def _one(self, operator: Any) -> _Affine | None:
        """An elementwise operator with a constant, as an affine function."""
        kind = self._kind(operator)
        if kind not in _ELEMENTWISE or len(operator.inputs) != 2:
            return None
        if self._activation(operator) not in _ACTIVATIONS:
            return None
        constants = [self._constant(index) for index in operator.inputs]
        result = operator.outputs[0]
        shape = self._shape(result)
        for position, value in enumerate(constants):
            source = operator.inputs[1 - position]
            if value is None or constants[1 - position] is not None:
                continue
            if self._shape(source) != shape or not self._is_float(source):
                continue
            one, zero = np.ones(shape), np.zeros(shape)
            forms = {
                _OPERATORS.MUL: (value * one, zero),
                _OPERATORS.ADD: (one, value + zero),
                _OPERATORS.SUB: (one, zero - value) if position else (-one, value + zero),
            }
            if kind == _OPERATORS.DIV:
                if not position or not np.all(value):
                    return None
                forms[kind] = (one / value, zero)
            factor, offset = forms[kind]
            return _Affine(source, result, factor, offset, [operator])
        return None

    def _plain_end(self, affine: _Affine) -> bool:
        """Whether nothing but the affine function is computed, and nothing else needs it."""
        return (
            self._activation(affine.operators[-1]) == 0
            and affine.result not in list(self._graph.outputs)
            and bool(np.isfinite(affine.factor).all() and np.isfinite(affine.offset).all())
            and bool(np.all(affine.factor))
        )

    def _collect(
        self, tensor: int, factor: _Floats, offset: _Floats, leaves: list[_Leaf], moved: list[int]
    ) -> bool:
        """Whether all readers of a tensor take its constants; leaves and tensors between."""
        readers = self._readers(tensor)
        for operator in readers:
            kind = self._kind(operator)
            if kind in _WEIGHTED:
                if not self._takes(operator, tensor, factor, offset):
                    return False
                leaves.append(_Leaf(operator, factor, offset))
                continue
            through = self._through(operator, tensor, factor, offset)
            output = operator.outputs[0]
            if through is None or output in list(self._graph.outputs):
                return False
            moved.append(output)
            if not self._collect(output, *through, leaves, moved):
                return False
        return bool(readers)

    def _through(
        self, operator: Any, tensor: int, factor: _Floats, offset: _Floats
    ) -> tuple[_Floats, _Floats] | None:
        """The constants behind an operator that commutes with them; None if it does not."""
        kind, shape = self._kind(operator), self._shape(operator.outputs[0])
        if operator.inputs[0] != tensor:
            return None
        if kind in (_OPERATORS.RESHAPE, _OPERATORS.SQUEEZE, _OPERATORS.EXPAND_DIMS):
            return factor.reshape(shape), offset.reshape(shape)
        factors, offsets = self._by_channel(factor), self._by_channel(offset)
        if factors is None or offsets is None or len(shape) != 4:
            return None
        commutes = False
        if kind in (_OPERATORS.AVERAGE_POOL_2D, _OPERATORS.MAX_POOL_2D):  # padding counts in none
            commutes = self._activation(operator) == 0
            commutes &= kind != _OPERATORS.MAX_POOL_2D or bool(np.all(factors > 0))
        elif kind == _OPERATORS.PAD:
            padding = self._constant(operator.inputs[1])
            commutes = padding is not None and not np.any(padding.reshape(-1, 2)[[0, -1]])
            commutes &= not np.any(offsets)
        spread = np.broadcast_to(factors, shape), np.broadcast_to(offsets, shape)
        return spread if commutes else None

    def _takes(self, operator: Any, tensor: int, factor: _Floats, offset: _Floats) -> bool:
        """Whether a convolution or product can take the constants exactly."""
        kind = self._kind(operator)
        position = 2 if kind == _OPERATORS.TRANSPOSE_CONV else 0
        weights = self._constant(operator.inputs[1])
        if operator.inputs[position] != tensor or weights is None:
            return False
        if list(operator.inputs).count(tensor) != 1 or not self._has_bias_constant(operator):
            return False
        sizes = np.abs(factor)
        alike = bool(sizes.max() <= _SPREAD * sizes.min())
        if kind == _OPERATORS.FULLY_CONNECTED:
            width = weights.shape[1]
            return alike and factor.size % width == 0 and all(
                self._by_channel(each.reshape(-1, width)) is not None for each in (factor, offset)
            )  # fmt: skip
        if self._by_channel(factor) is None or self._by_channel(offset) is None:
            return False
        if np.any(offset) and self._pads(operator):
            return False
        return alike or kind == _OPERATORS.DEPTHWISE_CONV_2D

    def _pads(self, operator: Any) -> bool:
        """Whether a convolution computes with values that are not of its input."""
        if self._kind(operator) == _OPERATORS.TRANSPOSE_CONV:
            return True
        options = operator.builtinOptions
        if options.padding == schema.Padding.VALID:
            return False
        size = self._shape(operator.inputs[0])[1:3]
        taken = self._shape(operator.inputs[1])[1:3]
        strides = (options.strideH, options.strideW)
        dilations = (options.dilationHFactor, options.dilationWFactor)
        return any(
            (-(-extent // stride) - 1) * stride + (taps - 1) * dilation + 1 > extent
            for extent, taps, stride, dilation in zip(size, taken, strides, dilations, strict=True)
        )

    # ---- changing ----

    def _absorb(self, affine: _Affine, leaves: list[_Leaf], moved: list[int]) -> None:
        for leaf in leaves:
            self._change_weights(leaf)
        for operator in self._readers(affine.result):
            operator.inputs = [
                affine.source if index == affine.result else index for index in operator.inputs
            ]
        for index in moved:
            self._graph.tensors[index].quantization = copy.copy(
                self._graph.tensors[affine.source].quantization
            )
        for operator in affine.operators:
            self._graph.operators.remove(operator)

    def _change_weights(self, leaf: _Leaf) -> None:
        operator, kind = leaf.operator, self._kind(leaf.operator)
        weights = self._constant(operator.inputs[1])
        assert weights is not None
        if kind == _OPERATORS.FULLY_CONNECTED:
            factor, offset = (
                each.reshape(-1, weights.shape[1])[0] for each in (leaf.factor, leaf.offset)
            )
            added = weights @ offset
            changed = weights * factor
        else:
            factor, offset = self._channels(leaf.factor), self._channels(leaf.offset)
            if kind == _OPERATORS.DEPTHWISE_CONV_2D:
                times = weights.shape[-1] // len(factor)
                factor, offset = np.repeat(factor, times), np.repeat(offset, times)
                added = weights.sum(axis=(0, 1, 2)) * offset
                changed = weights * factor
            else:  # OHWI, each group of outputs with its own inputs
                count, inner = weights.shape[0], weights.shape[-1]
                groups = len(factor) // inner
                each = np.repeat(np.arange(groups), count // groups)
                inputs = factor.reshape(groups, inner)[each]
                shifts = offset.reshape(groups, inner)[each]
                added = (weights.sum(axis=(1, 2)) * shifts).sum(axis=1)
                changed = weights * inputs[:, None, None, :]
        operator.inputs = list(operator.inputs)
        operator.inputs[1] = self._replaced(operator.inputs[1], changed)
        if np.any(added):
            self._add_bias(operator, added)

    def _add_bias(self, operator: Any, added: _Floats) -> None:
        position = _BIAS[self._kind(operator)]
        inputs = list(operator.inputs)
        present = len(inputs) > position and inputs[position] >= 0
        bias = self._constant(inputs[position]) if present else None
        if bias is not None:
            inputs[position] = self._replaced(inputs[position], bias + added)
        else:
            name = self._graph.tensors[operator.outputs[0]].name
            index = self._new_tensor(name + b"/bias", added)
            inputs = [*inputs[:position], *([-1] * (position - len(inputs))), index]
        operator.inputs = inputs

    def _to_depthwise(self, affine: _Affine) -> bool:
        """Compute an affine function as one DEPTHWISE_CONV_2D."""
        factor, offset = self._by_channel(affine.factor), self._by_channel(affine.offset)
        if factor is None or offset is None or not np.isfinite([factor, offset]).all():
            return False
        differ = bool(np.any(factor != factor[0]) or np.any(offset != offset[0]))
        if len(affine.operators) == 1 and differ and len(factor) >= _FEW_CHANNELS:
            return False
        last = affine.operators[-1]
        rank = len(self._shape(affine.result))
        activation = self._activation(last)
        if rank == 3 and activation == 0:
            return self._behind_reshape(affine)
        if rank != 4:
            return False
        name = self._graph.tensors[affine.result].name
        weights = self._new_tensor(name + b"/factor", factor.reshape(1, 1, 1, -1))
        bias = self._new_tensor(name + b"/offset", offset)
        last.opcodeIndex = operator_code(
            self._model, _OPERATORS.DEPTHWISE_CONV_2D, _DEPTHWISE_VERSION
        )
        last.inputs = [affine.source, weights, bias]
        last.builtinOptionsType = schema.BuiltinOptions.DepthwiseConv2DOptions
        options = last.builtinOptions = schema.DepthwiseConv2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideH = options.strideW = options.depthMultiplier = 1
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = activation
        for operator in affine.operators[:-1]:
            self._graph.operators.remove(operator)
        return True

    def _behind_reshape(self, affine: _Affine) -> bool:
        """Move an affine function of rank 3 behind the RESHAPE to rank 4 of a 1-D convolution."""
        readers = self._readers(affine.result)
        if len(readers) != 1 or affine.result in list(self._graph.outputs):
            return False
        (reshape,) = readers
        output = reshape.outputs[0]
        shape = self._shape(output)
        if self._kind(reshape) != _OPERATORS.RESHAPE or len(shape) != 4:
            return False
        if shape[-1] != affine.factor.shape[-1] or output in list(self._graph.outputs):
            return False
        before = copy.copy(self._graph.tensors[output])
        before.name += b"/before"
        before.quantization = copy.copy(self._graph.tensors[affine.source].quantization)
        self._graph.tensors.append(before)
        reshape.inputs = [affine.source, *list(reshape.inputs)[1:]]
        reshape.outputs = [len(self._graph.tensors) - 1]
        factor, offset = (each.reshape(-1, shape[-1])[0] for each in (affine.factor, affine.offset))
        first = affine.operators[0]
        middle = copy.copy(before)
        middle.name = self._graph.tensors[output].name + b"/times"
        self._graph.tensors.append(middle)
        made = []
        for kind, value, source, result in (
            (_OPERATORS.MUL, factor, reshape.outputs[0], len(self._graph.tensors) - 1),
            (_OPERATORS.ADD, offset, len(self._graph.tensors) - 1, output),
        ):
            operator = copy.copy(first)
            operator.opcodeIndex = operator_code(self._model, kind, 1)
            operator.inputs = [source, self._new_tensor(middle.name + b"/constant", value)]
            operator.outputs = [result]
            table = "MulOptions" if kind == _OPERATORS.MUL else "AddOptions"
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(schema, f"{table}T")()
            made.append(operator)
        at = self._graph.operators.index(reshape) + 1
        self._graph.operators[at:at] = made
        for operator in affine.operators:
            self._graph.operators.remove(operator)
        return True

    def drop_unread(self) -> None:
        """Drop the tensors and operator codes that no operator has any more."""
        codes = sorted({operator.opcodeIndex for operator in self._graph.operators})
        self._model.operatorCodes = [self._model.operatorCodes[index] for index in codes]
        for operator in self._graph.operators:
            operator.opcodeIndex = codes.index(operator.opcodeIndex)
        used = {index for op in self._graph.operators for index in (*op.inputs, *op.outputs)}
        used |= set(self._graph.inputs) | set(self._graph.outputs)
        kept = [index for index in range(len(self._graph.tensors)) if index in used]
        at = {index: place for place, index in enumerate(kept)} | {-1: -1}
        self._graph.tensors = [self._graph.tensors[index] for index in kept]
        for operator in self._graph.operators:
            operator.inputs = [at[index] for index in operator.inputs]
            operator.outputs = [at[index] for index in operator.outputs]
        self._graph.inputs = [at[index] for index in self._graph.inputs]
        self._graph.outputs = [at[index] for index in self._graph.outputs]
        for definition in self._model.signatureDefs or []:
            for entry in (*(definition.inputs or []), *(definition.outputs or [])):
                entry.tensorIndex = at[entry.tensorIndex]

    # ---- tensors ----

    def _kind(self, operator: Any) -> int:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))

    def _activation(self, operator: Any) -> int:
        return int(getattr(operator.builtinOptions, "fusedActivationFunction", 0) or 0)

    def _shape(self, index: int) -> tuple[int, ...]:
        shape = self._graph.tensors[index].shape
        return () if shape is None else tuple(int(size) for size in shape)

    def _is_float(self, index: int) -> bool:
        return bool(self._graph.tensors[index].type == _TYPES.FLOAT32)

    def _readers(self, index: int) -> list[Any]:
        return self._reading.get(int(index), [])

    def _constant(self, index: int) -> _Floats | None:
        if index < 0:
            return None
        tensor = self._graph.tensors[index]
        data = self._model.buffers[tensor.buffer].data
        types = {_TYPES.FLOAT32: np.float32, _TYPES.INT32: np.int32}
        if data is None or not len(data) or tensor.type not in types or tensor.isVariable:
            return None
        values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), types[tensor.type])
        return values.reshape(self._shape(index)).astype(np.float64)

    def _has_bias_constant(self, operator: Any) -> bool:
        """Whether the bias is a constant, or absent."""
        position = _BIAS[self._kind(operator)]
        inputs = list(operator.inputs)
        if len(inputs) <= position or inputs[position] < 0:
            return True
        return self._constant(inputs[position]) is not None

    def _replaced(self, index: int, values: _Floats) -> int:
        """A new constant in the form of another one, which others may read."""
        return self._new_tensor(self._graph.tensors[index].name, values, like=index)

    def _new_tensor(self, name: bytes, values: _Floats, like: int | None = None) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        tensor = schema.TensorT() if like is None else copy.copy(self._graph.tensors[like])
        tensor.name, tensor.shape, tensor.type = name, list(values.shape), _TYPES.FLOAT32
        tensor.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    @staticmethod
    def _by_channel(values: _Floats) -> _Floats | None:
        """The values along the last axis, where they are the same all along the others."""
        rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
        return rows[0] if bool(np.all(rows == rows[0])) else None

    def _channels(self, values: _Floats) -> _Floats:
        found = self._by_channel(values)
        assert found is not None
        return found


#: Operators with weights, and which input their bias is.
_BIAS = {
    _OPERATORS.CONV_2D: 2,
    _OPERATORS.DEPTHWISE_CONV_2D: 2,
    _OPERATORS.FULLY_CONNECTED: 2,
    _OPERATORS.TRANSPOSE_CONV: 3,
}
_WEIGHTED = frozenset(_BIAS)
