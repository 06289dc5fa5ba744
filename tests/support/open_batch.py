# SPDX-License-Identifier: Apache-2.0
"""A model as the converter writes it of a Keras model whose batch is open."""

from __future__ import annotations

import numpy as np

from tests.support.tflite_builder import TfliteBuilder


def open_signature(b: TfliteBuilder, index: int, *signature: int) -> None:
    """Say of a tensor which sizes are known when the model is converted: all but those of -1."""
    b.subgraph.tensors[index].shapeSignature = np.array(signature, np.int32)


def shape_chain(b: TfliteBuilder, source: int, elements: int) -> int:
    """SHAPE -> STRIDED_SLICE -> PACK: what the converter writes for `(batch, elements)`."""
    rank = len(b.subgraph.tensors[source].shape)
    shape = b.tensor((rank,), "int32")
    b.operator("SHAPE", [source], [shape], outType=2)
    bounds = [b.tensor((1,), "int32", data=[value]) for value in (0, 1, 1)]
    batch, count = b.tensor((), "int32"), b.tensor((), "int32", data=elements)
    b.operator("STRIDED_SLICE", [shape, *bounds], [batch], shrinkAxisMask=1)
    target = b.tensor((2,), "int32")
    b.operator("PACK", [batch, count], [target], valuesCount=2)
    return target


def flattened() -> bytes:
    """An image flattened with an open batch, as `from_keras_model` writes it."""
    b = TfliteBuilder()
    x = b.tensor((1, 4, 4, 3), scale=0.05, zero_point=-3)
    open_signature(b, x, -1, 4, 4, 3)
    r = b.tensor((1, 4, 4, 3), scale=0.05, zero_point=-3)
    b.operator("RELU", [x], [r])
    y = b.tensor((1, 48), scale=0.05, zero_point=-3)
    b.operator("RESHAPE", [r, shape_chain(b, r, 48)], [y])
    return b.build([x], [y])
