# SPDX-License-Identifier: Apache-2.0
"""CONV_2D 3x3 of stride 1 by Winograd's algorithm, exact in integers.

Source: A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section 4. A
square of side x side outputs takes (side + 2)**2 multiplications a channel instead of
9 * side**2: 16 for 36 where the side is 2, 36 for 144 where it is 4. With a patch d of the input
and a filter g, summed over the channels between the two outer steps,

    Y = A^T [C (sum of (G g G^T) . (B^T d B)) C] A

where . is elementwise. The paper's G has fractions. Here its rows are scaled to small integers, the
diagonal C makes up for that, and Y is S times the sum of products, S being 4 or 576 = 64 * 9:

    side 2   G = 1  0  0     C = 2    A = 1  0     B = 1  0  0  0
                 1  1  1         1        1  1         0  1 -1  1
                 1 -1  1         1        1 -1        -1  1  1  0
                 0  0  1         2        0 -1         0  0  0 -1

    side 4   G = 1  0  0     C = 6    A = 1  0  0  0     B = 4  0  0  0  0  0
                 1  1  1        -4        1  1  1  1         0 -4  4 -2  2  4
                 1 -1  1        -4        1 -1  1 -1        -5 -4 -4 -1 -1  0
                 1  2  4         1        1  2  4  8         0  1 -1  2 -2 -5
                 1 -2  4         1        1 -2  4 -8         1  1  1  1  1  0
                 0  0  1        24        0  0  0  1         0  0  0  0  0  1

Why it is exact:

- The weights are transformed as they are, and so are inputs where the side is 2: they are int8. An
  element of a transform is at most 128 times the product of the matrix's greatest absolute row (or
  column) sums: 9 * 128 for weights and 4 * 128 for inputs where the side is 2, 49 * 128 for weights
  where it is 4. There 128 is added to inputs, which are 0 to 255 then, so that a sum of two int16
  lanes in one word is seen to carry (`transforms.j2`); a column of B whose positive and negative
  elements add up to p and -n makes (p**2 + n**2) * 255 of them at most, and 2 and -8 are the worst:
  68 * 255. All fit int16, so that no step before can do harm: sums modulo 2**16 that end in range
  are right.
- Products and sums are int32 modulo 2**32. So S * acc comes out modulo 2**32, whatever passed its
  range on the way. Where the side is 4, a multiplication by the inverse of 9 modulo 2**32, which
  9 has for being odd, leaves 64 * acc modulo 2**32.
- `fits` shows from the layer's weights that 4 * acc or 64 * acc itself is an int32, so that an
  arithmetic shift gives acc. Then come TFLite's roundings (`requantise`).
- The bias, with the input's zero point and the 128 folded in, is added to element (1, 1) before
  the output transform, times S / C[1]**2: row 1 of A is all ones.

Padding is a patch filled up with the input's zero point. Where the sides of the output are no
multiples of the tile's, the last tiles overlap the ones before, and write the same values again.

The int16 weights U = G g G^T are 3.6 or 8 times as large as the int8 weights, so they are made at
run time, for two filters at a time, and are used for several groups of four tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyflow.boards import DSP_CORES, Board
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Conv2D, Operator
from tinyflow.ir.quantization import activation_range
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, Overlap, Source, bias_constant, output_of
from tinyflow.kernels.generated.requantise import Requantisation, requantisation
from tinyflow.kernels.makers import VariantMaker
from tinyflow.kernels.name import Isa, KernelName, clamp_words
from tinyflow.numerics.multipliers import accumulator_multipliers

#: Tiles of a group, filters multiplied at a time.
_TILES, _FILTERS = 4, 2
#: Scratch memory beyond which more groups at once are not offered, bytes.
_MOST_SCRATCH = 64 * 1024
#: Steps of the product's loop over pairs of channels, the most first: what a large instruction
#: cache holds, and what 1 KB of it does.
_UNROLLS_LARGE = (16, 12, 10, 8, 6, 4, 2)
_UNROLLS_SMALL = (8, 6, 4, 2)
#: The farthest filter, in pairs, that a load's offset reaches while the pointer stays.
_MOST_IN_REACH = 14
#: Bytes of instruction cache left by the product's largest loop.
_LARGE_CACHE = 2048


@dataclass(frozen=True)
class Algorithm:
    """One size of tile.

    Attributes:
        side: of the square of outputs.
        scale: the output transform gives this multiple of the sum, after the inverse of 9.
        bias_factor: what the bias is multiplied by.
        offset: what is added to each input before it is transformed.
    """

    side: int
    scale: int
    bias_factor: int
    offset: int

    @property
    def elements(self) -> int:
        """Elements of a transformed tile."""
        return (self.side + 2) ** 2

    def fits(self, largest: int) -> bool:
        """Whether accumulators of that magnitude come out whole."""
        return self.scale * largest < 1 << 31


ALGORITHMS = (
    Algorithm(side=2, scale=4, bias_factor=4, offset=0),
    Algorithm(side=4, scale=64, bias_factor=36, offset=128),
)


def largest_accumulator(weights: NDArray[np.int8], bias: NDArray[np.int32], zero_point: int) -> int:
    """The greatest magnitude that a sum of products and bias can have, over all inputs.

    Args:
        weights: (filters, ...).
        bias: (filters,).
        zero_point: of the input.
    """
    reach = max(127 - zero_point, zero_point + 128)
    sums = np.abs(weights.reshape(len(weights), -1).astype(np.int64)).sum(axis=1)
    return int((sums * reach + np.abs(bias.astype(np.int64))).max())


def conv(op: Conv2D, graph: Graph, board: Board) -> Iterator[Kernel]:
    """CONV_2D: int8, 3x3, stride 1, no dilation, input channels a multiple of 4, scales below 1/4.

    On Cortex-M4, M7 and M33. In place, one image in a single pass.
    """
    source, weights, output = (
        graph.tensors[op.input],
        graph.tensors[op.weights],
        output_of(graph, op),
    )
    if board.core not in DSP_CORES or not _is_supported(op, source, weights):
        return
    multiplier, shift = accumulator_multipliers(source, weights, output, weights.shape[0])
    limits = activation_range(op.activation, output.q)
    requant = requantisation(multiplier, shift, output.q.zero_point, limits)
    if requant is None:
        return
    bias = bias_constant(graph, op.bias, weights.shape[0]).values.astype(np.int32)
    largest = largest_accumulator(weights.values.astype(np.int8), bias, source.q.zero_point)
    for algorithm in ALGORITHMS:
        if min(output.shape[1:3]) >= algorithm.side and algorithm.fits(largest):
            constant = _constant(weights, bias, source.q.zero_point, requant, algorithm)
            for tiling in _tilings(algorithm, op, source, output):
                yield _kernel(op, graph, board, tiling, requant, constant)


def _is_supported(op: Conv2D, source: Tensor, weights: Tensor) -> bool:
    return (
        source.dtype is DType.INT8
        and weights.dtype is DType.INT8
        and weights.is_constant
        and weights.shape[1:3] == (3, 3)
        and op.window.stride == (1, 1)
        and op.window.dilation == (1, 1)
        and weights.shape[3] == source.shape[3]
        and source.shape[3] % 4 == 0
    )


@dataclass(frozen=True)
class _Tiling:
    """Grouping of a layer's tiles that share transforms of the weights.

    Attributes:
        algorithm: the size of a tile.
        most: groups of four tiles for one transform of the weights, if there are as many.
        total: groups of an image.
        border: tiles of an image whose input reaches beyond it.
    """

    algorithm: Algorithm
    most: int
    total: int
    border: int

    @property
    def groups(self) -> int:
        """Groups for one transform of the weights."""
        return min(self.most, self.total)

    @property
    def passes(self) -> int:
        """Transforms of the weights for an image."""
        return -(-self.total // self.groups)

    def scratch(self, channels: int) -> int:
        """Bytes: see `workspace` of the C file."""
        pairs, elements, word = channels // 2, self.algorithm.elements, 4
        outputs = self.groups * _TILES
        tiles = self.groups * pairs * elements * _TILES
        filters = pairs * elements * _FILTERS
        products = self.groups * elements * _FILTERS * _TILES
        return word * (outputs + tiles + filters + products)


def _tilings(algorithm: Algorithm, op: Conv2D, source: Tensor, output: Tensor) -> Iterator[_Tiling]:
    """One, two, four and more groups for one transform of the weights, at most all."""
    rows, columns = (_starts(extent, algorithm.side) for extent in output.shape[1:3])
    total = -(-len(rows) * len(columns) // _TILES)
    pads = op.window.pads((source.shape[1], source.shape[2]), (3, 3))
    inside = [
        sum(0 <= start - pad <= extent - algorithm.side - 2 for start in starts)
        for starts, pad, extent in zip((rows, columns), pads, source.shape[1:3], strict=True)
    ]
    border = len(rows) * len(columns) - inside[0] * inside[1]
    for power in range((2 * total - 1).bit_length()):
        tiling = _Tiling(algorithm, 1 << power, total, border)
        if tiling.groups == 1 or tiling.scratch(source.shape[3]) <= _MOST_SCRATCH:
            yield tiling


def _starts(extent: int, side: int) -> list[int]:
    """Return the starts of tiles that cover `extent` rows or columns."""
    return [min(start, extent - side) for start in range(0, extent, side)]


def transform_weights(weights: NDArray[np.int8]) -> NDArray[np.uint32]:
    """The weights in the order in which the transform reads them.

    Pairs of channels are 0 and 2 of four, then 1 and 3, as SXTB16 takes inputs apart. Taps 0 to 7
    of a pair are words of taps 2i and 2i + 1 of the one channel and the same of the other. The last
    taps of all pairs follow.

    Args:
        weights: (filters, 3, 3, channels).

    Returns:
        uint32 (filters, 9 * channels / 4).
    """
    filters, _, _, channels = weights.shape
    # filter, tap, four channels, channel of the pair, which pair
    taps = weights.reshape(filters, 9, channels // 4, 2, 2)
    words = taps[:, :8].reshape(filters, 4, 2, channels // 4, 2, 2).transpose(0, 3, 5, 1, 4, 2)
    last = taps[:, 8].transpose(0, 1, 3, 2)
    parts = [words.reshape(filters, -1), last.reshape(filters, -1)]
    ordered = np.ascontiguousarray(np.concatenate(parts, axis=1))
    return ordered.view("<u4").astype(np.uint32)


def _constant(
    weights: Tensor,
    bias: NDArray[np.int32],
    zero_point: int,
    requant: Requantisation,
    algorithm: Algorithm,
) -> Constant:
    """Pack, for each filter, the bias, the requantisation and the weights into words."""
    values = weights.values.astype(np.int8)
    filters = len(values)
    sums = values.reshape(filters, -1).sum(axis=1, dtype=np.int64)
    folded = bias.astype(np.int64) - (zero_point + algorithm.offset) * sums
    scaled = (folded * algorithm.bias_factor % (1 << 32)).astype(np.uint32)
    packed_weights = np.concatenate(
        [scaled[:, None], requant.words, transform_weights(values)], axis=1
    )
    return Constant(
        "filters",
        "uint32_t",
        packed_weights,
        f"bias, requantisation and weights of {filters} filters of {values[0].size}",
    )


def _kernel(
    op: Conv2D,
    graph: Graph,
    board: Board,
    tiling: _Tiling,
    requant: Requantisation,
    constant: Constant,
) -> Kernel:
    source, output = graph.tensors[op.input], output_of(graph, op)
    _, height, width, channels = source.shape
    side = tiling.algorithm.side
    sources = _sources(side, channels // 2, requant, board)
    return Kernel(
        op,
        "tinyflow_conv_winograd",
        "tinyflow",
        "generated/winograd.c.j2",
        {
            "source": source,
            "output": output,
            "pads": op.window.pads((height, width), (3, 3)),
            "side": side,
            "groups": tiling.groups,
            "functions": {stage: str(made.name) for stage, made in sources.items()},
        },
        constants=(constant,),
        scratch=tiling.scratch(channels),
        macs=output.elements * 9 * channels,
        header="tinyflow_conv_winograd.h",
        file="conv_winograd",
        sources=tuple(sources.values()),
        # one pass over an only image has read all of the input before it writes
        overlaps=(
            (Overlap("input", lead=-source.size),)
            if tiling.passes == 1 and source.shape[0] == 1
            else ()
        ),
        name=KernelName("conv_winograd", "s8", _isa(board), (3, 3), (f"tile{side}x{side}",)),
        work=_work(tiling, source, output, requant, board),
    )


def _unroll(pairs: int, board: Board) -> int:
    """Pairs of channels for each turn of the product's loop; it does not loop if that is all."""
    cache = None if board.timing is None else board.timing.fetch.cache
    large = cache is not None and cache.lines * cache.line_bytes >= _LARGE_CACHE
    unrolls = _UNROLLS_LARGE if large else _UNROLLS_SMALL
    most = max(unrolls) if board.core == "cortex-m7" else _MOST_IN_REACH
    return next(unroll for unroll in unrolls if unroll <= most and pairs % unroll == 0)


