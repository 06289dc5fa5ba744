# SPDX-License-Identifier: Apache-2.0
"""Builds side by side: of one model on several boards, of several models, or before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Group, RenderableType
from rich.text import Text

from tinyflow.report.fitted_table import Column, FittedTable
from tinyflow.report.report_data import Report


class _ComparisonPart(BaseModel):
    model_config = ConfigDict(frozen=True)


class BuildFigures(_ComparisonPart):
    """The figures of one build; `ms` and `cycles` may be off by `error_percent`, sizes in bytes.

    `title` distinguishes the build from the others. `worst_ms` is that of the slowest inference
    that was traced. `ram` is what the image reserves, `stack_peak` what it was seen to use of the
    stack. `energy_uj` is None if the board's run current is not known, `calibration` where no
    board of the user's was measured; else it is the factor in `cycles`.
    """

    title: str
    model: str
    board: str
    core: str
    clock_hz: int
    cmsis_nn: str
    kernels: str
    ms: float
    worst_ms: float
    error_percent: int
    calibration: float | None
    cycles: int
    instructions: int
    energy_uj: float | None
    macs: int
    ram: int
    arena: int
    stack: int
    stack_peak: int
    flash: int
    weights: int
    mismatches: int
    accuracy: float | None


class LayerFigures(_ComparisonPart):
    """One layer in every build; tuples are in the builds' order."""

    name: str
    operator: str
    kernels: tuple[str, ...]
    instructions: tuple[int, ...]
    cycles: tuple[int, ...]
    ms: tuple[float, ...]


class BuildComparison(_ComparisonPart):
    """Builds side by side.

    Attributes:
        builds: in the order given; the first is what the others are measured by.
        ratios: for each figure that has one, each build's divided by the first's.
        layers: empty unless all builds have the same layers.
    """

    builds: tuple[BuildFigures, ...]
    ratios: dict[str, tuple[float, ...]]
    layers: tuple[LayerFigures, ...]

    def to_json(self) -> str:
        """One JSON document."""
        return self.model_dump_json(indent=2) + "\n"


#: Figures that are never 0.
_RATIOS = ("ms", "cycles", "instructions", "ram", "flash")


def compare(reports: Sequence[Report], folders: Sequence[Path] = ()) -> BuildComparison:
    """Compare at least one build.

    Args:
        reports: of the builds.
        folders: their folders; the names distinguish builds that differ in nothing else.
    """
    titles = _titles(reports, folders)
    builds = tuple(map(_figures, reports, titles))
    return BuildComparison(
        builds=builds,
        ratios={
            name: tuple(getattr(build, name) / getattr(builds[0], name) for build in builds)
            for name in _RATIOS
        },
        layers=_layers(reports),
    )


#: Properties that builds may differ in, in the order of their titles.
_TRAITS: tuple[Callable[[Report], str], ...] = (
    lambda report: report.model.name,
    lambda report: report.board.id,
    lambda report: " ".join(dict.fromkeys(tensor.dtype for tensor in report.model.inputs)),
    lambda report: report.kernels.optimize,
    lambda report: report.kernels.kernels,
    lambda report: f"CMSIS-NN {report.kernels.cmsis_nn}",
)


def _titles(reports: Sequence[Report], folders: Sequence[Path]) -> list[str]:
    """Return titles that distinguish the builds: by what differs, else by their folders."""
    if len(reports) == 1:
        return [reports[0].board.id]
    traits = [[trait(report) for report in reports] for trait in _TRAITS]
    columns = [values for values in traits if len(set(values)) > 1]
    titles = [" ".join(values[build] for values in columns) for build in range(len(reports))]
    if len(set(titles)) < len(reports) and folders:
        names = _distinct_parts(folders)
        titles = [f"{title} {name}".strip() for title, name in zip(titles, names, strict=True)]
    if len(set(titles)) < len(reports):
        titles = [f"{number} {title}".strip() for number, title in enumerate(titles, start=1)]
    return titles


def _distinct_parts(folders: Sequence[Path]) -> list[str]:
    """Each folder without what all begin and end with."""
    names = [folder.resolve().parts for folder in folders]
    begun = _shared(names)
    ended = _shared([name[begun:][::-1] for name in names])
    return ["/".join(name[begun : len(name) - ended]) for name in names]


def _shared(names: Sequence[tuple[str, ...]]) -> int:
    """Count the parts that all names begin with."""
    return len(list(takewhile(lambda parts: len(set(parts)) == 1, zip(*names, strict=False))))


