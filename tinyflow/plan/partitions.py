# SPDX-License-Identifier: Apache-2.0
"""Choice of layers that run row by row, to make the arena as small as is asked for.

A partition cuts the layers into runs, in execution order: a run is one layer as a whole, or a fused
block whose rows take turns (`fused_blocks.py`). The most bytes in use in any run are the peak. Of
all partitions with a peak within a limit the cheapest is found by dynamic programming over the
places of the cuts. A fused block's memory is bounded from below at first; a dry run finds it
exactly if the block is part of the best partition.

Many choices of kernels are tried on one graph. Shared results are computed once: the bounds depend
only on the windows of the layers, a dry run on little more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel, Overlap
from tinyflow.plan.allocator import aligned, most_in_common
from tinyflow.plan.fused_blocks import DryRun, FusedBlock, RowLayer, row_bytes, row_layer
from tinyflow.plan.lifetimes import Lifetimes, overlap

#: Most layers of a fused block, and most searches for the best partition.
_LONGEST, _STEPS = 40, 200
#: More than any bytes or costs.
_NEVER = 1 << 60

_Ints = NDArray[np.int64]
#: A fused block: its first layer, and the one after its last.
_Run = tuple[int, int]


@dataclass(frozen=True)
class Partition:
    """Layers cut into runs.

    Attributes:
        peak: the most bytes in use in any of its runs.
        cost: of its fused blocks.
        fused_blocks: in execution order.
    """

    peak: int
    cost: int
    fused_blocks: tuple[FusedBlock, ...]


class Layers:
    """The layers of a graph in one order, whatever their kernels are.

    Attributes:
        graph: of the layers.
        lives: of the graph's tensors.
        count: of the layers.
    """

    def __init__(self, graph: Graph, kernels: Sequence[Kernel]) -> None:
        """Read the order of the kernels, and which of them run no code; nothing else."""
        self.graph, self.count = graph, len(kernels)
        self.lives = lives = Lifetimes(graph, kernels)
        self._sizes = {memory: aligned(graph.tensors[memory].size) for memory in lives.first}
        #: For each layer the memories that are in use before it and are still needed.
        self._held: list[list[TensorId]] = [[] for _ in kernels]
        for memory, first in lives.first.items():
            for index in range(first + 1, min(lives.last[memory] + 1, self.count)):
                self._held[index].append(memory)
        self._single: dict[tuple[int, tuple[Overlap, ...]], int] = {}
        self._row_layers: dict[Kernel, RowLayer | None] = {}
        #: The window of each layer that has had a kernel with a row form.
        self._windows: dict[int, RowLayer] = {}
        self._bounds: tuple[int, _Ints] | None = None
        self._dry_runs: dict[_Run, dict[tuple[object, ...], tuple[int, FusedBlock]]] = {}
        self._wholes: dict[_Run, frozenset[TensorId]] = {}

    def row_layer(self, index: int, kernel: Kernel) -> RowLayer | None:
        """The kernel of a layer as a layer of rows, None if it is none."""
        if kernel not in self._row_layers:
            self._row_layers[kernel] = row_layer(self.graph, kernel)
        found = self._row_layers[kernel]
        if found is not None:
            self._windows.setdefault(index, found)
        return found

    # ---- layers that run whole ----

    def single_bytes(self, index: int, kernel: Kernel) -> int:
        """Bytes in use while a layer runs whole."""
        key = index, kernel.overlaps
        if key not in self._single:
            self._single[key] = self._tensor_bytes(index, kernel)
        return self._single[key] + aligned(kernel.scratch)

    def _tensor_bytes(self, index: int, kernel: Kernel) -> int:
        lives = self.lives
        new = [memory for memory in lives.writes[index] if lives.first[memory] == index]
        used = sum(map(self._sizes.__getitem__, [*self._held[index], *new]))
        if kernel.aliases_input or len(new) != 1:
            return used
        common = 0
        for memory in lives.reads[index]:
            rule = overlap(kernel, kernel.overlaps, lives.storage, memory)
            if rule is not None and lives.last[memory] == index:
                common += most_in_common(self._sizes[memory], self._sizes[new[0]], rule.lead)
        return used - min(self._sizes[new[0]], common)

    # ---- fused blocks ----

    def bounds(self) -> _Ints:
        """The least bytes of tensors in use in fused blocks.

        Element (last, length - 1) is that of the block of `length` layers that ends with layer
        `last`; layers that never had a row form are in none.
        """
        if self._bounds is None or self._bounds[0] != len(self._windows):
            least = self._least_rows()
            found = np.full((self.count, _LONGEST), _NEVER, np.int64)
            for first in self._windows:
                for end, used in self._bounds_from(first, least):
                    found[end - 1, end - 1 - first] = used
            self._bounds = len(self._windows), found
        return self._bounds[1]

    def _least_rows(self) -> dict[TensorId, int]:
        """The fewest rows that must be held of a tensor within a fused block."""
        least = {layer.output: 1 for layer in self._windows.values()}
        for layer in self._windows.values():
            reach = (layer.form.height - 1) * layer.form.dilation + 1
            for tensor in layer.inputs:
                least[tensor] = max(reach, least.get(tensor, 1))
        return least

    def _bounds_from(self, first: int, least: dict[TensorId, int]) -> Iterator[tuple[int, int]]:
        """Yield the end of each fused block that begins with `first`, and its fewest bytes."""
        last, sizes = self.lives.last, self._sizes
        held = sum(sizes[memory] for memory in self._held[first])
        rings = 0
        whole: list[TensorId] = []
        for index in range(first, min(first + _LONGEST, self.count)):
            layer = self._windows.get(index)
            if layer is None:
                return
            whole.append(layer.output)
            for tensor in list(whole):
                if last[tensor] == index and tensor != layer.output:
                    whole.remove(tensor)
                    rings += aligned(least[tensor] * row_bytes(self.graph, tensor))
            dying = [sizes[memory] for memory in self._held[first] if last[memory] <= index]
            written = sum(max(0, sizes[tensor] - sum(dying)) for tensor in whole)
            yield index + 1, held + rings + written

    def whole(self, run: _Run) -> frozenset[TensorId]:
        """Return the tensors that a fused block writes and that are needed after it, or never."""
        if run not in self._wholes:
            last = self.lives.last
            outputs = ((index, self._windows[index].output) for index in range(*run))
            self._wholes[run] = frozenset(
                output
                for index, output in outputs
                if last[output] >= run[1] or last[output] == index
            )
        return self._wholes[run]

    def known(self, members: Sequence[RowLayer | None]) -> Iterator[tuple[_Run, int]]:
        """The fused blocks of these layers that were run dry, and the bytes of their tensors."""
        for run, variants in self._dry_runs.items():
            found = variants.get(self._key(run, members))
            if found is not None:
                yield run, found[0]

    def is_known(self, run: _Run, members: Sequence[RowLayer | None]) -> bool:
        """Whether a fused block was run dry."""
        return self._key(run, members) in self._dry_runs.get(run, {})

    def fused_block(self, run: _Run, members: Sequence[RowLayer | None]) -> tuple[int, FusedBlock]:
        """A fused block, and the bytes of its tensors that are in use in it."""
        variants = self._dry_runs.setdefault(run, {})
        key = self._key(run, members)
        if key not in variants:
            variants[key] = self._dry_run(run, members)
        return variants[key]

    def _key(self, run: _Run, members: Sequence[RowLayer | None]) -> tuple[object, ...]:
        """Return a block's cache key: windows, and in-place rules where an output is whole."""
        whole = self.whole(run)
        return tuple(
            layer and (layer.window, layer.output in whole and layer.form.overlaps)
            for layer in members[run[0] : run[1]]
        )

    def _dry_run(self, run: _Run, members: Sequence[RowLayer | None]) -> tuple[int, FusedBlock]:
        held, whole = self._held[run[0]], self.whole(run)
        layers = {index: layer for index in range(*run) if (layer := members[index]) is not None}
        dying = [memory for memory in held if self.lives.last[memory] < run[1]]
        done = DryRun(self.graph, self.lives.storage, layers, whole=whole, dying=frozenset(dying))
        used = sum(map(self._sizes.__getitem__, held))
        for layer in layers.values():
            tensor = layer.output
            if tensor not in whole:
                used += aligned(done.rings[tensor] * row_bytes(self.graph, tensor))
                continue
            size = self._sizes[tensor]
            common = sum(
                most_in_common(self._sizes[memory], size, done.leads[memory, tensor])
                for memory in dying
            )
            used += size - min(size, common)
        return used, FusedBlock(*run, tuple(done.steps), done.rings, done.leads)


