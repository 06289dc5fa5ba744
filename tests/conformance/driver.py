# SPDX-License-Identifier: Apache-2.0
"""Puts many single-operator cases into one model, so that one image holds them all.

A case adds its tensors and its operator to a builder and gives its inputs and outputs; all cases
of a group become one graph with the inputs and outputs of all. Every output byte is compared with
the oracle's: of a firmware as it would be flashed, or, which takes much less time, of the model's
library alone, the same C compiled with the same options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

import tinyflow
from tests.support.calling_convention import CanaryCalls, assembly_functions
from tests.support.no_memory import NoMemory
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import Board
from tinyflow.costs.table import shipped_costs
from tinyflow.costs.trial import Trial
from tinyflow.emulate.verify import differing_bytes
from tinyflow.errors import ExactnessError, TinyflowError
from tinyflow.ir.graph import Graph
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.oracle.constants import fold_constants, reference
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.pipeline.quantize import Quantised, device_inputs
from tinyflow.plan.allocator import GREEDY, THOROUGH, Effort
from tinyflow.plan.memory import Planner
from tinyflow.selection.search import choose_kernels
from tinyflow.settings.project_file import KernelSet
from tinyflow.tflite.importer import import_model

#: Adds one case to the builder; gives the indices of its inputs and of its outputs.
Case = Callable[[TfliteBuilder, np.random.Generator], tuple[list[int], list[int]]]

GROUP = 16
#: Of a library, and of a firmware, where each byte goes over the emulated UART.
VECTORS, FIRMWARE_VECTORS = 24, 8


def groups(cases: Mapping[str, Case], size: int = GROUP) -> Iterator[dict[str, Case]]:
    """The cases in groups of that size, in order."""
    remaining = iter(cases.items())
    while group := dict(islice(remaining, size)):
        yield group


def model_of(cases: Mapping[str, Case]) -> bytes:
    """One .tflite with all the cases side by side."""
    builder = TfliteBuilder()
    inputs: list[int] = []
    outputs: list[int] = []
    for name, case in cases.items():
        seed = np.frombuffer(name.encode(), np.uint8)
        more_inputs, more_outputs = case(builder, np.random.default_rng(seed))
        inputs += more_inputs
        outputs += more_outputs
    return builder.build(inputs, outputs)


#: Builds and runs a `.tflite`.
Run = Callable[[bytes], None]


def check(
    cases: Mapping[str, Case],
    folder: Path,
    *,
    board: Board | str = "stm32l4r5",
    cmsis_nn: str | None = None,
    kernels: KernelSet = "auto",
) -> None:
    """Build and run the cases as one firmware; where that fails, name those that fail alone."""
    _check(cases, lambda content: _build(content, folder, board, cmsis_nn, kernels))


def check_library(
    cases: Mapping[str, Case], board: Board, kernels: KernelSet, *, vectors: int = VECTORS
) -> None:
    """Compile and run the cases as one library; where that fails, name those that fail alone.

    Of kernels whose cost on the board is known the fastest are taken. No case may keep a state.
    """
    _check(cases, lambda content: _run_library(content, board, kernels, vectors))


def _check(cases: Mapping[str, Case], run: Run) -> None:
    problem = _problem(cases, run)
    if problem is not None:
        alone = {name: _problem({name: cases[name]}, run) for name in cases}
        wrong = [f"{name}: {found}" for name, found in alone.items() if found is not None]
        raise AssertionError("\n".join(wrong) or f"only together: {problem}")


def _problem(cases: Mapping[str, Case], run: Run) -> str | None:
    """Why the cases cannot be built as one image or why that is not exact; None if it is."""
    content = model_of(cases)
    try:
        run(content)
    except TinyflowError as error:
        return f"{type(error).__name__}: {error.message}"
    return None


def _build(
    content: bytes, folder: Path, board: Board | str, cmsis_nn: str | None, kernels: KernelSet
) -> None:
    path = folder / "cases.tflite"
    path.write_bytes(content)
    report = tinyflow.build(
        path,
        board=board,
        output=folder / "build",
        placement="flash",
        optimize="speed",  # is decided without a plan of memory for each choice
        vectors=FIRMWARE_VECTORS,
        cmsis_nn=cmsis_nn,
        kernels=kernels,
    )
    assert report.exact.vectors == FIRMWARE_VECTORS
    assert report.exact.bytes > 0
    assert sum(layer.instructions for layer in report.layers) <= report.latency.instructions
    assert all(layer.instructions > 0 for layer in report.layers)


def library_of(
    content: bytes, board: Board, kernels: KernelSet, effort: Effort = THOROUGH
) -> tuple[Graph, Trial]:
    """A model's graph after all passes, and its library with the fastest kernels."""
    path = Path("cases.tflite")
    folded = fold_constants(content, path)
    graph = optimise(import_model(folded, path, name="cases"), folded, path, first_output)
    cmsis = find_cmsis_nn()
    found = [candidates(operator, graph, board, cmsis) for operator in graph.operators]
    costs = shipped_costs(board)
    choice = choose_kernels(found, costs, NoMemory(), board, kernels=kernels, optimize="speed")
    plan = Planner(graph).plan(choice.kernels, choice.schedule, effort=effort)
    return graph, Trial(graph, choice.kernels, board, cmsis, plan=plan)


def _run_library(content: bytes, board: Board, kernels: KernelSet, vectors: int) -> None:
    # The least arena of many operators side by side takes long.
    graph, trial = library_of(content, board, kernels, GREEDY)
    samples, _ = device_inputs(graph, Quantised(content), vectors)
    oracle = reference(content)
    assembly = assembly_functions(trial.code.files)
    canaries = CanaryCalls(assembly, board)
    found_outputs = trial.run_each(samples, watch=canaries.watch if assembly else None)
    if canaries.problems:
        raise ExactnessError("; ".join(sorted(set(canaries.problems))))
    compared = wrong = 0
    for sample, outputs in zip(samples, found_outputs, strict=True):
        for found, due in zip(outputs, oracle.run(*sample), strict=True):
            compared += due.nbytes
            wrong += differing_bytes(found, due)
    if wrong:
        raise ExactnessError(f"{wrong} of {compared} output bytes differ")
