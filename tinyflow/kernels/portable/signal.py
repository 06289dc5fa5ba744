# SPDX-License-Identifier: Apache-2.0
"""Operators of TFLM's signal library, in portable C."""

from __future__ import annotations

import math
from typing import Any

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.ir.signal import (
    Fft,
    SignalDelay,
    SignalEnergy,
    SignalFftAutoScale,
    SignalFilterBank,
    SignalFilterBankLog,
    SignalFilterBankSpectralSubtraction,
    SignalFilterBankSquareRoot,
    SignalFramer,
    SignalIrfft,
    SignalOverlapAdd,
    SignalPcan,
    SignalRfft,
    SignalStacker,
    SignalWindow,
    rows,
    smooth_factors,
)
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Constant, Kernel, output_of
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.numerics.fft import halves, log_segments, twiddles

_SUFFIXES = {DType.INT16: "s16", DType.INT32: "s32", DType.FLOAT32: "f32"}


def _kernel(op: Operator, function: str, template: str | None = None, **more: Any) -> Kernel:
    context = more.pop("context", {})
    return Kernel(
        op,
        function,
        "tinyflow",
        f"portable/{template or function.removeprefix('tinyflow_')}.c.j2",
        context,
        header="tinyflow_signal.h",
        **more,
    )


def _flash(op: Operator, graph: Graph, *fields: str) -> tuple[Constant, ...]:
    """The constants that those fields name, for flash."""
    tensors = [(field, graph.tensors[getattr(op, field)]) for field in fields]
    return tuple(
        Constant(field, tensor.dtype.c_type, tensor.values, f"{field} {list(tensor.shape)}")
        for field, tensor in tensors
    )


