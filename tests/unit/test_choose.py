# SPDX-License-Identifier: Apache-2.0
"""The choice of kernels: objectives, shared code, limits; with costs made up for it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tinyflow.boards import load_board
from tinyflow.costs.table import Cost, CostTable, FamilyCode, KernelCosts, step_cost
from tinyflow.ir.operators import Operator, Softmax
from tinyflow.kernels.base import Constant, Kernel, RowForm
from tinyflow.kernels.candidates import Candidates
from tinyflow.kernels.name import KernelName
from tinyflow.plan.schedule import Schedule
from tinyflow.selection.objective import BALANCED_LOSS_PERCENT, Limits
from tinyflow.selection.search import Choice, choose_kernels
from tinyflow.settings.project_file import KernelSet, Objective

BOARD = load_board("stm32l4r5")
ROWS = 10


@dataclass(frozen=True)
class Made:
    """A kernel's figures in one layer: cycles, bytes of constants and of scratch.

    With `row_cycles` it can compute a row in that many cycles.
    """

    cycles: int
    constants: int = 0
    scratch: int = 0
    row_cycles: int | None = None


#: Bytes of code of each kernel.
CODE = {"small": 100, "big": 4000, "generated/fast": 1000, "generated/faster": 2000}


def kernel(name: str, operator: Operator, made: Made) -> Kernel:
    generated = generated_name(name)
    values = np.full(made.constants, zlib.crc32(f"{name} {operator.name}".encode()) % 251, np.uint8)
    return Kernel(
        operator,
        name.removeprefix("generated/"),
        "tinyflow",
        f"{name}.c.j2" if generated else f"portable/{name}.c.j2",
        constants=(Constant("weights", "uint8_t", values, ""),) if made.constants else (),
        scratch=made.scratch,
        row_form=None
        if made.row_cycles is None
        else RowForm("row.c.j2", work={"cycles": made.row_cycles}),
        work={"cycles": made.cycles},
        name=generated,
    )


def generated_name(name: str) -> KernelName | None:
    """That of a kernel `generated/<name>`."""
    generated, _, rest = name.partition("generated/")
    return None if generated or not rest else KernelName(rest, "s8", "c")


def candidates(layers: Sequence[Mapping[str, Made]]) -> list[Candidates]:
    """Make candidates by kernel name.

    `generated/` begins generated ones, others are the library's.
    """
    found = []
    for index, layer in enumerate(layers):
        operator = Softmax(f"layer {index}", index, index + 1, 1.0)
        made = {name: kernel(name, operator, figures) for name, figures in layer.items()}
        generated = tuple(one for name, one in made.items() if name.startswith("generated/"))
        others = [one for name, one in made.items() if not name.startswith("generated/")]
        found.append(Candidates(operator, generated, others[0] if others else None))
    return found


def table(unknown: Sequence[str] = ()) -> CostTable:
    """A cycle a unit of work, for every kernel but the unknown ones."""
    known = {name: size for name, size in CODE.items() if name not in unknown}
    costs = KernelCosts(
        digest="", cycles={"cycles": 1.0}, instructions={}, points=1, error_percent=0.0
    )
    return CostTable(
        board="",
        model="",
        families={
            generated.family if (generated := generated_name(name)) else name: FamilyCode(
                functions={name: size}, layer_bytes=10
            )
            for name, size in known.items()
        },
        kernels={f"{generated_name(name) or name}": costs for name in known},
        sources=(),
    )


class Planner:
    """Every layer needs 1000 bytes and its scratch; all by rows, if they can, half of that."""

    def rows(self, kernel: Kernel) -> int:
        return ROWS

    def least(self, kernels: Sequence[Kernel]) -> int:
        whole = self.whole(kernels).peak
        return whole // 2 if all(one.row_form for one in kernels) else whole

    def whole(self, kernels: Sequence[Kernel]) -> Schedule:
        return Schedule(1000 + max(one.scratch for one in kernels), tuple(range(len(kernels))))

    def schedule(
        self, kernels: Sequence[Kernel], costs: Sequence[int], room: int
    ) -> Schedule | None:
        whole = self.whole(kernels)
        if whole.peak <= room:
            return whole
        least = self.least(kernels)
        return (
            replace(whole, peak=least, fused_blocks=((0, len(kernels)),)) if least <= room else None
        )

    def arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
        return schedule.peak

    def planned_arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
        return schedule.peak


def choose(
    layers: Sequence[Mapping[str, Made]],
    optimize: Objective = "speed",
    *,
    limits: Limits | None = None,
    kernels: KernelSet = "auto",
    costs: CostTable | None = None,
) -> Choice:
    return choose_kernels(
        candidates(layers),
        costs or table(),
        Planner(),
        BOARD,
        kernels=kernels,
        optimize=optimize,
        limits=limits,
    )


def names(choice: Choice) -> list[str]:
    return [one.function for one in choice.kernels]


TWO_KINDS = [
    {"generated/fast": Made(1000), "generated/faster": Made(900), "small": Made(3000)},
    {"generated/fast": Made(500), "generated/faster": Made(600), "small": Made(1000)},
]


def test_speed_takes_the_fewest_cycles_of_each_layer() -> None:
    choice = choose(TWO_KINDS)
    assert names(choice) == ["faster", "fast"]
    assert choice.totals is not None
    assert choice.totals.cycles == 1400
    assert choice.totals.flash == 1000 + 2000 + 2 * 10


def test_speed_takes_the_smaller_of_equals() -> None:
    assert names(choose([{"generated/faster": Made(10), "generated/fast": Made(10)}])) == ["fast"]


def test_size_pays_shared_code_once() -> None:
    """Alone, every layer is smaller with other code; together they share one code."""
    layers = [
        {"small": Made(10, constants=500), "generated/fast": Made(9, constants=200 + index)}
        for index in range(5)
    ]
    assert names(choose(layers, "size")) == ["fast"] * 5
    assert names(choose(layers[:1], "size")) == ["small"]


def test_size_shares_constants_of_the_same_content() -> None:
    operator = Softmax("a", 0, 1, 1.0)
    shared = kernel("generated/fast", operator, Made(1, constants=5000))
    again = Kernel(
        Softmax("b", 1, 2, 1.0), "fast", "tinyflow", "generated/fast.c.j2",
        constants=shared.constants, work={"cycles": 1}, name=shared.name,
        )  # fmt: skip
    found = [Candidates(one.operator, (one,), None) for one in (shared, again)]
    totals = choose_kernels(found, table(), Planner(), BOARD, optimize="size").totals
    assert totals is not None
    assert totals.flash == 5000 + 1000 + 2 * 10


def test_ram_asks_the_planner_and_then_takes_the_fastest() -> None:
    layers = [
        {"generated/faster": Made(10, scratch=900), "generated/fast": Made(20, scratch=100)},
        {"generated/faster": Made(10, scratch=90), "generated/fast": Made(20)},
    ]
    choice = choose(layers, "ram")
    assert names(choice) == ["fast", "faster"]
    assert choice.totals is not None
    assert choice.totals.arena == 1100


def test_plans_decide_where_estimates_mislead() -> None:
    """The best for flash needs least RAM as well, which the search does not see."""

    class Misled(Planner):
        def arena(self, kernels: Sequence[Kernel], schedule: Schedule) -> int:
            return schedule.peak + (500 if kernels[0].function == "small" else 0)

    found = candidates([{"generated/faster": Made(10, scratch=300), "small": Made(20)}])
    choice = choose_kernels(found, table(), Misled(), BOARD, optimize="ram")
    assert names(choice) == ["small"]
    assert choice.totals is not None
    assert choice.totals.arena == 1000


def test_balanced_refuses_much_flash_for_little_gain() -> None:
    layers = [{"generated/fast": Made(1000), "big": Made(990)}]
    assert names(choose(layers, "speed")) == ["big"]
    assert names(choose(layers, "balanced")) == ["fast"]


def test_balanced_never_gives_up_much_speed() -> None:
    slower = 1000 + 10 * BALANCED_LOSS_PERCENT + 1
    layers = [{"generated/faster": Made(1000), "small": Made(slower)}]
    assert names(choose(layers, "balanced")) == ["faster"]
    assert names(choose(layers, "size")) == ["small"]


@pytest.mark.parametrize(
    ("limits", "due"),
    [
        (Limits(), ["faster", "fast"]),
        (Limits(flash=2100), ["fast", "fast"]),
        (Limits(flash=200), ["small", "small"]),
        (Limits(flash=1), ["small", "small"]),
    ],
)
def test_speed_moves_to_what_fits_a_flash(limits: Limits, due: list[str]) -> None:
    assert names(choose(TWO_KINDS, "speed", limits=limits)) == due


def test_size_moves_to_what_is_fast_enough() -> None:
    assert names(choose(TWO_KINDS, "size")) == ["small", "small"]
    choice = choose(TWO_KINDS, "size", limits=Limits(cycles=2000))
    assert names(choice) == ["fast", "fast"]


def test_speed_moves_to_what_fits_an_arena() -> None:
    layers = [{"generated/faster": Made(10, scratch=900), "generated/fast": Made(20, scratch=100)}]
    assert names(choose(layers, limits=Limits(arena=1900))) == ["faster"]
    assert names(choose(layers, limits=Limits(arena=1899))) == ["fast"]


@pytest.mark.parametrize(
    ("kernels", "due"),
    [
        ("auto", ["small", "small", "fast"]),
        ("generated", ["fast", "small", "fast"]),
        ("cmsis-nn", ["small", "small", "fast"]),
    ],
)
def test_what_may_serve(kernels: KernelSet, due: list[str]) -> None:
    """If nothing that is asked for supports a layer, other kernels are allowed."""
    layers = [
        {"generated/fast": Made(20), "small": Made(10)},
        {"small": Made(10)},
        {"generated/fast": Made(5)},
    ]
    assert names(choose(layers, kernels=kernels)) == due


def test_without_costs_the_first_is_taken() -> None:
    choice = choose_kernels(candidates(TWO_KINDS), None, Planner(), BOARD)
    assert names(choice) == ["fast", "fast"]
    assert choice.totals is None


def test_a_kernel_without_a_cost_gives_way_to_one_that_has_it() -> None:
    layers = [{"generated/fast": Made(1000), "small": Made(1)}]
    assert names(choose(layers, costs=table(unknown=["small"]))) == ["fast"]
    choice = choose(layers, costs=table(unknown=["small", "generated/fast"]))
    assert names(choice) == ["fast"]
    assert choice.totals is None


def test_all_options_are_told() -> None:
    choice = choose(TWO_KINDS, kernels="cmsis-nn")
    options = choice.options_of(choice.kernels[0].operator)
    assert [option.kernel.function for option in options] == ["fast", "faster", "small"]
    assert [option.cost.cycles for option in options if option.cost] == [1000, 900, 3000]
    assert [option.flash for option in options] == [1010, 2010, 110]


def test_layers_that_are_alike_are_decided_together() -> None:
    layers = [{"generated/fast": Made(10), "generated/faster": Made(9)}] * 3
    assert names(choose(layers)) == ["faster"] * 3


def test_balanced_runs_by_rows_what_little_speed_is_lost_by() -> None:
    layers = [{"generated/fast": Made(1_000_000, row_cycles=100_100)}]
    choice = choose(layers, "balanced")
    turns = step_cost(RowForm("row.c.j2"), BOARD)
    assert choice.schedule.by_rows == (0,)
    assert choice.by_rows == Cost(1000 + ROWS * turns.cycles, ROWS * turns.instructions)
    assert choice.totals is not None
    assert choice.totals.cycles == 1_000_000 + choice.by_rows.cycles
    assert choice.totals.arena == 500
    assert not choose(layers, "speed").schedule.by_rows
    # More than `balanced` may lose.
    layers = [{"generated/fast": Made(1_000_000, row_cycles=112_000)}]
    assert not choose(layers, "balanced").schedule.by_rows
    assert choose(layers, "ram").schedule.by_rows == (0,)


@pytest.mark.parametrize("optimize", ["speed", "size", "balanced", "ram"])
def test_a_kernel_that_can_compute_rows_is_taken_where_only_rows_fit(optimize: Objective) -> None:
    layers = [
        {"generated/fast": Made(1_000_000), "generated/faster": Made(1_300_000, row_cycles=131_000)}
    ]
    if optimize != "ram":
        assert names(choose(layers, optimize)) == ["fast"]
    choice = choose(layers, optimize, limits=Limits(arena=600))
    assert names(choice) == ["faster"]
    assert choice.schedule.by_rows == (0,)
