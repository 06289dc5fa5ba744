# SPDX-License-Identifier: Apache-2.0
"""The memory plan: order, fused blocks, and each buffer's place and lifetime in the arena."""

from __future__ import annotations

from typing import Literal

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import TensorId
from tinyflow.plan.allocator import Block
from tinyflow.plan.layout import Layout
from tinyflow.plan.memory import MemoryPlan
from tinyflow.report.dump.section import DumpedSection
from tinyflow.report.dump.text import printable, table, titled


class DumpedBuffer(DumpedSection):
    """A buffer in the arena, in use from step `first` to step `last`, both included.

    `tensors` have their elements in it; of a ring, some rows of one tensor.
    """

    name: str
    kind: Literal["tensor", "ring", "scratch"]
    tensors: tuple[int, ...]
    offset: int
    bytes: int
    first: int
    last: int
    rows: int | None = None


class DumpedOverlap(DumpedSection):
    """Two buffers in use in one step that overlap: `output` is written in place of `input`.

    `lead` is by how many bytes the output begins before the input, `shared` the bytes that both
    have. Both are positions in the list of buffers.
    """

    input: int
    output: int
    lead: int
    shared: int


class DumpedLayer(DumpedSection):
    """A layer as it runs: its step, kernel, and the offset and bytes of its scratch.

    Layers of one fused block run in one step.
    """

    operator: str
    name: str
    kernel: str
    variant: str
    step: int
    scratch_offset: int | None
    scratch: int
    fused_block: int | None


class DumpedFusedBlock(DumpedSection):
    """Layers from `first` to `last`, both included, that run row by row.

    `turns` are how many rows are computed in all; `rings` the rows that are kept, by tensor.
    """

    first: int
    last: int
    turns: int
    rings: dict[int, int]


class DumpedState(DumpedSection):
    """A state's place in the memory that is kept between inferences."""

    tensor: int
    name: str
    offset: int
    bytes: int


class DumpedPlan(DumpedSection):
    """The plan of the memory; layers are in the order they run."""

    arena: int
    lower_bound: int
    state: int
    layers: tuple[DumpedLayer, ...]
    fused_blocks: tuple[DumpedFusedBlock, ...]
    buffers: tuple[DumpedBuffer, ...]
    overlaps: tuple[DumpedOverlap, ...]
    states: tuple[DumpedState, ...]


# ------------------------------------------------------------------------------- as data


def dumped_plan(graph: Graph, plan: MemoryPlan) -> DumpedPlan:
    """The plan as data."""
    layout = Layout(graph, plan.kernels, plan.fused_blocks)
    buffers = _buffers(layout, plan)
    return DumpedPlan(
        arena=plan.arena_size,
        lower_bound=plan.lower_bound,
        state=plan.state_size,
        layers=_layers(plan),
        fused_blocks=tuple(
            DumpedFusedBlock(
                first=block.first,
                last=block.end - 1,
                turns=len(block.steps),
                rings=dict(block.rings),
            )
            for block in plan.fused_blocks
        ),
        buffers=buffers,
        overlaps=_overlaps(layout, buffers),
        states=tuple(
            DumpedState(
                tensor=index,
                name=printable(graph.tensors[index].name),
                offset=offset,
                bytes=graph.tensors[index].size,
            )
            for index, offset in plan.states.items()
        ),
    )


def _layers(plan: MemoryPlan) -> tuple[DumpedLayer, ...]:
    blocks = {
        layer: number
        for number, block in enumerate(plan.fused_blocks)
        for layer in range(block.first, block.end)
    }
    layers: list[DumpedLayer] = []
    step = -1
    for index, kernel in enumerate(plan.kernels):
        follows = index > 0 and index in blocks and blocks[index] == blocks.get(index - 1)
        step += not follows
        layers.append(
            DumpedLayer(
                operator=kernel.operator.title,
                name=printable(kernel.operator.name),
                kernel=kernel.title,
                variant=kernel.variant,
                step=step,
                scratch_offset=plan.scratch[index],
                scratch=kernel.scratch,
                fused_block=blocks.get(index),
            )
        )
    return tuple(layers)


def _buffers(layout: Layout, plan: MemoryPlan) -> tuple[DumpedBuffer, ...]:
    """In the order of the layout's blocks, so that its indices are theirs."""
    found: dict[int, DumpedBuffer] = {}
    holds: dict[TensorId, list[int]] = {}
    for tensor, memory in layout.lives.storage.items():
        holds.setdefault(memory, []).append(tensor)
    for memory, index in layout.whole.items():
        found[index] = _buffer(
            layout.blocks[index], "tensor", plan.tensors[memory], tuple(sorted(holds[memory]))
        )
    for tensor, index in layout.rings.items():
        ring = plan.rings[tensor]
        buffer = _buffer(layout.blocks[index], "ring", ring.offset, (tensor,))
        found[index] = buffer.model_copy(update={"rows": ring.rows})
    for layer, at in enumerate(layout.scratch):
        offset = plan.scratch[layer]
        if at is not None and offset is not None:
            found[at] = _buffer(layout.blocks[at], "scratch", offset, ())
    return tuple(found[index] for index in range(len(layout.blocks)))


