# SPDX-License-Identifier: Apache-2.0
"""Keyword spotting, counted on the emulated device: its accuracy over 1000 recorded words.

    python benchmarks/kws_accuracy.py

The samples are MFCC features of the MLPerf Tiny accuracy set, int8 as the model takes them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from common import KWS_DATA, MODELS, TFLITE, Json, Models, finish, require, verdict
from rich.table import Table

import tinyflow

#: MLPerf Tiny's quality target for keyword spotting, percent.
BAR = 90.0


def main(
    models: Models = MODELS,
    data: Annotated[
        Path,
        typer.Option(
            envvar="TINYFLOW_KWS_DATA",
            show_default="../shared/data/kws01_mfcc_int8.npz next to this checkout",
            help="An .npz with samples x (int8) and labels y.",
        ),
    ] = KWS_DATA,
    board: Annotated[str, typer.Option(help="The emulated board.")] = "stm32f746",
    samples: Annotated[
        int | None, typer.Option(min=1, help="Only the first N.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the samples through the firmware in the simulator and count the right answers.

    Exits with 1 below 90.0 % (MLPerf Tiny's target), or when an output differs from the oracle.
    """
    require(models, "name the folder with --models or TINYFLOW_MODELS")
    require(data, "name the file with --data or TINYFLOW_KWS_DATA")
    with np.load(data, allow_pickle=False) as file:
        x, y = file["x"][:samples], file["y"][:samples]
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as folder:
        report = tinyflow.build(
            models / TFLITE["kws"],
            board=board,
            name="kws",
            output=Path(folder) / "build",
            test={"x": x, "y": y},
        )
    accuracy = report.accuracy
    assert accuracy is not None
    kept = accuracy.device >= BAR and not report.exact.mismatches
    table = Table(title=f"kws on {board}, CMSIS-NN {report.kernels.cmsis_nn}", box=None)
    for column in ("samples", "int8 on the host", "on the device", "bar"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_row(
        f"{accuracy.samples:,}",
        f"{accuracy.int8:.2f} %",
        f"{accuracy.device:.2f} %",
        f"{BAR:.1f} % {verdict(kept)}",
    )
    finish(
        table,
        [
            f"exactness: {report.exact.mismatches} of {report.exact.bytes} output bytes of "
            f"{report.exact.vectors} samples differ from {report.exact.oracle}",
        ],
        {
            "board": board,
            "cmsis_nn": report.kernels.cmsis_nn,
            "samples": accuracy.samples,
            "int8": accuracy.int8,
            "device": accuracy.device,
            "bar": BAR,
            "vectors": report.exact.vectors,
            "mismatches": report.exact.mismatches,
        },
        as_json=as_json,
        passed=kept,
    )


if __name__ == "__main__":
    typer.run(main)
