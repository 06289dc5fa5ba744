# SPDX-License-Identifier: Apache-2.0
"""Choice of functions that are moved to RAM: by wait states, size, and callers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from tinyflow.plan.code_in_ram import (
    DETOUR_CYCLES,
    LEAST_GAIN,
    CodePlacement,
    CodeUse,
    FetchProfile,
    place_code,
)

CYCLES = 1_000_000
PLENTY = 1 << 16


class Fetches(FetchProfile):
    """A profile in which functions do not disturb each other in the cache."""

    def __init__(
        self,
        functions: Mapping[str, tuple[int, int]],
        calls: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        self.cycles = CYCLES
        self.functions = {name: CodeUse(*use) for name, use in functions.items()}
        self.calls = calls or {}

    def waits_without(self, moved: Collection[str]) -> int:
        return sum(use.waits for name, use in self.functions.items() if name not in moved)


def functions(placement: CodePlacement | None) -> tuple[str, ...]:
    assert placement is not None
    return placement.functions


def test_what_waits_is_moved_and_what_does_not_stays() -> None:
    fetches = Fetches({"loop": (2_000, 100_000), "once": (3_000, 900), "small": (100, 0)})
    placement = place_code(fetches, PLENTY)
    assert placement == CodePlacement(("loop",), 2_000, 100_000, CYCLES)


def test_little_waiting_is_not_worth_it() -> None:
    enough = int(LEAST_GAIN["speed"] * CYCLES)
    assert place_code(Fetches({"loop": (2_000, enough - 1)}), PLENTY) is None
    assert functions(place_code(Fetches({"loop": (2_000, enough)}), PLENTY)) == ("loop",)


def test_balance_asks_for_more_and_size_and_ram_for_none() -> None:
    fetches = Fetches({"loop": (2_000, int(LEAST_GAIN["balanced"] * CYCLES) - 1)})
    assert place_code(fetches, PLENTY, "speed") is not None
    assert place_code(fetches, PLENTY, "balanced") is None
    most = Fetches({"loop": (2_000, 900_000)})
    assert place_code(most, PLENTY, "balanced") is not None
    assert place_code(most, PLENTY, "size") is place_code(most, PLENTY, "ram") is None


def test_what_waits_most_for_its_size_comes_first_when_room_is_short() -> None:
    fetches = Fetches({"large": (8_000, 90_000), "dense": (1_000, 60_000), "thin": (900, 30_000)})
    assert functions(place_code(fetches, PLENTY)) == ("dense", "large", "thin")
    assert functions(place_code(fetches, 8_500)) == ("dense", "thin")
    assert place_code(fetches, 500) is None


def test_a_caller_follows_where_calls_would_go_to_and_fro_too_often() -> None:
    sizes = {"kernel": (2_000, 100_000), "driver": (500, 0), "layer": (80, 0)}
    seldom = Fetches(sizes, {("driver", "kernel"): 10, ("layer", "driver"): 1})
    placement = place_code(seldom, PLENTY)
    assert functions(placement) == ("kernel",)
    assert placement is not None and placement.gain == 100_000 - 10 * DETOUR_CYCLES
    often = Fetches(sizes, {("driver", "kernel"): 5_000, ("layer", "driver"): 1})
    placement = place_code(often, PLENTY)
    assert functions(placement) == ("driver", "kernel")
    assert placement is not None and placement.gain == 100_000 - DETOUR_CYCLES


def test_so_does_what_is_called() -> None:
    fetches = Fetches(
        {"kernel": (2_000, 100_000), "helper": (60, 0)}, {("kernel", "helper"): 20_000}
    )
    assert functions(place_code(fetches, PLENTY)) == ("helper", "kernel")


def test_detours_may_cost_more_than_is_saved() -> None:
    fetches = Fetches(
        {"kernel": (2_000, 25_000), "driver": (500, 0)}, {("driver", "kernel"): 1_000}
    )
    assert place_code(fetches, 2_100) is None  # no room for both


@pytest.mark.parametrize("order", [1, -1])
def test_the_choice_does_not_hang_on_the_order(order: int) -> None:
    sizes = {f"f{index}": (1_000, 20_000) for index in range(6)}
    fetches = Fetches(dict(list(sizes.items())[::order]))
    placement = place_code(fetches, 4 * 1_100)
    assert functions(placement) == ("f0", "f1", "f2", "f3")