def _isa(board: Board) -> Isa:
    return "m7" if board.core == "cortex-m7" else "dsp"


def _sources(side: int, pairs: int, requant: Requantisation, board: Board) -> dict[str, Source]:
    """The generated functions by what they are for."""
    unroll, dual = _unroll(pairs, board), board.core == "cortex-m7"
    looped = pairs != unroll
    clamp = clamp_words(requant.low, requant.high) if requant.clamped else ()

    def made(
        stage: str, types: str, isa: Isa, *words: str, **parameters: int | str | bool
    ) -> Source:
        name = KernelName(f"winograd_{stage}", types, isa, (3, 3), (f"tile{side}x{side}", *words))
        return Source(name, f"winograd/{stage}.S.j2", (("side", side), *parameters.items()))

    return {
        "input": made("input", "s8_s16", "dsp"),
        "weights": made("weights", "s8_s16", "dsp"),
        "gemm": made(
            "gemm",
            "s16_s32",
            _isa(board),
            f"k{2 * unroll}",
            *["once"] * (not looped),
            unroll=unroll,
            looped=looped,
            dual=dual,
        ),
        "output": made(
            "output",
            "s32_s8",
            _isa(board),
            *["signed"] * requant.signed,
            *clamp,
            dual=dual,
            signed=requant.signed,
            clamped=requant.clamped,
            low=requant.low,
            high=requant.high,
        ),
    }


def _work(
    tiling: _Tiling, source: Tensor, output: Tensor, requant: Requantisation, board: Board
) -> dict[str, int]:
    batch, _, _, filters = output.shape
    pairs = source.shape[3] // 2
    turns = pairs // _unroll(pairs, board)
    halves = -(-filters // _FILTERS)
    products = batch * tiling.total * halves
    tiles = batch * tiling.total * _TILES
    return {
        "calls": batch,
        "tiles": tiles,
        "tile_words": tiles * pairs // 2,
        "border_words": batch * tiling.border * pairs // 2,
        "passes": batch * tiling.passes * halves,
        "weight_pairs": batch * tiling.passes * filters * pairs,
        "products": products,
        "product_loops": products * turns if turns > 1 else 0,
        "product_pairs": products * pairs,
        "outputs": tiles * filters,
        "signed_outputs": tiles * filters * requant.signed,
        "clamped_outputs": tiles * filters * requant.clamped,
    }


#: The makers by operator.
VARIANTS: dict[type[Operator], tuple[VariantMaker, ...]] = {Conv2D: (conv,)}