def _figures(report: Report, title: str) -> BuildFigures:
    latency, memory = report.latency, report.memory
    return BuildFigures(
        title=title,
        model=report.model.name,
        board=report.board.id,
        core=report.board.core,
        clock_hz=report.board.clock_hz,
        cmsis_nn=report.kernels.cmsis_nn,
        kernels=f"{report.kernels.kernels}, {report.kernels.optimize}",
        ms=latency.ms,
        worst_ms=report.worst_ms,
        error_percent=latency.error_percent,
        calibration=None if latency.calibration is None else latency.calibration.factor,
        cycles=latency.cycles,
        instructions=latency.instructions,
        energy_uj=None if latency.energy is None else latency.energy.uj,
        macs=report.model.macs,
        ram=memory.ram.total,
        arena=memory.ram.arena,
        stack=memory.ram.stack,
        stack_peak=memory.ram.stack_peak,
        flash=memory.flash.total,
        weights=memory.flash.weights,
        mismatches=report.exact.mismatches,
        accuracy=None if report.accuracy is None else report.accuracy.device,
    )


def _layers(reports: Sequence[Report]) -> tuple[LayerFigures, ...]:
    names = [[(layer.name, layer.operator) for layer in report.layers] for report in reports]
    if any(other != names[0] for other in names[1:]):
        return ()
    return tuple(
        LayerFigures(
            name=column[0].name,
            operator=column[0].operator,
            kernels=tuple(layer.kernel for layer in column),
            instructions=tuple(layer.instructions for layer in column),
            cycles=tuple(layer.cycles for layer in column),
            ms=tuple(layer.ms for layer in column),
        )
        for column in zip(*(report.layers for report in reports), strict=True)
    )


# ------------------------------------------------------------------------------ terminal


def render_comparison(comparison: BuildComparison) -> RenderableType:
    """Tables for a terminal: the layers where they are the same, then the figures."""
    figures = _figure_table(comparison)
    return Group(_layer_table(comparison), Text(), figures) if comparison.layers else figures


def _build_columns(comparison: BuildComparison) -> list[Column]:
    return [Column(build.title, "number") for build in comparison.builds]


def _figure_table(comparison: BuildComparison) -> FittedTable:
    table = FittedTable([Column("", least=12), *_build_columns(comparison)], title="side by side")
    for name, show in _ROWS.items():
        cells = [show(build) for build in comparison.builds]
        ratios = comparison.ratios.get(_RATIO_OF.get(name, ""))
        if ratios:
            first, *others = cells
            cells = [first, *(f"{c} ({r:.2f}x)" for c, r in zip(others, ratios[1:], strict=True))]
        table.add_row(name, *cells)
    return table


_ROWS: dict[str, Callable[[BuildFigures], str]] = {
    "core": lambda b: f"{b.core}, {b.clock_hz / 1e6:g} MHz",
    "CMSIS-NN": lambda b: b.cmsis_nn,
    "kernels": lambda b: b.kernels,
    "latency": lambda b: f"{b.ms:.2f} ms ±{b.error_percent} %",
    "worst": lambda b: f"{b.worst_ms:.2f} ms",
    "calibrated": lambda b: "no" if b.calibration is None else f"x{b.calibration:.3g}",
    "cycles": lambda b: f"{b.cycles:,}",
    "instructions": lambda b: f"{b.instructions:,}",
    "energy": lambda b: "-" if b.energy_uj is None else f"{b.energy_uj:,.0f} µJ",
    "RAM": lambda b: f"{b.ram:,}",
    "arena": lambda b: f"{b.arena:,}",
    "stack (peak)": lambda b: f"{b.stack:,} ({b.stack_peak:,})",
    "flash": lambda b: f"{b.flash:,}",
    "weights": lambda b: f"{b.weights:,}",
    "exact": lambda b: "yes" if not b.mismatches else f"{b.mismatches:,} bytes differ",
    "accuracy": lambda b: "-" if b.accuracy is None else f"{b.accuracy:.2f} %",
}
_RATIO_OF = {
    "latency": "ms",
    "cycles": "cycles",
    "instructions": "instructions",
    "RAM": "ram",
    "flash": "flash",
}


def _layer_table(comparison: BuildComparison) -> FittedTable:
    table = FittedTable(
        [
            Column("layer", least=12),
            Column("operator", optional=True),
            *_build_columns(comparison),
        ],
        title="milliseconds of each layer",
    )
    for layer in comparison.layers:
        table.add_row(layer.name, layer.operator, *(f"{ms:.3f}" for ms in layer.ms))
    return table
