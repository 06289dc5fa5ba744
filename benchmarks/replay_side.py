# SPDX-License-Identifier: Apache-2.0
"""Write what this checkout generates for the models of a folder: one side of `replay.py`.

    python benchmarks/replay_side.py MODELS TARGET

TARGET/MODEL/BOARD/KERNELS-OBJECTIVE/ holds the PlatformIO project of each build, not compiled.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, get_args

import typer

from tinyflow.boards import board_ids, load_board
from tinyflow.codegen.library import generate_model
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.firmware import generate_project
from tinyflow.pipeline.imported import import_file, optimised_graph
from tinyflow.pipeline.limits import choose
from tinyflow.pipeline.request import BuildRequest
from tinyflow.plan.in_ram import NOTHING_IN_RAM
from tinyflow.settings.project_file import KernelSet, Objective


def main(
    models: Annotated[Path, typer.Argument(help="A folder of .tflite files.")],
    target: Annotated[Path, typer.Argument(help="The folder to write.")],
    jobs: Annotated[int, typer.Option(help="Processes.")] = 2,
    only: Annotated[str, typer.Option(help="Only models whose names contain this.")] = "",
) -> None:
    """Write what this checkout generates for the models of a folder."""
    tasks = [
        (path, board, target / path.stem / board)
        for path in sorted(models.glob("*.tflite"))
        for board in board_ids()
        if only in path.stem
    ]
    with ProcessPoolExecutor(jobs) as pool:
        for number, _ in enumerate(pool.map(_generate, *zip(*tasks, strict=True)), 1):
            print(f"{number}/{len(tasks)}", end="\r", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _generate(path: Path, board_id: str, target: Path) -> None:
    """Generate a model for a board: every objective and kernel set."""
    board, cmsis, content = load_board(board_id), find_cmsis_nn(None), path.read_bytes()
    graph = optimised_graph(import_file(content, path, path.stem), path)
    for kernels in get_args(KernelSet):
        for objective in get_args(Objective):
            request = BuildRequest(path, board, target, kernels=kernels, optimize=objective)
            planned = choose(BuildContext(request, cmsis), graph)
            code = generate_model(graph, planned.plan, cmsis, content)
            folder = target / f"{kernels}-{objective}"
            files = generate_project(board, graph, planned.plan, code, cmsis, NOTHING_IN_RAM)
            for name, text in files.items():
                if not name.startswith(("platform/", "lib/tinyflow_harness/")):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(text)


if __name__ == "__main__":
    typer.run(main)
