# SPDX-License-Identifier: Apache-2.0
"""At 80 columns, the default of a terminal, every number of every table is whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from tests.unit.test_profile_page import make_profile
from tests.unit.test_renode_files import make_report
from tinyflow.boards import load_board
from tinyflow.report.compare import compare, render_comparison
from tinyflow.report.fitted_table import Column, FittedTable
from tinyflow.report.profile_terminal import render_profile
from tinyflow.report.report_data import InferencesSection, LayerSection, Report, WorstSection
from tinyflow.report.terminal import render_report

WIDTHS = (80, 100, 120)
LONG = "functional_12/very_long_block_name_of_a_layer_{}/batch_normalization_fused/Relu6;and_more"
BIG = 1_234_567_890


def shown(what: RenderableType, width: int) -> str:
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(what)
    text = capture.get()
    assert all(len(line) <= width for line in text.splitlines())
    return text


def numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,.]*\d|\d", text)


def large_report(board_id: str = "stm32f746", **changes: object) -> Report:
    report = make_report(load_board(board_id))
    layer = report.layers[0]
    layers = tuple(
        LayerSection(
            name=LONG.format(index),
            operator=("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM", "CONV_2D")[index % 3],
            kernel="tinyflow_fully_connected_s8_packed_0_pairs_signed_with_a_long_name",
            macs=BIG + index,
            instructions=BIG,
            cycles=987_654_321 + index,
            ms=4572.474 + index,
            energy_uj=None,
            split=layer.split,
            generated=True,
            float32=index == 2,
        )
        for index in range(7)
    )
    cycles = sum(layer.cycles for layer in layers)
    latency = report.latency.model_copy(
        update={"instructions": 7 * BIG, "cycles": cycles, "ms": 32_007.321}
    )
    inferences = InferencesSection(
        vector=1,
        vectors=20,
        traced=3,
        fewest_instructions=7 * BIG - 1,
        most_instructions=7 * BIG + 1,
        worst=WorstSection(vector=2, instructions=7 * BIG, cycles=cycles + 7, ms=32_008.9),
    )
    ram = report.memory.ram.model_copy(
        update={"arena": 123_456_789, "stack": 4_096, "stack_peak": 1_016, "total": 234_567_890}
    )
    memory = report.memory.model_copy(update={"ram": ram})
    return report.model_copy(
        update={
            "layers": layers,
            "latency": latency,
            "inferences": inferences,
            "memory": memory,
            **changes,
        }
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_shows_every_number_whole(width: int) -> None:
    report = large_report()
    text = shown(render_report(report), width)
    found = numbers(text)
    for layer in report.layers:
        assert f"{layer.macs:,}" in found
        assert f"{layer.cycles:,}" in found
    for due in ("32007.32", "32008.90", "123,456,789", "4,096", "1,016", "234,567,890"):
        assert due in found
    inferences = report.inferences
    assert inferences is not None
    for figure in (inferences.fewest_instructions, inferences.worst.cycles):
        assert f"{figure:,}" in found
    # Names are shortened so that they still differ.
    rows = [line.split()[0] for line in text.splitlines() if "987,654" in line]
    assert len(rows) == len(report.layers)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_comparison_shows_every_number_whole(width: int, count: int) -> None:
    reports = [large_report(board) for board in ("stm32f746", "stm32l4r5")]
    folders = [Path(f"/builds/a-folder-with-a-rather-long-name-{n}/x") for n in range(count)]
    comparison = compare([reports[n % 2] for n in range(count)], folders)
    found = numbers(shown(render_comparison(comparison), width))
    for build in comparison.builds:
        for figure in (build.cycles, build.instructions, build.ram, build.arena):
            assert found.count(f"{figure:,}") >= count
    for layer in comparison.layers:
        assert found.count(f"{layer.ms[0]:.3f}") == count


@pytest.mark.parametrize("width", WIDTHS)
def test_a_profile_shows_every_number_whole(width: int) -> None:
    profile = make_profile()
    layers = tuple(
        layer.model_copy(update={"name": LONG.format(index), "cycles": BIG + index})
        for index, layer in enumerate(profile.layers)
    )
    functions = tuple(
        each.model_copy(
            update={"name": LONG.format(n), "self_cycles": BIG + n, "total_cycles": 9 * BIG + n}
        )
        for n, each in enumerate(profile.functions)
    )
    large = profile.model_copy(update={"layers": layers, "functions": functions})
    found = numbers(shown(render_profile(large, top=2), width))
    for layer in layers:
        assert f"{layer.cycles:,}" in found
    for each in functions:
        if each.self_share >= 0.001:
            assert f"{each.self_cycles:,}" in found and f"{each.total_cycles:,}" in found


def test_names_give_way_then_columns_then_the_table_is_continued() -> None:
    table = FittedTable(
        [
            Column("name", least=8),
            Column("kernel", optional=True),
            *(Column(f"n{index}", "number") for index in range(4)),
        ],
        title="a title",
    )
    for row in range(3):
        table.add_row(
            LONG.format(row), "kernel_name", *(f"{BIG * 10**i + row:,}" for i in range(4))
        )
    wide = shown(table, 200)
    assert LONG.format(0) in wide and "kernel_name" in wide
    narrow = shown(table, 75)
    assert "…" in narrow and "kernel" not in narrow
    for width in (75, 50, 30):
        found = numbers(shown(table, width))
        for row in range(3):
            for index in range(4):
                assert f"{BIG * 10**index + row:,}" in found
    assert shown(table, 30).count("name") > 1  # continued with the names again


def test_columns_are_headed_by_what_differs() -> None:
    one = large_report("stm32f746")
    other = large_report("stm32l4r5")
    ram = one.model_copy(update={"kernels": one.kernels.model_copy(update={"optimize": "ram"})})
    model = one.model_copy(update={"model": one.model.model_copy(update={"name": "other"})})

    def titles(reports: list[Report], *folders: str) -> list[str]:
        return [build.title for build in compare(reports, [*map(Path, folders)]).builds]

    assert titles([one, other]) == ["stm32f746", "stm32l4r5"]
    assert titles([one, ram]) == ["balanced", "ram"]
    assert titles([one, model]) == ["kws", "other"]
    assert titles([one, other, ram]) == [
        "stm32f746 balanced", "stm32l4r5 balanced", "stm32f746 ram"
    ]  # fmt: skip
    assert titles([one, one], "/x/before/b", "/x/after/b") == ["before", "after"]
    assert titles([one, one]) == ["1", "2"]
    assert titles([one, one], "/x/b", "/x/b") == ["1", "2"]
    assert titles([one]) == ["stm32f746"]
