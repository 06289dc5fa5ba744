# SPDX-License-Identifier: Apache-2.0
"""The oracle in its own process, which lives as long as the command that uses it.

The reference kernels are C++ that was not written for damaged models: some of these end the
process. They run confined (`tinyflow.sandbox`), and what kills them becomes one error here.

A message is a header, one line of JSON, and the bytes of the arrays that it lists, one after
the other. The header has `arrays`, a list of [dtype, shape], and `size`, the bytes that follow.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.arrays import Array
from tinyflow.errors import InputError, TinyflowError, UnsupportedError
from tinyflow.progress import log_command

_log = logging.getLogger(__name__)

#: Seconds for one inference; those of a microcontroller's model take milliseconds.
_TIMEOUT = 120.0
_TIMEOUT_OF_A_SAMPLE = 3.0
#: Seconds for a model's constants, which take real models one or two.
_TIMEOUT_OF_FOLDING = 45.0
_LONGEST_HEADER = 1 << 20
_LARGEST_ANSWER = 1 << 31
#: Types that tensors have; none of them holds objects.
_DTYPES = frozenset({
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32",
    "float64", "complex64",
})  # fmt: skip
_ERRORS: dict[str, type[TinyflowError]] = {
    error.__name__: error for error in (InputError, UnsupportedError)
}


class Oracle:
    """Runs an int8 `.tflite` in the reference arithmetic, in the oracle's process.

    Args:
        model_bytes: the file's bytes.
        keep_tensors: give every tensor its own memory, so that `tensor` can read it.

    Attributes:
        name: whose kernels compute the model, for a reader of the report.

    Raises:
        InputError: the bytes are not a model that TFLM can load.
        UnsupportedError: there is no reference kernel for one of the model's operators, or one
            crashed.
    """

    def __init__(self, model_bytes: bytes, *, keep_tensors: bool = False) -> None:
        self._process = _shared()
        content = np.frombuffer(model_bytes, np.uint8)
        answer, _ = self._process.ask({"do": "load", "keep": keep_tensors}, [content])
        self._handle = int(answer["handle"])
        self.name = str(answer["name"])

    def run(self, *inputs: Array) -> list[Array]:
        """The outputs for one set of inputs, each of the model's exact shape and type.

        Raises:
            InputError: the number, shape or type of the inputs is not the model's, or an operator
                refuses one.
            UnsupportedError: the kernels crashed, or took too long.
        """
        return self._process.ask({"do": "run", "handle": self._handle}, inputs)[1]

    def tensor(self, index: int) -> Array:
        """A tensor of the last run, by its index in the file; needs `keep_tensors`."""
        question = {"do": "tensor", "handle": self._handle, "index": index}
        return self._process.ask(question, ())[1][0]

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._process.forget(self._handle)


def first_output(model: bytes, *inputs: Array) -> Array:
    """Run a model once from its initial state, and return its first output.

    Raises:
        InputError, UnsupportedError: as `Oracle` does.
    """
    return Oracle(model).run(*inputs)[0]


def litert_predictions(tflite: bytes, samples: Sequence[Array]) -> tuple[Array, ...]:
    """Call `tinyflow.datasets.accuracy.int8_predictions` in the oracle's process.

    Raises:
        InputError, UnsupportedError: as it does; also where LiteRT crashes or takes too long.
    """
    content = np.frombuffer(tflite, np.uint8)
    seconds = _TIMEOUT + _TIMEOUT_OF_A_SAMPLE * len(samples[0])
    return tuple(_shared().ask({"do": "predict"}, [content, *samples], seconds)[1])


def fold_in_process(tflite: bytes) -> tuple[bytes | None, bool]:
    """Call `tinyflow.oracle.folding.fold` in the oracle's process.

    Raises:
        InputError: the file is damaged.
        UnsupportedError: the kernels crashed, or took too long.
    """
    content = np.frombuffer(tflite, np.uint8)
    answer, found = _shared().ask({"do": "fold"}, [content], _TIMEOUT_OF_FOLDING)
    return (found[0].tobytes() if found else None), bool(answer["mended"])


class _Process:
    """The process and the pipes to it; a question at a time."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._folder = tempfile.TemporaryDirectory(prefix="tinyflow-")
        self._errors = (Path(self._folder.name) / "stderr.log").open("wb")
        root = str(Path(__file__).resolve().parents[2])
        inherited = os.environ.get("PYTHONPATH")
        path = root if not inherited else os.pathsep.join((root, inherited))
        command = [sys.executable, "-P", "-m", "tinyflow.oracle.serve", self._folder.name]
        log_command(_log, command)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"},
            start_new_session=True,
        )
        self._lock = threading.RLock()
        self._unused: list[int] = []
        self.over = False

    def forget(self, handle: int) -> None:
        """Drop a model with the next question; a destructor may run in the middle of one."""
        self._unused.append(handle)

    def ask(
        self, header: dict[str, Any], arrays: Sequence[Array], seconds: float | None = None
    ) -> tuple[dict[str, Any], list[Array]]:
        """Send a question and wait for its answer.

        Raises:
            InputError, UnsupportedError: what the other side raised, or its end.
        """
        with self._lock:
            if self.over:
                raise UnsupportedError("the oracle's process has ended with another model's error")
            unused, self._unused = self._unused, []
            limit = _TIMEOUT if seconds is None else seconds
            try:
                write_message(self._process.stdin, {**header, "unused": unused}, arrays)
                answer, found = self._answer(limit)
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
                raise self._end(error, limit) from None
            except BaseException:
                self.stop()  # half an answer would be taken for the next one
                raise
        failure = answer.get("error")
        if failure is not None:
            kind = _ERRORS.get(failure["class"], UnsupportedError)
            raise kind(failure["message"], hint=failure["hint"])
        return answer, found

    def _answer(self, seconds: float) -> tuple[dict[str, Any], list[Array]]:
        assert self._process.stdout is not None
        deadline = time.monotonic() + seconds
        return read_message(_Timed(self._process.stdout.fileno(), deadline))

    def _end(self, error: Exception, seconds: float) -> UnsupportedError:
        """Say what ended the process, or why its answer is none."""
        if isinstance(error, TimeoutError):
            self.stop()
            return UnsupportedError(
                f"the oracle cannot run this model: its reference kernels take longer than "
                f"{seconds:g} s",
                hint="A microcontroller would take minutes. A loop in the model may never end.",
            )
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        status = self._process.poll()
        said = self._last_words()
        self.stop()
        if status is not None and status < 0:
            how = f"crashed with {signal.Signals(-status).name}"
        else:
            how = f"answered {error}" if status is None else f"ended with status {status}"
        return UnsupportedError(
            f"the oracle cannot run this model: its reference kernels {how}{said}",
            hint="The firmware cannot be compared with them, so there is none. A damaged model is "
            "the most likely cause: convert it again.",
        )

    def _last_words(self) -> str:
        text = (Path(self._folder.name) / "stderr.log").read_bytes()[-4096:]
        lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
        return "".join(f"\n  {line[:400]}" for line in lines[-3:])

    def stop(self) -> None:
        """End the process; the next question starts another one."""
        self.over = True
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._errors.close()
        self._folder.cleanup()


