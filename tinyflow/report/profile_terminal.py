# SPDX-License-Identifier: Apache-2.0
"""The profile as tables in the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from tinyflow.report.fitted_table import Column, FittedTable
from tinyflow.report.profile_data import Profile, ProfiledBlock
from tinyflow.report.report_data import SplitSection
from tinyflow.report.terminal import CAUSES, origin

#: Causes, short enough for columns.
_SHORT = {"core": "core", "branch": "branch", "flash_data": "data", "fetch": "fetch", "ram": "RAM"}
#: Functions with a smaller share are counted only.
_LEAST_SHARE = 0.001


def render_profile(profile: Profile, *, top: int) -> RenderableType:
    """Layers, functions, and the hottest `top` blocks with their instructions."""
    blocks = [_block(block) for block in profile.blocks[:top]]
    return Group(_layers(profile), _whole(profile), _functions(profile), *blocks)


def _whole(profile: Profile) -> Text:
    latency = profile.latency
    return Text(
        f"\n{latency.ms:.2f} ms ±{latency.error_percent} %, {origin(latency)}: "
        f"{latency.cycles:,} cycles at {profile.board.clock_hz / 1e6:g} MHz, "
        f"{latency.cycles_per_instruction:.2f} for each of {latency.instructions:,} "
        f"instructions\ninput: {profile.model.input}; data, fetch and RAM are waits for "
        "flash data, code and RAM\n"
    )


def _split_cells(split: SplitSection, cycles: int) -> list[str]:
    return [f"{part / max(1, cycles):.0%}" if part else "-" for _, part in split]


def _layers(profile: Profile) -> FittedTable:
    causes = [_SHORT[name] for name in SplitSection.model_fields]
    table = FittedTable(
        [
            Column("layer", least=12),
            Column("operator", optional=True),
            *(Column(title, "number") for title in ("cycles", "share", "per MAC", *causes)),
        ],
        title=f"{profile.model.name} on {profile.board.id}",
    )
    for layer in profile.layers:
        table.add_row(
            layer.name,
            layer.operator,
            f"{layer.cycles:,}",
            f"{layer.share:.1%}",
            "-" if layer.cycles_per_mac is None else f"{layer.cycles_per_mac:.2f}",
            *_split_cells(layer.split, layer.cycles),
        )
    latency = profile.latency
    table.add_row(
        Text("all", style="bold"),
        "",
        f"{latency.cycles:,}",
        "100.0%",
        f"{latency.cycles / profile.model.macs:.2f}" if profile.model.macs else "-",
        *_split_cells(latency.split, latency.cycles),
    )
    return table


def _functions(profile: Profile) -> RenderableType:
    titles = ("calls", "own cycles", "share", "with callees", "share")
    table = FittedTable([Column("function"), *(Column(title, "number") for title in titles)])
    shown = [each for each in profile.functions if each.self_share >= _LEAST_SHARE]
    for function in shown:
        table.add_row(
            function.name,
            f"{function.calls:,}",
            f"{function.self_cycles:,}",
            f"{function.self_share:.1%}",
            f"{function.total_cycles:,}",
            f"{function.total_share:.1%}",
        )
    others = len(profile.functions) - len(shown)
    if not others:
        return table
    return Group(table, Text(f" and {others} more, each below {_LEAST_SHARE:.1%}", style="dim"))


def _block(block: ProfiledBlock) -> RenderableType:
    # A name longer than the terminal stays in one piece, for a search in the listing.
    name = f"\n{block.function}+{block.offset:#x}"
    title = Text(name, style="bold", no_wrap=True, overflow="ignore")
    figures = Text.assemble(
        f"  {block.share:.1%}, {block.cycles:,} cycles, {block.executions:,} times, "
        f"{block.cycles / block.executions:.1f} each\n  ",
        ", ".join(f"{CAUSES[name]} {part:,}" for name, part in block.split if part),
    )
    titles = ("cycles", "branch", "each time")
    table = FittedTable(
        [
            Column("address", "number", style="dim"),
            Column("instruction", "prose"),
            *(Column(title, "number") for title in titles),
        ]
    )
    for line in block.instructions:
        table.add_row(
            f"{line.address:08x}",
            line.text,
            f"{line.core:,}",
            f"{line.branch:,}" if line.branch else "",
            f"{(line.core + line.branch) / block.executions:.2f}",
        )
    return Group(title, figures, table)
