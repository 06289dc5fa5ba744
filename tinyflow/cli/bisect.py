# SPDX-License-Identifier: Apache-2.0
"""`tinyflow bisect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinyflow.boards import load_board
from tinyflow.cli.console import ConsoleProgress, out, print_json
from tinyflow.cli.shared_options import BuildFolder, Json
from tinyflow.errors import ExactnessError, InputError
from tinyflow.report.fitted_table import Column, FittedTable
from tinyflow.tools.build_folder import read_build

if TYPE_CHECKING:
    from tinyflow.tools.bisect import LayerDifference


def command(
    build: BuildFolder,
    inputs: Annotated[
        list[Path],
        typer.Option(help="An .npy for each input of the model; one sample of it is compared."),
    ],
    sample: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Which sample, counted from 0. The ones before it are run first, for the state "
            "of a model that keeps one.",
        ),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Compare every layer on the emulated device with the oracle, and name the first that differs.

    Exits with code 8 when one does. Layers after the first difference work on wrong inputs.
    """
    from tinyflow.tools.bisect import bisect_layers
    from tinyflow.tools.run import read_samples

    built = read_build(build)
    samples = list(zip(*read_samples(built, inputs), strict=True))
    if sample >= len(samples):
        raise InputError(f"there is no sample {sample}: the files hold {len(samples)}")
    with ConsoleProgress() as progress:
        progress.stage("run layer by layer")
        layers = bisect_layers(
            built, load_board(built.report.board.id), samples[sample], before=samples[:sample]
        )
    first = next((layer for layer in layers if layer.differing), None)
    if as_json:
        print_json(
            {
                "layers": [asdict(layer) for layer in layers],
                "first": None if first is None else first.index,
            }
        )
        if first is not None:
            raise typer.Exit(ExactnessError.exit_code)
        return
    table = FittedTable(
        [
            Column("layer", least=12),
            Column("operator"),
            Column("kernel", optional=True),
            *(Column(title, "number") for title in ("elements", "differ", "largest")),
        ]
    )
    for layer in layers:
        style = "red" if layer is first else "yellow" if layer.differing else ""
        table.add_row(
            layer.name,
            layer.operator,
            layer.kernel,
            f"{layer.elements:,}" if layer.compared else "row by row",
            f"{layer.differing:,}" if layer.compared else "",
            f"{layer.largest:g}" if layer.compared else "",
            style=style,
        )
    out.print(table)
    if first is not None:
        unseen = _unseen_before(layers, first)
        raise ExactnessError(
            f"layer {first.index}, {first.operator} {first.name!r}, is the first that differs: "
            f"{first.differing:,} of {first.elements:,} elements, by up to {first.largest:g}",
            hint=f"It runs row by row with the {unseen} before it, whose outputs are nowhere "
            "whole: one of them may be the cause."
            if unseen
            else None,
        )


def _unseen_before(layers: Sequence[LayerDifference], layer: LayerDifference) -> int:
    """Count the layers right before `layer` that were not compared."""
    return len(list(takewhile(lambda other: not other.compared, layers[: layer.index][::-1])))


command.__name__ = "bisect"
