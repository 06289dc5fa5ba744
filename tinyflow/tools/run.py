# SPDX-License-Identifier: Apache-2.0
"""Runs a user's samples through a build's firmware, wherever that runs."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.codegen.c_names import layer_title
from tinyflow.datasets.accuracy import dequantize_array, quantize_array
from tinyflow.datasets.dataset import InputSpec, load_dataset, sample_shape
from tinyflow.emulate import Target, open_target
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import DeviceError, InputError
from tinyflow.report.report_data import TensorSection
from tinyflow.storage.files import write_file
from tinyflow.tools.build_folder import Built


@dataclass(frozen=True)
class RunResult:
    """Outputs of all samples, one array (samples, *shape) per output of the model.

    `values` are the outputs as real numbers, dequantised where they are quantised. `cycles` are
    those of the first sample's inference by the device's counter: real ones on a board, modelled
    ones in an emulator. `stack_peak` is in bytes.
    """

    outputs: list[Array]
    values: list[Array]
    samples: int
    cycles: int
    stack_peak: int


def run_inputs(
    built: Built,
    board: Board,
    inputs: Sequence[Path],
    *,
    target: str,
    outputs: Sequence[Path] = (),
    reset_each: bool = False,
    dequantize: bool = False,
    on_line: Callable[[str], None] = lambda line: None,
) -> RunResult:
    """Run the samples of some .npy files, and write the outputs where asked.

    They are written as the device gives them, with `dequantize` as real numbers, float32.
    The state of a model that has one is reset before the first sample and kept from each to the
    next; with `reset_each` it is reset before every one.

    Raises:
        InputError: a file is missing or of the wrong shape, or the target is unknown.
        DeviceError: the device runs another model, faulted, or went silent.
    """
    model = built.report.model
    _check_count("output", outputs or model.outputs, model.outputs)
    for path in outputs:
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist")
    columns = read_samples(built, inputs)
    found: list[list[Array]] = []
    latency = built.report.latency
    ratio = latency.cycles / latency.instructions
    with open_target(target, built.elf, board, cycles_per_instruction=ratio) as device:
        client = HarnessClient(device)
        check_identity(client, built)
        samples = list(zip(*columns, strict=True))
        client.reset()
        with _counting(device, built):
            found.append(client.run(*samples[0]))
        cycles = client.stats().last_cycles
        for index, sample in enumerate(samples[1:], start=2):
            if reset_each:
                client.reset()
            found.append(client.run(*sample))
            on_line(f"{index}/{len(samples)} inferences")
        stack_peak = client.stats().stack_peak
    stacked = [np.stack(column) for column in zip(*found, strict=True)]
    values = [_real(array, section) for array, section in zip(stacked, model.outputs, strict=True)]
    for path, array in zip(outputs, values if dequantize else stacked, strict=False):
        _write(path, array)
    return RunResult(stacked, values, len(found), cycles, stack_peak)


def _real(array: Array, section: TensorSection) -> Array:
    """An output's real numbers; what has no quantisation is one already."""
    if section.scale is None or section.zero_point is None or array.dtype.kind == "f":
        return array
    return dequantize_array(array, section.scale, section.zero_point)


@dataclass(frozen=True)
class Ranked:
    """An element of an output: its position, its label where there are any, and its value."""

    index: int
    label: str | None
    value: float


def top_classes(values: Array, labels: Sequence[str], count: int) -> list[list[Ranked]] | None:
    """The largest elements of each sample of an output that can be scores of classes.

    Args:
        values: (samples, *shape).
        labels: a name for each class; none if they are not known.
        count: how many elements a sample, at most.

    Returns:
        For each sample its largest elements, None if the output is no vector of at least two.

    Raises:
        InputError: there are another number of labels than of classes.
    """
    flat = values.reshape(len(values), -1)
    classes = flat.shape[1]
    if classes < 2 or classes != values.shape[-1] or flat.dtype.kind == "b":
        return None
    if labels and len(labels) != classes:
        raise InputError(f"{len(labels)} labels for an output of {classes} classes")
    order = np.argsort(-flat.astype(np.float64), axis=1, kind="stable")[:, :count]
    return [
        [Ranked(int(index), labels[index] if labels else None, float(row[index])) for index in best]
        for row, best in zip(flat, order, strict=True)
    ]


