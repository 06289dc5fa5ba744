"""Puts many single-operator cases into one model, so that one image serves them all.

A case adds its tensors and its operator to a builder and gives its inputs and outputs; all cases
of a group become one graph with the inputs and outputs of all. A build compares every output byte
with the oracle's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

import tinyflow
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import Board
from tinyflow.emulate.oracle import Oracle
from tinyflow.errors import TinyflowError
from tinyflow.frontend.tflite_import import import_model
from tinyflow.project import KernelSet

#: Adds one case to the builder; gives the indices of its inputs and of its outputs.
Case = Callable[[TfliteBuilder, np.random.Generator], tuple[list[int], list[int]]]

GROUP = 16
VECTORS = 24


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


def check(
    cases: Mapping[str, Case],
    folder: Path,
    *,
    board: Board | str = "stm32l4r5",
    cmsis_nn: str | None = None,
    kernels: KernelSet = "auto",
) -> None:
    """Build and run the cases as one image; where that fails, name those that fail alone."""

    def problem_of(some: Mapping[str, Case]) -> str | None:
        return _problem(some, folder, board, cmsis_nn, kernels)

    problem = problem_of(cases)
    if problem is not None:
        alone = {name: problem_of({name: cases[name]}) for name in cases}
        wrong = [f"{name}: {found}" for name, found in alone.items() if found is not None]
        raise AssertionError("\n".join(wrong) or f"only together: {problem}")


def _problem(
    cases: Mapping[str, Case],
    folder: Path,
    board: Board | str,
    cmsis_nn: str | None,
    kernels: KernelSet,
) -> str | None:
    """Why the cases cannot be built as one image or why that is not exact; None where it is."""
    content = model_of(cases)
    signal = _signal_of_oracle(content)
    if signal:
        return f"the oracle ends the process with signal {signal}"
    try:
        _build(content, folder, board, cmsis_nn, kernels)
    except TinyflowError as error:
        return f"{type(error).__name__}: {error.message}"
    return None


def _signal_of_oracle(content: bytes) -> int:
    """The signal that ends a process in which the oracle runs the model; 0 for none."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(TinyflowError):
            graph = import_model(content, Path("cases.tflite"), name="cases")
            Oracle(content).run(*(np.ones(x.shape, x.dtype.numpy) for x in graph.input_tensors()))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status)


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
        vectors=VECTORS,
        cmsis_nn=cmsis_nn,
        kernels=kernels,
    )
    assert report.exact.vectors == VECTORS
    assert report.exact.bytes > 0
    assert sum(layer.instructions for layer in report.layers) <= report.latency.instructions
    assert all(layer.instructions > 0 for layer in report.layers)
