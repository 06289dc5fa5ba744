# SPDX-License-Identifier: Apache-2.0
"""Row-by-row execution: the order of the steps, and how long rows are kept.

A fused block is a run of layers that each have a `RowForm`. Each step computes one row of one
layer, when the next row of the last layer needs it and no sooner. A tensor between two layers is
never stored whole: a ring buffer holds those of its rows that are still needed. Nothing is computed
twice. The first rows of the block's inputs are no longer needed when the last rows of its outputs
are written, so an output may overlap an input and follow behind the rows read.

Line buffers of this kind are common in image processing; for networks see Goetschalckx and
Verhelst, "Breaking High-Resolution CNN Bandwidth Barriers with Enhanced Depth-First Execution",
IEEE JETCAS 9(2), 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Kernel, RowForm, is_image, nhwc
from tinyflow.plan.lifetimes import overlap


@dataclass(frozen=True)
class FusedBlock:
    """Layers that run row by row.

    Attributes:
        first: the index of the first layer, in execution order.
        end: the index after the last one's.
        steps: for each turn which layer computes its next row, as an index.
        rings: number of rows held of each tensor that is not stored whole.
        leads: for a memory that is read for the last time in the block and one that is written in
            it, how many bytes the second must begin before the first, if they overlap.
    """

    first: int
    end: int
    steps: tuple[int, ...]
    rings: Mapping[TensorId, int]
    leads: Mapping[tuple[TensorId, TensorId], int]


@dataclass(frozen=True)
class RowLayer:
    """A layer that can compute one row.

    Attributes:
        kernel: its kernel.
        form: the kernel's row form.
        inputs: the tensors of which it reads rows.
        output: the tensor of which it writes rows.
        rows: of the output.
    """

    kernel: Kernel
    form: RowForm
    inputs: tuple[TensorId, ...]
    output: TensorId
    rows: int

    @property
    def window(self) -> tuple[int, int, int, int]:
        """Rows of inputs that it needs, whatever the kernel."""
        return self.form.window

    def first_row(self, row: int) -> int:
        """The first row of an input, padding left out, that a row of the output needs."""
        return max(0, row * self.form.stride - self.form.pad)

    def rows_needed(self, rows: int, available: int) -> int:
        """Rows of an input that a number of rows of the output need, of those available."""
        form = self.form
        last = (rows - 1) * form.stride - form.pad + (form.height - 1) * form.dilation
        return min(max(last + 1, 0), available) if rows else 0


def row_layer(graph: Graph, kernel: Kernel) -> RowLayer | None:
    """The layer run row by row, on `Kernel.by_rows`; None if that or an int8 image is missing.

    Its inputs are those of the operator that are not constant; images have a batch of 1.
    """
    by_rows = kernel.by_rows
    if by_rows is None or by_rows.row_form is None:
        return None
    inputs = tuple(
        dict.fromkeys(i for i in kernel.operator.inputs() if not graph.tensors[i].is_constant)
    )
    outputs = tuple(kernel.operator.outputs())
    used = [graph.tensors[index] for index in (*inputs, *outputs)]
    if len(outputs) != 1 or any(
        tensor.is_state or tensor.dtype is not DType.INT8 or not is_image(tensor) for tensor in used
    ):
        return None
    return RowLayer(by_rows, by_rows.row_form, inputs, outputs[0], nhwc(used[-1])[1])


def row_bytes(graph: Graph, tensor: TensorId) -> int:
    """Bytes of one row of an image."""
    return graph.tensors[tensor].size // nhwc(graph.tensors[tensor])[1]


class DryRun:
    """Runs the turns of a fused block without computing anything, and notes what memory it takes.

    Attributes:
        turns, rings, leads: as in `FusedBlock`.
    """

    def __init__(
        self,
        graph: Graph,
        storage: Mapping[TensorId, TensorId],
        layers: Mapping[int, RowLayer],
        *,
        whole: frozenset[TensorId],
        dying: frozenset[TensorId],
    ) -> None:
        """Run dry.

        Args:
            graph: of the layers.
            storage: of all tensors.
            layers: by their index in execution order.
            whole: tensors that the layers write and that must be stored whole.
            dying: memories that are not read after the fused block.
        """
        self.steps: list[int] = []
        self.rings: dict[TensorId, int] = {}
        self.leads: dict[tuple[TensorId, TensorId], int] = {}
        self._graph, self._storage, self._layers = graph, storage, layers
        self._whole, self._dying = whole, dying
        self._writer = {layer.output: index for index, layer in layers.items()}
        self._readers: dict[TensorId, list[int]] = {}
        for index, layer in layers.items():
            for tensor in layer.inputs:
                self._readers.setdefault(tensor, []).append(index)
        self._ends = self._rows_to_compute()
        self._done = dict.fromkeys(layers, 0)
        self._run()

    def _rows_to_compute(self) -> dict[int, int]:
        """Return the number of rows that each layer computes: no more than the others need."""
        ends: dict[int, int] = {}
        for index, layer in reversed(list(self._layers.items())):
            needed = [
                self._layers[reader].rows_needed(ends[reader], layer.rows)
                for reader in self._readers.get(layer.output, [])
            ]
            ends[index] = layer.rows if layer.output in self._whole else max(needed)
        return ends

    def _run(self) -> None:
        """Request the outputs row by row, several in step."""
        targets = [self._writer[tensor] for tensor in self._writer if tensor in self._whole]
        most = max(self._ends[index] for index in targets)
        for step in range(1, most + 1):
            for index in targets:
                self._advance(index, -(-self._ends[index] * step // most))

    def _advance(self, index: int, rows: int) -> None:
        """Compute a layer's rows up to that number, and the rows of other layers that they need."""
        layer = self._layers[index]
        while self._done[index] < rows:
            due = self._done[index] + 1
            for tensor in layer.inputs:
                writer = self._writer.get(tensor)
                if writer is not None:
                    self._advance(writer, layer.rows_needed(due, self._layers[writer].rows))
            self._note(index, layer)
            self.steps.append(index)
            self._done[index] = due

    def _note(self, index: int, layer: RowLayer) -> None:
        """Record the memory that the next row of a layer takes, and what must not overlap it."""
        row = self._done[index]
        if layer.output not in self._whole:
            needed = min(self._first_rows_needed(layer.output), default=row)
            held = row - min(needed, row) + 1
            self.rings[layer.output] = max(held, self.rings.get(layer.output, 1))
            return
        written = self._storage[layer.output]
        for tensor in self._readers:
            memory = self._storage[tensor]
            if memory in self._dying and tensor not in self._writer:
                for lead in self._leads(index, tensor):
                    known = self.leads.get((memory, written))
                    self.leads[memory, written] = lead if known is None else max(known, lead)

    def _first_rows_needed(self, tensor: TensorId, *, but: int | None = None) -> Iterator[int]:
        """Yield, for each layer that reads a tensor, the first row of it that it still needs."""
        for reader in self._readers.get(tensor, []):
            if reader != but and self._done[reader] < self._ends[reader]:
                yield self._layers[reader].first_row(self._done[reader])

    def _leads(self, index: int, tensor: TensorId) -> Iterator[int]:
        """Yield the fewest bytes that the output must begin before an input, so that a layer's next
        row is safe.
        """
        layer = self._layers[index]
        written = row_bytes(self._graph, layer.output)
        read = row_bytes(self._graph, tensor)
        row = self._done[index]
        yield -self._graph.tensors[layer.output].size
        rule = self._rule(layer, tensor)
        for first in self._first_rows_needed(tensor, but=None if rule is None else index):
            yield (row + 1) * written - first * read
        if rule is not None:
            yield row * written - layer.first_row(row) * read + rule
            if row + 1 < self._ends[index]:
                yield (row + 1) * written - layer.first_row(row + 1) * read

    def _rule(self, layer: RowLayer, tensor: TensorId) -> int | None:
        """Allowed in-place lead of a row in bytes, or None."""
        if tensor not in layer.inputs or layer.form.height > 1:
            return None
        rule = overlap(layer.kernel, layer.form.overlaps, self._storage, self._storage[tensor])
        return None if rule is None or rule.exact else rule.lead
