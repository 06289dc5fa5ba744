# SPDX-License-Identifier: Apache-2.0
"""Effect of pruning on a model, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class LayerChannels:
    """The channels (filters, units) of one layer before and after."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class PruneSummary:
    """Sizes before and after pruning.

    Attributes:
        method: "none", "structured" or "magnitude".
        parameters_before, parameters_after: all weights of the model, zeros included.
        macs_before, macs_after: multiply-accumulates of one inference, zeros included.
        layers: the channels of every layer that decides over its channels.
        unprunable: why a layer kept all of its channels, by layer name.
        sparsity: the share of zeros in the weights that magnitude pruning works on.
        epochs: epochs of fine-tuning.
        loss_before, loss_after: loss on the validation data, or on the training data
            when there is none; None without data.
    """

    method: str
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    layers: tuple[LayerChannels, ...] = ()
    unprunable: dict[str, str] = field(default_factory=dict)
    sparsity: float = 0.0
    epochs: int = 0
    loss_before: float | None = None
    loss_after: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> PruneSummary:
        """The inverse of `to_json`."""
        layers = tuple(LayerChannels(**layer) for layer in values["layers"])
        return PruneSummary(**{**values, "layers": layers})


def parameters(model: keras.Model) -> int:
    """The number of weights of a model."""
    return sum(int(np.prod(weight.shape)) for weight in model.weights)


def macs(model: keras.Model) -> int:
    """Multiply-accumulates of one inference in convolution and Dense layers.

    Shared layers count once; a layer whose output is not fixed counts nothing.
    """
    import keras

    total = 0
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, keras.Model) or not layer._inbound_nodes:
            continue
        node = layer._inbound_nodes[-1]
        # A weight is used once per output position, in a transposed convolution per input's.
        grid = node.input_tensors if isinstance(layer, _transposed(keras)) else node.outputs
        if not grid:
            continue
        positions = int(np.prod([size or 0 for size in grid[0].shape[1:-1]], dtype=np.int64))
        separable = hasattr(layer, "pointwise_kernel")
        for name in ("depthwise_kernel", "pointwise_kernel") if separable else ("kernel",):
            kernel = getattr(layer, name, None)
            if kernel is not None:
                total += positions * int(np.prod(kernel.shape))
    return total


def _transposed(keras: Any) -> tuple[type, ...]:
    layers = keras.layers
    return (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
