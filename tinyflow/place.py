"""Decides what runs from RAM, by a firmware that has all its code in flash."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tinyflow import __version__
from tinyflow.boards import Board
from tinyflow.cache import Cache, ContentHash
from tinyflow.codegen.model import ModelCode
from tinyflow.plan.placement import LEAST_GAIN, CodePlacement, place_code
from tinyflow.progress import Progress
from tinyflow.project import Objective
from tinyflow.request import Array
from tinyflow.resources import FIRMWARE
from tinyflow.timing.fetches import TracedFetches
from tinyflow.timing.measure import trace_inference
from tinyflow.toolchain.compiler import compiler_identity
from tinyflow.toolchain.elf import Image

_FILE = "placement.json"


def choose_placement(
    board: Board,
    optimize: Objective,
    code: ModelCode,
    vector: tuple[Array, ...],
    ram: int | None,
    compiled: Callable[[], Image],
    cache: Cache,
    progress: Progress,
) -> CodePlacement | None:
    """The functions that are to run from RAM; None where all code stays in flash.

    Args:
        board: the board.
        optimize: what the build makes best.
        code: the model's library.
        vector: the input of the inference that is traced.
        ram: bytes that data and code may take together; None where the board alone is the limit.
        compiled: builds the firmware with all code in flash; called where nothing is cached.
        cache: keeps what was decided.
        progress: told about the stage.

    Raises:
        DeviceError: the firmware faulted.
    """
    if board.code_ram is None or board.timing is None or optimize not in LEAST_GAIN:
        return None
    key = ContentHash(
        "placed", __version__, optimize, board.model_dump_json(), compiler_identity(), FIRMWARE
    )
    for name, content in sorted(code.files.items()):
        key.add(name, content)
    key.add(ram, *vector)

    def make(folder: Path) -> None:
        image = compiled()
        progress.stage(f"place code on {board.id}")
        placement = _decide(board, optimize, image, f"{code.name}_invoke", vector, ram)
        found = None if placement is None else asdict(placement)
        (folder / _FILE).write_text(json.dumps(found))

    found = json.loads((cache.fetch(key.key(), make) / _FILE).read_text())
    if found is None:
        return None
    return CodePlacement(**{**found, "functions": tuple(found["functions"])})


def _decide(
    board: Board,
    optimize: Objective,
    image: Image,
    entry: str,
    vector: tuple[Array, ...],
    ram: int | None,
) -> CodePlacement | None:
    part = board.code_ram
    assert part is not None
    if image.symbol("_ebss").address > board.ram.origin + board.data_below(part):
        return None  # the data needs that RAM
    taken = image.data_bytes + image.bss_bytes
    capacity = part.size if ram is None else min(part.size, ram - taken)
    trace, _ = trace_inference(image, board, entry=entry, sample=vector)
    return place_code(TracedFetches(trace, image, board), capacity, optimize)
