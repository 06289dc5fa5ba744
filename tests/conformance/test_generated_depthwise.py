# SPDX-License-Identifier: Apache-2.0
"""The generated depthwise kernels: every variant, in place and line by line, against the oracle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.driver import Case
from tests.conformance.windows import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, depthwise
from tests.support.cores import board_with
from tests.support.generated import check_variants
from tests.support.generated_rows import check_rows
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board, read_board_file
from tinyflow.kernels.generated.registry import generated_kernels
from tinyflow.plan.memory import plan_memory
from tinyflow.render import render
from tinyflow.resources import BOARDS as BOARD_FILES
from tinyflow.tflite.importer import import_model

BOARDS = ["stm32l4r5", "stm32f746"]

CASES: dict[str, Case] = {
    "four_outputs_of_a_line": depthwise(size=(5, 8), channels=4),
    "one_left": depthwise(size=(3, 9), channels=4, activation=NONE),
    "two_left": depthwise(size=(9, 6), channels=8, zero_points=(-128, -128), activation=RELU),
    "three_left": depthwise(size=(6, 7), channels=4, activation=RELU_N1_TO_1),
    "one_output": depthwise(size=(3, 3), padding=VALID, channels=4),
    "one_pixel": depthwise(size=(1, 1), channels=5),
    "channels_left": depthwise(size=(5, 6), channels=7, batch=2),
    "fewer_than_four_channels": depthwise(size=(20, 5), channels=3, zero_points=(127, -128)),
    "several_strips": depthwise(size=(31, 5), channels=4, padding=VALID),
    "loop": depthwise(size=(4, 24), channels=4, activation=RELU),
    "loop_signed": depthwise(size=(3, 27), channels=4, activation=NONE),
    "loop_of_eight": depthwise(size=(3, 47), channels=4, zero_points=(-128, -128)),
    "loop_strided": depthwise(size=(5, 48), channels=4, stride=(2, 2), activation=RELU6),
    "loop_strided_signed": depthwise(size=(4, 71), channels=4, stride=(2, 2), activation=NONE),
    "far_apart": depthwise(size=(4, 9), channels=900, activation=RELU),
    "too_far_apart": depthwise(size=(4, 33), channels=128),
    "wide": depthwise(size=(3, 260), channels=4, activation=RELU),
    "accumulators_too_wide": depthwise(
        size=(6, 5), channels=4, zero_points=(3, -128), widest_bias=1 << 29
    ),
    "multiplier": depthwise(size=(7, 5), channels=5, multiplier=3),
    "one_channel": depthwise(size=(12, 9), channels=1, multiplier=8, stride=(2, 2)),
    "stride": depthwise(size=(9, 12), channels=4, stride=(2, 2)),
    "stride_odd": depthwise(size=(19, 11), channels=6, stride=(2, 2), activation=NONE),
    "stride_valid": depthwise(size=(17, 14), channels=4, stride=(2, 2), padding=VALID),
    "stride_of_height": depthwise(size=(9, 10), channels=4, stride=(2, 1)),
    "stride_of_width": depthwise(size=(9, 10), channels=4, stride=(1, 2), bias=False),
    "least_weights": depthwise(size=(5, 5), channels=4, fill=-128, zero_points=(127, 3)),
    "scale_of_a_half": depthwise(size=(5, 6), channels=4, scale=0.4, activation=NONE),
    "scale_of_a_half_saturates": depthwise(
        size=(5, 6), channels=8, scale=0.4, activation=NONE, widest_bias=1 << 30
    ),
    "scale_of_four": depthwise(size=(5, 6), channels=4, scale=3.2, stride=(2, 2)),
    "five_by_five": depthwise(size=(6, 7), channels=4, kernel=(5, 5), zero_points=(7, -128)),
    "five_by_five_stride": depthwise(size=(9, 8), channels=4, kernel=(5, 5), stride=(2, 2)),
    "even_window": depthwise(size=(6, 7), channels=4, kernel=(2, 4), padding=VALID),
    "too_long_to_unroll": depthwise(size=(9, 5), channels=4, kernel=(7, 7), activation=NONE),
    "columns": depthwise(size=(9, 9), channels=5, kernel=(1, 3)),
    "dilated": depthwise(size=(9, 7), channels=4, kernel=(3, 1), dilation=(2, 1)),
    "long": depthwise(size=(1, 21), channels=4, kernel=(1, 9), batch=2),
    "very_long": depthwise(size=(1, 40), channels=1, kernel=(1, 31), scale=0.4),
    "vanishes": depthwise(size=(5, 6), channels=4, scale=1e-12, per_channel=False),
}


def model(case: Case, seed: int = 0) -> bytes:
    builder = TfliteBuilder()
    return builder.build(*case(builder, np.random.default_rng(seed)))


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", CASES)
def test_every_variant_is_exact(name: str, board: str) -> None:
    assert check_variants(model(CASES[name]), load_board(board), vectors=1)


#: Layers of 3x3 without shape-specific code.
NOT_OF_ONE_SHAPE = {
    "multiplier", "one_channel", "scale_of_a_half", "scale_of_a_half_saturates", "scale_of_four",
}  # fmt: skip


def test_every_layer_of_3x3_that_can_has_code_for_its_shape() -> None:
    for name, case in CASES.items():
        graph = import_model(model(case), Path("operator.tflite"), name="net")
        (operator,) = graph.operators
        for board in map(load_board, BOARDS):
            names = [kernel.title for kernel in generated_kernels(operator, graph, board)]
            if any("_3x3_" in each for each in names):
                fixed = any("_fixed_" in each for each in names)
                assert fixed == (name not in NOT_OF_ONE_SHAPE), name


@pytest.mark.parametrize(
    ("name", "folded"),
    [("loop", True), ("loop_signed", False), ("accumulators_too_wide", False), ("stride", True)],
)
def test_two_instructions_requantise_where_they_can(name: str, *, folded: bool) -> None:
    graph = import_model(model(CASES[name]), Path("operator.tflite"), name="net")
    (operator,) = graph.operators
    for board in map(load_board, BOARDS):
        for kernel in generated_kernels(operator, graph, board):
            if "_fixed_" in kernel.title:
                assert dict(kernel.sources[1].parameters)["folded"] is folded


@pytest.mark.parametrize("name", ["three_left", "loop_signed", "stride_odd", "loop_strided"])
def test_every_variant_is_exact_on_a_cortex_m33(name: str, tmp_path: Path) -> None:
    board = board_with("cortex-m33", tmp_path)
    assert check_variants(model(CASES[name]), board, vectors=1)


@pytest.mark.parametrize(
    "name", ["three_left", "loop", "stride_odd", "five_by_five", "scale_of_a_half"]
)
def test_without_an_fpu_constants_wait_on_the_stack(name: str, tmp_path: Path) -> None:
    manifest = json.loads((BOARD_FILES / "stm32l4r5.json").read_text(encoding="utf-8"))
    del manifest["build"]["fpu"]
    manifest["build"]["float_abi"] = "soft"
    (tmp_path / "soft.json").write_text(json.dumps(manifest), encoding="utf-8")
    board = read_board_file(tmp_path / "soft.json")
    for kernel in check_variants(model(CASES[name]), board, vectors=1):
        assert "vmov" not in render(
            f"kernels/{kernel.sources[1].template}", file="", **dict(kernel.sources[1].parameters)
        )


def drawn(rng: np.random.Generator) -> Case:
    """A layer at random, biased to what is easily wrong."""

    def one_of(*values: int) -> int:
        return int(rng.choice(values))

    kernel = (one_of(3, 3, 5, 1), one_of(3, 3, 5, 4))
    padding = one_of(SAME, VALID)
    least = kernel if padding == VALID else (1, 1)
    return depthwise(
        size=(least[0] + one_of(*range(12)), least[1] + one_of(*range(12))),
        channels=one_of(1, 2, 4, 5, 8, 11),
        multiplier=one_of(1, 1, 1, 2),
        kernel=kernel,
        stride=(one_of(1, 2, 3), one_of(1, 2, 2)),
        padding=padding,
        batch=one_of(1, 1, 2),
        bias=bool(rng.integers(2)),
        per_channel=bool(rng.integers(2)),
        activation=one_of(NONE, RELU, RELU6, RELU_N1_TO_1),
        zero_points=(one_of(-128, 127, 0, 7), one_of(-128, 127, 0, -20)),
        scale=float(rng.choice([0.002, 0.01, 0.4, 3.0, 1e-9])),
        widest_bias=one_of(3000, 1 << 30),
    )


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("seed", range(6))
def test_drawn_layers_are_exact(seed: int, board: str) -> None:
    case = drawn(np.random.default_rng(seed))
    check_variants(model(case, seed), load_board(board), vectors=1, seed=seed)


# ---- in place, and line by line ----


IN_PLACE = [name for name in CASES if "multiplier" not in name and name != "one_channel"]


@pytest.mark.parametrize("name", IN_PLACE)
def test_every_variant_was_tried_in_place(name: str) -> None:
    """Trials plan their memory as builds do, so that the tests above wrote over the inputs."""
    graph = import_model(model(CASES[name]), Path("operator.tflite"), name="net")
    (operator,) = graph.operators
    shared = []
    for kernel in generated_kernels(operator, graph, load_board(BOARDS[0])):
        offsets = plan_memory(graph, [kernel]).tensors
        shared.append(offsets[graph.inputs[0]] == offsets[graph.outputs[0]])
        assert shared[-1] == bool(kernel.overlaps)
    assert any(shared)


ONE_IMAGE = [name for name in CASES if name not in ("channels_left", "long", "dilated")]


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_each_line_may_be_computed_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_rows(model(CASES[name]), load_board(BOARDS[0]), monkeypatch)
