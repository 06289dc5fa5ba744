# SPDX-License-Identifier: Apache-2.0
"""Winograd's convolution, every variant on an M4 and an M7, compared with the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.convolutions import conv
from tests.conformance.driver import model_of
from tests.conformance.windows import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, grouped_conv
from tests.support.generated import check_variants
from tests.support.rewritten import optimised
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.costs.trial import Trial
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.kernels.generated.registry import generated_kernels
from tinyflow.oracle.oracle import Oracle
from tinyflow.tflite.importer import import_model

FUNCTION = "tinyflow_conv_winograd"
BOARDS = ("stm32l4r5", "stm32f746")

CASES: dict[str, dict[str, Any]] = {
    "whole tiles": {"size": (8, 8), "cin": 16, "cout": 4, "activation": RELU},
    "tiles that overlap": {"size": (7, 9), "cin": 8, "cout": 3},
    "valid": {"size": (6, 11), "cin": 4, "cout": 2, "padding": VALID, "activation": RELU6},
    "one tile": {"size": (4, 4), "cin": 12, "cout": 5, "activation": RELU_N1_TO_1},
    "2x2 only": {"size": (2, 3), "cin": 20, "cout": 1, "zero_points": (-128, 127)},
    "batch": {"size": (5, 4), "cin": 4, "cout": 3, "batch": 2, "zero_points": (127, -128)},
    "per tensor, no bias": {"size": (5, 8), "cin": 32, "cout": 2, "per_channel": False}
    | {"bias": False},
    "saturates": {"size": (4, 5), "cin": 8, "cout": 2, "scale": 0.2},
    "vanishes": {"size": (4, 4), "cin": 8, "cout": 2, "scale": 1e-9},
}


def check(model: bytes, board: str, *, sides: int = 2) -> None:
    tried = check_variants(model, load_board(board), vectors=1, function=FUNCTION)
    assert len({kernel.context["side"] for kernel in tried}) == sides


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", CASES)
def test_it_is_exact(name: str, board: str) -> None:
    model = model_of({name: conv(**CASES[name])})
    check(model, board, sides=1 if name == "2x2 only" else 2)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("weight", [-128, 127])
def test_extreme_weights(weight: int, board: str) -> None:
    case = grouped_conv(
        size=(6, 6), groups=1, depth=40, filters=2, fill=weight, zero_points=(-128, 0), scale=1e-3
    )
    check(model_of({"extreme": case}), board)


def test_sums_too_great_for_the_larger_tiles() -> None:
    """64 times the sum would not fit: only tiles of 2x2 are offered, and right."""
    case = grouped_conv(
        size=(4, 4), groups=1, depth=128, filters=1, fill=127, zero_points=(-128, 0), scale=1e-4
    )
    check(model_of({"great": case}), BOARDS[0], sides=1)


@pytest.mark.parametrize("pads", [((2, 0), (0, 2)), ((1, 2), (2, 1))], ids=str)
def test_explicit_padding(pads: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Explicit padding, as a PAD before a convolution becomes it."""

    def padded(b: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        size = (6 + sum(pads[0]), 5 + sum(pads[1]))
        (middle,), outputs = conv(size=size, cin=8, cout=3, padding=VALID)(b, rng)
        source = b.tensor((1, 6, 5, 8), scale=0.05, zero_point=-3)
        paddings = b.tensor((4, 2), "int32", data=[(0, 0), *pads, (0, 0)])
        b.operator("PAD", [source, paddings], [middle])
        b.subgraph.operators.reverse()
        return [source], outputs

    content = model_of({"padded": padded})
    graph, oracle, rng = optimised(content), Oracle(content), np.random.default_rng(0)
    sample = rng.integers(-128, 128, (1, 6, 5, 8)).astype(np.int8)
    (expected,) = oracle.run(sample)
    (operator,) = graph.operators
    board, tried = load_board(BOARDS[0]), 0
    for kernel in generated_kernels(operator, graph, board):
        if kernel.function == FUNCTION:
            (found,) = Trial(graph, [kernel], board, find_cmsis_nn()).run(sample)
            np.testing.assert_array_equal(found, expected, kernel.title)
            tried += 1
    assert tried


@pytest.mark.parametrize("seed", range(4))
def test_drawn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = conv(
        size=(int(rng.integers(4, 12)), int(rng.integers(4, 12))),
        cin=4 * int(rng.integers(1, 7)),
        cout=int(rng.integers(1, 6)),
        padding=int(rng.choice([SAME, VALID])) if seed else SAME,
        activation=int(rng.choice([NONE, RELU, RELU6])),
        zero_points=(int(rng.integers(-128, 128)), int(rng.integers(-128, 128))),
    )
    tried = check_variants(
        model_of({"drawn": case}),
        load_board(BOARDS[seed % 2]),
        vectors=2,
        seed=seed,
        function=FUNCTION,
    )
    assert tried


@pytest.mark.parametrize(
    "declined",
    [
        {"cin": 6},
        {"cin": 8, "stride": (2, 1)},
        {"cin": 8, "dilation": (1, 2)},
        {"cin": 8, "kernel": (3, 2)},
        {"cin": 8, "scale": 4.0},
        {"cin": 8, "size": (1, 9)},
    ],
    ids=str,
)
def test_what_is_declined(declined: dict[str, Any]) -> None:
    model = model_of({"declined": conv(**declined)})
    assert not check_variants(model, load_board(BOARDS[0]), function=FUNCTION)


def test_a_core_without_dsp_has_none() -> None:
    model = model_of({"conv": conv(cin=8)})
    graph = import_model(model, Path("conv.tflite"), name="net")
    board = load_board(BOARDS[0]).model_copy(update={"core": "cortex-m0plus"})
    kernels = generated_kernels(graph.operators[0], graph, board)
    assert FUNCTION not in {kernel.function for kernel in kernels}
