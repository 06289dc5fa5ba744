# SPDX-License-Identifier: Apache-2.0
"""Thumb instructions as the core models need them: what each does to the pipeline, and to whom.

Capstone decodes; this module adds what it leaves out (accumulators that are read, registers that a
multiple load writes, write-back) and sorts mnemonics into the classes that the manuals time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import capstone
from capstone import arm

from tinyflow.emulate.measurement import thumb_instructions

#: The condition flags, as a register.
FLAGS = arm.ARM_REG_CPSR
PC = arm.ARM_REG_PC
SP = arm.ARM_REG_SP
#: The general-purpose registers, SP and LR included.
GENERAL = frozenset({*range(arm.ARM_REG_R0, arm.ARM_REG_R12 + 1), arm.ARM_REG_LR, SP})


class InstructionKind(Enum):
    """Class of instructions that the manuals time alike."""

    ALU = auto()
    SHIFT = auto()
    DSP = auto()
    MULTIPLY = auto()
    MULTIPLY_ACCUMULATE = auto()
    MULTIPLY_LONG = auto()
    MULTIPLY_ACCUMULATE_LONG = auto()
    DIVIDE = auto()
    LOAD = auto()
    STORE = auto()
    LOAD_MULTIPLE = auto()
    STORE_MULTIPLE = auto()
    FLOAT = auto()
    FLOAT_MOVE = auto()
    FLOAT_MULTIPLY_ACCUMULATE = auto()
    FLOAT_DIVIDE = auto()
    BRANCH = auto()
    BRANCH_REGISTER = auto()
    TABLE_BRANCH = auto()
    IT = auto()
    NOP = auto()
    SYSTEM = auto()
    UNKNOWN = auto()


MULTIPLIES = frozenset(
    {
        InstructionKind.MULTIPLY,
        InstructionKind.MULTIPLY_ACCUMULATE,
        InstructionKind.MULTIPLY_LONG,
        InstructionKind.MULTIPLY_ACCUMULATE_LONG,
    }
)
BRANCHES = frozenset(
    {InstructionKind.BRANCH, InstructionKind.BRANCH_REGISTER, InstructionKind.TABLE_BRANCH}
)
FLOATS = frozenset(
    {
        InstructionKind.FLOAT,
        InstructionKind.FLOAT_MOVE,
        InstructionKind.FLOAT_MULTIPLY_ACCUMULATE,
        InstructionKind.FLOAT_DIVIDE,
    }
)


@dataclass(frozen=True)
class Instruction:
    """One decoded instruction. Registers are capstone's numbers.

    Attributes:
        address: where it is.
        size: 2 or 4 bytes.
        text: in assembly, for people.
        name: the mnemonic without condition, flag-setting `s` and width.
        kind: its class.
        conditional: it may be skipped: a conditional branch, or in an IT block.
        reads, writes: registers; FLAGS among them.
        address_registers: of them, those that form a memory address.
        register_offset: a load or store whose offset is a register.
        displacement: the immediate offset of a load or store; or None.
        writeback: a load or store that updates its base.
        transfers: words that a load or store moves, 0 for other kinds.
        narrow: a load of a byte or halfword.
        shifted: the register that is shifted on its way into the ALU; 0 for none.
        accumulators: registers that a multiply-accumulate adds to.
        links: a call.
    """

    address: int
    size: int
    text: str
    name: str
    kind: InstructionKind
    conditional: bool = False
    reads: frozenset[int] = frozenset()
    writes: frozenset[int] = frozenset()
    address_registers: frozenset[int] = frozenset()
    register_offset: bool = False
    displacement: int | None = None
    writeback: bool = False
    transfers: int = 0
    narrow: bool = False
    shifted: int = 0
    accumulators: frozenset[int] = frozenset()
    links: bool = False

    @property
    def end(self) -> int:
        """The address after it."""
        return self.address + self.size

    @property
    def loads_pc(self) -> bool:
        """POP {pc}, LDR pc: a branch by way of memory."""
        return PC in self.writes and self.kind in (
            InstructionKind.LOAD,
            InstructionKind.LOAD_MULTIPLE,
        )

    @property
    def literal(self) -> bool:
        """A load relative to the PC."""
        return PC in self.address_registers


# ---- the mnemonics of each class ----

_CONDITIONS = tuple("eq ne hs lo mi pl vs vc hi ls ge lt gt le".split())
_LOADS = frozenset("ldr ldrb ldrh ldrsb ldrsh ldrt ldrex ldrexb ldrexh lda ldab ldah vldr".split())
_NARROW = frozenset("ldrb ldrh ldrsb ldrsh ldrexb ldrexh ldab ldah".split())
_STORES = frozenset("str strb strh strt strex strexb strexh stl stlb stlh vstr".split())
_SHIFTS = frozenset("lsl lsr asr ror rrx".split())
_LONG = frozenset("smull umull".split())
_LONG_ACCUMULATE = frozenset(
    "smlal umlal umaal smlalbb smlalbt smlaltb smlaltt smlald smlaldx smlsld smlsldx".split()
)
_ACCUMULATE = frozenset(
    "mla mls smmla smmlar smmls smmlsr smlad smladx smlsd smlsdx "
    "smlabb smlabt smlatb smlatt smlawb smlawt".split()
)
_MULTIPLY = frozenset(
    "mul smmul smmulr smuad smuadx smusd smusdx smulbb smulbt smultb smultt smulwb smulwt".split()
)
_DSP = frozenset(
    "uxtb uxth sxtb sxth uxtb16 sxtb16 uxtab uxtah sxtab sxtah uxtab16 sxtab16 ubfx sbfx bfi bfc "
    "pkhbt pkhtb rev rev16 revsh rbit clz ssat usat ssat16 usat16 qadd qsub qdadd qdsub sel usad8 "
    "usada8".split()
    + [
        prefix + operation + width
        for prefix in ("s", "q", "sh", "u", "uq", "uh")
        for operation, width in (
            ("add", "8"), ("add", "16"), ("sub", "8"), ("sub", "16"), ("asx", ""), ("sax", ""),
        )
    ]
)  # fmt: skip
_SYSTEM = frozenset("mrs msr dsb dmb isb cps cpsie cpsid svc bkpt wfi wfe sev clrex".split())
_NOPS = frozenset({"nop", "yield"})
_FLOAT_ACCUMULATE = frozenset("vmla vmls vnmla vnmls vfma vfms vfnma vfnms".split())
_FLOAT_DIVIDE = frozenset({"vdiv", "vsqrt"})
#: An `s` at the end of these does not set flags.
_KEEP_S = frozenset("mls mrs vmrs smmls vmls vfms vnmls vfnms".split())
#: The destination is also a source.
_INTO = frozenset({"bfi", "movt"})

_TABLE: dict[InstructionKind, frozenset[str]] = {
    InstructionKind.LOAD: _LOADS,
    InstructionKind.STORE: _STORES,
    InstructionKind.SHIFT: _SHIFTS,
    InstructionKind.DSP: _DSP,
    InstructionKind.MULTIPLY: _MULTIPLY,
    InstructionKind.MULTIPLY_ACCUMULATE: _ACCUMULATE,
    InstructionKind.MULTIPLY_LONG: _LONG,
    InstructionKind.MULTIPLY_ACCUMULATE_LONG: _LONG_ACCUMULATE,
    InstructionKind.DIVIDE: frozenset({"sdiv", "udiv"}),
    InstructionKind.LOAD_MULTIPLE: frozenset("ldrd pop vpop ldm ldmdb vldmia vldmdb".split()),
    InstructionKind.STORE_MULTIPLE: frozenset("strd push vpush stm stmdb vstmia vstmdb".split()),
    InstructionKind.BRANCH: frozenset("b bl cbz cbnz".split()),
    InstructionKind.BRANCH_REGISTER: frozenset({"bx", "blx"}),
    InstructionKind.TABLE_BRANCH: frozenset({"tbb", "tbh"}),
    InstructionKind.FLOAT_MULTIPLY_ACCUMULATE: _FLOAT_ACCUMULATE,
    InstructionKind.FLOAT_DIVIDE: _FLOAT_DIVIDE,
    InstructionKind.FLOAT_MOVE: frozenset({"vmov", "vmrs", "vmsr"}),
    InstructionKind.NOP: _NOPS,
    InstructionKind.SYSTEM: _SYSTEM,
}
_KINDS = {name: kind for kind, names in _TABLE.items() for name in names}

_DECODER = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
_DECODER.detail = True


def decode(code: bytes, address: int) -> tuple[Instruction, ...]:
    """The instructions of a straight run of code.

    What capstone does not know becomes an instruction of kind UNKNOWN, of the size its first
    halfword says, so that the count agrees with the simulator's.
    """
    found: list[Instruction] = []
    offset = 0
    while offset < len(code):
        for decoded in _DECODER.disasm(code[offset:], address + offset):
            found.append(_typed(decoded))
            offset += decoded.size
        if offset < len(code):
            size = 4 if thumb_instructions(code[offset : offset + 4]) == 1 else 2
            raw = int.from_bytes(code[offset : offset + 2], "little")
            text = f".inst {raw:#06x}"
            found.append(
                Instruction(address + offset, size, text, ".inst", InstructionKind.UNKNOWN)
            )
            offset += size
    return tuple(found)


def _typed(decoded: capstone.CsInsn) -> Instruction:
    conditional = decoded.cc not in (arm.ARM_CC_AL, arm.ARM_CC_INVALID)
    name = _base_name(decoded, conditional)
    operands = [operand.reg for operand in decoded.operands if operand.type == arm.ARM_OP_REG]
    memory = [operand.mem for operand in decoded.operands if operand.type == arm.ARM_OP_MEM]
    kind = _kind(name)
    double = (
        kind in (InstructionKind.LOAD, InstructionKind.STORE)
        and name[0] == "v"
        and _is_double(decoded, operands)
    )
    if double:
        kind = (
            InstructionKind.LOAD_MULTIPLE
            if kind is InstructionKind.LOAD
            else InstructionKind.STORE_MULTIPLE
        )
    reads, writes = _registers(decoded, name, kind, operands)
    if conditional and kind is not InstructionKind.IT:
        reads = reads | {FLAGS}
    if decoded.update_flags or name in ("cmp", "cmn", "tst", "teq"):
        writes = writes | {FLAGS}
    shifted = [
        operand.reg
        for operand in decoded.operands
        if operand.type == arm.ARM_OP_REG
        and operand.shift.type
        and kind is not InstructionKind.SHIFT
    ]
    addresses = frozenset(
        register for place in memory for register in (place.base, place.index) if register
    )
    if kind in (InstructionKind.LOAD_MULTIPLE, InstructionKind.STORE_MULTIPLE) and not memory:
        addresses = frozenset({SP if name in _STACK else operands[0]})
    return Instruction(
        address=decoded.address,
        size=decoded.size,
        text=f"{decoded.mnemonic} {decoded.op_str}".strip(),
        name=name,
        kind=kind,
        conditional=(conditional and kind is not InstructionKind.IT) or name in ("cbz", "cbnz"),
        reads=reads,
        writes=writes,
        address_registers=addresses,
        register_offset=any(place.index for place in memory),
        displacement=memory[0].disp if memory and not memory[0].index else None,
        writeback=bool(decoded.writeback) or name in _STACK,
        transfers=_transfers(decoded, name, kind, operands, double=double),
        narrow=name in _NARROW,
        shifted=shifted[0] if shifted else 0,
        accumulators=_accumulators(kind, operands),
        links=name in ("bl", "blx"),
    )


_STACK = frozenset({"push", "pop", "vpush", "vpop"})


def _base_name(decoded: capstone.CsInsn, conditional: bool) -> str:
    name = str(decoded.mnemonic).split(".", maxsplit=1)[0]
    if conditional and not name.startswith("it") and name.endswith(_CONDITIONS):
        name = name[:-2]
    if decoded.update_flags and name.endswith("s") and name not in _KEEP_S:
        name = name[:-1]
    return name


def _kind(name: str) -> InstructionKind:
    if name.startswith("it") and set(name[2:]) <= {"t", "e"}:
        return InstructionKind.IT
    known = _KINDS.get(name)
    if known is not None:
        return known
    return InstructionKind.FLOAT if name.startswith("v") else InstructionKind.ALU


def _is_double(decoded: capstone.CsInsn, operands: Sequence[int]) -> bool:
    return bool(operands) and str(decoded.reg_name(operands[0])).startswith("d")


def _registers(
    decoded: capstone.CsInsn, name: str, kind: InstructionKind, operands: Sequence[int]
) -> tuple[frozenset[int], frozenset[int]]:
    read, written = map(frozenset, decoded.regs_access())
    if kind is InstructionKind.DSP:
        read = read | frozenset(operands[1:])
    if name in _INTO:
        read = read | {operands[0]}
    if kind is InstructionKind.MULTIPLY_ACCUMULATE_LONG:
        read = read | frozenset(operands[:2])
    if kind is InstructionKind.TABLE_BRANCH:
        written = written | {PC}
    if kind in (InstructionKind.LOAD_MULTIPLE, InstructionKind.STORE_MULTIPLE):
        moved = _list(name, operands) if name not in ("ldrd", "strd") else frozenset()
        if kind is InstructionKind.LOAD_MULTIPLE:
            written = written | moved
        else:
            read, written = read | moved, written - moved
        if decoded.writeback or name in _STACK:
            written = written | {SP if name in _STACK else operands[0]}
    return read, written


def _list(name: str, operands: Sequence[int]) -> frozenset[int]:
    """The registers of a multiple load's or store's list."""
    has_base = name not in _STACK and name not in ("ldrd", "strd", "vldr", "vstr")
    return frozenset(operands[1:] if has_base else operands)


def _transfers(
    decoded: capstone.CsInsn,
    name: str,
    kind: InstructionKind,
    operands: Sequence[int],
    *,
    double: bool,
) -> int:
    if kind in (InstructionKind.LOAD, InstructionKind.STORE):
        return 1
    if kind not in (InstructionKind.LOAD_MULTIPLE, InstructionKind.STORE_MULTIPLE):
        return 0
    if double or name in ("ldrd", "strd"):
        return 2
    moved = _list(name, operands)
    return sum(2 if str(decoded.reg_name(register)).startswith("d") else 1 for register in moved)


def _accumulators(kind: InstructionKind, operands: Sequence[int]) -> frozenset[int]:
    if kind is InstructionKind.MULTIPLY_ACCUMULATE:
        return frozenset(operands[-1:])
    if kind is InstructionKind.MULTIPLY_ACCUMULATE_LONG:
        return frozenset(operands[:2])
    return frozenset()
