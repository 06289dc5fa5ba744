# SPDX-License-Identifier: Apache-2.0
"""The matrix product of a convolution: tiles of two output channels by four pixels, in assembly.

The windows of four pixels are expanded to int16 once; then, for a pair of output channels at a
time, every weight that is loaded is used for four pixels and every element for two channels.
`packing` has the arithmetic, `templates/kernels/conv` the assembly,
`firmware/kernels/tinyflow_conv.c` the loops around it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Conv2D
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Source, nhwc, output_of
from tinyflow.kernels.generated import packing
from tinyflow.kernels.generated.requantise import Requantisation, requantisation
from tinyflow.kernels.name import Isa, KernelName, clamp_words
from tinyflow.numerics.multipliers import accumulator_multipliers

#: Pixels of the tile.
PIXELS = 4
#: Unroll factors of the inner loop: the fewest and the most, and the most steps without a loop.
FEW_UNROLLED = 4
MOST_UNROLLED = 16
MOST_ONCE = 24
#: Bytes of code: of a step, of all else that runs for a group of pixels, and of the smallest
#: instruction cache to consider.
STEP_CODE = 50
FURTHER_CODE = 500
LEAST_CACHE = 1024
#: Largest number of consecutive groups of pixels in a pair of channels.
GROUPS = (4, 8, 16)
#: Steps up to which bytes may be better than packed weights, and a pair's packed weights probably
#: stays in
#: a buffer of the flash.
FEW_STEPS = 8

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class ConvolutionLayer:
    """A layer's tensors and numbers.

    Attributes:
        weights: int8 (channels, height, width, depth).
        bias: int64 (channels,), folded.
        requant: requantisation.
        pads: rows above and columns left of the input.
    """

    op: Conv2D
    board: Board
    source: Tensor
    output: Tensor
    weights: NDArray[np.int8]
    bias: packing.Int64s
    requant: Requantisation
    pads: Pair

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return len(self.weights)

    @property
    def pairs(self) -> int:
        """Number of pairs of output channels."""
        return -(-self.channels // 2)

    @property
    def kernel(self) -> Pair:
        """Height and width."""
        height, width = self.weights.shape[1:3]
        return height, width

    @property
    def depth(self) -> int:
        """Channels of the input."""
        return int(self.weights.shape[3])

    @property
    def positions(self) -> Pair:
        """Height and width of the output."""
        return nhwc(self.output)[1:3]

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with padding included."""
        return self.output.elements * math.prod(self.weights.shape[1:])

    @property
    def is_pointwise(self) -> bool:
        """1x1, and every pixel of the input is one of the output."""
        return self.kernel == (1, 1) and nhwc(self.source)[:3] == nhwc(self.output)[:3]


@dataclass(frozen=True)
class Microkernel:
    """A form of the tile.

    Attributes:
        unroll: steps written out.
        steps: of a pair of channels, a multiple of `unroll`.
        packed: whether the weights are packed, see `packing`.
        groups: of four pixels that follow each other in a pair of channels.
        copied: the pair's packed weights are copied to RAM before.
        is_4x2: four channels by two pixels instead of two by four.
    """

    unroll: int
    steps: int
    packed: bool
    groups: int = 1
    copied: bool = False
    is_4x2: bool = False

    @property
    def once(self) -> bool:
        """There is no loop over the steps."""
        return self.steps == self.unroll

    def name(self, operator: str, board: Board) -> KernelName:
        """Return the name of a kernel with this tile."""
        isa: Isa = "m7" if board.core == "cortex-m7" else "dsp"
        words = ["packed" if self.packed else "bytes", *["once"] * self.once]
        words += [f"groups{self.groups}"] * (self.groups > 1) + ["ram"] * self.copied
        return KernelName(operator, "s8", isa, self.size(PIXELS), tuple(words))

    def size(self, pixels: int) -> tuple[int, int, int]:
        """Return channels, pixels, and inputs for each turn of the loop of a microkernel."""
        inputs = self.unroll * 4 // packing.STEPS_PER_WORD
        return (4, min(2, pixels), inputs) if self.is_4x2 else (2, pixels, inputs)

    def columns(self, board: Board) -> int:
        """Bytes of the expanded windows; the Cortex-M7's order reads two words beyond."""
        return 4 * PIXELS * self.steps * self.groups + 8 * (board.core == "cortex-m7")

    def scratch(self, board: Board) -> int:
        """Bytes of the columns and of the copy behind them."""
        return self.columns(board) + 4 * (self.packed_weights + self.doubled) * self.copied

    @property
    def packed_weights(self) -> int:
        """Words of the packed weights for the channels that are computed together."""
        return (self.steps + packing.FURTHER_WORDS) * (2 if self.is_4x2 else 1)

    @property
    def doubled(self) -> int:
        """Words that copied packed weights hold twice: biases, one for each of two pixels."""
        return 4 if self.is_4x2 and not self.once else 0


