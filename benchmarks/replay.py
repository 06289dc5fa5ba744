# SPDX-License-Identifier: Apache-2.0
"""Generate code at two revisions and show every difference: the net under a refactoring.

    python benchmarks/replay.py BASE

BASE is a git revision of this repository. A fixed set of models (the digits example, MLPerf Tiny
where it is present, networks drawn with fixed seeds) is compiled for every board, objective and
kernel set, once by the code in this checkout and once by BASE's, each in a new process
with its own package. All generated files are compared: C, headers, assembly, linker scripts,
platformio.ini. Exit code 0: no difference; 1: differences, listed by file with their line counts.

What start-up copies to RAM follows from a trace of the compiled image, so it is not part of this.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
#: Seeds of the drawn networks.
SEEDS = range(8)
#: File types that are compared.
SUFFIXES = frozenset({".c", ".h", ".S", ".ld", ".ini"})


# ------------------------------------------------------------------------------- two sides


def compare(
    base: Annotated[str, typer.Argument(help="A git revision, such as main or HEAD~1.")],
    keep: Annotated[
        Path | None, typer.Option(help="Keep both sides here, instead of in a temporary folder.")
    ] = None,
    only: Annotated[
        str, typer.Option(help="Only models whose names contain this, such as kws.")
    ] = "",
    jobs: Annotated[int, typer.Option(help="Processes for each side.")] = 2,
    show: Annotated[int, typer.Option(help="Changed lines to print for each file.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare what BASE and this checkout generate."""
    with tempfile.TemporaryDirectory(prefix="tinyflow-replay-") as scratch:
        work = keep or Path(scratch)
        models = work / "models"
        models.mkdir(parents=True, exist_ok=True)
        write_models(models)
        checkout = Path(scratch) / "checkout"
        _git("worktree", "add", "--detach", "--quiet", str(checkout), base)
        try:
            if not (checkout / "benchmarks" / "replay_side.py").is_file():
                raise SystemExit(
                    f"{base} has no benchmarks/replay_side.py: choose a later revision"
                )
            for side, root in (("base", checkout), ("here", ROOT)):
                print(f"generating: {side}", file=sys.stderr)
                _generate(root, models, work / side, only, jobs)
        finally:
            _git("worktree", "remove", "--force", str(checkout))
        changed = list(differences(work / "base", work / "here"))
        files = sum(1 for _ in _generated(work / "here"))
        _print(changed, files, work, show=show, as_json=as_json)
    raise typer.Exit(1 if changed else 0)


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)


def _generate(root: Path, models: Path, target: Path, only: str, jobs: int) -> None:
    """Run a checkout's own `replay_side.py` with its own package."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(
        [
            sys.executable,
            str(root / "benchmarks" / "replay_side.py"),
            str(models),
            str(target),
            f"--jobs={jobs}",
            f"--only={only}",
        ],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )


def _generated(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            yield path.relative_to(folder)


def differences(base: Path, here: Path) -> Iterator[tuple[Path, int, int]]:
    """Files that differ, with the number of lines removed and added.

    Args:
        base: the folder of one side.
        here: the folder of the other; a file that only one side has differs in all its lines.
    """
    for path in sorted({*_generated(base), *_generated(here)}):
        before, after = (_lines(side / path) for side in (base, here))
        if before != after:
            delta = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
            removed = sum(line.startswith("-") for line in delta)
            yield path, removed, sum(line.startswith("+") for line in delta)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _print(
    changed: list[tuple[Path, int, int]], files: int, work: Path, *, show: int, as_json: bool
) -> None:
    if as_json:
        rows = [
            {"file": str(path), "removed": removed, "added": added}
            for path, removed, added in changed
        ]
        print(json.dumps({"files": files, "differences": rows}, indent=2))
        return
    if not changed:
        print(f"no difference in {files:,} generated files")
        return
    from common import out

    # One line for each file name: a change of a template shows in hundreds of builds.
    table = Table("file", "builds", "removed", "added")
    builds: Counter[str] = Counter()
    lines: dict[str, tuple[int, int]] = {}
    for path, removed, added in changed:
        builds[path.name] += 1
        before = lines.get(path.name, (0, 0))
        lines[path.name] = (before[0] + removed, before[1] + added)
    for name, count in builds.most_common():
        table.add_row(name, f"{count:,}", *(f"{value:,}" for value in lines[name]))
    out.print(table)
    shown: set[str] = set()
    for path, _, _ in changed if show else []:
        if path.name not in shown:
            shown.add(path.name)
            sides = (_lines(work / side / path) for side in ("base", "here"))
            delta = difflib.unified_diff(*sides, f"base/{path}", f"here/{path}", lineterm="")
            print("\n".join(list(delta)[:show]))
    print(f"{len(changed):,} of {files:,} generated files differ")


# ------------------------------------------------------------------------------ the models


def write_models(folder: Path) -> None:
    """Write the set's quantised models: `NAME.tflite`."""
    from common import MODELS, TFLITE

    from tests.support.drawn_nets import DrawnNet
    from tests.support.tflite_builder import TfliteBuilder

    for name, file in TFLITE.items():
        if (MODELS / file).is_file():
            shutil.copyfile(MODELS / file, folder / f"{name}.tflite")
        else:
            print(f"{MODELS / file} is not there: left out", file=sys.stderr)
    for seed in SEEDS:
        builder = TfliteBuilder()
        source, result = DrawnNet(seed)(builder)
        (folder / f"drawn_{seed}.tflite").write_bytes(builder.build([source], [result]))
    _write_digits(folder / "digits.tflite")


def _write_digits(target: Path) -> None:
    """Quantise the example, not pruned."""
    from tinyflow.convert.convert import model_inputs, quantize
    from tinyflow.datasets.dataset import load_calibration

    example = ROOT / "examples" / "digits"
    model = example / "digits.keras"
    data = load_calibration(example / "calibration.npz", model_inputs(model))
    quantize(model, data, output_path=target)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    typer.run(compare)
