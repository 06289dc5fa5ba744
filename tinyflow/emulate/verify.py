# SPDX-License-Identifier: Apache-2.0
"""Runs the firmware image in the simulator and compares its outputs with the oracle's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.emulate.measurement import Measurement
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import DeviceError
from tinyflow.oracle.constants import reference
from tinyflow.toolchain.elf import Image


@dataclass(frozen=True)
class VectorKinds:
    """Numbers of real samples, random and extreme inputs among the vectors, in this order."""

    real: int
    random: int
    extreme: int


@dataclass(frozen=True)
class _SavedFigures:
    oracle: str
    vectors: int
    compared_bytes: int
    mismatches: int
    instructions: list[int]
    layer_instructions: list[list[int]]
    stack_peak: int


@dataclass(frozen=True)
class Verification(_SavedFigures):
    """Result of running the image.

    Attributes:
        oracle: what the outputs were compared with.
        vectors: inputs compared.
        compared_bytes, mismatches: output bytes compared, and those that differ.
        instructions: executed by the inference of each vector, exactly.
        layer_instructions: of them, those of each layer, by vector.
        stack_peak: bytes of stack the firmware used at most.
        oracle_outputs: for each output, the oracle's for all vectors, (vectors, *shape).
        sample_outputs: the device's first output for every sample; None without samples.
    """

    oracle_outputs: tuple[Array, ...]
    sample_outputs: Array | None

    def save(self, folder: Path) -> None:
        """Write to a folder what `load` reads."""
        figures = {name: value for name, value in asdict(self).items() if "outputs" not in name}
        (folder / "figures.json").write_text(json.dumps(figures))
        arrays = {f"oracle_{index}": array for index, array in enumerate(self.oracle_outputs)}
        if self.sample_outputs is not None:
            arrays["samples"] = self.sample_outputs
        np.savez_compressed(folder / "outputs.npz", allow_pickle=False, **arrays)

    @staticmethod
    def load(folder: Path) -> Verification:
        """Read what `save` wrote."""
        figures = json.loads((folder / "figures.json").read_text())
        with np.load(folder / "outputs.npz", allow_pickle=False) as arrays:
            samples = arrays["samples"] if "samples" in arrays.files else None
            oracle = tuple(
                arrays[f"oracle_{index}"]
                for index in range(sum(name.startswith("oracle_") for name in arrays.files))
            )
        return Verification(**figures, oracle_outputs=oracle, sample_outputs=samples)


def verify_firmware(
    image: Image,
    board: Board,
    tflite: bytes,
    *,
    entry: str,
    layers: Sequence[str],
    vectors: Sequence[tuple[Array, ...]],
    samples: Sequence[tuple[Array, ...]],
    stateful: bool,
    on_progress: Callable[[int, int], None],
) -> Verification:
    """Run vectors and samples through the image.

    The vectors are one sequence, on the device as in the oracle: both begin with the state as it
    is after a reset and keep it from vector to vector. The samples have nothing to do with each
    other: each begins after a reset.

    Args:
        image: the ELF that would be flashed.
        board: the board it was built for.
        tflite: the model, for the oracle.
        entry: the symbol of the model's `invoke`.
        layers: the symbols of the layers' functions, in order.
        vectors: inputs to be compared with the oracle, each one array per model input.
        samples: further inputs whose first output is kept.
        stateful: whether the model has a state.
        on_progress: called with the inferences done and their total.

    Raises:
        DeviceError: the firmware faulted or went silent.
    """
    oracle = reference(tflite)
    # Vectors that begin the samples run once, where they do not depend on what came before.
    pairs = zip(vectors, samples, strict=False)
    shared = 0 if stateful else len(list(takewhile(lambda pair: pair[0] is pair[1], pairs)))
    rest = samples[shared:]
    total = len(vectors) + len(rest)
    outputs: list[list[Array]] = []
    counted: list[Measurement] = []
    with Simulator(image, board) as simulator:
        client = HarnessClient(simulator)
        for vector in vectors:
            with simulator.measure(entry, layers) as measurement:
                outputs.append(client.run(*vector))
            counted.append(measurement)
            on_progress(len(outputs), total)
        kept = [output[0] for output in outputs[:shared]]
        for done, sample in enumerate(rest, start=len(vectors) + 1):
            if stateful:
                client.reset()
            kept.append(client.run(*sample)[0])
            on_progress(done, total)
        stack_peak = client.stats().stack_peak
    if not all(measurement.instructions for measurement in counted):
        raise DeviceError(f"the firmware never ran {entry}")
    expected = [oracle.run(*vector) for vector in vectors]
    compared = [
        (found, due)
        for device, reference in zip(outputs, expected, strict=True)
        for found, due in zip(device, reference, strict=True)
    ]
    return Verification(
        oracle=oracle.name,
        vectors=len(vectors),
        compared_bytes=sum(due.nbytes for _, due in compared),
        mismatches=sum(differing_bytes(found, due) for found, due in compared),
        instructions=[measurement.instructions for measurement in counted],
        layer_instructions=[list(measurement.per_layer) for measurement in counted],
        stack_peak=stack_peak,
        oracle_outputs=tuple(np.stack(column) for column in zip(*expected, strict=True)),
        sample_outputs=np.stack(kept) if samples else None,
    )


def differing_bytes(output: Array, expected: Array) -> int:
    """Count the bytes of an output that differ from the oracle's.

    Raises:
        DeviceError: they are not of one size.
    """
    found, due = _content(output), _content(expected)
    if len(found) != len(due):
        raise DeviceError(f"an output of {len(found)} bytes where the oracle gives {len(due)}")
    return int(np.count_nonzero(np.frombuffer(found, np.uint8) != np.frombuffer(due, np.uint8)))


def _content(output: Array) -> bytes:
    """An output's bytes; every NaN is one, as processors differ in its sign and payload."""
    if output.dtype.kind == "f":
        output = np.where(np.isnan(output), np.array(np.nan, output.dtype), output)
    return output.tobytes()
