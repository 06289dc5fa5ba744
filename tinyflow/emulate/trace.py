# SPDX-License-Identifier: Apache-2.0
"""The exact course of one call: every block that runs and every load it makes from given memory.

Loads need a hook that Unicorn 2.1.4 does not keep harmless (see `engine`). So a trace is a run of
its own, apart from the one whose outputs count, and whoever makes one compares the two.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyflow.emulate.engine import AccessCallback, Engine, RawCallback
from tinyflow.emulate.measurement import thumb_instructions

#: Marks an event as an access; no memory of a microcontroller lies that high.
_ACCESS = 0x80000000
#: An IT instruction covers four more, of at most four bytes.
_IT_REACH = 18


@dataclass(frozen=True)
class Watched:
    """Addresses [first, last] whose loads are traced, and with `writes` their stores."""

    first: int
    last: int
    writes: bool = False


@dataclass(frozen=True)
class Trace:
    """Trace of an inference, in order.

    Attributes:
        events: uint32 (events,), addresses of blocks and, with bit 31 set, of accesses.
        codes: by address of a block, its machine code.
    """

    events: npt.NDArray[np.uint32]
    codes: dict[int, bytes]

    @property
    def is_access(self) -> npt.NDArray[np.bool_]:
        """Bool (events,): the event is an access, not a block."""
        return self.events >= _ACCESS

    @property
    def blocks(self) -> npt.NDArray[np.uint32]:
        """Addresses of the blocks, in the order they ran."""
        return self.events[~self.is_access]

    @property
    def accesses(self) -> npt.NDArray[np.uint32]:
        """Addresses of the accesses, in order."""
        return self.events[self.is_access] - np.uint32(_ACCESS)

    @property
    def access_blocks(self) -> npt.NDArray[np.int64]:
        """Return, for each access, the position in `blocks` of the block that made it."""
        return (np.cumsum(~self.is_access) - 1)[self.is_access]

    @property
    def instructions(self) -> int:
        """Executed instructions, predicated-off ones included."""
        addresses, counts = np.unique(self.blocks, return_counts=True)
        return sum(
            int(count) * thumb_instructions(self.codes[int(address)])
            for address, count in zip(addresses, counts, strict=True)
        )


class Tracer:
    """Records from each entry of a function to its return, while it is attached to an engine."""

    def __init__(self, engine: Engine, entry: int, watched: Sequence[Watched]) -> None:
        self._engine = engine
        self._entry = entry
        self._events = array("I")
        self._sizes: dict[int, int] = {}
        #: Blocks in which a load may be predicated.
        self._predicating: set[int] = set()
        on_block, on_access = self._make_callbacks()
        self._remove: list[Callable[[], None]] = [engine.hook_blocks(on_block)]
        self._remove += [
            engine.hook_accesses(span.first, span.last, on_access, writes=span.writes)
            for span in watched
        ]

    def _make_callbacks(self) -> tuple[RawCallback, AccessCallback]:
        engine, sizes, predicating = self._engine, self._sizes, self._predicating
        append = self._events.append
        marks = {self._entry}
        inside = False
        current = return_to = return_sp = -1

        def on_mark(address: int) -> None:
            nonlocal inside, return_to, return_sp
            if not inside and address == self._entry:
                inside, return_to, return_sp = True, engine.lr & ~1, engine.sp
                marks.add(return_to)
            elif inside and address == return_to and engine.sp == return_sp:
                inside = False

        def on_block(_uc: int, address: int, size: int, _data: int) -> None:
            nonlocal current
            if address in marks:
                on_mark(address)
            if address not in sizes:
                sizes[address] = size
                if self._may_predicate(address, size):
                    predicating.add(address)
            current = address
            if inside:
                append(address)

        def on_access(
            _uc: int, _kind: int, address: int, _size: int, _value: int, _data: int
        ) -> None:
            if inside:
                append(address | _ACCESS)
            if current in predicating:
                engine.clear_it_state()

        return on_block, on_access

    def _may_predicate(self, address: int, size: int) -> bool:
        """The block holds an IT instruction, or one just before it may reach into it.

        What only looks like one does no harm.
        """
        try:
            code = self._engine.memory(address - _IT_REACH, size + _IT_REACH)
        except Exception:  # the block is at the very start of its memory
            code = self._engine.memory(address, size)
        halfwords = np.frombuffer(code, "<u2")
        return bool(np.any((halfwords >> 8 == 0xBF) & (halfwords & 0xF != 0)))

    def detach(self) -> None:
        """Stop recording."""
        for remove in self._remove:
            remove()

    def trace(self) -> Trace:
        """Return the recorded trace."""
        events = np.frombuffer(self._events, np.uint32)
        ran = np.unique(events[events < _ACCESS])
        codes = {
            int(address): self._engine.memory(int(address), self._sizes[int(address)])
            for address in ran
        }
        return Trace(events.copy(), codes)