def window(op: SignalWindow, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalWindow: int16, a constant window, of the length of the input's rows or a part of it."""
    context = {
        "size": graph.tensors[op.window].elements,
        "shift": op.shift,
        "elements": output_of(graph, op).elements,
    }
    constants = _flash(op, graph, "window")
    return _kernel(op, "tinyflow_signal_window_s16", context=context, constants=constants)


def auto_scale(op: SignalFftAutoScale, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalFftAutoScale: int16."""
    context = {"elements": graph.tensors[op.input].elements}
    return _kernel(op, "tinyflow_signal_auto_scale_s16", context=context)


def fft(op: Fft, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalRfft, SignalIrfft: int16, int32 or float32, of an even number of samples.

    From 4 on, without prime factors above 5; batches, too.
    """
    source, output = graph.tensors[op.input], output_of(graph, op)
    dtype, points, inverse = source.dtype, op.length // 2, isinstance(op, SignalIrfft)
    suffix = _SUFFIXES[dtype]
    function = f"tinyflow_signal_{'irfft' if inverse else 'rfft'}_{suffix}"
    context = {
        "function": function,
        "points": points,
        "radices": smooth_factors(points),
        "rows": rows(source.shape),
        "input": source.shape[-1],
        "output": output.shape[-1],
        "samples": None if inverse else source.shape[-1],
    }
    constants = (
        Constant(
            "twiddles",
            dtype.c_type,
            twiddles(points, dtype, inverse=inverse),
            f"complex factors [{points}]",
        ),
        Constant(
            "halves",
            dtype.c_type,
            halves(points, dtype, inverse=inverse),
            f"complex factors between them [{points // 2}]",
        ),
    )
    needs = ("tinyflow_signal_fft.h", *(("tinyflow_math.h",) if dtype is DType.FLOAT32 else ()))
    return _kernel(
        op,
        function,
        "signal_fft",
        context=context,
        constants=constants,
        file=f"signal_fft_{suffix}",
        needs=needs,
    )


def energy(op: SignalEnergy, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalEnergy: int16 to uint32.

    Energies outside of the indices, which the reference leaves undefined, may be read by nothing
    but CAST, RESHAPE and a SLICE or filter bank that goes on with the others.
    """
    context = {
        "elements": output_of(graph, op).elements,
        "start": op.start,
        "stop": op.stop,
    }
    return _kernel(op, "tinyflow_signal_energy_s16", context=context)


def filter_bank(op: SignalFilterBank, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalFilterBank: uint32 to uint64, with constant tables."""
    constants = _flash(op, graph, *op.input_fields[1:])
    context = {"channels": output_of(graph, op).elements}
    return _kernel(op, "tinyflow_signal_filter_bank", context=context, constants=constants)


def square_root(
    op: SignalFilterBankSquareRoot, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """SignalFilterBankSquareRoot: uint64 to uint32; the shift is computed, its low five bits."""
    context = {"elements": output_of(graph, op).elements}
    return _kernel(op, "tinyflow_signal_square_root", context=context)


def spectral_subtraction(
    op: SignalFilterBankSpectralSubtraction, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """SignalFilterBankSpectralSubtraction: uint32.

    The noise estimate is kept from one inference to the next.
    """
    context = {
        "channels": graph.tensors[op.input].elements,
        "even": op.even,
        "odd": op.odd,
        "least": op.least,
        "smoothing_bits": op.smoothing_bits,
        "bits": op.bits,
        "clamping": int(op.clamping),
    }
    return _kernel(op, "tinyflow_signal_spectral_subtraction", context=context)


def pcan(op: SignalPcan, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalPCAN: uint32, with a constant table of 125 gains or more."""
    context = {"shift": op.shift, "elements": output_of(graph, op).elements}
    return _kernel(
        op, "tinyflow_signal_pcan", context=context, constants=_flash(op, graph, "gains")
    )


def log(op: SignalFilterBankLog, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalFilterBankLog: uint32 to int16."""
    context = {
        "scale": op.scale,
        "correction_bits": op.correction_bits,
        "elements": output_of(graph, op).elements,
    }
    segments = Constant("segments", "uint16_t", log_segments(), "log2(1 + i / 128) - i / 128 [130]")
    return _kernel(op, "tinyflow_signal_log", context=context, constants=(segments,))


def framer(op: SignalFramer, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalFramer: int16, with or without prefill.

    Samples are kept from one inference to the next. Frames that are not whole are zeros.
    """
    shape = graph.tensors[op.input].shape
    context = {
        "rows": rows(shape),
        "frames": shape[-1] // op.step,
        "size": op.size,
        "step": op.step,
        "kept": graph.tensors[op.samples].shape[1],
    }
    return _kernel(op, "tinyflow_signal_framer_s16", context=context)


def overlap_add(op: SignalOverlapAdd, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalOverlapAdd: int16 or float32; sums are kept from one inference to the next."""
    shape = graph.tensors[op.input].shape
    suffix = _SUFFIXES[graph.tensors[op.input].dtype]
    context = {
        "function": f"tinyflow_signal_overlap_add_{suffix}",
        "rows": math.prod(shape[:-2]),
        "frames": shape[-2],
        "size": shape[-1],
        "step": op.step,
    }
    return _kernel(
        op,
        f"tinyflow_signal_overlap_add_{suffix}",
        "signal_overlap_add",
        context=context,
        file=f"signal_overlap_add_{suffix}",
    )


def delay(op: SignalDelay, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalDelay: int16; samples are kept from one inference to the next."""
    shape = graph.tensors[op.input].shape
    context = {"rows": rows(shape), "elements": shape[-1], "length": op.length}
    return _kernel(op, "tinyflow_signal_delay_s16", context=context)


def stacker(op: SignalStacker, graph: Graph, board: Board, cmsis: CmsisNN) -> Kernel | None:
    """SignalStacker: int16; frames are kept from one inference to the next.

    An output that is not valid is that of the inference before, zeros at first.
    """
    context = {
        "channels": graph.tensors[op.input].elements,
        "stacked": graph.tensors[op.results[0]].elements,
        "left": op.left,
        "step": op.step,
    }
    return _kernel(op, "tinyflow_signal_stacker_s16", context=context)


KERNELS: dict[type[Operator], tuple[Maker, ...]] = {
    SignalDelay: (delay,),
    SignalEnergy: (energy,),
    SignalFftAutoScale: (auto_scale,),
    SignalFilterBank: (filter_bank,),
    SignalFilterBankLog: (log,),
    SignalFilterBankSpectralSubtraction: (spectral_subtraction,),
    SignalFilterBankSquareRoot: (square_root,),
    SignalFramer: (framer,),
    SignalIrfft: (fft,),
    SignalOverlapAdd: (overlap_add,),
    SignalPcan: (pcan,),
    SignalRfft: (fft,),
    SignalStacker: (stacker,),
    SignalWindow: (window,),
}