def _buffer(
    block: Block,
    kind: Literal["tensor", "ring", "scratch"],
    offset: int,
    tensors: tuple[TensorId, ...],
) -> DumpedBuffer:
    return DumpedBuffer(
        name=printable(block.name),
        kind=kind,
        tensors=tensors,
        offset=offset,
        bytes=block.size,
        first=block.first,
        last=block.last,
    )


def _overlaps(layout: Layout, buffers: tuple[DumpedBuffer, ...]) -> tuple[DumpedOverlap, ...]:
    """Those of the overlaps that kernels allow which the plan makes use of."""
    found: list[DumpedOverlap] = []
    for allowed in layout.in_place_overlaps:
        before, after = buffers[allowed.before], buffers[allowed.after]
        shared = min(before.offset + before.bytes, after.offset + after.bytes) - max(
            before.offset, after.offset
        )
        if shared > 0:
            found.append(
                DumpedOverlap(
                    input=allowed.before,
                    output=allowed.after,
                    lead=before.offset - after.offset,
                    shared=shared,
                )
            )
    return tuple(found)


# ------------------------------------------------------------------------------- as text


def plan_text(plan: DumpedPlan) -> str:
    """The plan for people."""
    optimal = "no smaller one is possible" if plan.arena == plan.lower_bound else "not proved least"
    parts = [
        f"arena  {plan.arena:,} bytes; at least {plan.lower_bound:,} in this order: {optimal}\n",
        f"state  {plan.state:,} bytes\n",
        "\nlayers, in the order they run\n",
        _layers_text(plan),
        "\nbuffers in the arena, by offset; in use from step to step, both included\n",
        _buffers_text(plan),
        "\nin-place overlaps\n",
        _overlaps_text(plan),
        "\nfused blocks, whose layers run row by row\n",
        _blocks_text(plan),
    ]
    if plan.states:
        rows = (
            (each.offset, each.bytes, f"%{each.tensor} {titled(each.name)}") for each in plan.states
        )
        parts += ["\nstates\n", table(("offset", "bytes", "tensor"), rows)]
    return "".join(parts)


def _layers_text(plan: DumpedPlan) -> str:
    return table(
        ("step", "fused", "scratch at", "bytes", "kernel", "layer"),
        (
            (
                layer.step,
                layer.fused_block,
                layer.scratch_offset,
                layer.scratch,
                f"{layer.kernel} {layer.variant}".rstrip(),
                f"{layer.operator} {titled(layer.name)}",
            )
            for layer in plan.layers
        ),
    )


def _buffers_text(plan: DumpedPlan) -> str:
    return table(
        ("offset", "end", "bytes", "first", "last", "kind", "what"),
        (
            (
                buffer.offset,
                buffer.offset + buffer.bytes,
                buffer.bytes,
                buffer.first,
                buffer.last,
                buffer.kind if buffer.rows is None else f"ring of {buffer.rows} rows",
                _what(buffer),
            )
            for buffer in sorted(plan.buffers, key=lambda one: (one.offset, one.first, one.last))
        ),
    )


def _what(buffer: DumpedBuffer) -> str:
    tensors = " ".join(f"%{index}" for index in buffer.tensors)
    return f"{tensors} {titled(buffer.name)}".lstrip()


def _overlaps_text(plan: DumpedPlan) -> str:
    if not plan.overlaps:
        return "  none\n"
    return "".join(
        f"  {_what(plan.buffers[each.output])} lies in {_what(plan.buffers[each.input])}: "
        f"{each.shared:,} bytes, {_beginning(each.lead)}\n"
        for each in plan.overlaps
    )


def _beginning(lead: int) -> str:
    if lead == 0:
        return "from the same start"
    return f"begins {abs(lead):,} bytes {'before' if lead > 0 else 'after'} it"


def _blocks_text(plan: DumpedPlan) -> str:
    if not plan.fused_blocks:
        return "  none\n"
    return "".join(
        f"  {number}: layers {block.first} to {block.last}, {block.turns} rows computed; kept: "
        + (", ".join(f"{rows} rows of %{tensor}" for tensor, rows in block.rings.items()) or "none")
        + "\n"
        for number, block in enumerate(plan.fused_blocks)
    )
