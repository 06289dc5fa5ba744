"""Running a piece of work in a process of its own.

TensorFlow lives only in such processes: the parent starts in milliseconds, and a converter
that crashes, hangs or eats all memory ends in an error message instead of a dead command.

A job is a folder: `job.json` and any arrays beside it go in, `reply.json` and any files beside
it come out. Lines the worker prints on standard output are progress; whatever it and the
native libraries write to standard error is kept for the message when it fails.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
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

#: Receives one line of progress.
OnLine = Callable[[str], None]

_JOB = "job.json"
_REPLY = "reply.json"
_ERRORS: dict[str, type[TinyflowError]] = {
    error.__name__: error
    for error in (InputError, UnsupportedError, ToolMissingError, ConversionError)
}
_LAST_WORDS = 12
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
    timeout: float | None = None,
    on_line: OnLine | None = None,
) -> dict[str, Any]:
    """Run `python -m module folder` and return its reply.

    Args:
        module: a module whose `main` is `serve_job(...)`.
        job: what to do, as JSON; arrays lie in `folder` beside it.
        folder: an existing folder for job, reply and arrays.
        task: what is being done, for messages: "quantising model.keras".
        timeout: seconds before the worker is killed; None waits for ever.
        on_line: receives each line the worker prints on standard output.

    Raises:
        ConversionError: the worker crashed, ran out of memory or time, or failed in a way
            its code did not foresee; the message ends with its last words.
        TinyflowError: the worker raised it.
    """
    (folder / _JOB).write_text(json.dumps(job), encoding="utf-8")
    with (folder / "stderr.log").open("wb") as errors:
        # -P: a file called keras.py in the user's folder must not be imported.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            start_new_session=True,
        )
    timed_out = threading.Event()

    def expire() -> None:
        timed_out.set()
        _kill(process)

    timer = threading.Timer(timeout, expire) if timeout is not None else None
    try:
        if timer is not None:
            timer.start()
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            if line and on_line is not None:
                on_line(line)
        status = process.wait()
    finally:
        if timer is not None:
            timer.cancel()
        _kill(process)
        process.wait()
    return _reply(folder, status, task, timeout if timed_out.is_set() else None)


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


def _reply(folder: Path, status: int, task: str, timeout: float | None) -> dict[str, Any]:
    words = _last_words(folder / "stderr.log")
    if timeout is not None:
        raise ConversionError(
            f"{task}: stopped after {timeout:g} s{words}",
            hint="Give it more time, or fewer calibration or training samples.",
        )
    if status == -signal.SIGKILL:
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
        reply: dict[str, Any] = json.loads((folder / _REPLY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ConversionError(f"{task}: the process ended with status {status}{words}") from None
    failure = reply.get("error")
    if failure is None:
        result: dict[str, Any] = reply["result"]
        return result
    known = _ERRORS.get(failure["class"])
    if known is not None:
        raise known(failure["message"], hint=failure["hint"])
    raise ConversionError(f"{task}: {failure['message']}{words}")


def _last_words(log: Path) -> str:
    """The end of the worker's standard error without TensorFlow's usual chatter."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65536))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = deque(maxlen=_LAST_WORDS)  # type: deque[str]
    for line in text.splitlines():
        if line.strip() and not any(noise in line for noise in _NOISE):
            lines.append("  " + "".join(c if c.isprintable() else " " for c in line)[:400])
    return "\n" + "\n".join(lines) if lines else ""


def serve_job(handler: Callable[[dict[str, Any], Path], dict[str, Any]]) -> None:
    """The worker's side: read the job, run `handler(job, folder)`, write its reply.

    Progress goes through `print`. Native libraries write to file descriptor 1 as they like;
    that is sent to standard error, so that progress stays clean.
    """
    folder = Path(sys.argv[1])
    # What prints to descriptor 1 below Python goes to the log; `print` keeps the real pipe.
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    job = json.loads((folder / _JOB).read_text(encoding="utf-8"))
    reply: dict[str, Any]
    try:
        reply = {"result": handler(job, folder)}
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
