# SPDX-License-Identifier: Apache-2.0
"""The report's account of what lies in which memory."""

from __future__ import annotations

from collections.abc import Iterator

from tinyflow.boards import Board
from tinyflow.plan.in_ram import InRam
from tinyflow.report.report_data import PlacedSection
from tinyflow.toolchain.elf import Image


def describe_placement(
    board: Board, image: Image, model: str, in_ram: InRam
) -> tuple[PlacedSection, ...]:
    """Weights, code, arena, state and stack of a linked image.

    Args:
        board: the board.
        image: what was linked.
        model: the C name of the model.
        in_ram: what was chosen to lie in RAM.
    """
    return tuple(_placed(board, image, model, in_ram))


def _placed(board: Board, image: Image, model: str, in_ram: InRam) -> Iterator[PlacedSection]:
    flash = (board.flash.name,)
    yield PlacedSection(
        what="weights",
        memories=flash,
        bytes=image.weights_bytes,
        why="with the image of what is copied to RAM" if in_ram.weights else "read there",
    )
    for group, span in zip(in_ram.weights, image.ram_weights, strict=True):
        yield PlacedSection(
            what="weights in RAM",
            memories=board.ram_names(span.start, len(span)),
            bytes=len(span),
            why="wait for flash otherwise",
            arrays=group.arrays,
            gain_cycles=group.gain,
        )
    ram_code = len(image.ram_code)
    yield PlacedSection(
        what="code",
        memories=flash,
        bytes=image.code_bytes,
        why="with the image of what is copied to RAM" if ram_code else _why_in_flash(board),
    )
    if in_ram.code is not None and board.code_ram is not None:
        yield PlacedSection(
            what="code in RAM",
            memories=(board.code_ram.name,),
            bytes=ram_code,
            why="waits for flash otherwise",
            functions=in_ram.code.functions,
            gain_cycles=in_ram.code.gain,
        )
    fastest = "first in RAM, where the fastest comes first"
    for what, symbol in (("arena", f"{model}_arena"), ("state", f"{model}_state")):
        if place := _place(board, image, symbol):
            yield PlacedSection(what=what, memories=place[0], bytes=place[1], why=fastest)
    yield PlacedSection(
        what="stack",
        memories=board.ram_names(board.ram.origin, image.stack_bytes),
        bytes=image.stack_bytes,
        why="at the bottom of RAM, where an overflow faults",
    )


def _place(board: Board, image: Image, name: str) -> tuple[tuple[str, ...], int] | None:
    """The memories and the size of an object; None if there is none of that name."""
    try:
        symbol = image.symbol(name)
    except KeyError:
        return None
    return board.ram_names(symbol.address, symbol.size), symbol.size


def _why_in_flash(board: Board) -> str:
    if board.code_ram is None:
        return "the board has no RAM for code"
    return "running from RAM would not pay"
