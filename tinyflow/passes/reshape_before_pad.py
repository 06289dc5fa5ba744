# SPDX-License-Identifier: Apache-2.0
"""RESHAPE behind PAD goes before it, where it only adds or removes extents of 1.

A converter makes a causal 1-D convolution PAD, RESHAPE and CONV_2D: with PAD next to the
convolution it can become its padding.
"""

from __future__ import annotations

from dataclasses import replace

from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, Pad, Reshape, TensorId
from tinyflow.passes.edit import alike, readers, sole_reader

_Pads = tuple[tuple[int, int], ...]


def reshape_before_pad(graph: Graph) -> Graph:
    """The graph with one such pair in the other order; the same object if there is none."""
    reading = readers(graph)
    for pad in graph.operators:
        if not isinstance(pad, Pad) or graph.tensors[pad.input].is_constant:
            continue
        reshape = sole_reader(graph, reading, pad.output)
        if not isinstance(reshape, Reshape):
            continue
        tensors = [graph.tensors[index] for index in (pad.input, pad.output, reshape.output)]
        paddings = _moved(tensors[1].shape, pad.paddings, tensors[2].shape)
        if paddings is not None and all(alike(tensors[0], tensor) for tensor in tensors):
            return _swapped(graph, pad, reshape, paddings)
    return graph


def _moved(padded: tuple[int, ...], paddings: _Pads, shape: tuple[int, ...]) -> _Pads | None:
    """The paddings of each dimension of a shape that differs in extents of 1, None if not."""
    large = [(extent, pads) for extent, pads in zip(padded, paddings, strict=True) if extent != 1]
    if [extent for extent, _ in large] != [extent for extent in shape if extent != 1]:
        return None
    left = iter(large)
    return tuple((0, 0) if extent == 1 else next(left)[1] for extent in shape)


def _swapped(graph: Graph, pad: Pad, reshape: Reshape, paddings: _Pads) -> Graph:
    shape = tuple(
        extent - before - after
        for extent, (before, after) in zip(
            graph.tensors[reshape.output].shape, paddings, strict=True
        )
    )
    between: TensorId = len(graph.tensors)
    reshaped = replace(graph.tensors[pad.input], shape=shape, channels=None)
    instead: dict[Operator, Operator] = {
        pad: Reshape(reshape.name, pad.input, between),
        reshape: replace(pad, input=between, output=reshape.output, paddings=paddings),
    }
    return replace(
        graph,
        tensors=(*graph.tensors, reshaped),
        operators=tuple(instead.get(op, op) for op in graph.operators),
    )
