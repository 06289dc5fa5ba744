# SPDX-License-Identifier: Apache-2.0
"""Choice of constants that are copied to RAM: by their wait states, their size, and the RAM's
speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from tinyflow.boards import Board, DataRam, load_board
from tinyflow.codegen.platformio_project import linker_script
from tinyflow.plan.constants_in_ram import (
    HOT,
    LEAST_GAIN,
    ArrayUse,
    PlacedWeights,
    ReadProfile,
    place_weights,
)
from tinyflow.plan.in_ram import InRam

CYCLES = 1_000_000
PLENTY = 1 << 20
FAST = DataRam(0x20001000, 40_000)
SLOW = DataRam(0x20040000, 200_000, burst_cycles=Decimal("1.5"))
CACHED = DataRam(0x20040000, 200_000, miss_cycles=Decimal(5))


class Reads(ReadProfile):
    """A profile in which arrays do not disturb each other, by name (size, misses, bursts)."""

    def __init__(self, rams: list[DataRam], **arrays: tuple[int, int, int]) -> None:
        self.cycles = CYCLES
        self.miss_cycles = Decimal(5)
        self.arrays = {name: ArrayUse(*use) for name, use in arrays.items()}
        self._rams = rams

    def waits_with(self, moved: Mapping[str, int]) -> int:
        total = Decimal(0)
        for name, use in self.arrays.items():
            ram = next(
                (r for r in self._rams if 0 <= moved.get(name, -1) - r.origin < r.size), None
            )
            if ram is None:
                total += use.misses * self.miss_cycles
            else:
                total += use.misses * ram.miss_cycles + use.bursts * ram.burst_cycles
        return int(total)


def placed(
    rams: list[DataRam], capacity: int = PLENTY, **arrays: tuple[int, int, int]
) -> list[PlacedWeights]:
    return list(place_weights(Reads(rams, **arrays), rams, capacity))


def names(rams: list[DataRam], capacity: int = PLENTY, **arrays: tuple[int, int, int]) -> set[str]:
    return {name for group in placed(rams, capacity, **arrays) for name in group.arrays}


def test_arrays_lie_one_behind_the_other_at_whole_words() -> None:
    (group,) = placed([FAST], a=(1_001, 20_000, 0), b=(30, 600, 0), never=(5_000, 0, 0))
    assert group == PlacedWeights(0x20001000, 40_000, ("a", "b"), 1_004 + 32, 5 * 20_600)


def test_little_waiting_is_not_worth_it() -> None:
    enough = int(LEAST_GAIN * CYCLES) // 5
    assert names([FAST], a=(1_000, enough - 1, 0)) == set()
    assert names([FAST], a=(1_000, enough, 0)) == {"a"}
    assert names([FAST], a=(1_000, enough // 2, 0), b=(500, enough // 2, 0)) == {"a", "b"}


def test_what_is_read_once_stays_where_only_hot_arrays_are_asked_for() -> None:
    once, often = (30_000, 5_000, 0), (6_000, 12_000, 0)
    assert names([FAST], once=once) == {"once"}
    assert not place_weights(Reads([FAST], once=once), [FAST], PLENTY, HOT)
    (group,) = place_weights(Reads([FAST], once=once, often=often), [FAST], PLENTY, HOT)
    assert group.arrays == ("often",)


def test_what_waits_most_for_each_byte_comes_first_when_room_is_short() -> None:
    arrays: dict[str, Any] = {
        "large": (30_000, 20_000, 0),
        "dense": (2_000, 9_000, 0),
        "thin": (900, 500, 0),
    }
    assert names([FAST], **arrays) == {"large", "dense", "thin"}
    assert names([FAST], 5_000, **arrays) == {"dense", "thin"}
    assert names([FAST], 1_000, **arrays) == set()
    assert names([], **arrays) == set()


@pytest.mark.parametrize("order", [1, -1])
def test_the_faster_ram_is_filled_first_and_the_next_takes_the_rest(order: int) -> None:
    first, second = placed(
        [FAST, SLOW][::order], a=(30_000, 60_000, 9_000), b=(30_000, 50_000, 9_000)
    )
    assert (first.origin, first.arrays, first.gain) == (FAST.origin, ("a",), 300_000)
    assert (second.origin, second.arrays, second.gain) == (SLOW.origin, ("b",), 250_000 - 13_500)


def test_a_ram_that_is_no_faster_takes_nothing() -> None:
    assert names([CACHED], a=(30_000, 60_000, 9_000)) == set()
    assert names([SLOW], a=(30_000, 60_000, 180_000)) == {"a"}
    pays: dict[str, Any] = {"a": (30_000, 60_000, 9_000)}
    assert names([SLOW], **pays, b=(30_000, 6_000, 19_000)) == {"a", "b"}
    assert names([SLOW], **pays, b=(30_000, 6_000, 20_000)) == {"a"}


def test_the_ram_for_data_is_cut_where_its_speed_changes() -> None:
    rams = {board: load_board(board).data_rams() for board in ("stm32l4r5", "stm32f746")}
    assert rams["stm32l4r5"] == (
        DataRam(0x20000000, 256 * 1024),
        DataRam(0x20040000, 384 * 1024, burst_cycles=Decimal("1.3")),
    )
    assert rams["stm32f746"] == (
        DataRam(0x20000000, 64 * 1024),
        DataRam(0x20010000, 256 * 1024, miss_cycles=Decimal(4)),
    )
    (only,) = load_board("stm32f407").data_rams()
    assert (only.size, only.burst_cycles) == (128 * 1024, Decimal("0.5"))
    assert load_board("nrf52840").data_rams() == (DataRam(0x20000000, 256 * 1024),)


def test_a_part_that_holds_code_is_left_out() -> None:
    board = load_board("stm32l4r5")
    fast, slow = board.data_rams(without=board.code_ram)
    assert (fast.origin, fast.size) == (0x20000000, 192 * 1024)
    assert slow.origin == 0x20040000
    other = load_board("stm32f746")
    assert other.data_rams(without=other.code_ram) == other.data_rams()  # ITCM is no RAM for data


def test_what_is_left_behind_the_data() -> None:
    assert FAST.behind(0x20000000) == FAST
    assert FAST.behind(0x20001010) == DataRam(0x20001010, 40_000 - 16)
    assert FAST.behind(0x20100000).size == 0


def script(board: Board, *groups: PlacedWeights) -> str:
    return linker_script(board, InRam(weights=groups))


def test_the_linker_script_has_a_section_for_each_ram() -> None:
    board = load_board("stm32l4r5")
    text = script(
        board,
        PlacedWeights(0x20001000, 4096, ("net_a",), 100, 10),
        PlacedWeights(0x20040000, 8192, ("net_b", "net_c"), 100, 10),
    )
    assert "WEIGHTS_1 (r) : ORIGIN = 0x20001000, LENGTH = 4096 /* SRAM1 */" in text
    assert "WEIGHTS_2 (r) : ORIGIN = 0x20040000, LENGTH = 8192 /* SRAM3 */" in text
    assert text.index("*(.rodata.tinyflow_weights.net_b)") < text.index(
        "*(.rodata.tinyflow_weights*)"
    )
    assert "ram_weights" not in script(board)
