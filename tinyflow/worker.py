# SPDX-License-Identifier: Apache-2.0
"""Running a piece of work on a stranger's file in a confined process.

TensorFlow and HDF5 live only in such processes: the parent starts in milliseconds, and a file
that crashes its reader, hangs it or eats all memory ends in an error message. The process can
write to its job's folder alone and has no network (`tinyflow.sandbox`), so that code which gets
to run in it does no harm.

A job is a folder: `job.json` and any arrays in it go in, `reply.json` and any files come out.
Lines the worker prints on standard output are progress; whatever it and the native libraries
write to standard error is kept for the message when it fails.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import logging
import os
import selectors
import signal
import stat
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tinyflow.distribution import install_hint
from tinyflow.errors import (
    ConversionError,
    InputError,
    TinyflowError,
    ToolMissingError,
    UnsupportedError,
)
from tinyflow.progress import log_command
from tinyflow.sandbox.confine import confine, physical_memory

_log = logging.getLogger(__name__)

#: Receives one line of progress.
OnLine = Callable[[str], None]

_JOB = "job.json"
_REPLY = "reply.json"
_LOG = "stderr.log"
_LONGEST_LINE = 1 << 16
_ERRORS: dict[str, type[TinyflowError]] = {
    error.__name__: error
    for error in (InputError, UnsupportedError, ToolMissingError, ConversionError)
}
_LAST_WORDS = 12
#: Seconds without a line after which the parent says that the work goes on.
_HEARTBEAT = 15.0
#: Seconds of processor time of a worker that may take for ever.
_LONGEST = 30 * 24 * 3600
_LEAST_MEMORY = 4 << 30
_OUT_OF_MEMORY = ("bad_alloc", "OOM when", "RESOURCE_EXHAUSTED", "ResourceExhausted",
                  "Unable to allocate", "MemoryError", "out of memory")  # fmt: skip
_NOISE = (
    "WARNING: All log messages before absl::InitializeLog()",
    "oneDNN custom operations",
    "TF_ENABLE_ONEDNN_OPTS",
    "XNNPACK delegate",
    "fully_quantize:",
    "Please consider providing the trackable_obj",
    "UserWarning",
    "warnings.warn",
)


def require_keras() -> None:
    """Check that TensorFlow and Keras are installed, without importing them.

    Raises:
        ToolMissingError: one of them is missing; the hint is the command that installs it.
    """
    for package in ("tensorflow", "keras", "h5py"):
        if importlib.util.find_spec(package) is None:
            raise ToolMissingError(
                f"{package} is not installed; Keras models cannot be read without it",
                hint=f"{install_hint('keras')}   (a ready quantised .tflite needs none of it)",
            )


def run_worker(
    module: str,
    job: dict[str, Any],
    folder: Path,
    *,
    task: str,
    reads: Sequence[Path] = (),
    timeout: float | None = None,
    on_line: OnLine | None = None,
) -> dict[str, Any]:
    """Run `main(job, folder)` of a module in a confined process and return its reply.

    Args:
        module: the module's full name.
        job: what to do, as JSON; arrays lie in `folder`.
        folder: an existing folder for job, reply and arrays: all the worker can write to.
        task: what is being done, for messages: "quantising model.keras".
        reads: files and folders the worker may read, besides `folder` and Python's packages.
        timeout: seconds before the worker is killed; None waits for ever.
        on_line: receives each line the worker prints on standard output, and a word now and then
            while it prints none.

    Raises:
        InputError: reading the file took more processor time than any model needs.
        ConversionError: the worker crashed, ran out of memory or time, or failed in a way
            its code did not foresee; the message ends with its last words.
        TinyflowError: the worker raised it.
    """
    (folder / _JOB).write_text(
        json.dumps({"job": job, "reads": [str(path) for path in reads], "timeout": timeout}),
        encoding="utf-8",
    )
    with (folder / _LOG).open("wb") as errors:
        # -P: a file called keras.py in the user's folder must not be imported.
        command = [sys.executable, "-P", "-m", "tinyflow.worker", module, str(folder)]
        log_command(_log, command, folder)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            cwd=folder,
            start_new_session=True,
        )
    last_line, timed_out = "", False
    try:
        for line in _lines(process, timeout):
            if line is None:
                timed_out = True
                break
            last_line = line or last_line
            if on_line is not None:
                on_line(line or f"still {last_line or task}")
        if not timed_out:
            process.wait()
    finally:
        _kill(process)
        status = process.wait()
        if process.stdout is not None:
            process.stdout.close()
    return _reply(folder, status, task, timeout if timed_out else None, last_line)


def _lines(process: subprocess.Popen[bytes], timeout: float | None) -> Iterator[str | None]:
    """Yield the worker's output lines; an empty line for a long silence, None when its time is
    over.
    """
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    deadline = None if timeout is None else time.monotonic() + timeout
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            left = _HEARTBEAT if deadline is None else deadline - time.monotonic()
            if left <= 0:
                yield None
                return
            if not selector.select(min(left, _HEARTBEAT)):
                if left >= _HEARTBEAT:
                    yield ""
                continue
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                return
            *whole, pending = (pending + chunk)[-_LONGEST_LINE:].split(b"\n")
            for raw in whole:
                line = raw.decode("utf-8", "replace").strip()
                if line:
                    yield line


def read_result(path: Path, *, last: int | None = None) -> bytes:
    """Read a file that a worker left, or its last bytes; links and pipes are no results.

    Raises:
        OSError: there is no such plain file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path.name} is not a plain file")
        if last is not None:
            file.seek(max(0, os.fstat(descriptor).st_size - last))
        return file.read()


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": root if not inherited else os.pathsep.join((root, inherited)),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the worker and whatever it started; it leads its own session."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _reply(
    folder: Path, status: int, task: str, timeout: float | None, last_line: str
) -> dict[str, Any]:
    words = _last_words(folder / _LOG)
    if timeout is not None:
        raise ConversionError(
            f"{task}: stopped after {timeout:g} s{words}",
            hint="Give it more time, or fewer calibration or training samples.",
        )
    if status in (-signal.SIGPROF, -signal.SIGXCPU):
        raise InputError(
            f"{task}: stopped: {last_line or 'it'} took more processor time than any model for "
            "a microcontroller needs",
            hint="The file is damaged, or made to keep its reader busy. Save the model again.",
        )
    if status == -signal.SIGKILL or (status and any(word in words for word in _OUT_OF_MEMORY)):
        raise ConversionError(
            f"{task}: the process was killed, most likely for lack of memory{words}",
            hint="Free some memory, or use fewer calibration or training samples.",
        )
    if status < 0:
        raise ConversionError(
            f"{task}: the process crashed with {signal.Signals(-status).name}{words}",
            hint="A crash inside TensorFlow: a layer of this model is one its converter cannot "
            "take. Recurrent layers (LSTM, GRU) in a SavedModel are a known case: give the .keras.",
        )
    try:
        reply: dict[str, Any] = json.loads(read_result(folder / _REPLY))
        failure = reply.get("error")
        if failure is None:
            result: dict[str, Any] = reply["result"]
            return result
        known, message, hint = _ERRORS.get(failure["class"]), failure["message"], failure["hint"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ConversionError(f"{task}: the process ended with status {status}{words}") from None
    if known is not None:
        raise known(message, hint=hint)
    raise ConversionError(f"{task}: {message}{words}")


def _last_words(log: Path) -> str:
    """The end of the worker's standard error without TensorFlow's usual chatter."""
    try:
        text = read_result(log, last=1 << 16).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = deque(maxlen=_LAST_WORDS)  # type: deque[str]
    for line in text.splitlines():
        if line.strip() and not any(noise in line for noise in _NOISE):
            lines.append("  " + "".join(c if c.isprintable() else " " for c in line)[:400])
    return "\n" + "\n".join(lines) if lines else ""


def _serve(module: str, folder: Path) -> None:
    """Be the worker: read the job, confine this process, run the module, write the reply.

    Progress goes through `print`. Native libraries write to file descriptor 1 as they like;
    that is sent to standard error, so that progress stays clean.
    """
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    given = json.loads((folder / _JOB).read_text(encoding="utf-8"))
    memory = max(_LEAST_MEMORY, physical_memory() * 3 // 4)
    seconds = _LONGEST if given["timeout"] is None else int(given["timeout"]) + 1
    confine(
        folder,
        [Path(path) for path in given["reads"]],
        memory=memory,
        cpu_seconds=seconds * (os.cpu_count() or 1),
    )
    reply: dict[str, Any]
    try:
        # Not before: what NumPy and TensorFlow start on import would not be confined.
        reply = {"result": importlib.import_module(module).main(given["job"], folder)}
    except TinyflowError as error:
        reply = {
            "error": {
                "class": type(error).__name__,
                "message": error.message,
                "hint": error.hint,
            }
        }
    except MemoryError:
        reply = {"error": {"class": "MemoryError", "message": "out of memory", "hint": None}}
    except Exception as error:
        import traceback

        traceback.print_exc()
        words = f"{type(error).__name__}: {error}".strip()
        reply = {"error": {"class": "Exception", "message": words[-2000:], "hint": None}}
    (folder / _REPLY).write_text(json.dumps(reply), encoding="utf-8")


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]))
