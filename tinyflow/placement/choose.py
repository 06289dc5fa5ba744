# SPDX-License-Identifier: Apache-2.0
"""Decides what lies in RAM instead of flash, by a firmware that has everything in flash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from tinyflow.arrays import Array
from tinyflow.boards import Board, DataRam
from tinyflow.codegen.library import ModelCode
from tinyflow.distribution import VERSION
from tinyflow.placement.fetches import TracedFetches
from tinyflow.placement.reads import TracedReads
from tinyflow.plan.code_in_ram import LEAST_GAIN, CodePlacement, place_code
from tinyflow.plan.constants_in_ram import HOT, PlacedWeights, place_weights
from tinyflow.plan.in_ram import NOTHING_IN_RAM, InRam
from tinyflow.progress import Progress
from tinyflow.resources import FIRMWARE, TEMPLATES
from tinyflow.settings.project_file import Objective, Placement
from tinyflow.storage.cache import Cache, ContentHash
from tinyflow.timing.counts import Blocks, count_sections
from tinyflow.timing.cycle_model import predict
from tinyflow.timing.traced_run import trace_inference
from tinyflow.toolchain.compiler import compiler_identity
from tinyflow.toolchain.elf import Image

_FILE = "placement.json"
_IN_RAM = TypeAdapter(InRam)
#: Constants that are copied begin at a multiple of this, bytes.
_ALIGNMENT = 16


@dataclass(frozen=True)
class PlacementRequest:
    """What start-up may copy to RAM.

    Attributes:
        board: the board.
        optimize: what the build makes best.
        placement: what may be moved at all.
        ram: bytes that data, code and constants may take together; None if the board alone is
            the limit.
    """

    board: Board
    optimize: Objective
    placement: Placement
    ram: int | None


@dataclass(frozen=True)
class FirmwareToTrace:
    """A firmware with everything in flash, and the inference that is traced in it.

    Attributes:
        code: the model's library.
        vector: the inputs of the inference.
        compiled: builds the firmware; called where nothing is cached.
    """

    code: ModelCode
    vector: tuple[Array, ...]
    compiled: Callable[[], Image]


def choose_placement(
    request: PlacementRequest, firmware: FirmwareToTrace, cache: Cache, progress: Progress
) -> InRam:
    """Choose the functions that are to run from RAM, and the constants that are to lie there.

    Raises:
        DeviceError: the firmware faulted.
    """
    board, optimize, placement, ram = (
        request.board,
        request.optimize,
        request.placement,
        request.ram,
    )
    code, vector = firmware.code, firmware.vector
    if placement == "ram":
        optimize = "speed"  # RAM was asked for: as much of it as pays
    places_code = _places_code(board, optimize, placement)
    places_weights = _places_weights(board, optimize, placement)
    if not places_code and not places_weights:
        return NOTHING_IN_RAM
    key = ContentHash(
        "placed", VERSION, optimize, placement, board.model_dump_json(), compiler_identity()
    )
    key.add(FIRMWARE, TEMPLATES / "project")
    for name, content in sorted(code.files.items()):
        key.add(name, content)
    key.add(ram, *vector)

    def make(folder: Path) -> None:
        image = firmware.compiled()
        progress.stage(f"place code and weights on {board.id}")
        trace, _ = trace_inference(image, board, entry=f"{code.name}_invoke", sample=vector)
        blocks = Blocks(trace)
        room = None if ram is None else ram - image.data_bytes - image.bss_bytes
        cycles = _cycles(blocks, board)
        found = InRam()
        if places_code:
            found = InRam(_place_code(board, optimize, image, blocks, cycles, room))
        if places_weights:
            least_wait = Decimal(0) if placement == "ram" else HOT
            weights = _place_weights(board, image, blocks, cycles, room, found.code, least_wait)
            found = InRam(found.code, weights)
        (folder / _FILE).write_bytes(_IN_RAM.dump_json(found))

    entry = cache.fetch(key.key(), make, "the RAM placement")
    return _IN_RAM.validate_json((entry / _FILE).read_bytes())


def _places_code(board: Board, optimize: Objective, placement: Placement) -> bool:
    possible = board.code_ram is not None and board.timing is not None
    return possible and placement != "flash" and optimize in LEAST_GAIN


def _places_weights(board: Board, optimize: Objective, placement: Placement) -> bool:
    waits = board.timing is not None and board.timing.cycles(board.timing.flash_data) > 0
    return waits and placement in ("auto", "ram") and optimize == "speed"


def _cycles(blocks: Blocks, board: Board) -> int:
    """Return the cycles of the whole inference."""
    sections = np.zeros(len(blocks.ids), np.int64)
    return predict(count_sections(blocks, board, sections, 0), board).cycles


def _place_code(
    board: Board,
    optimize: Objective,
    image: Image,
    blocks: Blocks,
    cycles: int,
    room: int | None,
) -> CodePlacement | None:
    part = board.code_ram
    assert part is not None
    if image.symbol("_ebss").address > board.ram.origin + board.data_below(part):
        return None  # the data needs that RAM
    capacity = part.size if room is None else min(part.size, room)
    return place_code(TracedFetches(blocks, image, board, cycles), capacity, optimize)


def _place_weights(
    board: Board,
    image: Image,
    blocks: Blocks,
    cycles: int,
    room: int | None,
    code: CodePlacement | None,
    least_wait: Decimal,
) -> tuple[PlacedWeights, ...]:
    rams = _free_rams(board, image, code)
    capacity = sum(ram.size for ram in rams)
    if room is not None:
        capacity = min(capacity, room - (0 if code is None else code.room))
    functions = () if code is None else code.functions
    reads = TracedReads(blocks, image, board, cycles, functions)
    return place_weights(reads, rams, capacity, least_wait)


def _free_rams(board: Board, image: Image, code: CodePlacement | None) -> tuple[DataRam, ...]:
    """The RAM behind stack, data and arena, without one that holds code."""
    taken = image.symbol("_ebss").address
    begin = -(-taken // _ALIGNMENT) * _ALIGNMENT
    free = board.data_rams(without=None if code is None else board.code_ram)
    behind = (ram.behind(begin) for ram in free)
    return tuple(ram for ram in behind if ram.size)
