# SPDX-License-Identifier: Apache-2.0
"""The cores' rules on small assembly whose cycles the manuals, or measurements of others, give."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from capstone import arm

from tests.support.assembly import block_cycles, edge_cost, instructions
from tests.support.bare_firmware import needs_gcc
from tinyflow.boards import Core
from tinyflow.timing import dual_issue
from tinyflow.timing.core_pipeline import TimingRule
from tinyflow.timing.cores import PIPELINES
from tinyflow.timing.dual_issue import CONFLICTS, Conflict
from tinyflow.timing.instructions import PC, InstructionKind, decode
from tinyflow.timing.single_issue import (
    CORTEX_M0_PLUS,
    CORTEX_M4,
    SMALL_MULTIPLIER,
    SingleIssue,
    TimingTable,
)

pytestmark = [needs_gcc, pytest.mark.slow]


# ---- decoding ----


@pytest.mark.parametrize(
    ("text", "name", "kind", "transfers"),
    [
        ("adds r0, r1", "add", InstructionKind.ALU, 0),
        ("mls r0, r1, r2, r3", "mls", InstructionKind.MULTIPLY_ACCUMULATE, 0),
        ("muls r0, r1, r0", "mul", InstructionKind.MULTIPLY, 0),
        ("smlad r0, r1, r2, r3", "smlad", InstructionKind.MULTIPLY_ACCUMULATE, 0),
        ("smull r0, r1, r2, r3", "smull", InstructionKind.MULTIPLY_LONG, 0),
        ("smlal r0, r1, r2, r3", "smlal", InstructionKind.MULTIPLY_ACCUMULATE_LONG, 0),
        ("lsls r0, r1, #2", "lsl", InstructionKind.SHIFT, 0),
        ("sxtb16 r0, r1, ror #8", "sxtb16", InstructionKind.DSP, 0),
        ("ldrb.w r0, [r1, #5]", "ldrb", InstructionKind.LOAD, 1),
        ("push {r4-r7, lr}", "push", InstructionKind.STORE_MULTIPLE, 5),
        ("ldmia r0!, {r1-r3}", "ldm", InstructionKind.LOAD_MULTIPLE, 3),
        ("ldrd r0, r1, [r2, #8]", "ldrd", InstructionKind.LOAD_MULTIPLE, 2),
        ("vldr d0, [r0]", "vldr", InstructionKind.LOAD_MULTIPLE, 2),
        ("vpush {d8, d9}", "vpush", InstructionKind.STORE_MULTIPLE, 4),
        ("vldmia r0!, {s0-s2}", "vldmia", InstructionKind.LOAD_MULTIPLE, 3),
        ("udiv r0, r1, r2", "udiv", InstructionKind.DIVIDE, 0),
        ("tbb [pc, r0]", "tbb", InstructionKind.TABLE_BRANCH, 0),
        ("bx lr", "bx", InstructionKind.BRANCH_REGISTER, 0),
        ("itte ne; movne r0, r1; movne r0, r1; moveq r0, r1", "itte", InstructionKind.IT, 0),
        ("vfma.f32 s0, s1, s2", "vfma", InstructionKind.FLOAT_MULTIPLY_ACCUMULATE, 0),
    ],
)
def test_classes(text: str, name: str, kind: InstructionKind, transfers: int) -> None:
    found = instructions(text)[0]
    assert (found.name, found.kind, found.transfers) == (name, kind, transfers)


def test_what_capstone_leaves_out() -> None:
    (accumulate,) = instructions("smlal r0, r1, r2, r3")
    assert {arm.ARM_REG_R0, arm.ARM_REG_R1} == accumulate.accumulators < accumulate.reads
    (pop,) = instructions("pop {r4, pc}")
    assert pop.loads_pc and PC in pop.writes
    (halfword,) = instructions("pkhtb r0, r1, r2, asr #16")
    assert len(halfword.reads) == 2 and halfword.shifted
    assert instructions("it eq; bxeq lr")[1].conditional
    assert not instructions("it eq; bxeq lr")[0].conditional


def test_unknown_code_keeps_the_count() -> None:
    found = decode(bytes.fromhex("00bf ffffffff 00bf".replace(" ", "")), 0)
    assert [item.size for item in found] == [2, 4, 2]
    assert found[1].kind is InstructionKind.UNKNOWN


# ---- Cortex-M4, Arm 100166, 3.3.1 and 3.3.3 ----

M4 = [
    # plain instructions take a cycle each, DSP and multiplications included
    ("adds r0, r1; eors r0, r2; add.w r0, r1, r2, lsl #3", [1, 1, 1]),
    ("smlad r0, r1, r2, r0; smmlar r0, r1, r2, r3; smlal r0, r1, r2, r3; mla r0, r1, r2, r3",
     [1, 1, 1, 1]),
    ("ssat r0, #8, r1, asr #2; sxtb16 r0, r1; pkhbt r0, r1, r2, lsl #16", [1, 1, 1]),
    # loads: alone 2; N in a row N + 1
    ("ldr r0, [r1]; adds r0, #1", [2, 1]),
    ("ldr r0, [r4]; ldr r1, [r4, #4]; ldrb r2, [r4, #8]; adds r0, #1", [1, 1, 2, 1]),
    ("ldr r0, [r1]; ldr r2, [r0]; nop", [2, 2, 1]),  # the address needs the first
    ("ldr r0, [r1]; str r2, [r3, #4]", [1, 1]),
    ("ldr r0, [r1]; str r0, [r3, #4]", [1, 1]),  # the value is forwarded
    ("ldr r0, [r1]; str r2, [r0, #4]", [2, 1]),
    ("ldr r0, [r1]; str r2, [r3, r4]", [1, 2]),  # register offset
    # stores
    ("str r0, [r1, #4]; adds r0, #1", [1, 1]),
    ("str r0, [r1, r2]; adds r0, #1", [2, 1]),
    ("str r0, [r1, #4]; ldr r2, [r1, #8]; nop", [1, 3, 1]),
    # multiple transfers: 1 + N
    ("ldmia r0, {r1-r4}; nop", [5, 1]),
    ("stmia r0!, {r1, r2}; nop", [3, 1]),
    ("push {r4-r7, lr}; nop", [6, 1]),
    ("ldrd r0, r1, [r2]; strd r0, r1, [r2, #8]", [3, 3]),
    # division, system, IT
    ("udiv r0, r1, r2; sdiv r0, r1, r2", [6, 6]),
    ("mrs r0, primask; dsb", [2, 2]),
    ("cmp r0, r1; it eq; moveq r0, r1", [1, 0, 1]),
    ("cmp.w r0, r1; it eq; moveq r0, r1", [1, 1, 1]),
    # floating point
    ("vadd.f32 s0, s1, s2; vadd.f32 s3, s4, s5", [1, 1]),
    ("vadd.f32 s0, s1, s2; vadd.f32 s3, s0, s5", [1, 2]),
    ("vdiv.f32 s0, s1, s2; vfma.f32 s3, s4, s5; vsqrt.f32 s8, s9", [14, 3, 14]),
    # a branch not taken
    ("cmp r0, #0; bne .+40", [1, 1]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cycles"), M4, ids=[text for text, _ in M4])
def test_cortex_m4_blocks(text: str, cycles: list[int]) -> None:
    assert block_cycles(text) == cycles
    assert block_cycles(text, "cortex-m33") == cycles


M4_BRANCHES = [
    ("b .+100", "nop", 0x2000, 1),
    ("bne .+100", "nop", 0x2000, 1),
    ("cbz r0, .+100", "nop", 0x2000, 1),
    ("bl .+100", "nop", 0x2000, 1),
    ("bx lr", "nop", 0x2000, 2),
    ("blx r3", "nop", 0x2000, 2),
    ("pop {r4, pc}", "nop", 0x2000, 3),
    ("ldr.w pc, [r0]", "nop", 0x2000, 3),
    ("tbb [pc, r0]", "nop", 0x2000, 3),
    ("b .+100", "nop", 0x2002, 1),
    ("b .+100", "add.w r0, r1, r2", 0x2000, 1),
    ("b .+100", "add.w r0, r1, r2", 0x2002, 2),  # 32 bits across a word boundary
]


@pytest.mark.parametrize(("last", "first", "at", "branch"), M4_BRANCHES)
def test_cortex_m4_taken_branches(last: str, first: str, at: int, branch: int) -> None:
    cost = edge_cost(last, first, "cortex-m4", at=at)
    assert (cost.core, cost.branch) == ((1,), branch)


def test_a_branch_not_taken_costs_its_own_cycle_only() -> None:
    assert edge_cost("cmp r0, #0; bne .+40", "nop", "cortex-m4").branch == 0


def test_a_run_that_is_cut_at_a_page_costs_what_it_costs_whole() -> None:
    text = [
        "ldr r0, [r4]", "ldr r1, [r4, #4]", "str r1, [r5]", "ldr r2, [r5]", "cmp r0, r1",
        "it eq", "moveq r0, r2", "ldrb r3, [r4]", "str r3, [r5, #4]", "adds r0, #1",
    ]  # fmt: skip
    for core in PIPELINES:
        if core == "cortex-m0plus":
            continue
        whole = sum(block_cycles(";".join(text), core))
        for cut in range(1, len(text)):
            if cut == text.index("it eq") + 1:
                continue  # no assembler takes half an IT block
            before, after = ";".join(text[:cut]), ";".join(text[cut:])
            parts = sum(block_cycles(before, core)) + edge_cost(before, after, core).cycles
            assert parts == whole, (core, cut)


# ---- Cortex-M3, Arm 100165 ----


@pytest.mark.parametrize(
    ("text", "cycles"),
    [
        ("mul r0, r1, r2; mla r0, r1, r2, r3; mls r0, r1, r2, r3", [1, 2, 2]),
        ("ldr r0, [r1]; nop; ldr r0, [r1]; ldr r2, [r1, #4]; nop", [2, 1, 1, 2, 1]),
        ("push {r4-r7, lr}; udiv r0, r1, r2", [6, 6]),
    ],
)
def test_cortex_m3_blocks(text: str, cycles: list[int]) -> None:
    assert block_cycles(text, "cortex-m3") == cycles


def test_cortex_m3_long_multiplications_lie_in_the_manuals_range() -> None:
    long, accumulate = block_cycles("umull r0, r1, r2, r3; smlal r0, r1, r2, r3", "cortex-m3")
    assert 3 <= long <= 5 and 4 <= accumulate <= 7


# ---- Cortex-M0+, Arm DDI 0484, table 3.1 ----

M0 = [
    ("movs r0, #1; adds r0, r1; lsls r0, r1, #2; sxtb r0, r1; rev r0, r1; muls r0, r1, r0",
     [1, 1, 1, 1, 1, 1]),
    ("ldr r0, [r1]; ldrb r0, [r1, r2]; ldr r0, [sp, #4]", [2, 2, 2]),
    ("str r0, [r1]; strb r0, [r1, r2]", [2, 2]),
    ("ldmia r0!, {r1-r4}; stmia r0!, {r1-r3}; push {r4-r7, lr}; pop {r4-r7}", [5, 4, 6, 5]),
    ("mrs r0, primask; dsb", [3, 3]),
    ("cmp r0, #0; bne .+40", [1, 1]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cycles"), M0, ids=[text for text, _ in M0])
def test_cortex_m0_plus_blocks(text: str, cycles: list[int]) -> None:
    assert block_cycles(text, "cortex-m0plus") == cycles


@pytest.mark.parametrize(
    ("last", "total"),
    [("b .+100", 2), ("bne .+100", 2), ("bl .+100", 3), ("bx lr", 2), ("blx r3", 2),
     ("mov pc, r0", 2), ("pop {r4, r5, pc}", 3 + 3)],
)  # fmt: skip
def test_cortex_m0_plus_branches(last: str, total: int) -> None:
    branch = edge_cost(last, "nop", "cortex-m0plus", at=0x2000).branch
    assert sum(block_cycles(last, "cortex-m0plus")) + branch == total


def test_the_small_multiplier_takes_32_cycles() -> None:
    small = SingleIssue("m0+", replace(CORTEX_M0_PLUS, multiply=SMALL_MULTIPLIER))
    assert small.block(instructions("muls r0, r1, r0", "cortex-m0plus")) == (32,)


# ---- Cortex-M7 ----

M7 = [
    # what pairs
    ("add.w r0, r1, r2; add.w r3, r4, r5; add.w r6, r7, r8; add.w r9, r10, r11", 2),
    ("ldr r0, [r8]; smlad r1, r2, r3, r1; ldr r4, [r8, #4]; smlad r5, r6, r7, r5", 2),
    ("ldr r0, [r8]; ldr r1, [r8, #4]", 1),  # an even and an odd word
    ("str r0, [r8]; add.w r1, r2, r3", 1),
    ("sxtb16 r0, r1; add.w r2, r3, r4", 1),
    ("add.w r0, r1, r2, lsl #3; lsr.w r3, r4, #2", 1),
    ("movw r0, #1234; movw r1, #5678", 1),
    ("add.w r0, r1, r2; eor.w r3, r0, r4", 1),  # early ALU into late ALU
    # what does not
    ("smlad r0, r1, r2, r0; smlad r3, r4, r5, r3", 2),
    ("smlad r0, r1, r2, r0; str r3, [r8]", 2),
    ("str r0, [r8]; str r1, [r8, #4]", 2),
    ("ldr r0, [r8]; ldr r1, [r8, #8]", 2),  # the same bank
    ("add.w r0, r1, r2; sxtb16 r3, r4", 2),  # DSP is older
    ("add.w r0, r1, r2, lsl #3; add.w r3, r4, r5, lsl #3", 2),
    ("eor.w r0, r1, r2; eor.w r3, r0, r4", 2),  # late ALU into late ALU
    ("vadd.f32 s0, s1, s2; vadd.f32 s3, s4, s5", 2),
    # alone, half a cycle a word
    ("ldmia r0, {r1-r4}", 2),
    ("ldmia r0, {r1-r5}", 3),
    ("ldrd r0, r1, [r8]; add.w r2, r3, r4", 2),
    # accumulators chain, other uses of a product wait
    ("smlad r0, r1, r2, r0; smlad r0, r3, r4, r0; smlad r0, r5, r6, r0", 3),
    ("mul r0, r1, r2; add.w r3, r0, r4", 3),
    ("mul r0, r1, r2; mul r3, r0, r4", 3),
    # load to use
    ("ldr r0, [r8]; add.w r1, r0, r2", 2),
    ("ldrb r0, [r8]; add.w r1, r0, r2", 3),
    ("ldr r0, [r8]; smlad r1, r0, r2, r1", 3),
    ("ldr r0, [r8]; ldr r1, [r0]", 3),  # the address is needed early
    ("ldr r0, [r8]; add.w r1, r2, r0, lsl #2", 3),
    ("eor.w r0, r1, r2; ldr r3, [r0]", 3),
    ("add.w r0, r1, r2; ldr r3, [r0]", 2),
    ("ldr r0, [r8]; str r0, [r9]", 1),  # the store takes it late
    # more that does not pair
    ("uxtab r0, r1, r2; add.w r3, r4, r5, lsl #3", 2),  # both want the shifter
    ("add.w r2, r3, r4; ldrd r0, r1, [r8]", 2),
    ("add.w r2, r3, r4; ldr.w pc, [r8]", 2),
    ("bne .+40; add.w r0, r1, r2", 2),  # the branch is the younger
    ("add.w r0, r1, r2; mov.w r0, r3", 2),
    # other results, and how early they are wanted
    ("ldr r0, [r8], #4; ldr r1, [r8]", 2),  # the updated base
    ("sxtb16 r0, r1; add.w r2, r0, r3", 2),
    ("ubfx r0, r1, #2, #3; ldr r2, [r0]", 3),
    ("ldrd r0, r1, [r8]; add.w r2, r0, r3", 3),
    ("vmov r0, s0; add.w r1, r0, r2", 2),
    ("vadd.f32 s0, s1, s2; vadd.f32 s3, s0, s4", 4),
    ("vfma.f32 s0, s1, s2; vadd.f32 s3, s0, s4", 5),
    ("ldrb r0, [r8]; cbz r0, .+40", 1),  # it is predicted
    # instructions that nothing is paired with
    ("udiv r0, r1, r2; add.w r3, r4, r5", 7),
    ("udiv r0, r1, r2; add.w r3, r0, r5", 7),
    ("tbb [pc, r0]", 4),
    ("vdiv.f32 s0, s1, s2; nop", 17),
]


@pytest.mark.parametrize(("text", "cycles"), M7, ids=[text for text, _ in M7])
def test_cortex_m7_blocks(text: str, cycles: int) -> None:
    assert sum(block_cycles(text, "cortex-m7")) == cycles


def test_cortex_m7_pairs_across_a_branch_that_is_not_taken_only() -> None:
    before, block = "add.w r0, r1, r2; bne .+100", "add.w r3, r4, r5"
    odd = "add.w r0, r1, r2; add.w r6, r7, r8; bne .+100"
    assert edge_cost(before, block, "cortex-m7").cycles == 1
    assert edge_cost(odd, block, "cortex-m7", at=0x2000).cycles == 1
    straight = "add.w r0, r1, r2; add.w r6, r7, r8; add.w r9, r10, r11"
    assert edge_cost(straight, block, "cortex-m7").cycles == 0


def test_cortex_m7_waits_across_an_edge() -> None:
    assert edge_cost("nop; mul r0, r1, r2", "add.w r3, r0, r4", "cortex-m7").cycles == 2
    assert edge_cost("nop; mul r0, r1, r2", "add.w r3, r5, r4", "cortex-m7").cycles == 1


# ---- the tables ----


@pytest.mark.parametrize("core", PIPELINES)
def test_every_rule_names_its_source(core: Core) -> None:
    rules = PIPELINES[core].rules()
    assert len(rules) > 10
    assert all(rule.source and rule.meaning for rule in rules)
    assert all(conflict.source and conflict.meaning for conflict in CONFLICTS)


# ---- no figure of a table could be another without a case above failing ----


def _dearer(rule: TimingRule | None) -> TimingRule | None:
    return None if rule is None else replace(rule, cycles=rule.cycles + 1)


@pytest.mark.parametrize(
    "name",
    [
        field.name
        for field in fields(TimingTable)
        if isinstance(getattr(CORTEX_M4, field.name), TimingRule)
    ],
)
def test_every_rule_of_the_m4_is_pinned_down(name: str) -> None:
    dearer: dict[str, Any] = {name: _dearer(getattr(CORTEX_M4, name))}
    changed = SingleIssue("m4", replace(CORTEX_M4, **dearer))
    blocks = [list(changed.block(instructions(text))) != cycles for text, cycles in M4]
    branches = []
    for last, first, at, branch in M4_BRANCHES:
        before, block = instructions(last), instructions(first, address=at)
        branches.append(changed.edge(before, block).branch != branch)
    assert any(blocks) or any(branches)


@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda conflict: conflict.meaning)
def test_every_conflict_of_the_m7_keeps_something_apart(
    conflict: Conflict, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = tuple(other for other in CONFLICTS if other is not conflict)
    monkeypatch.setattr(dual_issue, "CONFLICTS", fewer)
    assert any(sum(block_cycles(text, "cortex-m7")) != cycles for text, cycles in M7)


@pytest.mark.parametrize(
    "name", [name for name, rule in vars(dual_issue).items() if isinstance(rule, TimingRule)]
)
def test_every_latency_of_the_m7_is_pinned_down(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "_MISPREDICT":  # charged by what was counted, not by the pipeline
        assert PIPELINES["cortex-m7"].mispredict == 8
        return
    rule = getattr(dual_issue, name)
    found = []
    for change in (-2, 2):
        monkeypatch.setattr(dual_issue, name, replace(rule, cycles=rule.cycles + change))
        found += [sum(block_cycles(text, "cortex-m7")) != cycles for text, cycles in M7]
    assert any(found)
