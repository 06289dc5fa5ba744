# SPDX-License-Identifier: Apache-2.0
"""Unstructured magnitude pruning: the smallest weights become zero, shapes stay.

The share of zeros rises with the cubic schedule of Zhu & Gupta 2017 (arXiv:1710.01878,
equation 1) while the network trains on. Kernels of convolutions and Dense layers are pruned;
depthwise kernels, biases and normalisation are not, as in that paper's section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinyflow.errors import InputError

if TYPE_CHECKING:
    import keras

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CubicSchedule:
    """Sparsity as a function of the training step.

    Rises from `initial` at the step `begin` to `final` at the step `end` as
    final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 3.
    """

    final: float
    begin: int
    end: int
    initial: float = 0.0

    def __call__(self, step: int) -> float:
        """The sparsity after `step` steps."""
        if step >= self.end:
            return self.final
        if step <= self.begin:
            return self.initial
        rest = 1 - (step - self.begin) / (self.end - self.begin)
        return self.final + (self.initial - self.final) * rest**3


def prunable_kernels(model: keras.Model) -> list[Any]:
    """The variables magnitude pruning works on, in the model's order."""
    import keras

    layers = keras.layers
    plain = (
        layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D,
        layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose,
    )  # fmt: skip
    found = []
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if isinstance(layer, layers.SeparableConv1D | layers.SeparableConv2D):
            found.append(layer.pointwise_kernel)
        elif isinstance(layer, plain):
            found.append(layer._kernel if hasattr(layer, "_kernel") else layer.kernel)
    return found


def mask_of(kernel: npt.NDArray[Any], sparsity: float) -> Mask:
    """True where a weight stays: all but the round(sparsity * size) of smallest magnitude.

    Among equals the first in memory go first, so the count is exact and the choice repeatable.
    """
    zeros = round(sparsity * kernel.size)
    mask = np.ones(kernel.size, dtype=np.bool_)
    mask[np.argsort(np.abs(kernel).ravel(), kind="stable")[:zeros]] = False
    return mask.reshape(kernel.shape)


def prune_magnitude(model: keras.Model, sparsity: float) -> None:
    """Set the smallest weights of each kernel to zero at once, in place.

    Raises:
        InputError: the sparsity is out of range.
    """
    _check(sparsity)
    for variable in prunable_kernels(model):
        kernel = variable.numpy()
        variable.assign(kernel * mask_of(kernel, sparsity))


def sparsity_of(model: keras.Model) -> float:
    """The share of zeros in the kernels magnitude pruning works on."""
    kernels = [variable.numpy() for variable in prunable_kernels(model)]
    total = sum(kernel.size for kernel in kernels)
    return sum(int((kernel == 0).sum()) for kernel in kernels) / total if total else 0.0


def magnitude_callback(
    model: keras.Model, schedule: CubicSchedule, *, frequency: int = 10
) -> keras.callbacks.Callback:
    """A Keras callback that prunes while the model trains and holds the zeros after.

    Masks are chosen anew every `frequency` steps until the schedule ends, where the sparsity
    is exact to one weight per layer; after every step pruned weights are zero again.

    Raises:
        InputError: the schedule's final sparsity is out of range.
    """
    import keras

    _check(schedule.final)

    class MagnitudePruning(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.step = 0
            self.variables = prunable_kernels(model)
            self.masks: list[Mask] = []
            self.done = False

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.step += 1
            last = self.step >= schedule.end
            if not self.done and (last or self.step % frequency == 0 or not self.masks):
                sparsity = schedule(self.step)
                self.masks = [mask_of(v.numpy(), sparsity) for v in self.variables]
                self.done = last
            self._hold()

        def on_train_end(self, logs: Any = None) -> None:
            if not self.done:
                self.masks = [mask_of(v.numpy(), schedule.final) for v in self.variables]
            self._hold()

        def _hold(self) -> None:
            for variable, mask in zip(self.variables, self.masks, strict=True):
                variable.assign(variable.numpy() * mask)

    return MagnitudePruning()


def _check(sparsity: float) -> None:
    if not 0 <= sparsity < 1:
        raise InputError(f"prune ratio {sparsity:g}: must be at least 0 and less than 1")
