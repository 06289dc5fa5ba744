# SPDX-License-Identifier: Apache-2.0
"""Sections of a report, from what the stages of a build found."""

from __future__ import annotations

from dataclasses import asdict

from tinyflow.boards import Board
from tinyflow.codegen.c_names import layer_title
from tinyflow.codegen.library import ModelCode
from tinyflow.ir.float32 import computes_in_float32
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Operator
from tinyflow.report.quality_data import Score
from tinyflow.report.report_data import (
    AlternativeSection,
    BudgetItem,
    EnergySection,
    FlashSection,
    InferencesSection,
    LatencyCorrectionSection,
    LatencySection,
    LayerSection,
    MemorySection,
    OverheadSection,
    RamSection,
    SplitSection,
    TensorSection,
    WorstSection,
)
from tinyflow.selection.search import Choice
from tinyflow.settings.project_file import BudgetTable
from tinyflow.timing.cycle_model import CycleSplit, Timing
from tinyflow.timing.traced_vectors import Timings
from tinyflow.toolchain.elf import Image


def layer_sections(
    graph: Graph, code: ModelCode, timing: Timing, choice: Choice
) -> tuple[LayerSection, ...]:
    """Describe the layers that run code, in execution order."""
    return tuple(
        LayerSection(
            name=layer_title(layer.kernel.operator.name),
            operator=layer.kernel.operator.title,
            kernel=layer.kernel.title,
            macs=layer.kernel.macs,
            instructions=timed.instructions,
            cycles=timed.cycles,
            ms=timing.milliseconds(timed.cycles),
            energy_uj=timing.microjoules(timed.cycles),
            split=split_section(timed.split),
            float32=computes_in_float32(graph, layer.kernel.operator),
            variant=layer.kernel.variant,
            generated=layer.kernel.is_generated,
            alternatives=_alternatives(choice, layer.kernel.operator),
            fused_block=layer.fused_block,
            predicted_cycles=_corrected(choice.predicted_cycles(layer.kernel.operator), timing),
        )
        for layer, timed in zip(code.layers, timing.layers, strict=True)
    )


def _corrected(cycles: int | None, timing: Timing) -> int | None:
    if cycles is None or timing.correction is None:
        return cycles
    return round(timing.correction.factor * cycles)


def _alternatives(choice: Choice, operator: Operator) -> tuple[AlternativeSection, ...]:
    return tuple(
        AlternativeSection(
            kernel=option.kernel.title,
            variant=option.kernel.variant,
            generated=option.kernel.is_generated,
            cycles=None if option.cost is None else option.cost.cycles,
            instructions=None if option.cost is None else option.cost.instructions,
            flash=option.flash,
            scratch=option.kernel.scratch,
            row_cycles=None if option.by_rows is None else option.by_rows.cycles,
            row_instructions=None if option.by_rows is None else option.by_rows.instructions,
        )
        for option in choice.options_of(operator)
    )


def tensor_section(tensor: Tensor) -> TensorSection:
    """Describe an input or output of the model."""
    q = tensor.quantization
    return TensorSection(
        name=layer_title(tensor.name),
        dtype=tensor.dtype.value,
        shape=tensor.shape,
        scale=None if q is None else q.scale,
        zero_point=None if q is None else q.zero_point,
    )


def inferences_section(timings: Timings) -> InferencesSection:
    """Describe how inferences differ over the vectors."""
    worst = timings.worst.timing
    return InferencesSection(
        vector=timings.typical.vector,
        vectors=len(timings.instructions),
        traced=timings.traced,
        fewest_instructions=min(timings.instructions),
        most_instructions=max(timings.instructions),
        worst=WorstSection(
            vector=timings.worst.vector,
            instructions=worst.instructions,
            cycles=worst.cycles,
            ms=worst.milliseconds(worst.cycles),
        ),
    )


def latency_section(timing: Timing, board: Board) -> LatencySection:
    """The whole of an inference."""
    return LatencySection(
        instructions=timing.instructions,
        cycles=timing.cycles,
        ms=timing.milliseconds(timing.cycles),
        cycles_per_instruction=timing.cycles_per_instruction,
        error_percent=timing.error.percent,
        error_basis=timing.error.basis,
        split=split_section(timing.split),
        overhead=OverheadSection(
            instructions=timing.overhead.instructions,
            cycles=timing.overhead.cycles,
            split=split_section(timing.overhead.split),
        ),
        energy=_energy(timing, board),
        calibration=_correction(timing),
    )


def split_section(split: CycleSplit) -> SplitSection:
    """Cycles by cause."""
    return SplitSection(**asdict(split))


def _correction(timing: Timing) -> LatencyCorrectionSection | None:
    found = timing.correction
    if found is None:
        return None
    return LatencyCorrectionSection(
        factor=found.factor,
        measurements=found.measurements,
        spread_percent=found.spread_percent,
    )


def _energy(timing: Timing, board: Board) -> EnergySection | None:
    energy = timing.microjoules(timing.cycles)
    if energy is None or timing.power_mw is None or board.run_current is None:
        return None
    return EnergySection(
        uj=energy, power_mw=float(timing.power_mw), source=board.run_current.source
    )


def memory_section(board: Board, code: ModelCode, image: Image, stack_peak: int) -> MemorySection:
    """Return RAM and flash as the linked image reserves them, and the peak of the stack."""
    arena, state = image.arena_bytes(code.name), image.state_bytes(code.name)
    ram_code, part = len(image.ram_code), board.code_ram
    more = part.size if ram_code and part is not None and "data" not in part.uses else 0
    return MemorySection(
        ram=RamSection(
            arena=arena,
            arena_bound=code.arena_bound,
            state=state,
            data=image.data_bytes,
            bss=image.bss_bytes - arena - state,
            stack=image.stack_bytes,
            stack_peak=stack_peak,
            code=ram_code,
            weights=image.ram_weights_bytes,
            total=image.data_bytes
            + image.bss_bytes
            + image.stack_bytes
            + ram_code
            + image.ram_weights_bytes,
            available=board.ram.size + more,
        ),
        flash=FlashSection(
            code=image.code_bytes + image.data_bytes,
            weights=image.weights_bytes,
            total=image.flash_bytes,
            available=board.flash.size,
        ),
    )


def budget_items(
    budget: BudgetTable,
    worst_ms: float,
    memory: MemorySection,
    score: Score,
) -> tuple[BudgetItem, ...]:
    """Compare the figures of a build with its limits."""
    drop, accuracy = None, score.accuracy
    if accuracy is not None and accuracy.float_ is not None:
        drop = accuracy.float_ - accuracy.device
    values = {
        "latency_ms": worst_ms,
        "ram_kib": memory.ram.total / 1024,
        "flash_kib": memory.flash.total / 1024,
        "accuracy_drop": drop,
        "max_error": None if score.error is None else score.error.device.mean_absolute,
    }
    return tuple(
        BudgetItem(
            name=name,
            limit=limit,
            value=values[name],
            # Rounding of percentages must not break a limit that is just reached.
            kept=value is not None and value <= limit + 1e-9,
        )
        for name, limit in budget
        if limit is not None
        for value in [values[name]]
    )
