"""`tinyflow run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from tinyflow.boards import load_board
from tinyflow.cli.console import ConsoleProgress, out, print_json
from tinyflow.cli.options import BuildFolder, Json
from tinyflow.tools.build_folder import read_build


def command(
    build: BuildFolder,
    inputs: Annotated[
        list[Path],
        typer.Option(
            help="An .npy with the samples of one input (a batch, or one sample); once per input "
            "of the model. Floats are quantised, integers are taken as they are.",
        ),
    ],
    outputs: Annotated[
        list[Path] | None,
        typer.Option(
            help="Where the outputs go, an .npy per output of the model, as the device gives them.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(help="simulator, renode, or serial:PORT for a board that was flashed."),
    ] = "simulator",
    reset_each: Annotated[
        bool,
        typer.Option(
            "--reset-each",
            help="Reset the model's state before every sample. Without it the samples are one "
            "sequence, which begins after a reset.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run inputs through the firmware: in the simulator, in Renode, or on a board.

    \b
      tinyflow run build/stm32f746 --inputs x.npy --outputs y.npy
      tinyflow run build/stm32f746 --inputs x.npy --target serial:/dev/ttyACM0
    """
    import numpy as np

    from tinyflow.tools.run import run_inputs

    built = read_build(build)
    with ConsoleProgress() as progress:
        progress.stage(f"run on {target}")
        result = run_inputs(
            built,
            load_board(built.report.board.id),
            inputs,
            target=target,
            outputs=outputs or [],
            reset_each=reset_each,
            on_line=progress.line,
        )
    if as_json:
        print_json(
            {
                "target": target,
                "samples": result.samples,
                "cycles": result.cycles,
                "stack_peak": result.stack_peak,
                "outputs": [str(path) for path in outputs or []],
                "first_outputs": [array[0].ravel()[:16].tolist() for array in result.outputs],
            }
        )
        return
    table = Table(box=None, show_header=False)
    table.add_row("samples", f"{result.samples:,}")
    if result.cycles:
        counter = "counted by the core" if target.startswith("serial:") else "modelled"
        table.add_row("cycles", f"{result.cycles:,} an inference ({counter})")
    table.add_row("stack peak", f"{result.stack_peak:,} bytes")
    for index, array in enumerate(result.outputs):
        with np.printoptions(threshold=8, linewidth=70):
            table.add_row(f"output {index}", f"{array[0].ravel()!s} ... {array.shape}")
    out.print(table)


command.__name__ = "run"
