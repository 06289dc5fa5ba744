"""Puts many single-operator cases into one model, so that one image serves them all.

A case adds its tensors and its operator to a builder and gives its inputs and outputs; all cases
of a group become one graph with the inputs and outputs of all. A build compares every output byte
with the oracle's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

import tinyflow
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import Board
from tinyflow.errors import ExactnessError

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
) -> None:
    """Build and run the cases as one image; where that is not exact, name those that are not."""
    try:
        _build(cases, folder, board, cmsis_nn)
    except ExactnessError as error:
        wrong = [name for name in cases if _differs({name: cases[name]}, folder, board, cmsis_nn)]
        raise AssertionError(f"not exact: {wrong or 'only together'}") from error


def _differs(
    cases: Mapping[str, Case], folder: Path, board: Board | str, cmsis_nn: str | None
) -> bool:
    try:
        _build(cases, folder, board, cmsis_nn)
    except ExactnessError:
        return True
    return False


def _build(
    cases: Mapping[str, Case], folder: Path, board: Board | str, cmsis_nn: str | None
) -> None:
    path = folder / "cases.tflite"
    path.write_bytes(model_of(cases))
    report = tinyflow.build(
        path, board=board, output=folder / "build", vectors=VECTORS, cmsis_nn=cmsis_nn
    )
    assert report.exact.vectors == VECTORS
    assert report.exact.bytes > 0
