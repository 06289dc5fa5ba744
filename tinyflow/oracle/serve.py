# SPDX-License-Identifier: Apache-2.0
"""The oracle's process: `python -m tinyflow.oracle.serve FOLDER`, started by `oracle.process`."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyflow.sandbox.confine import confine, physical_memory

if TYPE_CHECKING:
    from tinyflow.arrays import Array
    from tinyflow.oracle.oracle import DirectOracle

_LEAST_MEMORY = 4 << 30
_DAY = 24 * 3600


def main(folder: Path) -> None:
    """Answer questions until the pipe is closed."""
    # What C code prints must not get between the answers.
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    memory = max(_LEAST_MEMORY, physical_memory() // 2)
    confine(folder, [], memory=memory, cpu_seconds=_DAY)
    # Not before: threads that NumPy starts on import would not be confined.
    from tinyflow.errors import TinyflowError
    from tinyflow.oracle.process import read_message, write_message

    loaded: dict[int, DirectOracle] = {}
    handles = itertools.count()
    while True:
        try:
            header, arrays = read_message(questions)
        except (OSError, ValueError):
            return
        for handle in header["unused"]:
            loaded.pop(handle, None)
        found: list[Array] = []
        answer: dict[str, Any]
        try:
            answer, found = _answer(header, arrays, loaded, handles)
        except TinyflowError as error:
            answer = _failure(type(error).__name__, error.message, error.hint)
        except MemoryError:
            answer = _failure(
                "UnsupportedError", "the oracle cannot run this model: out of memory", None
            )
        except Exception as error:
            reason = f"the oracle cannot run this model: {type(error).__name__}: {error}"
            answer = _failure("UnsupportedError", reason[:2000], None)
        write_message(answers, answer, found)


def _failure(kind: str, message: str, hint: str | None) -> dict[str, Any]:
    return {"error": {"class": kind, "message": message, "hint": hint}}


def _answer(
    header: dict[str, Any],
    arrays: list[Array],
    loaded: dict[int, DirectOracle],
    handles: Iterator[int],
) -> tuple[dict[str, Any], list[Array]]:
    if header["do"] == "predict":
        from tinyflow.datasets.accuracy import int8_predictions

        return {}, list(int8_predictions(arrays[0].tobytes(), arrays[1:]))
    if header["do"] == "fold":
        import numpy as np

        from tinyflow.oracle.folding import fold

        folded, mended = fold(arrays[0].tobytes())
        return {"mended": mended}, [] if folded is None else [np.frombuffer(folded, np.uint8)]
    if header["do"] == "load":
        from tinyflow.oracle.oracle import DirectOracle

        oracle = DirectOracle(arrays[0].tobytes(), keep_tensors=header["keep"])
        handle = next(handles)
        loaded[handle] = oracle
        return {"handle": handle, "name": oracle.name}, []
    oracle = loaded[header["handle"]]
    if header["do"] == "run":
        return {}, oracle.run(*arrays)
    return {}, [oracle.tensor(header["index"])]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
