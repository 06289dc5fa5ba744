"""Builds side by side: of one model on several boards, of several models, or before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyflow.report.model import Report


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True)


class BuildFigures(_Section):
    """The figures of one build; `ms` and `cycles` may be off by `error_percent`, sizes in bytes.

    `energy_uj` is None where the board's run current is not known, `calibration` where no board of
    the user's was measured; else it is the factor in `cycles`.
    """

    model: str
    board: str
    core: str
    clock_hz: int
    cmsis_nn: str
    kernels: str
    ms: float
    error_percent: int
    calibration: float | None
    cycles: int
    instructions: int
    energy_uj: float | None
    macs: int
    ram: int
    arena: int
    flash: int
    weights: int
    mismatches: int
    accuracy: float | None


class LayerFigures(_Section):
    """One layer in every build; tuples are in the builds' order."""

    name: str
    operator: str
    kernels: tuple[str, ...]
    instructions: tuple[int, ...]
    cycles: tuple[int, ...]
    ms: tuple[float, ...]


class Comparison(_Section):
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


def compare(reports: Sequence[Report]) -> Comparison:
    """The comparison of at least one build."""
    builds = tuple(_figures(report) for report in reports)
    return Comparison(
        builds=builds,
        ratios={
            name: tuple(getattr(build, name) / getattr(builds[0], name) for build in builds)
            for name in _RATIOS
        },
        layers=_layers(reports),
    )


def _figures(report: Report) -> BuildFigures:
    latency, memory = report.latency, report.memory
    return BuildFigures(
        model=report.model.name,
        board=report.board.id,
        core=report.board.core,
        clock_hz=report.board.clock_hz,
        cmsis_nn=report.kernels.cmsis_nn,
        kernels=f"{report.kernels.kernels}, {report.kernels.optimize}",
        ms=latency.ms,
        error_percent=latency.error_percent,
        calibration=None if latency.calibration is None else latency.calibration.factor,
        cycles=latency.cycles,
        instructions=latency.instructions,
        energy_uj=None if latency.energy is None else latency.energy.uj,
        macs=report.model.macs,
        ram=memory.ram.total,
        arena=memory.ram.arena,
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


def render_comparison(comparison: Comparison) -> RenderableType:
    """Tables for a terminal: the layers where they are the same, then the figures."""
    figures = _figure_table(comparison)
    return Group(_layer_table(comparison), Text(), figures) if comparison.layers else figures


def _titles(comparison: Comparison) -> list[Text]:
    several = len({build.model for build in comparison.builds}) > 1
    return [
        Text(f"{build.model} on {build.board}" if several else build.board)
        for build in comparison.builds
    ]


def _figure_table(comparison: Comparison) -> Table:
    table = Table(box=None, title=Text("side by side", style="bold"))
    table.add_column("", no_wrap=True)
    for title in _titles(comparison):
        table.add_column(title, justify="right")
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
    "calibrated": lambda b: "no" if b.calibration is None else f"x{b.calibration:.3g}",
    "cycles": lambda b: f"{b.cycles:,}",
    "instructions": lambda b: f"{b.instructions:,}",
    "energy": lambda b: "-" if b.energy_uj is None else f"{b.energy_uj:,.0f} µJ",
    "RAM": lambda b: f"{b.ram:,}",
    "arena": lambda b: f"{b.arena:,}",
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


def _layer_table(comparison: Comparison) -> Table:
    table = Table(box=None, title=Text("milliseconds of each layer", style="bold"))
    table.add_column("layer", overflow="ellipsis", max_width=36, no_wrap=True)
    table.add_column("operator", no_wrap=True)
    for title in _titles(comparison):
        table.add_column(title, justify="right", no_wrap=True)
    for layer in comparison.layers:
        cells = (f"{ms:.3f}" for ms in layer.ms)
        table.add_row(Text(layer.name), layer.operator, *cells)
    return table
