# SPDX-License-Identifier: Apache-2.0
"""Times the cycle model itself: CPU times, which vary from machine to machine.

python benchmarks/timing/pace.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy.typing as npt
import typer
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import MODELS, TFLITE, Json, Models, finish, require, verdict

import tinyflow
from tinyflow.boards import Board, load_board
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.timing.traced_run import model_inference
from tinyflow.toolchain.elf import Image, read_image
from tinyflow.tools.build_folder import Built, read_build
from tinyflow.tools.run import read_samples

#: The bars: emulation with the model to emulation without, and seconds of CPU for one profile.
RATIO_BAR, PROFILE_BAR = 3.0, 3.0
#: Inferences that a build models.
MODELLED = 3


def main(
    models: Models = MODELS,
    model: Annotated[str, typer.Option(help="One of: " + ", ".join(TFLITE) + ".")] = "kws",
    board: Annotated[str, typer.Option(help="The board to build for.")] = "stm32l4r5",
    vectors: Annotated[int, typer.Option(min=1, help="Inferences of the emulation.")] = 20,
    as_json: Json = False,
) -> None:
    """Time the emulation of a build's vectors, and the model of one inference after it.

    A build models three inferences. Exits with 1 when they and the emulation take more than 3 times
    the CPU time of the emulation alone, or one of them more than 3 s.
    """
    require(models, "name the folder with --models or TINYFLOW_MODELS")
    description = load_board(board)
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name) / "build"
        tinyflow.build(models / TFLITE[model], board=board, output=folder, vectors=vectors)
        built = read_build(folder)
        (samples,) = read_samples(built, [folder / "vectors" / "input_0.npy"])
        emulation = _cpu(lambda: _emulate(built, description, samples))
        profile = _cpu(lambda: _profile(built, description, samples))
    ratio = (emulation + MODELLED * profile) / emulation
    kept = (ratio <= RATIO_BAR, profile <= PROFILE_BAR)
    table = Table(title=f"{model} on {board}, {vectors} inferences emulated", box=None)
    table.add_column("", no_wrap=True)
    table.add_column("CPU", justify="right", no_wrap=True)
    table.add_column("bar", justify="right", no_wrap=True)
    table.add_row("emulation with instruction counts", f"{emulation:.2f} s", "")
    table.add_row("model of one inference", f"{profile:.2f} s", f"{PROFILE_BAR:g} s")
    table.add_row(
        "emulation and three models to emulation alone",
        f"{ratio:.2f}",
        f"{RATIO_BAR:g} {verdict(all(kept))}",
    )
    figures = {
        "model": model, "board": board, "vectors": vectors, "emulation_s": emulation,
        "profile_s": profile, "ratio": ratio,
    }  # fmt: skip
    notes = ["CPU times: they vary with the machine and with what else it does."]
    finish(table, notes, figures, as_json=as_json, passed=all(kept))


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _layers(built: Built, image: Image) -> list[str]:
    prefix = f"{built.report.model.name}_layer_"
    return sorted(
        symbol.name
        for symbol in image.symbols
        if symbol.kind == "function" and symbol.name.startswith(prefix)
    )


def _entry(built: Built) -> str:
    return f"{built.report.model.name}_invoke"


def _emulate(built: Built, board: Board, samples: npt.NDArray[Any]) -> None:
    """Run on the device as verification does: every inference is counted."""
    image = read_image(built.elf)
    with Simulator(image, board) as simulator:
        client = HarnessClient(simulator)
        for sample in samples:
            with simulator.measure(_entry(built), _layers(built, image)):
                client.run(sample)


def _profile(built: Built, board: Board, samples: npt.NDArray[Any]) -> None:
    image = read_image(built.elf)
    model_inference(
        image,
        board,
        entry=_entry(built),
        layers=_layers(built, image),
        sample=[samples[0]],
    )


if __name__ == "__main__":
    typer.run(main)
