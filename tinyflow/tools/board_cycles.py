# SPDX-License-Identifier: Apache-2.0
"""Compares a board's own cycle counter with the model, so that later reports follow the board."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.emulate import open_target
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.errors import DeviceError, InputError
from tinyflow.report.plan import read_plan
from tinyflow.timing.counts import count
from tinyflow.timing.cycle_model import predict
from tinyflow.timing.latency_correction import BoardMeasurement, basis_of
from tinyflow.timing.traced_run import trace_inference
from tinyflow.toolchain.elf import read_image
from tinyflow.tools.build_folder import Built
from tinyflow.tools.run import check_identity

#: A counter this many times off says that something else than the model is wrong.
_ABSURD = 2.0
#: Of runs on the same input nothing but interrupts can differ.
_MOST_JITTER = 0.05
_COUNTER_BITS = 32


def measure_on_board(
    built: Built,
    board: Board,
    sample: Sequence[Array],
    *,
    target: str,
    runs: int,
    on_line: Callable[[str], None] = lambda line: None,
) -> BoardMeasurement:
    """Run one sample on a board and in the model.

    The outputs must be those of the simulator, byte for byte: a board on which they are not runs
    something else.

    Args:
        built: the build that was flashed.
        board: the board it was built for.
        sample: one array for each input, of the model's exact shape and type.
        target: `serial:PORT`.
        runs: inferences; the median counts.
        on_line: called after each run.

    Raises:
        InputError: the target is no serial port, or the board has no cycle counter.
        DeviceError: the board runs another model or at another clock, its outputs or its counter
            are not plausible, or it failed.
    """
    _check_target(board, target)
    name = built.report.model.name
    image = read_image(built.elf)
    layers = [image.symbol(layer.function).address for layer in read_plan(built.folder).layers]
    trace, expected = trace_inference(image, board, entry=f"{name}_invoke", sample=sample)
    modelled = predict(count(trace, board, layers), board).cycles
    _check_range(name, modelled)
    cycles = []
    with open_target(target, built.elf, board) as device:
        client = HarnessClient(device)
        check_identity(client, built)
        _check_clock(client, board)
        for run in range(runs):
            client.reset()
            outputs = client.run(*sample)
            if any(a.tobytes() != b.tobytes() for a, b in zip(outputs, expected, strict=True)):
                raise DeviceError(
                    f"{target}: other outputs than the simulator's: the board does not run this "
                    "build's image",
                    hint="Flash this build first: tinyflow flash BUILD.",
                )
            cycles.append(client.stats().last_cycles)
            on_line(f"{run + 1}/{runs} inferences, {cycles[-1]:,} cycles")
    return BoardMeasurement(
        board=board.id,
        model=name,
        sha256=built.report.model.sha256,
        modelled=modelled,
        measured=_plausible(target, cycles, modelled),
        runs=runs,
        basis=basis_of(board),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _check_target(board: Board, target: str) -> None:
    if board.core == "cortex-m0plus":
        raise InputError(
            f"board {board.id}: the Cortex-M0+ has no cycle counter, so nothing can be measured",
            hint="The modelled latency remains, with its error bar.",
        )
    if not target.startswith("serial:"):
        raise InputError(
            f"target {target!r} is not a board: calibration needs a real board",
            hint="Give --target serial:PORT; an emulator's cycle counter is itself modelled.",
        )


def _check_range(name: str, modelled: int) -> None:
    if modelled * _ABSURD >= 1 << _COUNTER_BITS:
        raise InputError(
            f"{name}: an inference of {modelled:,} modelled cycles may overrun the board's "
            f"{_COUNTER_BITS}-bit counter",
            hint="Calibrate with a smaller model.",
        )


def _check_clock(client: HarnessClient, board: Board) -> None:
    clock_hz = client.info().clock_hz
    if clock_hz != board.clock_hz:
        raise DeviceError(
            f"the firmware says that its core runs at {clock_hz / 1e6:g} MHz, the board file of "
            f"{board.id} says {board.clock_hz / 1e6:g} MHz",
            hint="Wait states depend on the clock. Build and flash again.",
        )


def _plausible(target: str, cycles: Sequence[int], modelled: int) -> int:
    """The median, where it can be believed."""
    median = round(statistics.median(cycles))
    if min(cycles) == 0:
        raise DeviceError(
            f"{target}: the cycle counter reads 0: it does not run",
            hint="Some debug probes stop the DWT; detach the debugger and reset the board.",
        )
    if not 1 / _ABSURD <= median / modelled <= _ABSURD:
        raise DeviceError(
            f"{target}: {median:,} cycles measured where {modelled:,} are modelled, "
            f"x{median / modelled:.3g}: too far off to be the model's error",
            hint="Was this very build flashed, and does nothing else run on the board?",
        )
    jitter = max(abs(math.log(each / median)) for each in cycles)
    if jitter > _MOST_JITTER:
        raise DeviceError(
            f"{target}: the same inference took {min(cycles):,} to {max(cycles):,} cycles",
            hint="Something else runs on the board, such as an interrupt or a debugger.",
        )
    return median
