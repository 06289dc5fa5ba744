# SPDX-License-Identifier: Apache-2.0
"""Every variant of the generated element-wise kernels gives the oracle's bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.generated import check_variants
from tests.support.generated_rows import check_rows
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.kernels.base import Kernel

pytestmark = pytest.mark.slow

Quantised = tuple[float, int]
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
BOARDS = ("stm32l4r5", "stm32f746")


def binary(
    kind: str,
    left: Quantised,
    right: Quantised,
    output: Quantised,
    shape: Sequence[int] = (1, 5, 7, 3),
    right_shape: Sequence[int] | None = None,
    *,
    activation: int = NONE,
    constant: bool = False,
) -> bytes:
    """An operator of two operands; the right one may be constant, or smaller."""
    b = TfliteBuilder()
    right_shape = right_shape or shape
    values = np.random.default_rng(1).integers(-128, 128, right_shape) if constant else None
    one = b.tensor(shape, scale=left[0], zero_point=left[1])
    other = b.tensor(right_shape, scale=right[0], zero_point=right[1], data=values)
    result = b.tensor(shape, scale=output[0], zero_point=output[1])
    b.operator(kind, [one, other], [result], fusedActivationFunction=activation)
    return b.build([one] if constant else [one, other], [result])


def every_pair(kind: str, left: Quantised, right: Quantised, output: Quantised) -> bytes:
    """All 65536 pairs of operands, the left one constant too."""
    b = TfliteBuilder()
    grid = np.repeat(np.arange(-128, 128), 256).reshape(1, 256, 256, 1)
    one = b.tensor(grid.shape, scale=left[0], zero_point=left[1], data=grid)
    other = b.tensor(grid.shape, scale=right[0], zero_point=right[1])
    result = b.tensor(grid.shape, scale=output[0], zero_point=output[1])
    b.operator(kind, [one, other], [result], fusedActivationFunction=NONE)
    return b.build([other], [result])


SUMS = {
    "scales apart": ((0.02347, 3), (0.01312, -9), (0.02719, 5)),
    "ties by chance": ((0.02, 3), (0.0131, -9), (0.025, 5)),
    "equal scales": ((0.02, -128), (0.02, -128), (0.02, -128)),
    "halves": ((0.02, 0), (0.02, 7), (0.04, 0)),
    "quarters": ((0.01, 0), (0.03, 0), (0.04, 0)),
    "far apart": ((0.000317, 100), (0.0711, -100), (0.0523, 0)),
    "saturating": ((0.05, 0), (0.03, 0), (0.01, 0)),
}
PRODUCTS = {
    "usual": ((0.02, 3), (0.0131, -9), (0.01, 5)),
    "gate": ((0.05, -128), (1 / 256, -128), (0.05, -128)),
    "saturating": ((0.1, 127), (0.1, -128), (0.05, 0)),
}


def variants(kernels: list[Kernel]) -> set[str]:
    return {"_".join(kernel.name.words) for kernel in kernels if kernel.name is not None}


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("kind", ["ADD", "SUB"])
@pytest.mark.parametrize("case", SUMS)
def test_sums_are_exact(case: str, kind: str, board: str) -> None:
    kernels = check_variants(binary(kind, *SUMS[case]), load_board(board), vectors=4)
    # Where TFLM's first roundings decide which way halves go, no single rounding is right.
    by_chance = {"rounded_once"} if case == "ties by chance" else set()
    assert variants(kernels) == {"rounded_once", "lut"} - by_chance


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("case", PRODUCTS)
def test_products_are_exact(case: str, board: str) -> None:
    assert check_variants(binary("MUL", *PRODUCTS[case]), load_board(board), vectors=4)


@pytest.mark.parametrize("activation", [RELU, RELU_N1_TO_1, RELU6])
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_fused_activations_are_exact(kind: str, activation: int) -> None:
    content = binary(kind, (0.02, 3), (0.04, -9), (0.03, 5), activation=activation)
    assert check_variants(content, load_board("stm32l4r5"))


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_constants_and_repeated_channels_are_exact(kind: str) -> None:
    quantised = (0.02, 3), (0.04, -9), (0.05, 5)
    board = load_board("stm32l4r5")
    assert check_variants(binary(kind, *quantised, constant=True), board)
    assert check_variants(binary(kind, *quantised, right_shape=(3,), constant=True), board)
    assert check_variants(binary(kind, *quantised, (2, 3, 2, 9), (2, 1, 1, 9)), board)
    assert not check_variants(binary(kind, *quantised, (1, 3, 2, 9), (1, 3, 2, 1)), board)


@pytest.mark.parametrize("size", range(1, 10))
def test_every_remainder_is_exact(size: int) -> None:
    board = load_board("stm32f746")
    for kind in ("ADD", "MUL"):
        assert check_variants(binary(kind, *SUMS["scales apart"], (1, size)), board, vectors=1)


@pytest.mark.parametrize(("kind", "case"), [("ADD", "scales apart"), ("SUB", "quarters")])
def test_all_pairs_are_exact(kind: str, case: str) -> None:
    """Every byte of the right operand meets every byte of the left one in some element."""
    content = every_pair(kind, *SUMS[case])
    assert check_variants(content, load_board("stm32l4r5"), vectors=1)


def test_drawn_scales_are_exact() -> None:
    rng = np.random.default_rng(3)
    for turn in range(12):
        left, right, result = (
            (float(np.exp(rng.uniform(-6, -2))), int(rng.integers(-128, 128))) for _ in range(3)
        )
        kind = ("ADD", "SUB", "MUL")[turn % 3]
        content = binary(kind, left, right, result, (1, 200), activation=int(rng.integers(0, 4)))
        check_variants(content, load_board(BOARDS[turn % 2]), vectors=1, seed=turn)


def test_sums_run_in_place_and_by_rows() -> None:
    content = binary("ADD", *SUMS["scales apart"])
    kernel, *_ = check_variants(content, load_board("stm32l4r5"), vectors=0)
    assert {overlap.field for overlap in kernel.overlaps} == {"left", "right"}
    assert kernel.row_form is not None
    assert kernel.work == {"calls": 1, "fours": 26, "ones": 1}


def function(kind: str, elements: int, output: Quantised) -> bytes:
    b = TfliteBuilder()
    source = b.tensor((1, elements), scale=0.04, zero_point=-3)
    result = b.tensor((1, elements), scale=output[0], zero_point=output[1])
    b.operator(kind, [source], [result])
    return b.build([source], [result])


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("elements", [1, 3, 255, 1022])
def test_functions_of_one_value_are_exact(elements: int, board: str) -> None:
    for kind, output in (("LOGISTIC", (1 / 256, -128)), ("QUANTIZE", (0.03, 9))):
        kernels = check_variants(function(kind, elements, output), load_board(board), vectors=1)
        assert variants(kernels) == {"flash", "ram"}


def test_rows_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("stm32l4r5")
    b = TfliteBuilder()
    source = b.tensor((1, 4, 3, 5), scale=0.04, zero_point=-3)
    result = b.tensor((1, 4, 3, 5), scale=1 / 256, zero_point=-128)
    b.operator("LOGISTIC", [source], [result])
    assert check_rows(b.build([source], [result]), board, monkeypatch)
    for kind in ("ADD", "SUB", "MUL"):
        assert check_rows(binary(kind, *SUMS["scales apart"]), board, monkeypatch)
