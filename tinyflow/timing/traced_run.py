# SPDX-License-Identifier: Apache-2.0
"""Traces what is to be timed: an inference of a build's image, or any function.

A trace hooks loads, and Unicorn does not keep such hooks harmless by itself. So each of these runs
twice, with and without, and the results must be the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from tinyflow.boards import Board
from tinyflow.emulate.engine import CpuFault, Engine
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.emulate.trace import Trace, Tracer, Watched
from tinyflow.errors import DeviceError, InputError
from tinyflow.render import render
from tinyflow.storage.folders import write_folder
from tinyflow.timing.counts import InferenceCounts, count, watched
from tinyflow.timing.cycle_model import Timing, predict
from tinyflow.toolchain.compiler import compile_in
from tinyflow.toolchain.elf import Image, read_image

#: Symbol of the place that a measured function returns to, and what RAM holds before.
_RETURN, _RAM_FILL = "tinyflow_return", b"\xa5"
#: CPU time that one call of `call_function` may take, seconds.
_LIMIT_S = 60.0


def count_inference(
    image: Image,
    board: Board,
    *,
    entry: str,
    layers: Sequence[str],
    sample: Sequence[npt.NDArray[Any]],
    before: Sequence[Sequence[npt.NDArray[Any]]] = (),
) -> InferenceCounts:
    """Count what one inference does, as `predict` needs it.

    Args:
        image: a build's firmware.
        board: the board it was built for.
        entry: the symbol of the model's `invoke`.
        layers: the symbols of the layers' functions, in order.
        sample: one array for each input of the model.
        before: samples that run first, for the state of a model that keeps one.

    Raises:
        DeviceError: the firmware faulted, or gave other outputs under the trace.
    """
    trace, _ = trace_inference(image, board, entry=entry, sample=sample, before=before)
    return count(trace, board, [image.symbol(layer).address for layer in layers])


def trace_inference(
    image: Image,
    board: Board,
    *,
    entry: str,
    sample: Sequence[npt.NDArray[Any]],
    before: Sequence[Sequence[npt.NDArray[Any]]] = (),
) -> tuple[Trace, list[npt.NDArray[Any]]]:
    """Trace one inference; arguments and errors are `count_inference`'s.

    Returns:
        The trace, made while `watched(board)` was watched, and the model's outputs.
    """
    with Simulator(image, board) as simulator:
        client = HarnessClient(simulator)
        *_, expected = (client.run(*each) for each in (*before, sample))
        client.reset()  # a model with state must begin as it began before
        for each in before:
            client.run(*each)
        with simulator.trace(entry, watched(board)) as tracer:
            found = client.run(*sample)
        trace = tracer.trace()
    if any(one.tobytes() != other.tobytes() for one, other in zip(expected, found, strict=True)):
        raise _disturbed(entry)
    return trace, found


def model_inference(
    image: Image,
    board: Board,
    *,
    entry: str,
    layers: Sequence[str],
    sample: Sequence[npt.NDArray[Any]],
    before: Sequence[Sequence[npt.NDArray[Any]]] = (),
) -> Timing:
    """The modelled timing of one inference; arguments and errors are `count_inference`'s."""
    counts = count_inference(image, board, entry=entry, layers=layers, sample=sample, before=before)
    return predict(counts, board)


def _disturbed(what: str) -> DeviceError:
    return DeviceError(
        f"{what} gives another result while its loads are traced",
        hint="This is a bug in tinyflow; please report it with the model.",
    )


# ---- any function ----


#: Hooks an engine that has an image in its memory.
Watch = Callable[[Engine, Image], None]


@dataclass(frozen=True)
class FunctionCall:
    """A function's call: its registers r0 to r3, and what lies in memory before.

    `memory` gives the content of objects by their symbol.
    """

    entry: str
    arguments: tuple[int, ...] = ()
    memory: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class MeasuredCall:
    """Measurement of a call.

    Attributes:
        timing: its modelled timing: the overhead, and the layers that were named.
        counts: what the timing was made from.
        result: r0 at its return.
        memory: content of the objects that were asked for, by symbol.
    """

    timing: Timing
    counts: InferenceCounts
    result: int
    memory: dict[str, bytes]


def measure_code(
    sources: Mapping[str, str],
    board: Board,
    call: FunctionCall,
    *,
    flags: Sequence[str] = ("-O2",),
    read: Sequence[str] = (),
    warm: bool = False,
) -> MeasuredCall:
    """Compile a few files for a board, call one function, and model its cycles.

    Code and constants lie in the board's flash, data and stack in its RAM. Nothing of the board
    but core and memory is there. To try many functions, build one image with `compile_code` and
    `call_function` it again and again.

    Args:
        sources: texts by file name; `.c` is C11, `.S` assembly.
        board: the board.
        call: the function and its arguments.
        flags: further options for the compiler.
        read: symbols of objects whose content is wanted afterwards.
        warm: call it twice, and count the second call, which finds the caches filled.

    Raises:
        ToolMissingError: the cross-compiler is not on PATH.
        BuildError: it refused the sources.
        InputError: there is no such symbol.
        DeviceError: the code faulted or did not return.
    """
    return call_function(
        compile_code(sources, board, flags=flags), board, call, read=read, warm=warm
    )


