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
from tinyflow.codegen.names import layer_title
from tinyflow.datasets.accuracy import quantize_array
from tinyflow.datasets.dataset import InputSpec, load_dataset, sample_shape
from tinyflow.emulate import Target, open_target
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import DeviceError, InputError
from tinyflow.files import write_file
from tinyflow.report.model import TensorSection
from tinyflow.tools.build_folder import Built


@dataclass(frozen=True)
class RunResult:
    """Outputs of all samples, one array (samples, *shape) per output of the model.

    `cycles` are those of the first sample's inference by the device's counter: real ones on a
    board, modelled ones in an emulator. `stack_peak` is in bytes.
    """

    outputs: list[Array]
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
    on_line: Callable[[str], None] = lambda line: None,
) -> RunResult:
    """Run the samples of some .npy files, and write the outputs where asked.

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
    for path, array in zip(outputs, stacked, strict=False):
        _write(path, array)
    return RunResult(stacked, len(found), cycles, stack_peak)


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


def _check_count(what: str, files: Sequence[object], tensors: Sequence[object]) -> None:
    if len(files) != len(tensors):
        raise InputError(
            f"{len(files)} {what} file(s) for a model with {len(tensors)} {what}(s)",
            hint=f"Give --{what}s once per {what} of the model.",
        )


def _counting(device: Target, built: Built) -> AbstractContextManager[object]:
    """Where the simulator is the device, have it count: only then do its cycles run."""
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
