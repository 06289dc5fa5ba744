# SPDX-License-Identifier: Apache-2.0
"""Exact counts of executed instructions, by block, by edge and by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tinyflow.emulate.engine import Engine, RawCallback


def thumb_instructions(code: bytes) -> int:
    """The number of 16- and 32-bit Thumb instructions in a straight run of code."""
    offset = count = 0
    while offset < len(code):
        offset += 4 if code[offset + 1] >> 3 >= 0x1D else 2
        count += 1
    return count


@dataclass
class MeasuredSection:
    """Measurement of one layer, or of the code outside all layers.

    Attributes:
        blocks: executions by (address, size in bytes) of a straight run of code. A run ends at a
            branch or at the end of a 1 KiB page, so its successor may be the next address.
        edges: by (address of the block before, address), how often one followed the other; the
            first edge of a section comes from a block of another.
        instructions: executed instructions, predicated-off ones in IT blocks included.
    """

    blocks: Counter[tuple[int, int]] = field(default_factory=Counter)
    edges: Counter[tuple[int, int]] = field(default_factory=Counter)
    instructions: int = 0


@dataclass
class Measurement:
    """Counts between a function's entry and its return, all it calls included.

    Filled when the `measure` block ends. Work before the first layer is `overhead`; work after a
    layer counts to that layer until the next one begins, so that
    `sum(per_layer) + overhead.instructions == instructions`. Several calls add up.
    """

    calls: int = 0
    overhead: MeasuredSection = field(default_factory=MeasuredSection)
    layers: list[MeasuredSection] = field(default_factory=list)

    @property
    def instructions(self) -> int:
        """Executed instructions from entry to return."""
        return self.overhead.instructions + sum(self.per_layer)

    @property
    def per_layer(self) -> list[int]:
        """Executed instructions of each layer."""
        return [layer.instructions for layer in self.layers]

    @property
    def blocks(self) -> Counter[tuple[int, int]]:
        """Executions of every block, over all sections."""
        total = Counter(self.overhead.blocks)
        for layer in self.layers:
            total.update(layer.blocks)
        return total


class _Node(dict[int, int]):
    """A block: how often each address followed it."""

    __slots__ = ("address", "size")

    def __init__(self, address: int, size: int) -> None:
        self.address = address
        self.size = size

    def __missing__(self, address: int) -> int:
        return 0


_Nodes = dict[int, _Node]


class Recorder:
    """Counts blocks while it is attached to an engine.

    A block always has the same size, since it ends at the first branch or at the end of its
    1 KiB page; so its address is enough of a key, and the hook is a few dictionary accesses.
    """

    def __init__(self, engine: Engine, entry: int, layers: Sequence[int]) -> None:
        self._engine = engine
        self._entry = entry
        self._layer_index = {address: index for index, address in enumerate(layers)}
        # Outside the entry function, in it before the first layer, and in each layer.
        self._sections: list[_Nodes] = [{} for _ in range(2 + len(layers))]
        self._cuts: list[tuple[int, int, int, int]] = []  # section, address, size, pc
        self._lengths: dict[tuple[int, int], int] = {}
        self._current = 0
        self._calls = 0
        self._last: Callable[[], _Node] = lambda: _Node(0, 0)
        self._remove = engine.hook_blocks(self._make_callback())

    def _make_callback(self) -> RawCallback:
        sections, engine, layer_index = self._sections, self._engine, self._layer_index
        marks = {self._entry, *layer_index}
        nodes = sections[0]
        node = nodes[0] = _Node(0, 0)
        return_to = return_sp = -1

        def switch(section: int) -> None:
            nonlocal nodes, node
            self._current = section
            nodes = sections[section]
            node = nodes.setdefault(node.address, _Node(node.address, node.size))

        def on_mark(address: int) -> None:
            nonlocal return_to, return_sp
            if self._current == 0:
                if address == self._entry:
                    return_to, return_sp = engine.lr & ~1, engine.sp
                    marks.add(return_to)
                    switch(1)
            elif address == return_to and engine.sp == return_sp:
                if return_to not in layer_index and return_to != self._entry:
                    marks.discard(return_to)
                self._calls += 1
                switch(0)
            elif address in layer_index:
                switch(2 + layer_index[address])

        def on_block(_uc: int, address: int, size: int, _data: int) -> None:
            nonlocal node
            try:
                if address in marks:
                    on_mark(address)
                node[address] += 1
                node = nodes[address]
            except KeyError:
                node = nodes[address] = _Node(address, size)

        self._last = lambda: node
        return on_block

    def interrupted(self, pc: int) -> None:
        """Emulation has stopped at `pc`: what follows it in the last block has not run."""
        last = self._last()
        if last.address <= pc < last.address + last.size:
            self._cuts.append((self._current, last.address, last.size, pc))

    def instructions(self) -> int:
        """Everything executed since attached, the block that runs now included."""
        return sum(self._section(index).instructions for index in range(len(self._sections)))

    def detach(self) -> None:
        """Stop counting."""
        self._remove()

    def fill(self, measurement: Measurement) -> None:
        """Write the results."""
        measurement.calls = self._calls
        measurement.overhead = self._section(1)
        measurement.layers = [self._section(index) for index in range(2, len(self._sections))]

    def _section(self, index: int) -> MeasuredSection:
        section = MeasuredSection()
        nodes = self._sections[index]
        for before in nodes.values():
            for address, count in before.items():
                section.edges[before.address, address] += count
                section.blocks[address, nodes[address].size] += count
        for where, address, size, pc in self._cuts:
            if where == index:
                section.blocks[address, size] -= 1
                if pc > address:
                    section.blocks[address, pc - address] += 1
        section.instructions = sum(
            count * self._length(block) for block, count in section.blocks.items()
        )
        return section

    def _length(self, block: tuple[int, int]) -> int:
        if block not in self._lengths:
            self._lengths[block] = thumb_instructions(self._engine.memory(*block))
        return self._lengths[block]
