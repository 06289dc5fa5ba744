# SPDX-License-Identifier: Apache-2.0
"""Rewritten graphs, run on a core and compared with the oracle's outputs of the original file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.arrays import Array
from tinyflow.boards import Board, load_board
from tinyflow.costs.trial import Trial
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN, find_cmsis_nn
from tinyflow.oracle.oracle import Oracle
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.tflite.importer import import_model

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
    return optimise(import_model(content, PATH, name="net"), content, PATH, first_output)


def any_kernels(graph: Graph, board: Board, cmsis: CmsisNN) -> list[Kernel]:
    """Draw one supported kernel for each operator; the draw is always the same."""
    rng = np.random.default_rng(0)
    found = [candidates(op, graph, board, cmsis).kernels for op in graph.operators]
    return [kernels[rng.integers(len(kernels))] for kernels in found]


def check_exact(
    content: bytes,
    board: Board | None = None,
    *,
    vectors: int = 4,
    select: Callable[[Graph, Board, CmsisNN], Sequence[Kernel]] = select_kernels,
) -> Graph:
    """Compare the optimised graph on a board, an M4 by default, with the oracle, byte for byte.

    The first inputs are all the least, the next all the greatest value, the others random.

    Returns:
        The optimised graph.
    """
    graph, chosen = optimised(content), board or load_board("stm32f407")
    cmsis = find_cmsis_nn()
    trial = Trial(graph, select(graph, chosen, cmsis), chosen, cmsis)
    oracle, rng = Oracle(content), np.random.default_rng(0)
    for turn in range(vectors):
        sample = [_values(tensor, turn, rng) for tensor in graph.input_tensors()]
        outputs = zip(trial.run(*sample), oracle.run(*sample), strict=True)
        for position, (found, due) in enumerate(outputs):
            assert np.array_equal(found, due), (
                f"output {position} of vector {turn}: "
                f"{np.count_nonzero(found != due)} of {due.size} elements differ"
            )
    return graph


def _values(tensor: Tensor, turn: int, rng: np.random.Generator) -> Array:
    info = np.iinfo(tensor.dtype.numpy)
    low, high = ((info.min, info.min), (info.max, info.max), (info.min, info.max))[min(turn, 2)]
    return rng.integers(low, high, tensor.shape, endpoint=True).astype(tensor.dtype.numpy)


def titles(graph: Graph) -> list[str]:
    """The operators by their kinds, in order."""
    return [op.title for op in graph.operators]
