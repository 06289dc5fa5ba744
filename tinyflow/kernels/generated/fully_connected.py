# SPDX-License-Identifier: Apache-2.0
"""FULLY_CONNECTED on cores with the DSP extension: packed weights, widened as they are read.

`templates/kernels/fully_connected.S.j2` explains the arithmetic. The packed weights are read from
its first word to its last, once for each row of inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import FullyConnected, Operator
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, Overlap, Source, output_of
from tinyflow.kernels.generated.requantise import Requantisation, requantisation
from tinyflow.kernels.makers import VariantMaker
from tinyflow.kernels.name import KernelName, clamp_words
from tinyflow.numerics.multipliers import accumulator_multipliers
from tinyflow.numerics.requantize import Ints, settle_constants

#: Inputs of one step of the loops.
_STEP = 4
#: Bits that a packed pair's upper sum must fit, sign included.
_UPPER_BITS = 24


@dataclass(frozen=True)
class LoopForm:
    """A shape of the loops.

    Attributes:
        packed: two outputs' weights share halfwords, else each output has its own words.
        pairs: pairs of outputs to a block.
        spare: two registers are kept for weights loaded ahead.
        unroll: steps in the loop.
    """

    packed: bool
    pairs: int
    spare: bool
    unroll: int

    @property
    def name(self) -> KernelName:
        """The kernel's name; its size is outputs, rows and inputs for each turn of the loop."""
        words = ["packed" if self.packed else "bytes", *["ahead"] * (self.spare and self.packed)]
        size = (2 * self.pairs, 1, _STEP * self.unroll)
        return KernelName("fully_connected", "s8", "dsp", size, tuple(words))


@dataclass(frozen=True, eq=False)
class FullyConnectedLayer:
    """A layer's numbers, with the input's zero point folded into the bias.

    Attributes:
        weights: (outputs, depth).
        bias: (outputs,).
        requant: the requantisation of each output.
        per_channel: whether outputs differ in it.
    """

    weights: Ints
    bias: Ints
    requant: Requantisation
    per_channel: bool