_current: _Process | None = None
_starting = threading.Lock()


def start() -> None:
    """Start the oracle's process, if it does not run: it is ready when it is needed."""
    _shared()


def _shared() -> _Process:
    global _current  # noqa: PLW0603
    with _starting:
        # After a fork the pipes belong to the parent.
        if _current is None or _current.over or _current.owner != os.getpid():
            _current = _Process()
            atexit.register(_stop, _current)
        return _current


def _stop(process: _Process) -> None:
    if process.owner == os.getpid() and not process.over:
        process.stop()


class _Timed:
    """Reads from a descriptor, up to a deadline."""

    def __init__(self, descriptor: int, deadline: float) -> None:
        self._descriptor, self._deadline, self._pending = descriptor, deadline, b""

    def readline(self, limit: int) -> bytes:
        while b"\n" not in self._pending and len(self._pending) < limit:
            self._pending += self._more(limit)
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def read(self, count: int) -> bytes:
        parts, found = [self._pending[:count]], min(count, len(self._pending))
        self._pending = self._pending[count:]
        while found < count:
            parts.append(self._more(count - found))
            found += len(parts[-1])
        return b"".join(parts)

    def _more(self, count: int) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            if not selector.select(max(0.0, self._deadline - time.monotonic())):
                raise TimeoutError
        chunk = os.read(self._descriptor, min(count, 1 << 20))
        if not chunk:
            raise ConnectionResetError("nothing")
        return chunk


def write_message(file: Any, header: dict[str, Any], arrays: Sequence[Array]) -> None:
    """Write a header and arrays; the bytes are the arrays' own."""
    blocks = [np.asarray(array, order="C") for array in arrays]
    described = [[block.dtype.name, list(block.shape)] for block in blocks]
    content = json.dumps({**header, "arrays": described}).encode()
    file.write(b"".join([content, b"\n", *(block.tobytes() for block in blocks)]))
    file.flush()


def read_message(file: Any) -> tuple[dict[str, Any], list[Array]]:
    """Read a header and its arrays.

    Raises:
        OSError: the other side has gone.
        ValueError: what it wrote is no message.
    """
    header = json.loads(file.readline(_LONGEST_HEADER))
    arrays = []
    for dtype, shape in header["arrays"]:
        if dtype not in _DTYPES or not all(isinstance(size, int) and size >= 0 for size in shape):
            raise ValueError(f"an array of {dtype} and shape {shape}")
        size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
        if size > _LARGEST_ANSWER:
            raise ValueError(f"an array of {size:,} bytes")
        content = bytearray(file.read(size))
        if len(content) != size:
            raise ConnectionResetError("nothing")
        arrays.append(np.ndarray(shape, dtype, content))
    return header, arrays
