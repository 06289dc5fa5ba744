# SPDX-License-Identifier: Apache-2.0
"""The generated convolutions: every variant, whole and row by row, against the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conformance.convolutions import conv
from tests.conformance.driver import Case
from tests.conformance.windows import NONE, RELU, RELU6, RELU_N1_TO_1, SAME, VALID, grouped_conv
from tests.support.bare_firmware import needs_gcc
from tests.support.cores import board_with
from tests.support.full_run import only_in_full_runs
from tests.support.generated import check_variants
from tests.support.generated_rows import check_rows
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.ir.operators import Conv2D
from tinyflow.kernels.generated import convolution, matrix, pairs
from tinyflow.tflite.importer import import_model

pytestmark = needs_gcc

BOARDS = ["stm32l4r5", "stm32f746"]


def pointwise(size: tuple[int, int] = (3, 3), cin: int = 8, cout: int = 4, **more: object) -> Case:
    return conv(size=size, cin=cin, cout=cout, kernel=(1, 1), scale=0.002, **more)  # type: ignore[arg-type]


CASES: dict[str, Case] = {
    # of 1x1: pixels and steps that are left over, odd channels, every clamp
    "one_pixel": pointwise((1, 1), cin=5, cout=3),
    "two_pixels": pointwise((1, 2), cin=17, activation=RELU),
    "three_pixels": pointwise((3, 1), cin=20, cout=6, zero_points=(0, -128), activation=RELU),
    "five_pixels": pointwise((1, 5), cin=26, cout=7, activation=RELU6, zero_points=(3, -100)),
    "six_pixels": pointwise((2, 3), cin=33, cout=1, activation=RELU_N1_TO_1),
    "seven_pixels": pointwise((7, 1), cin=64, cout=4, activation=NONE, zero_points=(9, -128)),
    "blocks_of_groups": pointwise((7, 11), cin=12, cout=8, zero_points=(5, 127)),
    "copied_blocks": pointwise((5, 9), cin=40, cout=6, activation=RELU),
    "further_images": pointwise((3, 3), cin=4, cout=8, batch=3),
    "wider_than_read": pointwise((4, 5), cin=4, cout=20),
    # windows read where they lie
    "window": conv(size=(6, 9), cin=4, cout=4, scale=0.002, activation=RELU),
    "window_valid": conv(
        size=(5, 6), cin=8, cout=3, kernel=(2, 3), stride=(2, 1), padding=VALID, scale=0.002
    ),
    "window_dilated": conv(size=(8, 11), cin=4, cout=2, dilation=(2, 3), batch=2, scale=0.002),
    "window_larger_than_input": conv(size=(3, 2), cin=4, kernel=(5, 7), scale=0.002),
    "window_row": conv(size=(1, 17), cin=4, cout=6, kernel=(1, 5), scale=0.002),
    "every_other_pixel": pointwise((5, 7), cin=6, cout=5, stride=(2, 2)),
    # copied rows
    "padded": conv(size=(7, 6), cin=6, cout=5, stride=(2, 1), scale=0.002, activation=RELU6),
    "padded_dilated": conv(size=(6, 9), cin=5, cout=2, dilation=(1, 2), batch=2, scale=0.002),
    "padded_one_column": conv(size=(9, 1), cin=5, cout=6, kernel=(3, 1), scale=0.002),
    # interleaved rows
    "interleaved_one": conv(
        size=(13, 10), cin=1, cout=4, kernel=(10, 4), stride=(2, 2), scale=0.002
    ),
    "interleaved_two": conv(
        size=(8, 6), cin=2, cout=4, kernel=(3, 2), dilation=(2, 1), scale=0.002
    ),
    "interleaved_three": conv(
        size=(9, 11), cin=3, cout=2, stride=(2, 2), scale=0.002, activation=RELU, batch=2
    ),
    "interleaved_skips_rows": conv(
        size=(8, 11), cin=3, cout=8, kernel=(2, 2), stride=(3, 3), padding=VALID, scale=0.002
    ),
    "taller_than_interleaved": conv(size=(12, 5), cin=1, cout=3, kernel=(11, 2), scale=0.002),
    # pairs of pixels: rows or columns left over, and what of units is padding
    "pairs_one_channel": conv(size=(9, 7), cin=1, cout=4, kernel=(4, 3), scale=0.002),
    "pairs_two_channels": conv(
        size=(6, 9), cin=2, cout=8, kernel=(3, 4), stride=(1, 2), scale=0.002, activation=RELU
    ),
    "pairs_three_channels": conv(
        size=(13, 10), cin=3, cout=4, stride=(2, 2), scale=0.002, activation=RELU6, batch=2
    ),
    "pairs_stride_one": conv(size=(6, 7), cin=3, cout=8, scale=0.002, activation=RELU),
    "pairs_dilated_rows": conv(size=(9, 6), cin=4, cout=4, dilation=(2, 1), scale=0.002),
    "pairs_wider_stride": conv(
        size=(7, 14), cin=3, cout=4, kernel=(3, 2), stride=(2, 3), padding=VALID, scale=0.002
    ),
    "pairs_many_steps": conv(size=(5, 8), cin=3, cout=4, kernel=(5, 5), scale=0.001),
    "pairs_of_one_row": conv(
        size=(1, 19), cin=1, cout=4, kernel=(1, 9), stride=(1, 2), scale=0.002
    ),
    "pairs_of_one_pixel": conv(
        size=(2, 3), cin=2, cout=4, kernel=(2, 3), padding=VALID, scale=0.002, batch=2
    ),
    "pairs_of_nine_rows": conv(size=(11, 4), cin=3, cout=4, kernel=(9, 2), scale=0.002),
    # arithmetic
    "zero_points_at_the_ends": conv(cin=4, zero_points=(127, -128), scale=0.002),
    "vanishes": conv(cin=4, scale=1e-12),
    "no_bias_per_tensor": conv(cin=4, bias=False, per_channel=False, scale=0.002),
}


def model(case: Case, seed: int = 0) -> bytes:
    builder = TfliteBuilder()
    return builder.build(*case(builder, np.random.default_rng(seed)))


#: Cases with enough pixels to distinguish the block sizes.
BLOCKS = ["blocks_of_groups", "copied_blocks"]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", CASES)
def test_every_variant_is_exact(
    name: str, board: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run each case on one of the boards by default, in turn."""
    if list(CASES).index(name) % len(BOARDS) != BOARDS.index(board):
        only_in_full_runs(request)
    if name not in BLOCKS:
        monkeypatch.setattr(matrix, "GROUPS", (4,))
    assert check_variants(model(CASES[name]), load_board(board), vectors=1)


