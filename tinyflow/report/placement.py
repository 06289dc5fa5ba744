"""The report's account of what lies in which memory."""

from __future__ import annotations

from collections.abc import Iterator

from tinyflow.boards import Board
from tinyflow.plan.placement import CodePlacement
from tinyflow.report.model import PlacedSection
from tinyflow.toolchain.elf import Image


def describe_placement(
    board: Board, image: Image, model: str, placement: CodePlacement | None
) -> tuple[PlacedSection, ...]:
    """Weights, code, arena, state and stack of a linked image.

    Args:
        board: the board.
        image: what was linked.
        model: the C name of the model.
        placement: the functions that were chosen to run from RAM.
    """
    return tuple(_placed(board, image, model, placement))


def _placed(
    board: Board, image: Image, model: str, placement: CodePlacement | None
) -> Iterator[PlacedSection]:
    flash = (board.flash.name,)
    yield PlacedSection(
        what="weights", memories=flash, bytes=image.weights_bytes, why="read where they are stored"
    )
    in_ram = len(image.ram_code)
    yield PlacedSection(
        what="code",
        memories=flash,
        bytes=image.code_bytes,
        why="with the image of what is copied to RAM" if in_ram else _why_in_flash(board),
    )
    if in_ram and placement is not None and board.code_ram is not None:
        yield PlacedSection(
            what="code in RAM",
            memories=(board.code_ram.name,),
            bytes=in_ram,
            why="waits for flash otherwise",
            functions=placement.functions,
            gain_cycles=placement.gain,
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
    """The memories and the size of an object; None where there is none of that name."""
    try:
        symbol = image.symbol(name)
    except KeyError:
        return None
    return board.ram_names(symbol.address, symbol.size), symbol.size


def _why_in_flash(board: Board) -> str:
    if board.code_ram is None:
        return "the board has no RAM for code"
    return "running from RAM would not pay"
