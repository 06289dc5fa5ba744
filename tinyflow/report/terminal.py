# SPDX-License-Identifier: Apache-2.0
"""The report as tables in the terminal."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyflow.report.fitted_table import Column, FittedTable
from tinyflow.report.prediction import selection_warnings
from tinyflow.report.quality_terminal import quality_rows
from tinyflow.report.report_data import (
    ConversionSection,
    ExactSection,
    InferencesSection,
    LatencySection,
    LayerSection,
    PlacedSection,
    Report,
)

#: Float layers that the warning names, at most.
_FLOATS_NAMED = 5


def render_report(report: Report) -> RenderableType:
    """The layers and the figures of a build, for a rich console."""
    return Group(_layers(report), _summary(report))


def print_report(console: Console, report: Report) -> None:
    """Print both tables."""
    console.print(render_report(report))


def _layers(report: Report) -> FittedTable:
    table = FittedTable(
        [
            Column("layer", least=12),
            Column("operator"),
            Column("kernel", style="dim", optional=True),
            *(Column(title, "number") for title in ("MACs", "cycles", "share", "gain")),
        ],
        title=f"{report.model.name} on {report.board.id}",
    )
    total = max(1, report.latency.cycles)
    for layer in report.layers:
        table.add_row(*_layer_cells(layer, total))
    return table


def _layer_cells(layer: LayerSection, total: int) -> tuple[str | Text, ...]:
    return (
        layer.name,
        Text(f"{layer.operator} (float32)", style="yellow") if layer.float32 else layer.operator,
        layer.kernel,
        f"{layer.macs:,}" if layer.macs else "-",
        f"{layer.cycles:,}",
        f"{layer.cycles / total:.1%}",
        "" if layer.gain is None else f"{layer.gain:.1f}x",
    )


def _kernels(report: Report) -> str:
    """Describe how the kernels were chosen, and the predicted gain."""
    kernels = report.kernels
    generated = [layer for layer in report.layers if layer.generated]
    text = f"{kernels.kernels}, for {kernels.optimize}: {len(generated)} of {len(report.layers)} "
    text += "layers on generated kernels"
    library = [layer.library_cycles for layer in generated]
    if generated and None not in library:
        saved = sum(cycles for cycles in library if cycles is not None)
        saved -= sum(layer.cycles for layer in generated)
        gain = (report.latency.cycles + saved) / max(1, report.latency.cycles)
        text += f", {gain:.1f}x faster than CMSIS-NN (predicted)"
    by_rows = sum(layer.fused_block is not None for layer in report.layers)
    if by_rows:
        text += f"; {by_rows} row by row, predicted to take {kernels.row_cycles:,} cycles more"
    return text


#: Labels of the split's parts.
CAUSES = {
    "core": "pipeline",
    "branch": "branches",
    "flash_data": "flash data",
    "fetch": "fetching code",
    "ram": "RAM",
}


def origin(latency: LatencySection) -> str:
    """Name the source of the cycles: the model alone, or the model calibrated on a board."""
    found = latency.calibration
    if found is None:
        return "modelled"
    plural = "" if found.measurements == 1 else "s"
    return (
        f"calibrated: x{found.factor:.3g} from {found.measurements} measurement{plural} on a board "
        "of yours"
    )


def describe_moved(placed: PlacedSection) -> str:
    """Describe what start-up copies to a RAM, and the predicted saving."""
    names, what = (placed.functions, "function") if placed.functions else (placed.arrays, "array")
    plural = "" if len(names) == 1 else "s"
    return (
        f"{len(names)} {what}{plural}, {placed.bytes:,} bytes in {', '.join(placed.memories)}: "
        f"predicted to save {placed.gain_cycles:,} cycles"
    )


def _latency(report: Report) -> str:
    """The median and the worst of the inferences that were traced."""
    latency = report.latency
    ms = f"{latency.ms:.2f} ms"
    if report.inferences is not None:
        ms += f" median, {report.worst_ms:.2f} ms worst,"
    return (
        f"{ms} ±{latency.error_percent} %, {origin(latency)}: {latency.cycles:,} cycles at "
        f"{report.board.clock_hz / 1e6:g} MHz, {latency.cycles_per_instruction:.2f} for each of "
        f"{latency.instructions:,} instructions counted"
    )


def _inferences(found: InferencesSection) -> str:
    """Describe how far the inferences of the vectors differ, and what that rests on."""
    fewest, most = found.fewest_instructions, found.most_instructions
    counted = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return (
        f"{counted} instructions in each of {found.vectors:,}, {found.traced} of them traced, the "
        f"worst {found.worst.cycles:,} cycles"
    )


def _conversion(found: ConversionSection) -> str:
    verb, way = ("write", "to") if found.kind == "input" else ("read", "from")
    return (
        f"{found.elements:,} floats {way} {found.dtype} by {verb}_{found.kind}_{found.index}, "
        f"besides the latency: {found.ms:.3f} ms, {found.cycles:,} cycles"
    )


def _vectors(exact: ExactSection) -> str:
    """Describe the inputs that were compared: how many, and of which kinds."""
    kinds = {"real": exact.real, "random": exact.random, "extreme": exact.extreme}
    parts = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number)
    plural = "" if exact.vectors == 1 else "s"
    return f"{exact.vectors:,} vector{plural}" + (f" ({parts})" if parts else "")


def _shares(latency: LatencySection) -> str:
    """Describe the shares of the cycles, the largest first, without those of 0."""
    parts = latency.split.model_dump()
    shares = sorted(parts.items(), key=lambda part: -part[1])
    total = max(1, latency.cycles)
    return ", ".join(f"{CAUSES[name]} {cycles / total:.1%}" for name, cycles in shares if cycles)


def _summary(report: Report) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    latency, ram, flash = report.latency, report.memory.ram, report.memory.flash
    state = f"state {ram.state:,}, " if ram.state else ""
    gap = f" (at least {ram.arena_bound:,})" if 0 < ram.arena_bound < ram.arena else ""
    table.add_row("", "")
    table.add_row("latency", _latency(report))
    if report.inferences is not None:
        table.add_row("inferences", _inferences(report.inferences))
    for conversion in report.conversions:
        table.add_row(f"{conversion.kind} {conversion.index}", _conversion(conversion))
    table.add_row("cycles", _shares(latency))
    if latency.energy is not None:
        energy = latency.energy
        table.add_row(
            "energy",
            f"{energy.uj:,.0f} µJ ±{latency.error_percent} % at {energy.power_mw:.0f} mW, the part "
            "alone, from data sheet, typical",
        )
    code = f", code {ram.code:,}" if ram.code else ""
    weights = f", weights {ram.weights:,}" if ram.weights else ""
    table.add_row(
        "RAM",
        f"{ram.total:,} of {ram.available:,} bytes ({ram.total / ram.available:.1%}): arena "
        f"{ram.arena:,}{gap}, {state}stack {ram.stack:,} (peak {ram.stack_peak:,}), "
        f"data {ram.data:,}, bss {ram.bss:,}{code}{weights}",
    )
    table.add_row(
        "flash",
        f"{flash.total:,} of {flash.available:,} bytes ({flash.total / flash.available:.1%}): "
        f"weights {flash.weights:,}, code {flash.code:,}",
    )
    for placed in report.placement:
        if placed.gain_cycles is not None:
            table.add_row(placed.what, describe_moved(placed))
    exact = report.exact
    verdict = (
        "[green]exact[/]" if not exact.mismatches else f"[red]{exact.mismatches:,} bytes differ[/]"
    )
    table.add_row(
        "exactness",
        f"{verdict}: {_vectors(exact)}, {exact.bytes:,} output bytes against {exact.oracle}",
    )
    for row in quality_rows(report):
        table.add_row(*row)
    if report.prune is not None:
        prune = report.prune
        table.add_row(
            "pruned",
            f"{prune.method}, {prune.ratio:.0%}: parameters {prune.parameters_before:,} -> "
            f"{prune.parameters_after:,}, MACs {prune.macs_before:,} -> {prune.macs_after:,}",
        )
    floats = [layer for layer in report.layers if layer.float32]
    if floats:
        share = sum(layer.instructions for layer in floats) / max(1, latency.instructions)
        names = ", ".join(layer.name for layer in floats[:_FLOATS_NAMED])
        more = f" and {len(floats) - _FLOATS_NAMED} more" if len(floats) > _FLOATS_NAMED else ""
        table.add_row(
            Text("warning", style="bold yellow"),
            Text(
                f"not quantised, {len(floats)} layer(s) compute in float32 and take {share:.1%} "
                f"of the instructions: {names}{more}"
            ),
        )
    for warning in selection_warnings(report):
        table.add_row(Text("warning", style="bold yellow"), Text(warning))
    table.add_row("kernels", _kernels(report))
    table.add_row("CMSIS-NN", f"{report.kernels.cmsis_nn} ({report.kernels.origin})")
    for item in report.budget:
        state = "[green]kept[/]" if item.kept else "[red]broken[/]"
        table.add_row(f"budget {item.name}", f"{item.shown} of {item.limit:g}: {state}")
    return table