class Partitions:
    """The possible partitions of layers with certain kernels.

    Attributes:
        whole: the peak where all layers run whole.
    """

    def __init__(self, layers: Layers, kernels: Sequence[Kernel]) -> None:
        """Prepare the search; the layers are in the order of the kernels."""
        self._layers = layers
        self._members = [layers.row_layer(index, kernel) for index, kernel in enumerate(kernels)]
        self._single = [layers.single_bytes(index, kernel) for index, kernel in enumerate(kernels)]
        self.whole = max(self._single, default=0)
        self._width = min(_LONGEST, self._longest())
        scratch = np.array(
            [
                _NEVER if member is None else aligned(member.kernel.scratch)
                for member in self._members
            ],
            np.int64,
        )
        #: Bounds of each fused block, see `Layers.bounds`.
        self._scratch = _greatest(scratch, self._width)
        self._bytes = layers.bounds()[:, : self._width] + self._scratch
        self._highest = _greatest(np.array(self._single, np.int64), self._width)
        self._least: int | None = None
        for run, used in layers.known(self._members):
            self._set(run, used)

    def _longest(self) -> int:
        """Return the length of the longest sequence of layers that can run row by row."""
        longest = current = 0
        for member in self._members:
            current = 0 if member is None else current + 1
            longest = max(longest, current)
        return longest

    def _set(self, run: _Run, used: int) -> None:
        last, length = run[1] - 1, run[1] - run[0]
        self._bytes[last, length - 1] = used + self._scratch[last, length - 1]
        self._least = None

    @property
    def least(self) -> int:
        """No partition has a lower peak; what was not run dry yet may have none that low."""
        if self._least is None:
            self._least = self._lowest_peak()
        return self._least

    def _lowest_peak(self) -> int:
        peaks = [0]
        ending = self._ending(self._bytes < self._highest)
        for index, single in enumerate(self._single):
            peak = max(peaks[index], single)
            for first, used in ending.get(index, ()):
                peak = min(peak, max(peaks[first], used))
            peaks.append(peak)
        return peaks[-1]

    def within(self, limit: int, costs: Sequence[int]) -> Partition | None:
        """The cheapest partition with a peak within a limit, or None.

        Args:
            limit: bytes.
            costs: of each layer, if it runs row by row; more than 0.
        """
        sums = [0, *accumulate(costs)]
        for _ in range(_STEPS):
            if self.least > limit:
                return None
            runs = self._cheapest(limit, sums)
            guessed = [run for run in runs if not self._layers.is_known(run, self._members)]
            if not guessed:
                return self._partition(runs, sums)
            for run in guessed:
                self._set(run, self._layers.fused_block(run, self._members)[0])
        return None

    def _partition(self, runs: Sequence[_Run], sums: Sequence[int]) -> Partition:
        inside = {index for run in runs for index in range(*run)}
        peaks = [int(self._bytes[end - 1, end - 1 - first]) for first, end in runs]
        peaks += [used for index, used in enumerate(self._single) if index not in inside]
        cost = sum(sums[end] - sums[first] for first, end in runs)
        fused_blocks = (self._layers.fused_block(run, self._members)[1] for run in runs)
        return Partition(max(peaks, default=0), cost, tuple(fused_blocks))

    def _cheapest(self, limit: int, sums: Sequence[int]) -> list[_Run]:
        """The fused blocks of the cheapest partition within a limit, which there is."""
        costs = [0]
        firsts: list[int] = []
        # Layers that can all run whole need no fused block.
        ending = self._ending((self._bytes <= limit) & (self._highest > limit))
        for index, single in enumerate(self._single):
            cost, start = costs[index] if single <= limit else _NEVER, index
            for first, _ in ending.get(index, ()):
                found = costs[first] + sums[index + 1] - sums[first]
                if found <= cost:  # of several the longest
                    cost, start = found, first
            costs.append(min(cost, _NEVER))
            firsts.append(start)
        runs: list[_Run] = []
        end = self._layers.count
        while end:
            first = firsts[end - 1]
            if first < end - 1 or self._single[first] > limit:
                runs.append((first, end))
            end = first
        return runs[::-1]

    def _ending(self, chosen: NDArray[np.bool_]) -> dict[int, list[tuple[int, int]]]:
        """The chosen fused blocks as {last layer: [(first layer, bytes)]}."""
        found: dict[int, list[tuple[int, int]]] = {}
        lasts, lengths = np.nonzero(chosen)
        used = self._bytes[lasts, lengths]
        for last, length, size in zip(lasts.tolist(), lengths.tolist(), used.tolist(), strict=True):
            found.setdefault(last, []).append((last - length, size))
        return found


def _greatest(values: _Ints, width: int) -> _Ints:
    """Sliding-window maxima: element (last, length - 1); `_NEVER` where the window is cut off."""
    found = np.full((len(values), width), _NEVER, np.int64)
    if width:
        found[:, 0] = values
    for length in range(1, width):
        found[length:, length] = np.maximum(found[length:, length - 1], values[:-length])
    return found
