# SPDX-License-Identifier: Apache-2.0
"""The choice of kernels: what each layer took, what else supports it, and why not that."""

from __future__ import annotations

from tinyflow.kernels.base import Kernel
from tinyflow.report.dump.section import DumpedSection
from tinyflow.report.dump.text import printable, table, titled
from tinyflow.selection.alternatives import alternatives
from tinyflow.selection.objective import BALANCED_LOSS_PERCENT, CYCLES_WEIGHT, Limits, Totals
from tinyflow.selection.priced_kernels import PricedKernel
from tinyflow.selection.select import Selection
from tinyflow.settings.project_file import KernelSet, Objective


class DumpedTotals(DumpedSection):
    """Predicted of an inference: cycles, and bytes of flash and arena; None has no limit."""

    cycles: int | None
    flash: int | None
    arena: int | None


class DumpedKernel(DumpedSection):
    """A kernel that supports a layer.

    `cycles` and `row_cycles`, what it takes more if the layer runs row by row, are predicted, None
    if they are not known. `flash` counts what layers share in full, `sources` are the files that
    are generated for it. `inference` is what the whole inference would take with it, None if that
    was not weighed, and `reason` why it was not taken.
    """

    kernel: str
    variant: str
    library: str
    cycles: int | None
    row_cycles: int | None
    row_kernel: str | None
    scratch: int
    flash: int
    sources: tuple[str, ...]
    inference: DumpedTotals | None = None
    reason: str | None = None


class DumpedChoice(DumpedSection):
    """A layer with the kernel that it took, and the others."""

    operator: str
    name: str
    by_rows: bool
    runs: str
    taken: DumpedKernel
    alternatives: tuple[DumpedKernel, ...]


class DumpedSelection(DumpedSection):
    """The choice for all layers, in the order of the graph.

    `totals` are predicted; where a layer's cost is not known, of the others. `estimate` is the same
    with the arena as estimated during the search, by which alternatives compare. `broken` names
    the limits that no choice keeps.
    """

    kernels: str
    optimize: str
    limits: DumpedTotals
    totals: DumpedTotals
    estimate: DumpedTotals
    complete: bool
    row_cycles: int
    broken: tuple[str, ...]
    layers: tuple[DumpedChoice, ...]


# ------------------------------------------------------------------------------- as data


def dumped_selection(
    selection: Selection, kernels: KernelSet, optimize: Objective, limits: Limits
) -> DumpedSelection:
    """The choice as data; `kernels`, `optimize` and `limits` are what it was asked."""
    choice = selection.choice
    others = alternatives(choice, selection.chooser, kernels, optimize, limits)
    known = choice.known_totals
    by_rows = set(choice.schedule.by_rows)
    return DumpedSelection(
        kernels=kernels,
        optimize=optimize,
        limits=DumpedTotals(cycles=limits.cycles, flash=limits.flash, arena=limits.arena),
        totals=DumpedTotals(
            cycles=known.cycles, flash=known.flash, arena=selection.plan.arena_size
        ),
        estimate=_totals(others.totals),
        complete=selection.totals is not None,
        row_cycles=choice.by_rows.cycles,
        broken=selection.broken,
        layers=tuple(
            DumpedChoice(
                operator=taken.kernel.operator.title,
                name=printable(taken.kernel.operator.name),
                by_rows=layer in by_rows,
                runs=_title(running),
                taken=_kernel(taken),
                alternatives=tuple(
                    _kernel(other.option, other.totals, other.reason)
                    for other in others.layers[layer]
                ),
            )
            for layer, (taken, running) in enumerate(
                zip(choice.chosen, choice.kernels, strict=True)
            )
        ),
    )


def _kernel(
    option: PricedKernel, totals: Totals | None = None, reason: str | None = None
) -> DumpedKernel:
    kernel, by_rows = option.kernel, option.kernel.by_rows
    return DumpedKernel(
        kernel=kernel.title,
        variant=kernel.variant,
        library=kernel.library,
        cycles=None if option.cost is None else option.cost.cycles,
        row_cycles=None if option.by_rows is None else option.by_rows.cycles,
        row_kernel=None if by_rows is None else _title(by_rows),
        scratch=kernel.scratch,
        flash=option.flash,
        sources=tuple(source.file for source in kernel.sources),
        inference=None if totals is None else _totals(totals),
        reason=reason,
    )


def _totals(totals: Totals) -> DumpedTotals:
    return DumpedTotals(cycles=totals.cycles, flash=totals.flash, arena=totals.arena)


def _title(kernel: Kernel) -> str:
    return f"{kernel.title} {kernel.variant}".rstrip()


# ------------------------------------------------------------------------------- as text


def selection_text(selection: DumpedSelection) -> str:
    """The choice for people."""
    partly = "" if selection.complete else " (without the layers whose cost is not known)"
    figures = [("predicted", selection.totals), ("limit", selection.limits)]
    if selection.estimate != selection.totals:
        figures.append(("estimated", selection.estimate))
    parts = [
        f"optimize = {selection.optimize}, kernels = {selection.kernels}\n\n",
        table(
            ("", "cycles", "flash", "arena"),
            ((name, each.cycles, each.flash, each.arena) for name, each in figures),
        ),
    ]
    if selection.estimate != selection.totals:
        parts.append("  alternatives compare with the estimate, made before memory is planned\n")
    if partly:
        parts.append(f"  predicted{partly}\n")
    if selection.row_cycles:
        parts.append(f"  {selection.row_cycles:,} of the cycles are for running row by row\n")
    if selection.broken:
        parts.append(f"  no choice keeps the limits on {', '.join(selection.broken)}\n")
    parts.append(
        "\nPer kernel: predicted cycles, those it takes more row by row, bytes of scratch and of\n"
        "flash (shared code and constants in full); then, unless it is taken, what the whole\n"
        "inference would take with it, and why it was not taken. Layers that cost the same change\n"
        "together.\n"
    )
    if selection.optimize == "balanced":
        parts.append(
            f"In balance, 1 % of cycles counts as {CYCLES_WEIGHT} % of flash or arena, and no more "
            f"than {BALANCED_LOSS_PERCENT} %\nof the fastest choice's cycles is given up.\n"
        )
    return "".join([*parts, *(_layer_text(*each) for each in enumerate(selection.layers))])


def _layer_text(position: int, layer: DumpedChoice) -> str:
    how = f": row by row, on {layer.runs}" if layer.by_rows else ""
    rows = [_row("*", layer.taken), *(_row("", each) for each in layer.alternatives)]
    return f"\n{position} {layer.operator} {titled(layer.name)}{how}\n" + table(
        (
            "",
            "kernel",
            "cycles",
            "rows",
            "scratch",
            "flash",
            "",
            "cycles",
            "flash",
            "arena",
            "why not",
        ),
        rows,
    )


def _row(mark: str, kernel: DumpedKernel) -> tuple[object, ...]:
    inference = kernel.inference or DumpedTotals(cycles=None, flash=None, arena=None)
    return (
        mark,
        f"{kernel.kernel} {kernel.variant}".rstrip(),
        kernel.cycles,
        kernel.row_cycles,
        kernel.scratch,
        kernel.flash,
        "|",
        inference.cycles,
        inference.flash,
        inference.arena,
        kernel.reason or "taken",
    )
