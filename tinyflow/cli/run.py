# SPDX-License-Identifier: Apache-2.0
"""`tinyflow run`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.text import Text

from tinyflow.arrays import Array
from tinyflow.boards import load_board
from tinyflow.cli.completion import complete_target
from tinyflow.cli.console import ConsoleProgress, out, print_json
from tinyflow.cli.shared_options import BuildFolder, Json
from tinyflow.errors import InputError
from tinyflow.report.fitted_table import Column, FittedTable
from tinyflow.report.report_data import TensorSection
from tinyflow.tools.build_folder import read_build

if TYPE_CHECKING:
    from tinyflow.tools.run import Ranked

#: Samples that are shown, largest elements of each, and elements of an output of no classes.
_SAMPLES, _CLASSES, _ELEMENTS = 5, 3, 16
#: Beyond it a double does not hold every whole number.
_EXACT = 2**53


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
    dequantize: Annotated[
        bool,
        typer.Option("--dequantize", help="Write the outputs as real numbers, float32."),
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Names of the classes, a text file with one a line: shown with the largest "
            "outputs.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            help="simulator, renode, or serial:PORT for a board that was flashed.",
            autocompletion=complete_target,
        ),
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
      tinyflow run build/stm32f746 --inputs x.npy --outputs y.npy --dequantize
      tinyflow run build/stm32f746 --inputs x.npy --labels classes.txt
      tinyflow run build/stm32f746 --inputs x.npy --target serial:/dev/ttyACM0
    """
    from tinyflow.tools.run import read_labels, run_inputs, top_classes

    built = read_build(build)
    names = [] if labels is None else read_labels(labels)
    if dequantize and not outputs:
        raise InputError("--dequantize says how outputs are written", hint="Give --outputs y.npy.")
    with ConsoleProgress() as progress:
        progress.stage(f"run on {target}")
        result = run_inputs(
            built,
            load_board(built.report.board.id),
            inputs,
            target=target,
            outputs=outputs or [],
            reset_each=reset_each,
            dequantize=dequantize,
            on_line=progress.line,
        )
    top = [top_classes(values, names, _CLASSES) for values in result.values]
    if names and not any(top):
        raise InputError(f"{labels}: the model has no output of classes")
    if as_json:
        print_json(
            {
                "target": target,
                "samples": result.samples,
                "cycles": result.cycles,
                "stack_peak": result.stack_peak,
                "outputs": [str(path) for path in outputs or []],
                "first_outputs": [array[0].ravel()[:16].tolist() for array in result.outputs],
                "first_values": [array[0].ravel()[:16].tolist() for array in result.values],
                "top_classes": [
                    None if each is None else [[asdict(one) for one in sample] for sample in each]
                    for each in top
                ],
            }
        )
        return
    table = FittedTable([Column("", least=10), Column("", "prose")], show_header=False)
    table.add_row("samples", f"{result.samples:,}")
    if result.cycles:
        counter = "counted by the core" if target.startswith("serial:") else "modelled"
        table.add_row("cycles", f"{result.cycles:,} an inference ({counter})")
    table.add_row("stack peak", f"{result.stack_peak:,} bytes")
    out.print(table)
    for index, section in enumerate(built.report.model.outputs):
        out.print(_described(f"output {index}", section))
        ranked = top[index]
        out.print(_values(result.values[index]) if ranked is None else _classes(ranked))


def _described(title: str, section: TensorSection) -> Text:
    """An output's name, type and shape, and what its real numbers are made of."""
    shape = "x".join(map(str, section.shape)) or "scalar"
    text = f"\n{title}, {section.name}: {section.dtype} {shape}"
    if section.scale is not None:
        text += f", dequantised by scale {section.scale:g}, zero point {section.zero_point}"
    return Text(text)


def _classes(ranked: list[list[Ranked]]) -> Group:
    """The largest elements of the first samples."""
    named = any(each.label is not None for sample in ranked for each in sample)
    table = FittedTable(
        [
            Column("sample", "number"),
            Column("rank", "number"),
            Column("class", "number"),
            *([Column("label")] if named else []),
            Column("value", "number"),
        ]
    )
    for number, sample in enumerate(ranked[:_SAMPLES]):
        for rank, each in enumerate(sample, start=1):
            table.add_row(
                f"{number:,}" if rank == 1 else "",
                f"{rank}",
                f"{each.index:,}",
                *([each.label or ""] if named else []),
                _number(each.value),
            )
    return _with_rest(table, len(ranked))


def _values(values: Array) -> Group:
    """The first elements of the first samples."""
    table = FittedTable([Column("sample", "number"), Column("values", "prose", least=30)])
    for number, sample in enumerate(values[:_SAMPLES]):
        flat = sample.ravel()
        shown = "  ".join(_number(float(value)) for value in flat[:_ELEMENTS])
        more = f"  and {flat.size - _ELEMENTS:,} more" if flat.size > _ELEMENTS else ""
        table.add_row(f"{number:,}", shown + more)
    return _with_rest(table, len(values))


def _number(value: float) -> str:
    """Six digits, whole numbers whole."""
    whole = value.is_integer() and abs(value) < _EXACT
    return f"{value:,.0f}" if whole else f"{value:.6g}"


def _with_rest(table: FittedTable, samples: int) -> Group:
    if samples <= _SAMPLES:
        return Group(table)
    return Group(table, Text(f"and {samples - _SAMPLES:,} samples more", style="dim"))


command.__name__ = "run"