def compile_code(
    sources: Mapping[str, str | bytes],
    board: Board,
    *,
    flags: Sequence[str] = ("-O2",),
    libraries: Sequence[str] = ("gcc",),
) -> Image:
    """Compile and link files for a board, with no start-up code. See `measure_code`.

    `libraries` are linked after the files, in that order.
    """
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name)
        write_folder(folder, sources)
        script = render("timing/code.ld.j2", board=board, back=_RETURN)
        (folder / "code.ld").write_text(script, encoding="utf-8")
        elf = folder / "code.elf"
        compile_in(
            folder,
            board,
            (
                *flags,
                *("-nostdlib", "-Wl,-Tcode.ld", "-Wl,--no-warn-rwx-segments"),
                *(file for file in sources if file.endswith((".c", ".S"))),
                *(f"-l{library}" for library in libraries),
                *("-o", elf.name),
            ),
            "the code",
        )
        return read_image(elf)


def call_function(
    image: Image,
    board: Board,
    call: FunctionCall,
    *,
    read: Sequence[str] = (),
    warm: bool = False,
    layers: Sequence[str] = (),
) -> MeasuredCall:
    """Call a function of an image that `compile_code` made. See `measure_code`.

    `layers` names functions that each begin a section of the timing.
    """
    calls = 2 if warm else 1
    expected = _run(image, board, call, read, calls=calls)
    found = _run(image, board, call, read, calls=calls, spans=watched(board))
    if (expected.result, expected.memory) != (found.result, found.memory):
        raise _disturbed(call.entry)
    assert found.trace is not None
    addresses = [_symbol(image, layer)[0] for layer in layers]
    counts = count(found.trace, board, addresses, warm_up=found.warm_up)
    return MeasuredCall(predict(counts, board), counts, found.result, found.memory)


def results_of(
    image: Image,
    board: Board,
    calls: Sequence[FunctionCall],
    read: Sequence[str],
    *,
    watch: Watch | None = None,
) -> list[dict[str, bytes]]:
    """Make calls one after another without timing them, each with the memory as the last left it.

    Gives the content of the objects named by `read` after each. `watch` may hook the engine
    before the first.
    """
    with _started(image, board) as engine:
        if watch is not None:
            watch(engine, image)
        found = []
        for call in calls:
            _make(engine, image, call)
            found.append(_content(engine, image, read))
    return found


@dataclass(frozen=True)
class _Run:
    """Trace of a function call; `warm_up` is how many blocks ran before the last call."""

    result: int
    memory: dict[str, bytes]
    trace: Trace | None
    warm_up: int


def _run(
    image: Image,
    board: Board,
    call: FunctionCall,
    read: Sequence[str],
    *,
    calls: int,
    spans: Sequence[Watched] | None = None,
) -> _Run:
    """Call the function `calls` times in a row, traced if spans are given."""
    entry = _symbol(image, call.entry)[0]
    with _started(image, board) as engine:
        tracer = None if spans is None else Tracer(engine, entry, spans)
        warm_up = 0
        for turn in range(calls):
            if turn and tracer is not None:
                warm_up = len(tracer.trace().blocks)
            _make(engine, image, replace(call, memory={}) if turn else call)
        trace = None if tracer is None else tracer.trace()
        return _Run(engine.r0, _content(engine, image, read), trace, warm_up)


@contextmanager
def _started(image: Image, board: Board) -> Iterator[Engine]:
    """The board's memory, with the image in it."""
    engine = Engine(board.core)
    try:
        for region in board.memory:
            engine.map_memory(region)
            if region.kind == "ram":
                engine.load(region.origin, _RAM_FILL * region.size)
        for segment in image.segments:
            engine.load(segment.address, segment.data)
        yield engine
    finally:
        engine.close()


def _make(engine: Engine, image: Image, call: FunctionCall) -> None:
    """Call a function and come back."""
    for name, content in call.memory.items():
        engine.load(_symbol(image, name)[0], content)
    entry, back = _symbol(image, call.entry)[0], _symbol(image, _RETURN)[0]
    engine.sp, engine.lr, engine.pc = _symbol(image, "tinyflow_stack_top")[0], back | 1, entry
    engine.set_arguments(call.arguments)
    try:
        engine.run(_LIMIT_S, until=back)
    except CpuFault as error:
        raise DeviceError(f"{call.entry}: {error}, at PC {engine.pc:#010x}") from error


def _content(engine: Engine, image: Image, read: Sequence[str]) -> dict[str, bytes]:
    return {name: engine.memory(*_symbol(image, name)) for name in read}


def _symbol(image: Image, name: str) -> tuple[int, int]:
    try:
        symbol = image.symbol(name)
    except KeyError as error:
        raise InputError(f"the code defines no symbol {name}") from error
    return symbol.address, symbol.size
