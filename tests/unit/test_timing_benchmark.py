# SPDX-License-Identifier: Apache-2.0
"""The measurements and loops of `benchmarks/timing`, as far as they are quick."""

from __future__ import annotations

import pytest

from benchmarks.timing.micro import LOOPS, Loop
from tests.support.bare_firmware import needs_gcc
from tinyflow.boards import load_board
from tinyflow.timing.validation_points import POINT_SETS, TimedProgram

pytestmark = [needs_gcc, pytest.mark.slow]

#: Instructions of an inference: GCC 12.2, -O2.
INSTRUCTIONS = {
    "fc_cmsis_nn": 2_395,
    "fc_portable": 5_071,
    "mlp_portable": 5_092,
    "mlp_dsp": 6_098,
    "conv_portable": 17_394,
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_networks_timed_on_the_nrf52840(name: str) -> None:
    pytest.importorskip("bakenn", reason="the extra cmsis-nn is not installed")
    from benchmarks.timing.bakenn_workloads import BOARD, WORKLOADS

    (workload,) = (item for item in WORKLOADS if item.name == name)
    first, again = (workload.measure(load_board(BOARD)) for _ in range(2))
    assert first.timing == again.timing
    assert first.timing.instructions == INSTRUCTIONS[name]
    assert first.timing.cycles == pytest.approx(workload.published_cycles, rel=0.05)
    listed = [program for points in POINT_SETS for program in points.programs]
    assert TimedProgram(name, workload.published_cycles, first.timing.cycles) in listed


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: f"{loop.board} {loop.name}")
def test_loops_take_what_the_manuals_say(loop: Loop) -> None:
    figures = loop.measure()
    assert loop.keeps(*figures), figures
    assert not loop.keeps(figures[0] + 1, figures[1])
    assert not loop.keeps(figures[0], loop.cycles[1] + 0.1)
