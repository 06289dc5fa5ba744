# SPDX-License-Identifier: Apache-2.0
"""Finds the first layer whose output on the emulated device is not the oracle's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.oracle.constants import reference
from tinyflow.oracle.oracle import Oracle
from tinyflow.report.plan import PlannedLayer, PlannedTensor, read_plan
from tinyflow.toolchain.elf import read_image
from tinyflow.tools.build_folder import Built
from tinyflow.tools.run import check_identity


@dataclass(frozen=True)
class LayerDifference:
    """One layer's outputs and states on the device against the oracle's.

    Attributes:
        elements: compared.
        differing: of them, those that are not equal.
        largest: the largest absolute difference, in quantised steps (or in the float's unit).
        compared: false for a layer whose output lies nowhere whole, since layers run row by row.
    """

    index: int
    name: str
    operator: str
    kernel: str
    elements: int
    differing: int
    largest: float
    compared: bool = True


def bisect_layers(
    built: Built,
    board: Board,
    sample: Sequence[Array],
    *,
    before: Sequence[Sequence[Array]] = (),
) -> list[LayerDifference]:
    """Compare every layer's outputs for one sample, in the order the layers run.

    What a layer keeps for the next inference is compared, too. Device and oracle begin with the
    state as it is after a reset.

    A layer after the first that differs is compared on what the device gave it, not on what the
    oracle would have: only the first difference names a culprit.

    Args:
        built: the build.
        board: the board it was built for.
        sample: one array for each input, of the model's exact shape and type.
        before: samples that are run first, for the state that they leave.

    Raises:
        InputError: the build has no plan, or the sample does not fit the model.
        DeviceError: the firmware faulted, or runs another model.
    """
    plan = read_plan(built.folder)
    image = read_image(built.elf)
    memories = {"arena": image.symbol(plan.arena).address}
    if plan.state is not None:
        memories["state"] = image.symbol(plan.state).address
    found: list[list[Array]] = []
    with Simulator(image, board) as simulator:
        client = HarnessClient(simulator)
        check_identity(client, built)

        def read_layer(layer: PlannedLayer) -> None:
            found.append(
                [
                    _read(simulator, memories[tensor.memory] + tensor.offset, tensor)
                    for tensor in _written(layer)
                ]
            )

        def on_enter(index: int) -> None:
            # When a layer is entered, the one before it is done and its outputs are alive. Layers
            # that run row by row are done together, and what they leave behind is alive then.
            fused_block = plan.layers[index].fused_block
            for layer in plan.layers[len(found) : index]:
                if fused_block is None or layer.fused_block != fused_block:
                    read_layer(layer)

        for earlier in before:
            client.run(*earlier)
        with simulator.watch([layer.function for layer in plan.layers], on_enter):
            client.run(*sample)
        for layer in plan.layers[len(found) :]:
            read_layer(layer)
    oracle = reference((built.folder / "model.tflite").read_bytes(), keep_tensors=True)
    for earlier in before:
        oracle.run(*earlier)
    oracle.run(*sample)
    return [
        _compare(index, layer, outputs, [_due(oracle, tensor) for tensor in _written(layer)])
        for index, (layer, outputs) in enumerate(zip(plan.layers, found, strict=True))
    ]


def _written(layer: PlannedLayer) -> list[PlannedTensor]:
    return [*layer.outputs, *layer.states]


def _due(oracle: Oracle, tensor: PlannedTensor) -> Array:
    """Return the oracle's values for a tensor's channels."""
    whole = oracle.tensor(tensor.index)
    return whole if tensor.channels is None else whole[..., list(tensor.channels)]


def _read(simulator: Simulator, address: int, tensor: PlannedTensor) -> Array:
    dtype = np.dtype(tensor.dtype)
    size = int(np.prod(tensor.shape, dtype=np.int64)) * dtype.itemsize
    content = simulator.read_memory(address, size)
    return np.frombuffer(content, dtype).reshape(tensor.shape)


def _compare(
    index: int, layer: PlannedLayer, found: Sequence[Array], due: Sequence[Array]
) -> LayerDifference:
    differences = np.concatenate(
        [
            np.zeros(0),
            *(
                np.abs(device.astype(np.float64).ravel() - reference.astype(np.float64).ravel())
                for device, reference in zip(found, due, strict=True)
            ),
        ]
    )
    return LayerDifference(
        index=index,
        name=layer.name,
        operator=layer.operator,
        kernel=layer.kernel,
        elements=differences.size,
        differing=int(np.count_nonzero(differences)),
        largest=float(differences.max(initial=0.0)),
        compared=bool(found),
    )
