"""Which layers run row by row, so that the arena becomes smallest.

The layers are cut into runs, in execution order: a run is one layer, or a segment whose rows take
turns (`rows.py`). The most bytes in use in any run are made least, and then the rows that are
computed one by one fewest, by dynamic programming over the places of the cuts. What a segment takes
is bounded from below at first, and rehearsed only if it comes to be part of the best cutting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.kernels.base import Kernel
from tinyflow.plan.allocator import aligned, most_in_common
from tinyflow.plan.lifetimes import Lifetimes, overlap
from tinyflow.plan.rows import Rehearsal, RowLayer, Segment, row_bytes, row_layer

#: The most layers of a segment, and how often the best cutting is looked for.
_LONGEST, _TURNS = 40, 200
#: More rows than any way has.
_NO_WAY = 1 << 60


def choose_segments(graph: Graph, kernels: Sequence[Kernel], room: int) -> tuple[Segment, ...]:
    """The segments that give the lowest peak for layers in this order; deterministic.

    A peak of up to `room` bytes is as good as a lower one.
    """
    return _Search(graph, kernels, room).best()


@dataclass(frozen=True)
class _Run:
    """Layers `first` to `end`, the latter not included; with `rows` it is a segment."""

    first: int
    end: int
    rows: int = 0


class _Search:
    def __init__(self, graph: Graph, kernels: Sequence[Kernel], room: int) -> None:
        self._graph, self._kernels, self._room = graph, kernels, room
        self._lives = Lifetimes(graph, kernels)
        self._layers = [row_layer(graph, kernel) for kernel in kernels]
        lives = self._lives
        self._sizes = {memory: aligned(graph.tensors[memory].size) for memory in lives.first}
        #: For each layer the memories that are in use before it and are still needed.
        self._held = [
            [m for m in lives.first if lives.first[m] < index <= lives.last[m]]
            for index in range(len(kernels))
        ]
        layers = [layer for layer in self._layers if layer is not None]
        self._row_bytes = {layer.output: row_bytes(graph, layer.output) for layer in layers}
        #: The fewest rows that must be held of a tensor within a segment.
        self._least = dict.fromkeys(self._row_bytes, 1)
        for layer in layers:
            for tensor in layer.inputs:
                reach = (layer.form.height - 1) * layer.form.dilation + 1
                self._least[tensor] = max(reach, self._least.get(tensor, 1))
        self._segments: dict[_Run, Segment] = {}
        #: For each run the bytes in use in it; for segments that were not rehearsed at least.
        self._bytes = {_Run(i, i + 1): self._single_bytes(i) for i in range(len(kernels))}
        for first in range(len(kernels)):
            self._bound_segments(first)

    def best(self) -> tuple[Segment, ...]:
        """The segments of the best cutting."""
        for _ in range(_TURNS):
            runs = self._cutting(list(self._bytes))
            guessed = [run for run in runs if run.rows and run not in self._segments]
            for run in guessed:
                self._rehearse(run)
            if not guessed:
                break
        known = [run for run in self._bytes if not run.rows or run in self._segments]
        return tuple(self._segments[run] for run in self._cutting(known) if run.rows)

    def _cutting(self, runs: Iterable[_Run]) -> list[_Run]:
        """Runs that follow one another from the first layer to the last, of those given."""
        count = len(self._kernels)
        ending: list[list[_Run]] = [[] for _ in range(count + 1)]
        for run in runs:
            ending[run.end].append(run)
        peaks = [0] * (count + 1)
        for end in range(1, count + 1):
            peaks[end] = min(max(peaks[run.first], self._bytes[run]) for run in ending[end])
        limit = max(peaks[count], self._room)
        rows = [0] * (count + 1)
        chosen: list[_Run] = []
        for end in range(1, count + 1):
            allowed = [run for run in ending[end] if self._bytes[run] <= limit]
            # No way leads here below the peak: a cut in the midst of a segment.
            rows[end], run = min(
                ((rows[run.first] + run.rows, run) for run in allowed),
                key=lambda way: way[0],
                default=(_NO_WAY, _Run(end - 1, end)),
            )
            chosen.append(run)
        found: list[_Run] = []
        end = count
        while end:
            found.append(chosen[end - 1])
            end = chosen[end - 1].first
        return found[::-1]

    # ---- what a run takes ----

    def _single_bytes(self, index: int) -> int:
        kernel, lives = self._kernels[index], self._lives
        new = [memory for memory in lives.writes[index] if lives.first[memory] == index]
        used = sum(map(self._sizes.__getitem__, [*self._held[index], *new])) + aligned(
            kernel.scratch
        )
        if kernel.aliases_input or len(new) != 1:
            return used
        common = 0
        for memory in lives.reads[index]:
            rule = overlap(kernel, kernel.overlaps, lives.storage, memory)
            if rule is not None and lives.last[memory] == index:
                common += most_in_common(self._sizes[memory], self._sizes[new[0]], rule.lead)
        return used - min(self._sizes[new[0]], common)

    def _bound_segments(self, first: int) -> None:
        """Bound the bytes of all segments from a layer on, and keep those that may be of use."""
        rows = most = 0
        for end in range(first + 1, min(first + _LONGEST, len(self._kernels)) + 1):
            layer = self._layers[end - 1]
            if layer is None:
                return
            rows += layer.rows
            most = max(most, self._bytes[_Run(end - 1, end)])
            bound = self._segment_bytes(first, end, self._least.__getitem__, lambda _, __: None)
            if bound < most:
                self._bytes[_Run(first, end, rows)] = bound

    def _members(self, first: int, end: int) -> dict[int, RowLayer]:
        layers = ((index, self._layers[index]) for index in range(first, end))
        return {index: layer for index, layer in layers if layer is not None}

    def _whole(self, first: int, end: int) -> frozenset[TensorId]:
        """Of the tensors that a segment writes those that are needed after it, or by nobody."""
        last = self._lives.last
        return frozenset(
            layer.output
            for index, layer in self._members(first, end).items()
            if last[layer.output] >= end or last[layer.output] == index
        )

    def _segment_bytes(
        self,
        first: int,
        end: int,
        rows: Callable[[TensorId], int],
        lead: Callable[[TensorId, TensorId], int | None],
    ) -> int:
        """Bytes in use in a segment, for the rows held of a tensor and the leads of outputs.

        A lead of None allows any overlap.
        """
        held, whole = self._held[first], self._whole(first, end)
        members = self._members(first, end)
        used = sum(map(self._sizes.__getitem__, held)) + aligned(
            max(layer.kernel.scratch for layer in members.values())
        )
        dying = [memory for memory in held if self._lives.last[memory] < end]
        for layer in members.values():
            tensor = layer.output
            if tensor not in whole:
                used += aligned(rows(tensor) * self._row_bytes[tensor])
                continue
            common = sum(
                most_in_common(self._sizes[memory], self._sizes[tensor], lead(memory, tensor) or 0)
                for memory in dying
            )
            used += self._sizes[tensor] - min(self._sizes[tensor], common)
        return used

    def _rehearse(self, run: _Run) -> None:
        """Replace the bound of a segment by what it really takes."""
        held = self._held[run.first]
        done = Rehearsal(
            self._graph,
            self._lives.storage,
            self._members(run.first, run.end),
            whole=self._whole(run.first, run.end),
            dying=frozenset(m for m in held if self._lives.last[m] < run.end),
        )
        self._segments[run] = Segment(run.first, run.end, tuple(done.turns), done.rings, done.leads)
        self._bytes[run] = self._segment_bytes(
            run.first, run.end, done.rings.__getitem__, lambda *pair: done.leads[pair]
        )
