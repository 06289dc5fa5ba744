# SPDX-License-Identifier: Apache-2.0
"""Runs a fuzzed file through import, kernel choice, planning and C generation, uncompiled."""

from __future__ import annotations

from pathlib import Path

from tests.support.first_kernels import select_kernels
from tinyflow.boards import load_board
from tinyflow.codegen.library import generate_model
from tinyflow.errors import TinyflowError
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.oracle.constants import fold_constants
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.pipeline.plan_model import check_fit
from tinyflow.plan.allocator import GREEDY
from tinyflow.plan.memory import plan_memory
from tinyflow.tflite.file import read_tflite
from tinyflow.tflite.importer import import_model

_BOARD = load_board("stm32l4r5")


def compile_file(path: Path) -> str:
    """Compile a file and return how it ended: "built", or the kind of the one clear error.

    Anything but a TinyflowError with a message is a bug, and passes through.
    """
    try:
        content = fold_constants(read_tflite(path), path)
        graph = optimise(import_model(content, path, name="fuzzed"), content, path, first_output)
        cmsis = find_cmsis_nn()
        plan = plan_memory(graph, select_kernels(graph, _BOARD, cmsis), effort=GREEDY)
        check_fit(generate_model(graph, plan, cmsis, content), plan, _BOARD)
    except TinyflowError as error:
        assert error.message.strip()
        return type(error).__name__
    return "built"
