# SPDX-License-Identifier: Apache-2.0
"""Fuzz the importer, the planner and the code generator with damaged .tflite files.

Each file must end in generated C or in one clear error, within a time and memory limit. Files
that do not are kept. Models to damage: those of the tests, and any that are named.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.conformance.driver import model_of
from tests.conformance.test_conformance import GROUPS
from tests.fuzz.compile import compile_file
from tests.fuzz.mutate import raw, structured
from tests.support.mixed_model import mixed_model
from tests.support.open_batch import flattened
from tests.support.small_model import small_model
from tests.support.stateful_model import stateful_model
from tinyflow.storage.files import write_file

SECONDS_PER_FILE = 60
BYTES = 4 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help=".tflite files to damage")
    parser.add_argument("--count", type=int, default=20_000, help="files (default: 20,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    signal.signal(signal.SIGALRM, _too_long)

    contents = [
        small_model(),
        mixed_model(),
        stateful_model(),
        flattened(),
        *(model_of(group) for group in GROUPS.values()),
        *(path.read_bytes() for path in options.models),
    ]
    ends: Counter[str] = Counter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.tflite"
        for number in range(options.count):
            rng = random.Random(options.seed * options.count + number)
            content = rng.choice(contents)
            damaged = (raw if number % 2 else structured)(content, rng)
            path.write_bytes(damaged)
            signal.alarm(SECONDS_PER_FILE)
            try:
                ends[compile_file(path)] += 1
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                ends[f"BUG {type(error).__name__}: {error}"[:100]] += 1
                options.keep.mkdir(exist_ok=True)
                write_file(options.keep / f"{options.seed}-{number}.tflite", damaged)
            finally:
                signal.alarm(0)
    table = Table(title=f"{options.count:,} damaged files in {time.monotonic() - began:.0f} s")
    table.add_column("end")
    table.add_column("files", justify="right")
    for end, count in ends.most_common():
        table.add_row(end, f"{count:,}")
    Console().print(table)
    return any(end.startswith("BUG") for end in ends)


def _too_long(signum: int, frame: object) -> None:
    raise TimeoutError(f"more than {SECONDS_PER_FILE} s")


if __name__ == "__main__":
    sys.exit(main())