def fully_connected_s8(op: FullyConnected, graph: Graph, board: Board) -> Iterator[Kernel]:
    """FULLY_CONNECTED: int8, constant weights, scales below 1/4; any number of rows.

    On Cortex-M4, M7 and M33. In place.
    """
    layer = _layer(op, graph, board)
    if layer is None:
        return
    steps = -(-layer.weights.shape[1] // _STEP)
    shapes = [(True, 4, False), (True, 3, True)] if _can_pack(layer) else []
    for packed, pairs, spare in [*shapes, (False, 3, True)]:
        whole = layer.weights.shape[0] // (2 * pairs)
        for unroll in (1, 2, 4) if whole else (1,):
            if unroll == 1 or steps % unroll == 0:
                yield _kernel(op, graph, board, layer, LoopForm(packed, pairs, spare, unroll))


def _layer(op: FullyConnected, graph: Graph, board: Board) -> FullyConnectedLayer | None:
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    output = output_of(graph, op)
    if (
        board.core not in DSP_CORES
        or source.dtype is not DType.INT8
        or not weights.is_constant
        or weights.dtype is not DType.INT8
    ):
        return None
    outputs = weights.shape[0]
    multiplier, shift = accumulator_multipliers(source, weights, output, outputs)
    limits = activation_range(op.activation, output.q)
    values = weights.values.astype(np.int64)
    bias = np.zeros(outputs, np.int64)
    if op.bias is not None:
        bias = graph.tensors[op.bias].values.astype(np.int64)
    bias, multiplier, shift = settle_constants(
        values, bias, multiplier, shift, output.q.zero_point, limits
    )
    requant = requantisation(multiplier, shift, output.q.zero_point, limits)
    if requant is None:
        return None
    per_channel = bool(np.any(requant.words != requant.words[0]))
    return FullyConnectedLayer(
        values, bias - source.q.zero_point * values.sum(1), requant, per_channel
    )


def _kernel(
    op: FullyConnected, graph: Graph, board: Board, layer: FullyConnectedLayer, form: LoopForm
) -> Kernel:
    source = graph.tensors[op.input]
    outputs, depth = layer.weights.shape
    rows = source.elements // depth
    steps = -(-depth // _STEP)
    blocks, left = divmod(outputs, 2 * form.pairs)
    name = _name(layer, form, board, blocks, left)
    packed_weights = _packed_weights(layer, form)
    return Kernel(
        operator=op,
        function=str(name),
        library="tinyflow",
        template="generated/fully_connected.c.j2",
        context={
            "function": str(name),
            "row_bytes": 8 * steps,
            "block_outputs": outputs - left,
            "outputs": outputs,
            "rows": rows,
            "depth": depth,
            "requant": layer.requant,
        },
        constants=(
            Constant(
                "packed_weights", "uint32_t", packed_weights, f"weights {[outputs, depth]}, packed"
            ),
        ),
        scratch=4 + 8 * steps,
        macs=rows * outputs * depth,
        header="tinyflow_dense.h",
        sources=(_source(name, layer, form, board, blocks, left),),
        overlaps=(_overlap(rows, outputs, depth),),
        name=form.name,
        work={
            "calls": 1,
            "rows": rows,
            "steps": rows * steps,
            "blocks": rows * blocks,
            "block turns": rows * blocks * (steps // form.unroll),
            "pairs": rows * -(-left // 2),
            "pair turns": rows * -(-left // 2) * steps,
        },
    )


def _overlap(rows: int, outputs: int, depth: int) -> Overlap:
    """Each row is read whole before its outputs are written, which must not reach the next."""
    if rows == 1:
        return Overlap("input", lead=-depth)
    return Overlap("input", lead=max((rows - 1) * (outputs - depth), outputs - depth))


def _name(
    layer: FullyConnectedLayer, form: LoopForm, board: Board, blocks: int, left: int
) -> KernelName:
    """The function's name, which contains every parameter of its code."""
    requant = layer.requant
    words = [("pairs", "odd")[left % 2]] if left else []
    words += ["channels"] if layer.per_channel else []
    words += ["signed"] if requant.signed else []
    words += clamp_words(requant.low, requant.high) if requant.clamped else ()
    words += [] if board.fpu else ["soft"]
    if not blocks:  # the same code whatever the form's blocks are
        packing = "packed" if form.packed else "bytes"
        return KernelName("fully_connected", "s8", "dsp", (2, 1, _STEP), (packing, "rest", *words))
    return form.name.plus(*words)


def _source(
    name: KernelName,
    layer: FullyConnectedLayer,
    form: LoopForm,
    board: Board,
    blocks: int,
    left: int,
) -> Source:
    requant = layer.requant
    parameters: dict[str, int | str | bool] = {
        "name": str(name),
        "form": "packed" if form.packed else "bytes",
        "pairs": form.pairs,
        "spare": form.spare,
        "unroll": form.unroll,
        "blocks": blocks > 0,
        "tail": left > 0,
        "odd_outputs": left % 2 == 1,
        "per_channel": layer.per_channel,
        "signed": requant.signed,
        "clamped": requant.clamped,
        "low": requant.low,
        "high": requant.high,
        "fpu": board.fpu is not None,
    }
    return Source(name, "fully_connected.S.j2", tuple(parameters.items()))


# ---- the packed weights ----


def _can_pack(layer: FullyConnectedLayer) -> bool:
    """Whether halfwords hold 256 * a + b for every pair, and the upper sums stay in range."""
    weights, bias = _even(layer.weights), _even(layer.bias)
    a, b = weights[1::2], weights[0::2]
    if np.any(256 * a + b < -(1 << 15)):  # a weight of -128 next to a negative one
        return False
    greatest = np.where(a > 0, 127 * a, -128 * a).sum(1) + bias[1::2]
    least = np.where(a > 0, -128 * a, 127 * a).sum(1) + bias[1::2]
    limit = 1 << (_UPPER_BITS - 1)
    return bool(np.all(greatest < limit) and np.all(least >= -limit))


def _even(values: Ints) -> Ints:
    """Add an output of zeros if their number is odd."""
    return np.concatenate([values, np.zeros((len(values) % 2, *values.shape[1:]), np.int64)])


def _packed_weights(layer: FullyConnectedLayer, form: LoopForm) -> NDArray[np.uint32]:
    """The words in the order they are read; see the assembly's head."""
    weights, bias = _even(layer.weights), _even(layer.bias)
    weights = np.pad(weights, ((0, 0), (0, -weights.shape[1] % _STEP)))
    words = np.concatenate(
        [layer.requant.words, np.zeros((len(bias) - len(layer.requant.words), 2))]
    )
    size = 2 * form.pairs
    whole = len(layer.bias) // size * size
    blocks = [slice(start, start + size) for start in range(0, whole, size)]
    blocks += [slice(start, start + 2) for start in range(whole, len(bias), 2)]
    pack = _packed_words if form.packed else _byte_words
    parts: list[NDArray[Any]] = []
    for block in blocks:
        parts += [_starts(weights[block], bias[block], packed=form.packed), pack(weights[block])]
        if layer.per_channel:
            parts.append(words[block].ravel())
    return (np.concatenate(parts).astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)


def _starts(weights: Ints, bias: Ints, *, packed: bool) -> Ints:
    """Return the initial sums: the bias, less the sums of products of weights."""
    products = (weights[:, 0::2] * weights[:, 1::2]).sum(1)
    starts: Ints = bias - products
    if packed:
        starts[1::2] = 256 * bias[1::2] + bias[0::2]
    return starts


def _byte_words(weights: Ints) -> Ints:
    """(outputs, depth) -> for each step and output a word of four bytes."""
    outputs, depth = weights.shape
    bytes_ = weights.astype(np.int8).reshape(outputs, depth // _STEP, _STEP)
    words = np.ascontiguousarray(bytes_.transpose(1, 0, 2)).view("<u4")
    return words.ravel().astype(np.int64)


def _packed_words(weights: Ints) -> Ints:
    """(outputs, depth) -> for each step and pair two words of two halfwords."""
    halves = (256 * weights[1::2] + weights[0::2]).astype(np.int16)
    pairs, depth = halves.shape
    steps = halves.reshape(pairs, depth // _STEP, 2, 2).transpose(1, 0, 3, 2)  # (x0, x2), (x1, x3)
    return np.ascontiguousarray(steps).view("<u4").ravel().astype(np.int64)


VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {FullyConnected: (fully_connected_s8,)}
