# SPDX-License-Identifier: Apache-2.0
"""Helpers shared by the benchmarks: locations of the models, and printing of tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

_SHARED = Path(__file__).resolve().parents[2] / "shared"

#: The quantised reference models of MLPerf Tiny, github.com/mlcommons/tiny.
TFLITE = {
    "kws": "kws_ref_model.tflite",
    "ic": "pretrainedResnet_quant.tflite",
    "vww": "vww_96_int8.tflite",
    "ad": "ad01_int8.tflite",
}

out = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
err = Console(stderr=True, highlight=False)

Models = Annotated[
    Path,
    typer.Option(
        envvar="TINYFLOW_MODELS",
        show_default="../shared/models/mlperf_tiny next to this checkout",
        help="Folder of the MLPerf Tiny .tflite files: " + ", ".join(TFLITE.values()) + ".",
    ),
]
MODELS = _SHARED / "models" / "mlperf_tiny"
KWS_DATA = _SHARED / "data" / "kws01_mfcc_int8.npz"
Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON on standard output.")]


def require(path: Path, how: str) -> None:
    """Skip the whole benchmark, with exit code 0, where a file of it is not on this machine."""
    if not path.exists():
        err.print(f"skipped: {path} is not there; {how}", soft_wrap=True)
        raise typer.Exit(0)


def finish(
    table: Table, notes: list[str], figures: dict[str, Any], *, as_json: bool, passed: bool
) -> NoReturn:
    """Print the figures, and exit with 1 where the bar is missed."""
    if as_json:
        print(json.dumps({**figures, "passed": passed}, indent=2))
    else:
        out.print(table)
        for note in notes:
            out.print(note, soft_wrap=True)
        out.print("[green]bar kept[/]" if passed else "[red]bar missed[/]")
    raise typer.Exit(0 if passed else 1)


def verdict(kept: bool | None) -> str:
    """A table's cell."""
    return "-" if kept is None else "[green]pass[/]" if kept else "[red]FAIL[/]"
