"""Rewritten graphs, run on a core and compared with the oracle's outputs of the original file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.emulate.oracle import Oracle
from tinyflow.frontend.tflite_import import import_model
from tinyflow.ir.graph import Graph
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.kernels.select import select_kernels
from tinyflow.passes import optimise
from tinyflow.trial import Trial

PATH = Path("net.tflite")

#: Adds operators to a file and gives the tensors that are its input and its output.
Net = Callable[[TfliteBuilder], tuple[int, int]]


def file_of(nets: Sequence[Net]) -> bytes:
    """One model with all nets side by side."""
    b = TfliteBuilder()
    ends = [net(b) for net in nets]
    return b.build([source for source, _ in ends], [output for _, output in ends])


def optimised(content: bytes) -> Graph:
    """The graph after all passes."""
    return optimise(import_model(content, PATH, name="net"), content, PATH)


def check_exact(content: bytes, *, board: str = "stm32f407", vectors: int = 4) -> Graph:
    """Compare the optimised graph on a board with the oracle, byte for byte.

    The first inputs are all the least, the next all the greatest value, the others random.

    Returns:
        The optimised graph.
    """
    graph, chosen = optimised(content), load_board(board)
    cmsis = find_cmsis_nn()
    trial = Trial(graph, select_kernels(graph, chosen, cmsis), chosen, cmsis)
    oracle, rng = Oracle(content), np.random.default_rng(0)
    for turn in range(vectors):
        low, high = ((-128, -128), (127, 127), (-128, 127))[min(turn, 2)]
        sample = [
            rng.integers(low, high, tensor.shape, endpoint=True).astype(np.int8)
            for tensor in graph.input_tensors()
        ]
        outputs = zip(trial.run(*sample), oracle.run(*sample), strict=True)
        for position, (found, due) in enumerate(outputs):
            assert np.array_equal(found, due), (
                f"output {position} of vector {turn}: "
                f"{np.count_nonzero(found != due)} of {due.size} elements differ"
            )
    return graph


def titles(graph: Graph) -> list[str]:
    """The operators by their kinds, in order."""
    return [op.title for op in graph.operators]
