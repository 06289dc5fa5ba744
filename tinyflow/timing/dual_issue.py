# SPDX-License-Identifier: Apache-2.0
"""Cortex-M7: two instructions a cycle, in order.

Arm publishes no timing table for this core. The rules are from measurements by others and from
Arm's own contribution to LLVM:

- Q: quinapalus.com/cm7cycles.html
- J: github.com/jnk0le/random, "pipeline cycle test", cortex_m7.md
- L: LLVM, ARMScheduleM7.td

A scoreboard issues each instruction in the first cycle in which its operands are in time and a
slot is free. Times are in half cycles, since some results are ready for one part of the next
cycle's work and not for another. An edge costs the length of both blocks less that of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from tinyflow.timing.core_pipeline import Block, EdgeCost, Pipeline, TimingRule, falls_through
from tinyflow.timing.instructions import (
    BRANCHES,
    FLAGS,
    FLOATS,
    GENERAL,
    MULTIPLIES,
    Instruction,
    InstructionKind,
)

# ---- latencies: when a result is there, in half cycles after its instruction is issued ----

_EARLY_ALU = TimingRule(2, "the early ALU: ADD, SUB, MOV and shifts whose operands are there", "J")
_LATE_ALU = TimingRule(4, "other ALU results", "J, L")
_ADDRESS = TimingRule(2, "the base that a load or store updates", "J")
_LOAD = TimingRule(4, "a word loaded: one cycle until the late ALU can use it", "J, Q")
_NARROW_LOAD = TimingRule(6, "a byte or halfword loaded: two cycles", "J, Q")
_MULTIPLY = TimingRule(6, "multiplications: one cycle more than the ALU", "J, L")
_DSP = TimingRule(4, "DSP and bit-field results", "J")
_BIT = TimingRule(3, "UBFX, SBFX, RBIT, REV: by the early ALU, but not for an address", "J")
_MULTIPLE = TimingRule(4, "LDM and LDRD, beyond the cycles they take", "J")
_DIVIDE_RESULT = TimingRule(2, "SDIV and UDIV, beyond the cycles they take", "L")
_FLOAT_MOVE = TimingRule(4, "VMOV to a general-purpose register", "J")
_FLOAT = TimingRule(8, "floating-point results", "J, L")
_FLOAT_ACCUMULATE = TimingRule(10, "VMLA and VFMA", "J, L")

# ---- how much later than issue an operand is needed, half cycles ----

_NEEDED_EARLY = TimingRule(0, "addresses, shifted operands, bit-field sources", "J")
_NEEDED_LATE = TimingRule(2, "other operands: by the late ALU", "J")
_NEEDED_MULTIPLY_LOADED = TimingRule(
    0, "a loaded operand of a multiplication: one cycle early", "J"
)
_NEEDED_ACCUMULATE = TimingRule(
    4, "the accumulator: multiply-accumulates follow each other at once", "J"
)
_NEEDED_STORED = TimingRule(4, "what a store writes", "J")
_NEEDED_BRANCH = TimingRule(6, "what decides a branch: it is predicted", "J")

# ---- cycles for which nothing else is issued ----

_DIVIDE = TimingRule(6, "SDIV, UDIV: 3 to 20 by the operands", "L")
_TABLE_BRANCH = TimingRule(4, "TBB, TBH", "Q")
_FLOAT_DIVIDE = TimingRule(16, "VDIV.F32, VSQRT.F32", "J")
_MISPREDICT = TimingRule(8, "a mispredicted conditional branch", "J")

_EARLY_NAMES = frozenset("add addw sub subw mov movw movt mvn cmp rsb adr".split())
_BIT_NAMES = frozenset("ubfx sbfx rbit rev rev16 revsh".split())
#: They use the early ALU's shifter, as a shifted operand does.
_SHIFTER_NAMES = frozenset(
    "bfi bfc sbfx ubfx rbit rev rev16 revsh uxtab uxtah sxtab sxtah uxtab16 sxtab16 pkhbt "
    "pkhtb".split()
)
_ALONE = frozenset(
    {
        InstructionKind.LOAD_MULTIPLE,
        InstructionKind.STORE_MULTIPLE,
        InstructionKind.DIVIDE,
        InstructionKind.TABLE_BRANCH,
    }
)


@dataclass(frozen=True)
class Conflict:
    """Why two neighbours are not issued in one cycle."""

    meaning: str
    source: str
    applies: Callable[[Instruction, Instruction], bool]


def _same_bank(older: Instruction, younger: Instruction) -> bool:
    """Two loads from different words of the same 32-bit bank, as far as the code shows."""
    one, two = older.displacement, younger.displacement
    if (
        older.kind is not InstructionKind.LOAD
        or younger.kind is not InstructionKind.LOAD
        or one is None
        or two is None
    ):
        return False
    if older.literal or older.address_registers != younger.address_registers:
        return False
    return not (two - one) & 4 and two & ~3 != one & ~3


#: Checked for a pair of older and younger instruction; any one keeps them apart.
CONFLICTS: tuple[Conflict, ...] = (
    Conflict(
        "LDM, STM, LDRD, STRD, PUSH, POP, divisions and table branches issue alone",
        "J",
        lambda older, younger: older.kind in _ALONE or younger.kind in _ALONE,
    ),
    Conflict(
        "nothing pairs with a load of the PC",
        "J",
        lambda older, younger: older.loads_pc or younger.loads_pc,
    ),
    Conflict(
        "a DSP or bit-field operation is the older of its pair",
        "J",
        lambda older, younger: younger.kind is InstructionKind.DSP,
    ),
    Conflict(
        "one multiplication a cycle",
        "J, Q",
        lambda older, younger: older.kind in MULTIPLIES and younger.kind in MULTIPLIES,
    ),
    Conflict(
        "no multiplication beside a store",
        "J",
        lambda older, younger: (
            (older.kind in MULTIPLIES and younger.kind is InstructionKind.STORE)
            or (older.kind is InstructionKind.STORE and younger.kind in MULTIPLIES)
        ),
    ),
    Conflict(
        "one store a cycle",
        "J, Q",
        lambda older, younger: (
            older.kind is InstructionKind.STORE and younger.kind is InstructionKind.STORE
        ),
    ),
    Conflict("two loads only from different 32-bit banks", "J, Q", _same_bank),
    Conflict(
        "one shifted operand a cycle",
        "J",
        lambda older, younger: bool(older.shifted and younger.shifted),
    ),
    Conflict(
        "no shifted operand beside an operation that uses the shifter",
        "J",
        lambda older, younger: older.name in _SHIFTER_NAMES and bool(younger.shifted),
    ),
    Conflict(
        "one floating-point operation a cycle, and nothing beside a floating-point "
        "multiply-accumulate",
        "J",
        lambda older, younger: (
            (older.kind in FLOATS and younger.kind in FLOATS)
            or InstructionKind.FLOAT_MULTIPLY_ACCUMULATE in (older.kind, younger.kind)
        ),
    ),
    Conflict(
        "a branch is the younger of its pair",
        "J",
        lambda older, younger: (
            older.kind in (InstructionKind.BRANCH, InstructionKind.BRANCH_REGISTER)
        ),
    ),
    Conflict(
        "both write the same register",
        "L",
        lambda older, younger: (
            bool((older.writes & younger.writes) - {FLAGS})
            and InstructionKind.IT not in (older.kind, younger.kind)
        ),
    ),
)

_RULES = (
    _EARLY_ALU, _LATE_ALU, _ADDRESS, _LOAD, _NARROW_LOAD, _MULTIPLY, _DSP, _BIT, _MULTIPLE,
    _DIVIDE_RESULT, _FLOAT_MOVE, _FLOAT, _FLOAT_ACCUMULATE, _NEEDED_EARLY, _NEEDED_LATE,
    _NEEDED_MULTIPLY_LOADED, _NEEDED_ACCUMULATE, _NEEDED_STORED, _NEEDED_BRANCH,
    _DIVIDE, _TABLE_BRANCH, _FLOAT_DIVIDE, _MISPREDICT,
)  # fmt: skip


@dataclass
class _Scoreboard:
    """Instructions issued, and when their results are available.

    Attributes:
        cycle: the current one.
        issued: instructions issued in it: none, or the older of a pair, or both.
        ready: by register, the half cycle its value is there, and the kind that makes it.
    """

    cycle: int = 0
    issued: list[Instruction] = field(default_factory=list)
    ready: dict[int, tuple[int, InstructionKind]] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Cycles so far, the one that is begun included."""
        return self.cycle + (1 if self.issued else 0)

    def advance(self, cycle: int) -> None:
        """Begin a later cycle."""
        self.cycle = cycle
        self.issued = []

    def issue(self, instruction: Instruction) -> None:
        """Put one instruction into the first cycle that takes it."""
        cycle = max(self.cycle, self._operands_cycle(instruction))
        if cycle == self.cycle and self.issued and not self._pairs(instruction):
            cycle += 1
        if cycle > self.cycle:
            self.advance(cycle)
        older = not self.issued
        self.issued.append(instruction)
        for register in instruction.writes:
            self.ready[register] = (
                2 * cycle + self._latency(instruction, register, older=older),
                instruction.kind,
            )
        busy = _busy_cycles(instruction)
        if busy:
            self.advance(cycle + busy)

    def _pairs(self, younger: Instruction) -> bool:
        if len(self.issued) > 1:
            return False
        return not any(conflict.applies(self.issued[0], younger) for conflict in CONFLICTS)

    def _operands_cycle(self, instruction: Instruction) -> int:
        """The first cycle in which every operand is in time."""
        earliest = 0
        for register in instruction.reads:
            if register in self.ready:
                ready, producer = self.ready[register]
                slack = _needed(instruction, register, producer).cycles
                earliest = max(earliest, -((slack - ready) // 2))
        return earliest

    def _latency(self, instruction: Instruction, register: int, *, older: bool) -> int:
        """Return the time of the result, in half cycles after issue."""
        if instruction.kind in (InstructionKind.ALU, InstructionKind.SHIFT):
            return (_EARLY_ALU if self._early(instruction, register, older) else _LATE_ALU).cycles
        if register in instruction.address_registers and instruction.writeback:
            return _ADDRESS.cycles
        busy = 0 if instruction.kind in FLOATS else 2 * _busy_cycles(instruction)
        return busy + _result(instruction, register).cycles

    def _early(self, instruction: Instruction, register: int, older: bool) -> bool:
        """The early ALU makes the result."""
        shift = instruction.kind is InstructionKind.SHIFT
        return (
            register != FLAGS
            and (shift or (instruction.name in _EARLY_NAMES and older))
            and not instruction.shifted
            and all(
                self.ready[operand][0] <= 2 * self.cycle
                for operand in instruction.reads
                if operand in self.ready
            )
        )


def _result(instruction: Instruction, register: int) -> TimingRule:
    """The latency of what the ALU does not make, beyond the cycles the instruction takes."""
    kind = instruction.kind
    if kind in MULTIPLIES:
        return _MULTIPLY
    if kind in (InstructionKind.FLOAT, InstructionKind.FLOAT_MOVE, InstructionKind.FLOAT_DIVIDE):
        return _FLOAT_MOVE if register in GENERAL else _FLOAT
    return {
        InstructionKind.DSP: _BIT if instruction.name in _BIT_NAMES else _DSP,
        InstructionKind.LOAD: _NARROW_LOAD if instruction.narrow else _LOAD,
        InstructionKind.LOAD_MULTIPLE: _MULTIPLE,
        InstructionKind.DIVIDE: _DIVIDE_RESULT,
        InstructionKind.FLOAT_MULTIPLY_ACCUMULATE: _FLOAT_ACCUMULATE,
    }.get(kind, _LATE_ALU)


def _needed(instruction: Instruction, register: int, producer: InstructionKind) -> TimingRule:  # noqa: PLR0911
    """Return the latest time at which an operand may arrive."""
    kind = instruction.kind
    if register in instruction.address_registers or register == instruction.shifted:
        return _NEEDED_EARLY
    if kind in MULTIPLIES:
        if register in instruction.accumulators:
            return _NEEDED_ACCUMULATE
        return _NEEDED_MULTIPLY_LOADED if producer is InstructionKind.LOAD else _NEEDED_LATE
    if kind is InstructionKind.DSP and instruction.name in _BIT_NAMES:
        return _NEEDED_EARLY
    if kind in (InstructionKind.STORE, InstructionKind.STORE_MULTIPLE):
        return _NEEDED_STORED
    if kind in BRANCHES and kind is not InstructionKind.TABLE_BRANCH:
        return _NEEDED_BRANCH
    return _NEEDED_LATE


def _busy_cycles(instruction: Instruction) -> int:
    """Cycles in which nothing else is issued; 0 for what can pair."""
    if instruction.kind in (InstructionKind.LOAD_MULTIPLE, InstructionKind.STORE_MULTIPLE):
        return max(1, (instruction.transfers + 1) // 2)
    return {
        InstructionKind.DIVIDE: _DIVIDE.cycles,
        InstructionKind.TABLE_BRANCH: _TABLE_BRANCH.cycles,
        InstructionKind.FLOAT_DIVIDE: _FLOAT_DIVIDE.cycles,
    }.get(instruction.kind, 0)


class DualIssue(Pipeline):
    """The Cortex-M7."""

    name = "cortex-m7"
    mispredict = _MISPREDICT.cycles

    def rules(self) -> tuple[TimingRule, ...]:
        """Latencies and needs in half cycles, then the rest in cycles."""
        return _RULES

    def edge(self, before: Block, block: Block) -> EdgeCost:
        """See `Pipeline.edge`."""
        board = _Scoreboard()
        for instruction in before:
            board.issue(instruction)
        start = board.length
        if before and not falls_through(before, block) and board.issued:
            board.advance(board.cycle + 1)  # nothing pairs across a taken branch
        lengths = [start]
        for instruction in block:
            board.issue(instruction)
            lengths.append(board.length)
        core = tuple(later - earlier for earlier, later in pairwise(lengths))
        return EdgeCost(core, branch=0)