@pytest.mark.parametrize("name", ["copied_blocks", "pairs_three_channels"])
def test_every_variant_is_exact_on_a_cortex_m33(name: str, tmp_path: Path) -> None:
    board = board_with("cortex-m33", tmp_path)
    assert check_variants(model(CASES[name]), board, vectors=1)


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("pairs")])
def test_pairs_serve_few_channels(name: str, board: str) -> None:
    graph = import_model(model(CASES[name]), Path("operator.tflite"), name="net")
    (operator,) = graph.operators
    assert isinstance(operator, Conv2D)
    assert list(pairs.paired(operator, graph, load_board(board)))


FORMS = {
    "packed": (127, 4000, True),
    "least weights": (-128, 4000, False),
    "sums too large": (127, 2**27, False),
}


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_packed_where_that_is_exact(form: str) -> None:
    fill, widest_bias, packs = FORMS[form]
    case = grouped_conv(
        size=(1, 5),
        groups=1,
        depth=36,
        filters=4,
        kernel=(1, 1),
        scale=0.0002,
        fill=fill,
        widest_bias=widest_bias,
    )
    kernels = check_variants(model(case), load_board(BOARDS[0]), vectors=1)
    assert {"packed" in kernel.title for kernel in kernels} == {packs}


def drawn(rng: np.random.Generator) -> Case:
    """A layer at random, biased to what is easily wrong."""

    def one_of(*values: int) -> int:
        return int(rng.choice(values))

    kernel = (one_of(1, 2, 3, 5), one_of(1, 2, 3, 4))
    padding, dilation = one_of(SAME, VALID), (one_of(1, 1, 2), one_of(1, 1, 1, 2))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = reach if padding == VALID else [1, 1]
    return grouped_conv(
        size=(least[0] + one_of(*range(8)), least[1] + one_of(*range(8))),
        groups=1,
        depth=one_of(1, 2, 3, 4, 5, 7, 8, 12, 16, 19),
        filters=one_of(1, 2, 3, 4, 7, 8),
        kernel=kernel,
        stride=(one_of(1, 2, 3), one_of(1, 2, 3)),
        dilation=dilation,
        padding=padding,
        batch=one_of(1, 1, 2),
        bias=bool(rng.integers(2)),
        per_channel=bool(rng.integers(2)),
        activation=one_of(NONE, RELU, RELU6, RELU_N1_TO_1),
        zero_points=(one_of(-128, 127, 0, 7), one_of(-128, 127, 0, -20)),
        scale=float(rng.choice([0.002, 0.01, 0.03, 1e-9])),
        widest_bias=one_of(3000, 1 << 30),
    )


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("seed", range(6))
def test_drawn_layers_are_exact(seed: int, board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "GROUPS", (4,))
    case = drawn(np.random.default_rng(seed))
    assert check_variants(model(case, seed), load_board(board), vectors=1, seed=seed)


@pytest.mark.parametrize(
    "case", [conv(cin=4, scale=8.0), grouped_conv(groups=2, depth=4, scale=0.002)]
)
def test_what_needs_another_way_is_declined(case: Case) -> None:
    graph = import_model(model(case), Path("operator.tflite"), name="net")
    (operator,) = graph.operators
    for board in BOARDS:
        for make in (*convolution.VARIANTS[Conv2D], *pairs.VARIANTS[Conv2D]):
            assert not list(make(operator, graph, load_board(board)))


# ---- row by row ----

ALONE = [
    "five_pixels",
    "blocks_of_groups",
    "window",
    "window_valid",
    "padded",
    "padded_one_column",
    "interleaved_one",
    "interleaved_two",
    "interleaved_skips_rows",
    "pairs_two_channels",
    "pairs_dilated_rows",
    "pairs_wider_stride",
    "pairs_of_one_row",
]


@pytest.mark.parametrize("name", ALONE)
def test_each_row_may_be_computed_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "GROUPS", (4,))
    assert check_rows(model(CASES[name]), load_board(BOARDS[0]), monkeypatch, without="bytes")
