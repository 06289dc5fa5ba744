# SPDX-License-Identifier: Apache-2.0
"""Cost of converting float inputs and outputs, which is no part of an inference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.distribution import VERSION
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.render import render
from tinyflow.report.report_data import ConversionSection
from tinyflow.resources import FIRMWARE
from tinyflow.storage.cache import Cache, ContentHash
from tinyflow.timing.cycle_model import Timing
from tinyflow.timing.latency_correction import LatencyCorrection
from tinyflow.timing.traced_run import FunctionCall, call_function, compile_code
from tinyflow.toolchain.compiler import compiler_identity

#: Elements that are converted to find what one takes.
_MEASURED = 256
_SUFFIXES = {"int8": "s8", "uint8": "u8", "int16": "s16"}


def describe_conversions(
    graph: Graph,
    board: Board,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    correction: LatencyCorrection | None,
    cache: Cache,
) -> tuple[ConversionSection, ...]:
    """Measure the conversions of a graph's float inputs, then of its float outputs.

    The first elements are converted in one call, in the emulator; the figures are for all of them.

    Args:
        graph: as `convert_at_ends` leaves it.
        board: the board.
        inputs: those of an inference, as the caller gives them.
        outputs: those of the same inference.
        correction: of the board, None if none is known.
        cache: of builds.
    """
    found = []
    for position in graph.float_inputs:
        tensor = graph.tensors[graph.inputs[position]]
        values = inputs[position].reshape(-1)[:_MEASURED]
        timing = _timing("input", tensor, values, board, cache).corrected(correction)
        found.append(_section("input", position, tensor, len(values), timing))
    for position in graph.float_outputs:
        tensor = graph.tensors[graph.outputs[position]]
        steps = outputs[position].reshape(-1)[:_MEASURED] / np.float32(tensor.q.scale)
        values = np.rint(steps + tensor.q.zero_point).astype(tensor.dtype.numpy)
        timing = _timing("output", tensor, values, board, cache).corrected(correction)
        found.append(_section("output", position, tensor, len(values), timing))
    return tuple(found)


def _section(
    kind: str, position: int, tensor: Tensor, measured: int, timing: Timing
) -> ConversionSection:
    factor = tensor.elements / measured
    cycles = round(timing.cycles * factor)
    return ConversionSection(
        kind="input" if kind == "input" else "output",
        index=position,
        dtype=tensor.dtype.value,
        elements=tensor.elements,
        instructions=round(timing.instructions * factor),
        cycles=cycles,
        ms=timing.milliseconds(cycles),
    )


def _timing(kind: str, tensor: Tensor, values: Array, board: Board, cache: Cache) -> Timing:
    """The modelled timing of the conversion of some elements."""
    real, suffix = kind == "input", _SUFFIXES[tensor.dtype.value]
    kernel = "tinyflow_quantize.c" if real else "tinyflow_dequantize.c"
    sources: dict[str, str | bytes] = {
        name: (FIRMWARE / "kernels" / name).read_bytes() for name in ("tinyflow_kernels.h", kernel)
    }
    sources["convert.c"] = render(
        "timing/conversion.c.j2",
        kind=kind,
        source_type="float" if real else tensor.dtype.c_type,
        result_type=tensor.dtype.c_type if real else "float",
        function=f"tinyflow_quantize_f32_{suffix}" if real else f"tinyflow_dequantize_{suffix}_f32",
        elements=len(values),
        scale=tensor.q.scale,
        zero_point=tensor.q.zero_point,
    )
    key = ContentHash("conversion", VERSION, compiler_identity(), board.model_dump_json())
    for name, content in sources.items():
        key.add(name, content)
    key.add(values)

    def make(folder: Path) -> None:
        image = compile_code(sources, board, flags=("-O2", "-I."), libraries=("m", "c", "gcc"))
        call = FunctionCall("convert", memory={"from": values.tobytes()})
        call_function(image, board, call, warm=True).timing.save(folder / "timing.json")

    entry = cache.fetch(key.key(), make, "the timing of a conversion")
    return Timing.load(entry / "timing.json", board)
