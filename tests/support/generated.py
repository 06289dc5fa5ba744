# SPDX-License-Identifier: Apache-2.0
"""Every variant of the generated kernels, compared with the oracle on one operator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.calling_convention import CanaryCalls, assembly_functions
from tinyflow.boards import Board
from tinyflow.costs.trial import Trial
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.kernels.generated.registry import generated_kernels
from tinyflow.oracle.oracle import Oracle
from tinyflow.tflite.importer import import_model


def check_variants(
    content: bytes,
    board: Board,
    vectors: int = 3,
    seed: int = 0,
    function: str | None = None,
) -> list[Kernel]:
    """Run a model of one operator with each of its generated kernels.

    Args:
        content: a `.tflite` with one operator.
        board: where it runs.
        vectors: random inputs over the whole range of their type; two more hold its least and
            its greatest value.
        seed: of those inputs.
        function: of the kernels that are tried; None tries all.

    Returns:
        The kernels that were tried.

    Raises:
        AssertionError: a byte differs from the oracle's, or a register that a function must keep
            is changed; names the variant.
    """
    graph = import_model(content, Path("operator.tflite"), name="net")
    (operator,) = graph.operators
    oracle, rng = Oracle(content), np.random.default_rng(seed)
    samples = []
    for turn in range(vectors + 2):
        sample = []
        for tensor in graph.input_tensors():
            info = np.iinfo(tensor.dtype.numpy)
            low, high = ((info.min, info.min), (info.max, info.max), (info.min, info.max))[
                min(turn, 2)
            ]
            sample.append(
                rng.integers(low, high, tensor.shape, endpoint=True).astype(tensor.dtype.numpy)
            )
        samples.append((sample, oracle.run(*sample)))
    kernels = [
        kernel
        for kernel in generated_kernels(operator, graph, board)
        if function in (None, kernel.function)
    ]
    cmsis = find_cmsis_nn()
    for kernel in kernels:
        trial = Trial(graph, [kernel], board, cmsis)
        functions = assembly_functions(trial.code.files)
        canaries = CanaryCalls(functions, board)
        found_outputs = trial.run_each([sample for sample, _ in samples], watch=canaries.watch)
        assert not canaries.problems, f"{kernel.title}: {canaries.problems}"
        assert bool(canaries.calls) == bool(functions), f"{kernel.title}: nothing was called"
        for (_, expected), outputs in zip(samples, found_outputs, strict=True):
            for found, right in zip(outputs, expected, strict=True):
                wrong = np.flatnonzero(found.ravel() != right.ravel())
                assert not wrong.size, (
                    f"{kernel.title}: {wrong.size} of {right.size} elements "
                    f"differ, first {wrong[0]}: {found.ravel()[wrong[0]]} for "
                    f"{right.ravel()[wrong[0]]}"
                )
    return kernels
