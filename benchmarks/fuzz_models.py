# SPDX-License-Identifier: Apache-2.0
"""Fuzz the reading and the conversion of Keras files and SavedModels with damaged ones.

Each file must end converted or in one clear error, within a time limit. Files that do not are
kept. A file goes through the functions that a build calls, in a confined process that is forked
from one that has TensorFlow loaded: starting TensorFlow for each would take most of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from tests.fuzz.mutate_keras import damage, seeds

#: Processor time; a busy machine may take longer by the clock.
SECONDS_PER_FILE = 60
_LONGEST = 10 * SECONDS_PER_FILE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="files (default: 2,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--convert", action="store_true", help="convert what loads, too")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    options = parser.parse_args()
    ends: Counter[str] = Counter()
    began = time.monotonic()
    longest = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = seeds(folder / "seeds")
        _load_libraries()
        for number in range(options.count):
            rng = random.Random(options.seed * 1_000_000 + number)
            path = damage(rng.choice(models), folder / "damaged", rng)
            start = time.monotonic()
            end = _try(path, folder / "work", convert=options.convert)
            longest = max(longest, time.monotonic() - start)
            ends[end] += 1
            if end.startswith("BUG"):
                options.keep.mkdir(exist_ok=True)
                kept = options.keep / f"{options.seed}-{number}{path.suffix}"
                (shutil.copytree if path.is_dir() else shutil.copy)(path, kept)
    seconds = time.monotonic() - began
    table = Table(
        title=f"{options.count:,} damaged models in {seconds:.0f} s, longest {longest:.1f} s"
    )
    table.add_column("end")
    table.add_column("files", justify="right")
    for end, count in ends.most_common():
        table.add_row(end, f"{count:,}")
    Console().print(table)
    return any(end.startswith("BUG") for end in ends)


def _load_libraries() -> None:
    """Import what a worker imports; no session is made, so that a fork finds no threads."""
    import h5py
    import keras
    import tensorflow

    del h5py, keras, tensorflow
    import tinyflow.convert._worker  # noqa: F401


def _try(path: Path, work: Path, *, convert: bool) -> str:
    """Read a file in a new process and return how that ended."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    process = os.fork()
    if not process:
        status = 3
        try:
            _read(path, work, convert=convert)
            status = 0
        finally:
            os._exit(status)
    deadline = time.monotonic() + _LONGEST
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return f"BUG more than {_LONGEST} s"
        time.sleep(0.01)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) == signal.SIGXCPU:
            return f"BUG more than {SECONDS_PER_FILE} s of processor time"
        # A worker that crashes is one clear error to the command.
        return f"crash: {signal.Signals(os.WTERMSIG(status)).name}"
    try:
        return str(json.loads((work / "end.json").read_text()))
    except (OSError, ValueError):
        return f"BUG status {status}"


def _read(path: Path, work: Path, *, convert: bool) -> None:
    """The worker's side."""
    import numpy as np

    from tinyflow.convert import _worker
    from tinyflow.errors import TinyflowError
    from tinyflow.sandbox.confine import confine

    log = os.open(work / "stderr.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    tempfile.tempdir = None  # of the process before the fork
    confine(work, [path], memory=6 << 30, cpu_seconds=SECONDS_PER_FILE)
    try:
        found = _worker.main({"model": str(path)}, work)
        if convert:
            samples = {
                str(index): np.random.default_rng(0)
                .uniform(0, 1, (2, *spec["shape"]))
                .astype(spec["dtype"])
                for index, spec in enumerate(found["inputs"])
            }
            for name in ("samples", "calibration"):
                np.savez(work / f"{name}.npz", allow_pickle=False, **samples)
            _worker.main({"model": str(path), "convert": "int8"}, work)
        end = "converted" if convert else "read"
    except TinyflowError as error:
        end = type(error).__name__ if error.message.strip() else "BUG no message"
    except MemoryError:
        end = "out of memory"
    except Exception as error:
        # The command shows it as a ConversionError with these words.
        end = f"unforeseen: {type(error).__name__}: {str(error)[:80]}"
    (work / "end.json").write_text(json.dumps(end))


if __name__ == "__main__":
    sys.exit(main())
