# SPDX-License-Identifier: Apache-2.0
"""Costs: the fit, the names that tables know kernels by, and whether the shipped ones are stale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.unit.test_choose import Made, kernel, table
from tinyflow.boards import board_ids, load_board
from tinyflow.costs.digest import code_of, model_digest, python_code_of
from tinyflow.costs.least_squares import fit_relative, non_negative_least_squares
from tinyflow.costs.measure import kernel_shapes, shapes_digest
from tinyflow.costs.probes import MEASURED, probes, side_by_side
from tinyflow.costs.table import (
    COSTS,
    Cost,
    CostTable,
    SourceSize,
    board_key,
    dissimilarity,
    kernel_name,
    read_costs,
    shipped_costs,
)
from tinyflow.ir.operators import Softmax
from tinyflow.kernels.base import Source
from tinyflow.kernels.cmsis_nn.source import CmsisNN, find_cmsis_nn
from tinyflow.kernels.name import KernelName

OPERATOR = Softmax("layer", 0, 1, 1.0)
FAST = kernel("generated/fast", OPERATOR, Made(1000))


# ---- the fit ----


def test_a_fit_finds_what_the_measurements_were_made_of() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([700.0, 0.0, 3.5, 20.0])
    work = rng.integers(1, 1000, (12, 4)).astype(np.float64)
    found = fit_relative(work, work @ truth, np.ones(12))
    np.testing.assert_allclose(found, truth, atol=1e-6)


def test_coefficients_are_not_negative_and_none_better_is_near() -> None:
    rng = np.random.default_rng(1)
    matrix, target = rng.normal(size=(20, 6)), rng.normal(size=20)
    found = non_negative_least_squares(matrix, target)
    assert (found >= 0).all()
    assert (found == 0).any()
    gradient = matrix.T @ (target - matrix @ found)
    np.testing.assert_allclose(gradient[found > 0], 0, atol=1e-9)
    assert (gradient[found == 0] <= 1e-9).all()


def test_what_counts_little_decides_only_what_is_left_open() -> None:
    """One measurement of two unknowns; another that hardly counts."""
    work = np.array([[1.0, 1.0], [1.0, 10.0]])
    found = fit_relative(work, np.array([30.0, 190.0]), np.array([1.0, 1e-3]))
    np.testing.assert_allclose(work[0] @ found, 30.0, rtol=1e-3)


# ---- tables ----


def test_a_table_tells_cycles_code_and_similar_variants() -> None:
    costs = table()
    assert costs.cost(FAST) == Cost(1000, 0)
    assert costs.code(FAST) == {"generated/fast": 1000}
    similar = replace(FAST, name=KernelName("fast", "s8", "c", words=("unroll4",)))
    assert costs.cost(similar) == Cost(1000, 0)
    assert costs.cost(kernel("generated/unknown", OPERATOR, Made(1))) is None
    assert costs.cost(replace(FAST, work={})) is None


def test_the_nearest_variant_is_that_of_the_nearest_number() -> None:
    names = [f"tinyflow_fast_s8_2x4x{number}_dsp" for number in (2, 8, 32)] + [
        "tinyflow_fast_s8_odd_dsp"
    ]
    nearest = min(names, key=lambda name: dissimilarity(name, "tinyflow_fast_s8_2x4x6_dsp"))
    assert nearest == "tinyflow_fast_s8_2x4x8_dsp"


def test_the_size_of_a_generated_file_is_that_of_the_most_similar_one() -> None:
    sizes = tuple(
        SourceSize(template="a.S.j2", parameters={"unroll": unroll, "signed": signed}, bytes=size)
        for unroll, signed, size in ((4, False, 100), (4, True, 110), (8, True, 200))
    )
    costs = table().model_copy(update={"sources": sizes})

    def size(*parameters: tuple[str, int | bool]) -> int:
        return costs.source_bytes(Source(KernelName("a", "s8", "c"), "a.S.j2", parameters))

    assert size(("unroll", 8), ("signed", True), ("low", -128)) == 200
    assert size(("unroll", 4), ("signed", True)) == 110
    assert costs.source_bytes(Source(KernelName("b", "s8", "c"), "b.S.j2")) == 0


def test_a_table_knows_kernels_by_their_names() -> None:
    assert kernel_name(FAST) == "tinyflow_fast_s8_c"
    library = kernel("small", OPERATOR, Made(1))
    assert kernel_name(replace(library, variant="im2col")) == "small, im2col"


def test_costs_are_of_the_same_family_only() -> None:
    costs = table().model_copy(update={"families": {}})
    unlike = replace(FAST, name=KernelName("fast_and_other", "s8", "c"))
    assert costs.of(replace(FAST, name=KernelName("fast", "s8", "c", (2, 4)))) == costs.of(FAST)
    assert costs.of(unlike) is None


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(table().to_json())
    assert read_costs(path) == table()
    path.write_text("{}")
    assert read_costs(path) is None
    assert read_costs(tmp_path / "none.json") is None


def test_a_board_is_known_by_its_core_and_memory() -> None:
    board = load_board("stm32l4r5")
    assert board.timing is not None
    renamed = board.model_copy(update={"id": "mine", "clock_hz": 1})
    assert shipped_costs(renamed) is shipped_costs(board)
    slower = board.timing.model_copy(update={"wait_states": 9})
    assert shipped_costs(board.model_copy(update={"timing": slower})) is None
    reworded = board.timing.model_copy(update={"source": "elsewhere"})
    assert board_key(board.model_copy(update={"timing": reworded})) == board_key(board)


# ---- the shipped tables ----


def _bundled() -> CmsisNN:
    bakenn = pytest.importorskip("bakenn", reason="the tables are of bakenn's CMSIS-NN")
    return find_cmsis_nn(
        Path(bakenn.__file__).parent / "backend" / "cmsis_nn" / "vendor" / "cmsis_nn"
    )


@pytest.mark.parametrize("name", board_ids())
def test_shipped_costs_are_not_stale(name: str) -> None:
    board, cmsis = load_board(name), _bundled()
    costs = read_costs(COSTS / f"{name}.json")
    again = f"run: python -m tinyflow.costs {name}"
    assert costs is not None and costs.board == board_key(board), again
    assert costs.model == model_digest(), f"the timing model has changed; {again}"
    due = {
        kernel: shapes_digest(shapes, cmsis)
        for variants in kernel_shapes(MEASURED, board, cmsis).values()
        for kernel, shapes in variants.items()
    }
    found = {kernel: entry.digest for kernel, entry in costs.kernels.items()}
    stale = [kernel for kernel in due.keys() | found if due.get(kernel) != found.get(kernel)]
    assert not stale, f"{len(stale)} kernels have changed, such as {sorted(stale)[0]}; {again}"


def test_probes_side_by_side_keep_their_tensors() -> None:
    several = probes(Softmax)[:3]
    together = side_by_side(several)
    assert len(together.graph.operators) == len(together.inputs) == 3
    for probe, operator in zip(several, together.graph.operators, strict=True):
        (alone,) = probe.graph.operators
        for field in ("input", "output"):
            before = probe.graph.tensors[getattr(alone, field)]
            assert together.graph.tensors[getattr(operator, field)] is before


def test_shipped_tables_are_as_they_are_written() -> None:
    for path in COSTS.glob("*.json"):
        text = path.read_text()
        assert CostTable.model_validate_json(text).to_json() == text


def test_a_digest_ignores_comments_but_not_code() -> None:
    before = "/* says\n * much */\nint a; {# why #}\n\nint b;\n"
    assert code_of(before) == code_of("int a;\nint b; /* b */\n")
    assert code_of(before) != code_of("int a;\nint c;\n")


def test_a_digest_of_python_ignores_docstrings_but_not_code() -> None:
    before = python_code_of(
        '"""Says."""\ndef f(x: int) -> int:\n    """Adds."""\n    return x + 1\n'
    )
    assert before == python_code_of("def f(x: int) -> int:\n    return x + 1  # one more\n")
    assert before != python_code_of("def f(x: int) -> int:\n    return x + 2\n")