def convolution_layer_of(op: Conv2D, graph: Graph, board: Board) -> ConvolutionLayer | None:
    """The layer; None if these kernels do not support it.

    They take int8 with int8 weights in one group, on a core with the DSP extension, and scales
    that the requantisation in two multiplications takes.
    """
    source, weights = graph.tensors[op.input], graph.tensors[op.weights]
    output = output_of(graph, op)
    if board.core not in DSP_CORES or (source.dtype, weights.dtype) != (DType.INT8, DType.INT8):
        return None
    filters, height, width, depth = weights.shape
    if depth != nhwc(source)[3]:
        return None
    multiplier, shift = accumulator_multipliers(source, weights, output, filters)
    requant = requantisation(
        multiplier, shift, output.q.zero_point, activation_range(op.activation, output.q)
    )
    if requant is None:
        return None
    values = weights.values.astype(np.int8)
    bias = None if op.bias is None else graph.tensors[op.bias].values.astype(np.int32)
    return ConvolutionLayer(
        op=op,
        board=board,
        source=source,
        output=output,
        weights=values,
        bias=packing.folded_bias(bias, values, source.q.zero_point),
        requant=requant,
        pads=op.window.pads((nhwc(source)[1], nhwc(source)[2]), (height, width)),
    )


def _microkernels(layer: ConvolutionLayer, elements: int) -> Iterator[Microkernel]:
    """Yield the forms worth trying for windows of `elements` elements."""
    steps = -(-elements // 4) * packing.STEPS_PER_WORD
    unrolls = {unroll: -(-steps // unroll) * unroll for unroll in _unrolls(steps, layer.board)}
    packs = packing.packs(layer.weights.reshape(layer.channels, -1), layer.bias)
    # Per step bytes cost an instruction more, per tile eight less.
    forms = [True] * packs + [False] * (not packs or steps <= FEW_STEPS)
    for unroll, padded in unrolls.items():
        for packed in forms:
            microkernel = Microkernel(unroll, padded, packed)
            yield microkernel
            if layer.board.core != "cortex-m7" and layer.channels % 2 == 0:
                yield from _blocks(layer, microkernel)


def _unrolls(steps: int, board: Board) -> Iterator[int]:
    """Yield numbers of steps out of `steps` that may be unrolled.

    As many as fit the instruction cache, for a shorter loop, and few, so that many layers share one
    tile. If none divides the steps, the one that wastes least is taken.
    """
    # The Cortex-M7's order needs an even number, and a loop of two turns is predicted worst.
    dual = board.core == "cortex-m7"
    every, worst = (2, 2) if dual else (1, 0)
    cached = max(FEW_UNROLLED, _cached_steps(board))
    most, once = min(MOST_UNROLLED, cached), min(MOST_ONCE, cached)
    fitting = [unroll for unroll in range(FEW_UNROLLED, most + 1, every) if unroll < steps]
    dividing = [unroll for unroll in fitting if steps % unroll == 0 and steps // unroll != worst]
    if steps <= once:
        yield steps
    elif dividing:
        yield dividing[-1]
    else:
        padded = {unroll: -(-steps // unroll) * unroll for unroll in fitting}
        whole = [unroll for unroll in fitting if padded[unroll] % packing.STEPS_PER_WORD == 0]
        yield min(whole, key=lambda unroll: (padded[unroll], -unroll))
    if FEW_UNROLLED in (dividing if steps <= once else dividing[:-1]):
        yield FEW_UNROLLED


def _cached_steps(board: Board) -> int:
    """Steps whose code fits the instruction cache together with all else that a group runs."""
    cache = None if board.timing is None else board.timing.fetch.cache
    size = LEAST_CACHE if cache is None else cache.line_bytes * cache.lines
    return (size - FURTHER_CODE) // STEP_CODE


def _blocks(layer: ConvolutionLayer, microkernel: Microkernel) -> Iterator[Microkernel]:
    """The forms that read flash less often, at the price of more scratch."""
    is_4x2 = microkernel.packed and layer.channels % 4 == 0
    for groups in GROUPS:
        if is_4x2:
            yield replace(microkernel, groups=groups, copied=True, is_4x2=True)
        elif microkernel.steps > FEW_STEPS:
            yield replace(microkernel, groups=groups, copied=True)
        if microkernel.once and microkernel.steps <= FEW_STEPS:
            yield replace(microkernel, groups=groups)


def _microkernel_source(layer: ConvolutionLayer, microkernel: Microkernel, pixels: int) -> Source:
    """The assembly of a microkernel for `pixels` pixels."""
    requant, odd = layer.requant, bool(layer.channels % 2)
    whole = pixels == PIXELS
    if not whole:  # few pixels: no copy, and one tile for many layers
        few = FEW_UNROLLED if microkernel.steps % FEW_UNROLLED == 0 else microkernel.unroll
        microkernel = replace(microkernel, unroll=few, groups=1, copied=False)
    schedule = "m7" if layer.board.core == "cortex-m7" and whole else "m4"
    shape = "4x2" if microkernel.is_4x2 else "2x4"
    remaining = (microkernel.packed_weights - microkernel.doubled) % 8 if microkernel.copied else 0
    words = ["packed" if microkernel.packed else "bytes", *["once"] * microkernel.once]
    words += ["rest"] * (not whole) + [f"{pixels}"] * (not whole and microkernel.is_4x2)
    words += ["groups"] * (microkernel.groups > 1) + ["ram", f"{remaining}"] * microkernel.copied
    words += ["odd"] * odd + ["signed"] * requant.signed
    words += clamp_words(requant.low, requant.high) if requant.clamped else ()
    isa: Isa = "m7" if schedule == "m7" else "dsp"
    return Source(
        KernelName("conv", "s8", isa, microkernel.size(pixels), tuple(words)),
        f"conv/microkernel_{shape}_{schedule}.S.j2",
        (
            ("pixels", pixels),
            ("unroll", microkernel.unroll),
            ("once", microkernel.once),
            ("packed", microkernel.packed),
            ("block", microkernel.groups > 1),
            ("copied", microkernel.copied),
            ("remaining", remaining),
            ("odd", odd),
            ("signed", requant.signed),
            ("clamped", requant.clamped),
            ("least", requant.low),
            ("greatest", requant.high),
        ),
    )


def _im2col_name(pixels: int) -> KernelName:
    return KernelName("im2col", "s8_s16", "dsp", words=(f"x{pixels}",))


@dataclass(frozen=True, eq=False)
class Matrix:
    """A tile with its assembly and constants, for a layer.

    Attributes:
        sources: the assembly, by pixels.
        packed_weights: the constants.
    """

    layer: ConvolutionLayer
    microkernel: Microkernel
    sources: Mapping[int, Source]
    packed_weights: Constant

    @property
    def context(self) -> dict[str, Any]:
        """Return the context of `conv_matrix.j2`; functions by pixels."""
        return {
            "microkernel": {pixels: self._function(pixels) for pixels in range(PIXELS + 1)},
            "im2col": {
                pixels: str(_im2col_name(pixels)) if pixels in self.sources else "NULL"
                for pixels in range(PIXELS + 1)
            },
            "steps": self.microkernel.steps,
            "channels": self.layer.channels,
            "zero_point": self.layer.requant.zero_point,
            "groups": self.microkernel.groups,
            "copied": self.microkernel.copied,
            "copy_at": self.microkernel.columns(self.layer.board),
        }

    @property
    def files(self) -> tuple[Source, ...]:
        """All generated files."""
        im2col = (
            Source(_im2col_name(pixels), "conv/im2col.S.j2", (("pixels", pixels),))
            for pixels in self.sources
        )
        return (*self.sources.values(), *im2col)

    def _function(self, pixels: int) -> str:
        made = self.sources.get(pixels)
        return "NULL" if made is None else str(made.name)

    @property
    def _stays_cached(self) -> bool:
        """Whether a cache of flash data keeps all constants from one block to the next."""
        timing = self.layer.board.timing
        cache = None if timing is None else timing.flash_data.cache
        return cache is not None and self.packed_weights.size <= cache.line_bytes * cache.lines

    def work(self, pixels: int, words: int) -> dict[str, int]:
        """Return the terms that cycles are linear in, for windows of `words` words."""
        groups, rest = divmod(pixels, PIXELS)
        pairs, steps = self.layer.pairs, self.microkernel.steps
        passes = -(-groups // self.microkernel.groups)
        blocks = passes * pairs
        return {
            "calls": 1,
            "groups": groups,
            "words": groups * words,
            "blocks": blocks,
            "block_steps": (min(passes, 1) if self._stays_cached else passes) * pairs * steps,
            "tiles": groups * pairs,
            "steps": groups * pairs * steps,
            "turns": 0
            if self.microkernel.once
            else groups * pairs * steps // self.microkernel.unroll,
            "rest_tiles": (rest > 0) * pairs,
            "rest_steps": (rest > 0) * pairs * steps,
            "rest_macs": rest * pairs * steps,
        }


def matrices(
    layer: ConvolutionLayer, windows: NDArray[np.int8], counts: tuple[int, ...]
) -> Iterator[Matrix]:
    """All forms of a layer's matrix product.

    Args:
        layer: the layer.
        windows: int8 (channels, elements): weights in the order of a window's bytes.
        counts: numbers of consecutive pixels.
    """
    rests = {count % PIXELS for count in counts} - {0}
    pixels = sorted(rests | {PIXELS} if max(counts) >= PIXELS else rests)
    for microkernel in _microkernels(layer, windows.shape[1]):
        yield Matrix(
            layer,
            microkernel,
            {size: _microkernel_source(layer, microkernel, size) for size in pixels},
            Constant(
                "packed_weights",
                "uint32_t",
                packing.packed_weights(
                    windows,
                    layer.bias,
                    layer.requant,
                    steps=microkernel.steps,
                    packed=microkernel.packed,
                    is_4x2=microkernel.is_4x2,
                ),
                f"biases, weights {list(layer.weights.shape)} and requantisation",
            ),
        )
