# SPDX-License-Identifier: Apache-2.0
"""Cortex-M0+, M3, M4 and M33: one instruction after another, with the overlaps their manuals name.

Every instruction takes one cycle; a table says what is added. The rules for loads and stores
describe the M3's and M4's pipelining of them, which the M0+ has not.

Sources, cited in the tables:

- Cortex-M0+ Technical Reference Manual (Arm DDI 0484), section 3.3, table 3.1
- Cortex-M3 Technical Reference Manual (Arm 100165), sections 3.3.1 and 3.3.2
- Cortex-M4 Technical Reference Manual (Arm 100166), sections 3.3.1, 3.3.2 and 7.2.3
- The Cortex-M33's manual (Arm 100230) has no such table.

Where a manual gives a range (P, the refill of the pipeline, is 1 to 3; a division is 2 to 12), the
table has the figure that measurements of whole programs agree with; `validation.py` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from tinyflow.timing.core_pipeline import Block, EdgeCost, Pipeline, TimingRule, falls_through
from tinyflow.timing.instructions import FLOATS, Instruction, InstructionKind


@dataclass(frozen=True)
class TimingTable:
    """Cycles beyond the first, by rule. `None` says that the core knows no such thing.

    Attributes:
        load: a load that nothing overlaps.
        pipelined: a load followed by another load or a store that does not need its result for
            an address: they overlap, and of loads in a row only the last pays `load`.
        store: a store with an immediate offset.
        store_register_offset: a store whose offset is a register.
        store_then_load: a load right behind a single store.
        word: each word of LDM, STM, PUSH, POP, LDRD and STRD.
        multiply: by kind; other multiplications take one cycle.
        divide: SDIV and UDIV.
        folded_it: an IT behind a 16-bit instruction; negative, for it then costs nothing.
        float_divide, float_multiply_accumulate: VDIV and VSQRT; VMLA, VFMA and their kin.
        float_dependent: a floating-point operation that needs the result of the one before.
        system: MRS, MSR and barriers.
        branch: a taken B, conditional or not, CBZ, CBNZ.
        branch_link: BL.
        branch_register: BX, BLX, and writing the PC with MOV or ADD.
        load_pc: LDR pc, POP {pc}, LDM with the PC, beyond the load.
        table_branch: TBB, TBH.
        unaligned_target: a taken branch to a 32-bit instruction across a word boundary.
    """

    load: TimingRule
    pipelined: TimingRule | None
    store: TimingRule
    store_register_offset: TimingRule
    store_then_load: TimingRule
    word: TimingRule
    multiply: Mapping[InstructionKind, TimingRule]
    divide: TimingRule | None
    folded_it: TimingRule | None
    float_divide: TimingRule | None
    float_multiply_accumulate: TimingRule | None
    float_dependent: TimingRule | None
    system: TimingRule
    branch: TimingRule
    branch_link: TimingRule
    branch_register: TimingRule
    load_pc: TimingRule
    table_branch: TimingRule | None
    unaligned_target: TimingRule


def _cycles(rule: TimingRule | None) -> int:
    return 0 if rule is None else rule.cycles


_M4 = "Arm 100166, 3.3.1"
_M4_PAIRS = "Arm 100166, 3.3.2"
_M4_FLOAT = "Arm 100166, 7.2.3"
_REFILL = "3.3.1, P of 1 to 3; the figure is from measured programs"

CORTEX_M4 = TimingTable(
    load=TimingRule(1, "LDR and its kin that nothing overlaps", _M4),
    pipelined=TimingRule(
        0,
        "a load followed by a load or a store whose address does not need the result",
        _M4_PAIRS,
    ),
    store=TimingRule(0, "STR with immediate offset: the write buffer takes it", _M4_PAIRS),
    store_register_offset=TimingRule(1, "STR with register offset", _M4_PAIRS),
    store_then_load=TimingRule(1, "a load right behind a store", _M4_PAIRS),
    word=TimingRule(1, "each word of LDM, STM, PUSH, POP, LDRD, STRD", _M4),
    multiply={},
    divide=TimingRule(5, "SDIV, UDIV: 2 to 12 cycles by the operands", _M4),
    folded_it=TimingRule(-1, "IT behind a 16-bit instruction", _M4),
    float_divide=TimingRule(13, "VDIV.F32, VSQRT.F32", _M4_FLOAT),
    float_multiply_accumulate=TimingRule(2, "VMLA.F32, VFMA.F32 and kin", _M4_FLOAT),
    float_dependent=TimingRule(
        1, "a result needed by the next floating-point instruction", _M4_FLOAT
    ),
    system=TimingRule(1, "MRS, MSR, barriers", _M4),
    branch=TimingRule(1, "taken B, Bcc, CBZ, CBNZ", f"Arm 100166, {_REFILL}"),
    branch_link=TimingRule(1, "BL", f"Arm 100166, {_REFILL}"),
    branch_register=TimingRule(2, "BX, BLX, MOV pc", f"Arm 100166, {_REFILL}"),
    load_pc=TimingRule(3, "POP {pc}, LDR pc, beyond the load", f"Arm 100166, {_REFILL}"),
    table_branch=TimingRule(3, "TBB, TBH", f"Arm 100166, {_REFILL}"),
    unaligned_target=TimingRule(
        1, "a taken branch to a 32-bit instruction at an address ending in 2", _M4
    ),
)

_M3 = "Arm 100165, 3.3.1"
_M3_PAIRS = "Arm 100165, 3.3.2"

CORTEX_M3 = TimingTable(
    load=TimingRule(1, "LDR and its kin that nothing overlaps", _M3),
    pipelined=TimingRule(
        0,
        "a load followed by a load or a store whose address does not need the result",
        _M3_PAIRS,
    ),
    store=TimingRule(0, "STR with immediate offset: the write buffer takes it", _M3_PAIRS),
    store_register_offset=TimingRule(1, "STR with register offset", _M3_PAIRS),
    store_then_load=TimingRule(1, "a load right behind a store", _M3_PAIRS),
    word=TimingRule(1, "each word of LDM, STM, PUSH, POP, LDRD, STRD", _M3),
    multiply={
        InstructionKind.MULTIPLY_ACCUMULATE: TimingRule(1, "MLA, MLS", _M3),
        InstructionKind.MULTIPLY_LONG: TimingRule(
            3, "SMULL, UMULL: 3 to 5 cycles by the operands", _M3
        ),
        InstructionKind.MULTIPLY_ACCUMULATE_LONG: TimingRule(
            5, "SMLAL, UMLAL: 4 to 7 by the operands", _M3
        ),
    },
    divide=TimingRule(5, "SDIV, UDIV: 2 to 12 cycles by the operands", _M3),
    folded_it=TimingRule(-1, "IT behind a 16-bit instruction", _M3),
    float_divide=None,
    float_multiply_accumulate=None,
    float_dependent=None,
    system=TimingRule(1, "MRS, MSR, barriers", _M3),
    branch=TimingRule(1, "taken B, Bcc, CBZ, CBNZ", f"Arm 100165, {_REFILL}"),
    branch_link=TimingRule(1, "BL", f"Arm 100165, {_REFILL}"),
    branch_register=TimingRule(2, "BX, BLX, MOV pc", f"Arm 100165, {_REFILL}"),
    load_pc=TimingRule(3, "POP {pc}, LDR pc, beyond the load", f"Arm 100165, {_REFILL}"),
    table_branch=TimingRule(3, "TBB, TBH", f"Arm 100165, {_REFILL}"),
    unaligned_target=TimingRule(
        1, "a taken branch to a 32-bit instruction at an address ending in 2", _M3
    ),
)

_M0 = "Arm DDI 0484, table 3.1"

CORTEX_M0_PLUS = TimingTable(
    load=TimingRule(1, "LDR and its kin: 2 cycles (1 from the single-cycle I/O port)", _M0),
    pipelined=None,
    store=TimingRule(1, "STR and its kin: 2 cycles (1 to the single-cycle I/O port)", _M0),
    store_register_offset=TimingRule(1, "STR with register offset: 2 cycles", _M0),
    store_then_load=TimingRule(0, "nothing overlaps", _M0),
    word=TimingRule(1, "each word of LDM, STM, PUSH, POP: 1 + N", _M0),
    multiply={
        InstructionKind.MULTIPLY: TimingRule(0, "MULS: 1 cycle with the fast multiplier", _M0)
    },
    divide=None,
    folded_it=None,
    float_divide=None,
    float_multiply_accumulate=None,
    float_dependent=None,
    system=TimingRule(2, "MRS, MSR, barriers: 3 cycles", _M0),
    branch=TimingRule(1, "taken B, Bcc: 2 cycles", _M0),
    branch_link=TimingRule(2, "BL: 3 cycles", _M0),
    branch_register=TimingRule(1, "BX, BLX, MOV pc: 2 cycles", _M0),
    load_pc=TimingRule(2, "POP {.., pc}: 3 + N", _M0),
    table_branch=None,
    unaligned_target=TimingRule(0, "none", _M0),
)
#: MULS on an M0+ that was built with the small multiplier.
SMALL_MULTIPLIER = {
    InstructionKind.MULTIPLY: TimingRule(31, "MULS: 32 cycles with the small multiplier", _M0)
}

_M33 = (
    "Arm 100230 has no timing table. The Cortex-M4's rules, which published nRF5340 figures agree "
    "with on the whole; pairing of 16-bit instructions and faster LDM are not modelled"
)


def _with_source(table: TimingTable, source: str) -> TimingTable:
    """The same figures, on other grounds."""
    changed: dict[str, Any] = {
        field.name: replace(rule, source=source)
        for field in fields(TimingTable)
        if isinstance(rule := getattr(table, field.name), TimingRule)
    }
    return replace(table, **changed)


CORTEX_M33 = _with_source(CORTEX_M4, _M33)


class SingleIssue(Pipeline):
    """A core that follows a `TimingTable`."""

    def __init__(self, name: str, table: TimingTable) -> None:
        self.name = name
        self.table = table

    def rules(self) -> tuple[TimingRule, ...]:
        """The table's rules."""
        found = [getattr(self.table, field.name) for field in fields(TimingTable)]
        single = [rule for rule in found if isinstance(rule, TimingRule)]
        return (*single, *self.table.multiply.values())

    def edge(self, before: Block, block: Block) -> EdgeCost:
        """See `Pipeline.edge`."""
        straight = falls_through(before, block)
        last = before[-1] if straight else None
        core = [
            self._instruction(
                block[index - 1] if index else last,
                instruction,
                block[index + 1] if index + 1 < len(block) else None,
            )
            for index, instruction in enumerate(block)
        ]
        if last is not None:
            # The block before was charged as if nothing came behind it.
            previous = before[-2] if len(before) > 1 else None
            core[0] += self._instruction(previous, last, block[0])
            core[0] -= self._instruction(previous, last, None)
        branch = 0 if straight or not before else self._branch(before[-1], block[0])
        return EdgeCost(tuple(core), branch)

    def _instruction(
        self, previous: Instruction | None, this: Instruction, following: Instruction | None
    ) -> int:
        """Cycles of one instruction between two others of a straight run."""
        table, kind = self.table, this.kind
        if kind is InstructionKind.LOAD:
            return 1 + self._load(previous, this, following)
        if kind in FLOATS:
            return 1 + self._float(previous, this)
        if kind is InstructionKind.IT and previous is not None and previous.size == 2:
            return 1 + _cycles(table.folded_it)
        store = table.store_register_offset if this.register_offset else table.store
        return 1 + {
            InstructionKind.STORE: store.cycles,
            InstructionKind.LOAD_MULTIPLE: this.transfers * table.word.cycles,
            InstructionKind.STORE_MULTIPLE: this.transfers * table.word.cycles,
            InstructionKind.DIVIDE: _cycles(table.divide),
            InstructionKind.SYSTEM: table.system.cycles,
        }.get(kind, _cycles(table.multiply.get(kind)))

    def _load(
        self, previous: Instruction | None, this: Instruction, following: Instruction | None
    ) -> int:
        table = self.table
        cycles = table.load.cycles
        if table.pipelined is not None and following is not None and _overlaps(this, following):
            cycles = table.pipelined.cycles
        if previous is not None and previous.kind is InstructionKind.STORE:
            cycles += table.store_then_load.cycles
        return cycles

    def _float(self, previous: Instruction | None, this: Instruction) -> int:
        table = self.table
        cycles = {
            InstructionKind.FLOAT_DIVIDE: _cycles(table.float_divide),
            InstructionKind.FLOAT_MULTIPLY_ACCUMULATE: _cycles(table.float_multiply_accumulate),
        }.get(this.kind, 0)
        if previous is not None and previous.kind in FLOATS and previous.writes & this.reads:
            cycles += _cycles(table.float_dependent)
        return cycles

    def _branch(self, last: Instruction, target: Instruction) -> int:
        """Return the extra cycles of a taken branch."""
        table = self.table
        if last.loads_pc:
            rule: TimingRule | None = table.load_pc
        elif last.kind is InstructionKind.TABLE_BRANCH:
            rule = table.table_branch
        elif last.kind is InstructionKind.BRANCH:
            rule = table.branch_link if last.links else table.branch
        else:
            rule = table.branch_register
        unaligned = target.size == 4 and target.address & 2
        return _cycles(rule) + (table.unaligned_target.cycles if unaligned else 0)


def _overlaps(load: Instruction, following: Instruction) -> bool:
    """The second cycle of the load is hidden behind the next instruction's first."""
    if load.loads_pc or load.writes & following.address_registers:
        return False
    if following.kind is InstructionKind.LOAD:
        return not following.loads_pc
    return following.kind is InstructionKind.STORE