def read_labels(path: Path) -> list[str]:
    """The names of the classes, one a line, in the order of the output's elements.

    Raises:
        InputError: the file cannot be read, or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as labels: {error}") from error
    labels = [line.strip() for line in text.rstrip().splitlines()]
    if not labels:
        raise InputError(f"{path}: no labels", hint="Write one label a line.")
    return labels


def read_samples(built: Built, inputs: Sequence[Path]) -> list[Array]:
    """The samples of one .npy for each input of the model, (samples, *shape), quantised.

    Raises:
        InputError: a file is missing, of the wrong shape, or not one for each input.
    """
    sections = built.report.model.inputs
    _check_count("input", inputs, sections)
    columns = [_read(path, section) for path, section in zip(inputs, sections, strict=True)]
    if len({len(column) for column in columns}) > 1:
        raise InputError("the input files differ in their number of samples")
    return columns


def first_sample(built: Built, inputs: Sequence[Path] | None) -> tuple[list[Array], str]:
    """The first sample of some .npy files, else the build's first test vector; and what it is.

    Raises:
        InputError: as `read_samples`.
    """
    vectors = [
        built.file(f"vectors/input_{index}.npy") for index in range(len(built.report.model.inputs))
    ]
    sample = [column[0] for column in read_samples(built, inputs or vectors)]
    if not inputs:
        return sample, "the build's first test vector"
    return sample, ", ".join(layer_title(path.name) for path in inputs)


def typical_sample(built: Built) -> tuple[list[Array], list[tuple[Array, ...]], str]:
    """The test vector whose latency the report states, the vectors before it, and what it is.

    Raises:
        InputError: as `read_samples`.
    """
    folder, inferences = built.folder / "vectors", built.report.inferences
    vector = 0 if inferences is None else inferences.vector
    files = [folder / f"input_{index}.npy" for index in range(len(built.report.model.inputs))]
    samples = list(zip(*read_samples(built, files), strict=True))
    if vector >= len(samples):
        raise InputError(f"{folder}: there is no vector {vector}", hint="Build it again.")
    return list(samples[vector]), samples[:vector], f"test vector {vector} of the build"


def _check_count(what: str, files: Sequence[object], tensors: Sequence[object]) -> None:
    if len(files) != len(tensors):
        raise InputError(
            f"{len(files)} {what} file(s) for a model with {len(tensors)} {what}(s)",
            hint=f"Give --{what}s once per {what} of the model.",
        )


def _counting(device: Target, built: Built) -> AbstractContextManager[object]:
    """Count in the simulator if it is the device: only then do its cycles advance."""
    if isinstance(device, Simulator):
        return device.measure(f"{built.report.model.name}_invoke")
    return nullcontext()


def check_identity(client: HarnessClient, built: Built) -> None:
    """Check that the device runs this build's model.

    Raises:
        DeviceError: it runs another.
    """
    info = client.info()
    expected = bytes.fromhex(built.report.model.sha256)[:8]
    if info.digest != expected:
        raise DeviceError(
            f"the device runs the model {info.model!r} ({info.digest.hex()}), "
            f"not {built.report.model.name!r} ({expected.hex()}) of {built.folder}",
            hint="Flash this build first: tinyflow flash BUILD.",
        )


def _read(path: Path, section: TensorSection) -> Array:
    spec = InputSpec(section.name, sample_shape(section.shape), section.dtype, accepts_float=True)
    array = load_dataset(path, [spec], purpose="inputs").inputs[0]
    array = array.reshape(-1, *section.shape)
    if array.dtype.kind == "f" and section.dtype != "float32":
        assert section.scale is not None and section.zero_point is not None
        array = quantize_array(array, section.scale, section.zero_point, np.dtype(section.dtype))
    return array.astype(section.dtype)


def _write(path: Path, array: Array) -> None:
    stream = io.BytesIO()
    np.save(stream, array)
    write_file(path, stream.getvalue())
