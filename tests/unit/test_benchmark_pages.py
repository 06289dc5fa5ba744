# SPDX-License-Identifier: Apache-2.0
"""Baselines of the benchmarks, and the tables that they write."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import others, pages


def test_the_best_published_result_is_the_one_with_the_fewest_cycles() -> None:
    best = {
        (board, model): others.best_published(board, model)
        for board in ("stm32l4r5", "stm32f746")
        for model in ("kws", "ic", "vww", "ad")
    }
    found = {
        key: (round(each.cycles / 1e6, 3), each.engine)
        for key, each in best.items()
        if each is not None
    }
    assert found == {
        ("stm32l4r5", "kws"): (5.182, "ST X-CUBE-AI"),
        ("stm32l4r5", "ic"): (19.815, "ST X-CUBE-AI"),
        ("stm32l4r5", "vww"): (10.671, "ST X-CUBE-AI"),
        ("stm32l4r5", "ad"): (0.486, "Plumerai"),
        ("stm32f746", "kws"): (3.834, "Plumerai"),
        ("stm32f746", "ic"): (13.299, "Bosch HALE"),
        ("stm32f746", "vww"): (7.361, "Plumerai"),
        ("stm32f746", "ad"): (0.308, "Bosch HALE"),
    }
    assert others.best_published("nrf52840", "kws") is None


def test_every_bar_but_one_is_below_what_is_published() -> None:
    cycles = [bar for bar in others.BARS if bar.figure == "cycles" and bar.board]
    assert len(cycles) == 8
    above = []
    for bar in cycles:
        published = others.best_published(bar.board or "", bar.model)
        assert published is not None
        if bar.most > published.cycles:
            above.append((bar.board, bar.model))
    assert above == [("stm32f746", "ad")]


def test_a_section_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n<!-- measured: one -->\nold\n<!-- end measured -->\nB\n"
        "<!-- measured: two -->\n<!-- end measured -->\n"
    )
    text = pages.table(("name", "value"), [("a", "1\\2"), ("b", "3")])
    pages.write("one", text, page)
    assert page.read_text() == (
        "# A\n<!-- measured: one -->\n\n| name | value |\n| --- | ---: |\n| a | 1\\2 |\n"
        "| b | 3 |\n\n<!-- end measured -->\nB\n<!-- measured: two -->\n<!-- end measured -->\n"
    )
    with pytest.raises(ValueError, match="0 places for three"):
        pages.write("three", text, page)


@pytest.mark.parametrize(
    "name", ["mlperf-tiny-stm32l4r5", "mlperf-tiny-stm32f746", "published", "untuned"]
)
def test_the_page_of_figures_has_each_section_once(name: str) -> None:
    assert pages.PERFORMANCE.read_text().count(f"<!-- measured: {name} -->\n") == 1
