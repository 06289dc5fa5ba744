# SPDX-License-Identifier: Apache-2.0
"""The emulated hardware-in-the-loop tests of a build, from files that tinyflow writes for them.

Robot Framework runs Python that a suite names, and Renode runs what a script includes. So the suite
in the build's folder is for users; what `tinyflow test` runs is written anew into a temporary
folder, from the report, which was checked, and from the vectors, which are arrays.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tinyflow.boards import Board
from tinyflow.emulate.robot_suite import DEFAULT_TIMEOUT_S, HilResult, run_hil_tests
from tinyflow.errors import InputError
from tinyflow.report.renode_suite import MAX_VECTORS, timed_vector, write_renode
from tinyflow.report.report_data import TensorSection
from tinyflow.storage.files import write_file
from tinyflow.toolchain.elf import read_image
from tinyflow.tools.build_folder import Built

_ELF = "firmware.elf"


def run_suite(
    built: Built,
    board: Board,
    *,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> HilResult:
    """Run the suite of a build.

    Args:
        built: the build.
        board: the board it was built for, as tinyflow knows it.
        on_line: called with every line that renode-test prints.
        timeout_s: seconds until renode-test is ended.

    Raises:
        RenodeMissingError: renode-test is not installed.
        ToolMissingError: it is, but the Python that it runs lacks what it needs.
        InputError: the image or a vector is missing or damaged.
        HilTestError: tests failed, named with their messages, or none ran.
    """
    report = built.report.model_copy(update={"artifacts": {"elf": _ELF}})
    with tempfile.TemporaryDirectory(prefix="tinyflow-test-") as name:
        folder = Path(name)
        write_renode(folder, board, report)
        read_image(built.elf)
        write_file(folder / _ELF, built.elf.read_bytes())
        (folder / "vectors").mkdir()
        for kind, tensors in (("input", report.model.inputs), ("output", report.model.outputs)):
            _copy_vectors(built, folder, kind, tensors, max(MAX_VECTORS, timed_vector(report) + 1))
        return run_hil_tests(folder, on_line=on_line, timeout_s=timeout_s)


def _copy_vectors(
    built: Built, folder: Path, kind: str, tensors: Sequence[TensorSection], count: int
) -> None:
    """Read the first vectors as arrays, and write them as Robot's library reads them."""
    for index, tensor in enumerate(tensors):
        name = f"vectors/{kind}_{index}.npy"
        path = built.file(name)
        hint = "Build it again."
        try:
            # mapped: nothing is read before the file is known to be as large as it says
            array = np.ascontiguousarray(np.load(path, mmap_mode="r", allow_pickle=False)[:count])
        except (OSError, ValueError, TypeError, LookupError, EOFError, MemoryError) as error:
            raise InputError(f"{path}: not the vectors of a build", hint=hint) from error
        if array.dtype != np.dtype(tensor.dtype):
            raise InputError(f"{path}: holds {array.dtype}, not {tensor.dtype}", hint=hint)
        stream = io.BytesIO()
        np.save(stream, array)
        write_file(folder / name, stream.getvalue())
