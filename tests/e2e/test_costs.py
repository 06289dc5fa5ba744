# SPDX-License-Identifier: Apache-2.0
"""Predicted cycles against modelled ones, on layers that no table was fitted to."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.convolutions import conv
from tests.conformance.driver import Case, model_of
from tests.conformance.windows import NONE, RELU, VALID, depthwise, fully_connected, pool
from tests.support.small_model import small_model
from tinyflow.boards import Board, load_board
from tinyflow.costs.board_costs import board_costs
from tinyflow.costs.table import shipped_costs
from tinyflow.costs.trial import Trial
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Softmax
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.plan.memory import Planner
from tinyflow.progress import Progress
from tinyflow.selection.search import Choice, choose_kernels
from tinyflow.storage.cache import Cache
from tinyflow.tflite.importer import import_model

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

#: Errors stated in docs/kernels.md: of a layer, of many layers together, of the choice.
LAYER_ERROR, TOTAL_ERROR, LOSS = 0.3, 0.1, 0.1

LAYERS: dict[str, Case] = {
    "pointwise": conv(size=(9, 11), cin=20, cout=28, kernel=(1, 1), activation=RELU),
    "pointwise, deep": conv(size=(5, 5), cin=96, cout=40, kernel=(1, 1), activation=RELU),
    "3x3": conv(size=(13, 9), cin=12, cout=16, activation=RELU),
    "3x3, strided": conv(size=(15, 15), cin=16, cout=24, stride=(2, 2), activation=RELU),
    "3x3, of colours": conv(size=(20, 20), cin=3, cout=12, stride=(2, 2), activation=RELU),
    "5x5, valid": conv(size=(10, 12), cin=8, cout=8, kernel=(5, 5), padding=VALID),
    "depthwise": depthwise(size=(14, 14), channels=24, activation=RELU),
    "depthwise, strided": depthwise(size=(15, 15), channels=40, stride=(2, 2), activation=NONE),
    "product": fully_connected((1, 200), 50, activation=RELU),
    "product, small": fully_connected((1, 40), 10),
    "average": pool("AVERAGE_POOL_2D", size=(6, 6), kernel=(6, 6), channels=40, padding=VALID),
}


def layer(name: str) -> Graph:
    return import_model(model_of({name: LAYERS[name]}), Path("layer.tflite"), name="net")


def chosen(graph: Graph, board: Board) -> Choice:
    cmsis = find_cmsis_nn()
    return choose_kernels(
        [candidates(operator, graph, board, cmsis) for operator in graph.operators],
        shipped_costs(board),
        Planner(graph),
        board,
        optimize="speed",
    )


def modelled(graph: Graph, kernel: Kernel, board: Board) -> int:
    rng = np.random.default_rng(0)
    inputs = [rng.integers(-128, 128, one.shape).astype(np.int8) for one in graph.input_tensors()]
    (timing,) = Trial(graph, [kernel], board, find_cmsis_nn()).time(*inputs, warm=False).layers
    return timing.cycles


@pytest.mark.parametrize("name", ["stm32l4r5", "stm32f746"])
def test_predictions_hold(name: str) -> None:
    board = load_board(name)
    found = {}
    for title in LAYERS:
        graph = layer(title)
        choice = chosen(graph, board)
        for option in choice.options[0]:
            if option.kernel in (choice.kernels[0], choice.options[0][-1].kernel):
                assert option.cost is not None
                cycles = modelled(graph, option.kernel, board)
                found[title, option.kernel.function] = (option.cost.cycles, cycles)
    wrong = {
        key: f"{predicted:,} for {cycles:,}"
        for key, (predicted, cycles) in found.items()
        if abs(predicted - cycles) > LAYER_ERROR * cycles
    }
    assert not wrong
    predicted, cycles = (sum(column) for column in zip(*found.values(), strict=True))
    assert predicted == pytest.approx(cycles, rel=TOTAL_ERROR)


@pytest.mark.parametrize("title", ["pointwise", "3x3", "depthwise, strided", "product"])
def test_the_choice_is_among_the_fastest(title: str) -> None:
    board, graph = load_board("stm32l4r5"), layer(title)
    choice = chosen(graph, board)
    cycles = [modelled(graph, option.kernel, board) for option in choice.options[0]]
    taken = cycles[[option.kernel for option in choice.options[0]].index(choice.kernels[0])]
    assert taken <= (1 + LOSS) * min(cycles)


def test_a_board_without_a_table_is_measured_once(tmp_path: Path) -> None:
    board = load_board("stm32l4r5")
    assert board.timing is not None
    timing = board.timing.model_copy(update={"wait_states": 3})
    mine = board.model_copy(update={"id": "mine", "timing": timing})
    assert shipped_costs(mine) is None
    stages: list[str] = []

    class Stages(Progress):
        def stage(self, name: str) -> None:
            stages.append(name)

    cache, cmsis = Cache(tmp_path), find_cmsis_nn()
    first = board_costs(mine, [Softmax], cmsis, cache, Stages())
    again = board_costs(mine, [Softmax], cmsis, cache, Stages())
    assert first == again
    assert stages == ["measure the kernels of SOFTMAX on mine, this once"]
    graph = import_model(small_model(), Path("small.tflite"), name="net")
    (softmax,) = (one for one in graph.operators if isinstance(one, Softmax))
    for kernel in candidates(softmax, graph, mine, cmsis).kernels:
        cost = first.cost(kernel)
        assert cost is not None and cost.cycles > 0
