# SPDX-License-Identifier: Apache-2.0
"""The choice of kernels on drawn networks: no build is worse in all respects than another one.

`--networks=300` is the full run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tests.support.drawn_cnns import drawn_cnn
from tests.support.row_networks import row_network
from tinyflow.boards import load_board
from tinyflow.costs.table import shipped_costs
from tinyflow.costs.trial import Trial
from tinyflow.ir.graph import Graph
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.report.prediction import MOST_OFF_PERCENT
from tinyflow.selection.objective import Limits, Totals, broken
from tinyflow.selection.select import Found, Selection, find, select
from tinyflow.settings.project_file import Objective
from tinyflow.tflite.importer import import_model

pytestmark = pytest.mark.slow

BOARDS = ("stm32l4r5", "stm32f746")
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
#: How limits are drawn from the least and the greatest figure of builds without any: a part of the
#: least, which cannot be kept, or how far above it.
LEVELS = ((0.7, 0.7), (1.1, 1.1), (1.3, 0.8), (0.8, 1.3), (1.6, 1.0))

Figures = tuple[int, int, int]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("networks")))


def network(seed: int) -> bytes:
    return row_network(seed) if seed % 3 == 0 else drawn_cnn(seed)


@lru_cache(maxsize=2)
def imported(seed: int) -> Graph:
    return import_model(network(seed), Path("net.tflite"), name="net")


@lru_cache(maxsize=2)
def found(seed: int, board: str) -> Found:
    target = load_board(board)
    return find(imported(seed), target, find_cmsis_nn(), lambda undecided: shipped_costs(target))


def figures(selection: Selection) -> Figures:
    """Cycles, flash and arena."""
    choice, totals = selection.choice, selection.totals
    if totals is None:  # an operator without a cost has one kernel only
        known = choice.known_totals
        return known.cycles, known.flash, selection.plan.arena_size
    assert totals.arena == selection.plan.arena_size
    return totals.cycles, totals.flash, totals.arena


def drawn_limits(seed: int, builds: list[Figures]) -> Iterator[tuple[Objective, Limits]]:
    """Pairs of limits, some that can be kept and some that cannot."""
    least, most = (np.array([pick(column) for column in zip(*builds, strict=True)])
                   for pick in (min, max))  # fmt: skip
    names = ("cycles", "flash", "arena")
    turn = seed
    for pair in combinations(range(3), 2):
        for levels in LEVELS:
            limits = {
                names[index]: int(
                    least[index] * level
                    if level < 1
                    else least[index] + (most[index] - least[index]) * (level - 1)
                )
                for index, level in zip(pair, levels, strict=True)
            }
            yield OBJECTIVES[turn % len(OBJECTIVES)], Limits(**limits)
            turn += 1


@pytest.mark.parametrize("board", BOARDS)
def test_no_build_is_worse_in_all_respects_than_another(board: str, seed: int) -> None:
    builds = {
        (optimize, Limits()): figures(found(seed, board).best(optimize, Limits()))
        for optimize in OBJECTIVES
    }
    for optimize, limits in drawn_limits(seed, list(builds.values())):
        builds[optimize, limits] = figures(found(seed, board).best(optimize, limits))
    worse = [
        f"{asked}: {build}, but {other}: {better}"
        for asked, build in builds.items()
        for other, better in builds.items()
        if all(a > b for a, b in zip(build, better, strict=True))
    ]
    assert not worse
    # A limit that another build keeps is kept, if there is no other.
    for (_, limits), build in builds.items():
        kept = [each for each in builds.values() if not broken(Totals(*each), limits)]
        assert not kept or not broken(Totals(*build), limits)


def test_limits_that_cannot_be_kept_are_named_with_the_nearest_builds() -> None:
    target, graph = load_board("stm32l4r5"), imported(2)
    free = figures(found(2, "stm32l4r5").best("balanced", Limits()))
    limits = Limits(cycles=free[0] // 20, arena=free[2] // 4)
    selection = select(
        graph, target, find_cmsis_nn(), lambda undecided: shipped_costs(target), limits=limits
    )
    assert selection.totals is not None
    assert "cycles" in selection.broken
    nearest = {one.limit: one for one in selection.nearest}
    assert set(nearest) == {"cycles", "arena"}
    assert nearest["arena"].kept and nearest["arena"].totals.arena <= free[2] // 4
    assert not nearest["cycles"].kept
    assert nearest["cycles"].totals.cycles <= selection.totals.cycles


def test_slow_kernels_serve_only_a_limit_that_nothing_else_keeps() -> None:
    network = found(2, "stm32l4r5")

    def slow(optimize: Objective, limits: Limits) -> list[str]:
        chosen = network.best(optimize, limits).choice.kernels
        return [one.function for one in chosen if one.variant == "row by row"]

    least = network.best("ram", Limits())
    for optimize in OBJECTIVES:
        assert not slow(optimize, Limits())
        assert not slow(optimize, Limits(arena=least.plan.arena_size))
    tight = Limits(arena=least.plan.arena_size * 9 // 10)
    assert slow("speed", tight)
    assert network.best("speed", tight).plan.arena_size <= least.plan.arena_size * 9 // 10
    # What cannot be kept anyway is no reason for them.
    assert not slow("ram", Limits(cycles=1, arena=1))


@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no cross-compiler")
@pytest.mark.parametrize("board", BOARDS)
def test_measured_cycles_are_as_predicted(board: str, pytestconfig: pytest.Config) -> None:
    """One network in ten, in the least memory without slow kernels and in a tenth less."""
    predicted = measured = 0
    for seed in range(2, max(3, pytestconfig.getoption("networks")), 10):
        least = found(seed, board).best("ram", Limits())
        tight = Limits(arena=least.plan.arena_size * 9 // 10)
        optimize = OBJECTIVES[seed // 10 % len(OBJECTIVES)]
        for selection in (least, found(seed, board).best(optimize, tight)):
            pairs = list(ran(seed, board, selection))
            predicted += sum(pair[0] for pair in pairs)
            measured += sum(pair[1] for pair in pairs)
            assert pairs
    assert predicted == pytest.approx(measured, rel=MOST_OFF_PERCENT / 100)


def ran(seed: int, board: str, selection: Selection) -> Iterator[tuple[int, int]]:
    """Predicted and modelled cycles of each layer of a built network."""
    graph, choice = imported(seed), selection.choice
    trial = Trial(graph, choice.kernels, load_board(board), find_cmsis_nn(), plan=selection.plan)
    shape = next(graph.input_tensors()).shape
    sample = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    timing = trial.time(sample, warm=False)
    for layer, timed in zip(trial.code.layers, timing.layers, strict=True):
        known = choice.predicted_cycles(layer.kernel.operator)
        if known is not None:
            yield known, timed.cycles
