# SPDX-License-Identifier: Apache-2.0
"""The first stages: what the user gave becomes a quantised .tflite and inputs for the device."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.arrays import Array
from tinyflow.compress.channel_sets import Granularity
from tinyflow.datasets.accuracy import quantize_array
from tinyflow.datasets.dataset import (
    Dataset,
    InputSpec,
    load_calibration,
    load_dataset,
)
from tinyflow.datasets.task import Loss
from tinyflow.distribution import VERSION
from tinyflow.errors import InputError
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.types import DType
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.fidelity import Fidelity, compare_models
from tinyflow.pipeline.imported import input_specs
from tinyflow.pipeline.prune_choice import PruneChoice, choose_granularity
from tinyflow.pipeline.request import BuildRequest
from tinyflow.pipeline.vectors import synthetic_vectors, vector_kinds
from tinyflow.report.report_data import PruneSection
from tinyflow.settings.project_file import PruneTable
from tinyflow.storage.cache import Cache, ContentHash
from tinyflow.tflite.file import read_tflite

#: Channels kept in multiples of more than any layer has: all of them.
_ALL_CHANNELS = Granularity(1 << 30, 1 << 30)


@dataclass(frozen=True)
class Quantised:
    """A quantised model, and what is known of the float model it came from.

    Attributes:
        tflite: the file's bytes.
        test: the held-out samples, or None.
        calibration: the calibration samples, None for a model that came as a `.tflite`.
        float_outputs: the float model's first output for each test sample.
        loss: what the Keras model was compiled with, where it says so.
        fidelity: how near it comes to the float model on calibration samples.
        foreign_scale: what is odd about the scale of the calibration samples, None if nothing
            is.
        prune: what pruning did.
    """

    tflite: bytes
    test: Dataset | None = None
    calibration: Dataset | None = None
    float_outputs: Array | None = None
    prune: PruneSection | None = None
    loss: Loss | None = None
    fidelity: Fidelity | None = None
    foreign_scale: str | None = None

    @property
    def real_samples(self) -> int:
        """Number of samples of the user's data that the device can be given."""
        data = self.test or self.calibration
        return 0 if data is None else len(data)


def read_quantised(request: BuildRequest) -> bytes:
    """Read the .tflite file of a request.

    Raises:
        InputError: the file cannot be read, or an option asks for what only a Keras model allows.
    """
    if request.prune.method != "none":
        raise InputError(
            f"{request.model}: a .tflite cannot be pruned, only a Keras model can",
            hint='Give the .keras file, or set method = "none" in [prune].',
        )
    if request.activations != "int8":
        raise InputError(
            f"{request.model}: a .tflite is quantised already, only a Keras model can be "
            f"quantised to {request.activations} activations",
            hint="Give the .keras file, or leave the type of activations out.",
        )
    return read_tflite(request.model)


def with_data(request: BuildRequest, tflite: bytes, graph: Graph) -> Quantised:
    """Load the data of a request for a model that came as a .tflite file.

    Args:
        request: the build's.
        tflite: the file's bytes.
        graph: as imported, before any pass.

    Raises:
        InputError: the data cannot be read, or does not fit the model's inputs.
    """
    specs = input_specs(graph)
    test = _test_data(request, specs)
    calibration = (
        None if request.calibration is None else load_calibration(request.calibration, specs)
    )
    return Quantised(tflite, test, calibration)


def quantise_keras(context: BuildContext) -> Quantised:
    """Prune a Keras model if asked to, quantise it, and compare it with the float model.

    Raises:
        TinyflowError: the model or the data is refused; says why.
    """
    from tinyflow.compress.prune import prune_model
    from tinyflow.compress.summary import PruneSummary
    from tinyflow.convert.convert import float_predictions, quantize

    request, cache, progress = context.request, context.cache, context.progress
    specs = _model_inputs(request, cache)
    if request.calibration is None:
        raise InputError(
            f"{request.model}: quantisation needs calibration data",
            hint="Give some dozens of representative samples: --calibration samples.npz, or "
            "`calibration` in [data].",
        )
    calibration = load_calibration(request.calibration, specs).take(request.calibration_samples)
    training = (
        None
        if request.training is None
        else load_dataset(request.training, specs, split="train", purpose="training data")
    )
    test = _test_data(request, specs)
    prune = request.prune
    key = ContentHash("quantised", VERSION, _keras_versions(), request.model)
    key.add(prune.model_dump(), request.activations, *calibration.inputs)
    choice = None
    if prune.method == "structured":
        choice = choose_granularity(context, calibration)
        key.add(choice)
    if prune.method != "none" and training is not None:
        key.add("training", *training.inputs, training.labels)
    if test is not None:
        key.add("test", *test.inputs)

    def make(folder: Path) -> None:
        model = request.model
        if prune.method != "none":
            progress.stage(f"prune ({prune.method}, {prune.ratio:.0%})")
            pruned = folder / "pruned.keras"
            summary = prune_model(
                model,
                prune,
                training,
                output_path=pruned,
                granularity=None if choice is None else choice.granularity or _ALL_CHANNELS,
                on_line=progress.line,
            )
            (folder / "prune.json").write_text(json.dumps(summary.to_json()))
            model = pruned
        progress.stage(f"quantise to {request.activations.upper()}")
        conversion = quantize(
            model,
            calibration,
            output_path=folder / "model.tflite",
            activations=request.activations,
            samples=test.inputs if test is not None and prune.method == "none" else None,
            on_line=progress.line,
        )
        if test is not None:
            outputs = conversion.float_outputs or float_predictions(
                request.model, test.inputs, on_line=progress.line
            )
            np.save(folder / "float_outputs.npy", outputs[0])
        progress.stage("compare with the float model")
        content = (folder / "model.tflite").read_bytes()
        fidelity = compare_models(conversion.in_float, content, calibration.inputs)
        found = {
            "fidelity": fidelity.to_json(),
            "foreign_scale": conversion.foreign_scale,
            "loss": None if conversion.loss is None else asdict(conversion.loss),
        }
        (folder / "found.json").write_text(json.dumps(found))

    entry = cache.fetch(key.key(), make, "the quantised model")
    outputs_file, prune_file = entry / "float_outputs.npy", entry / "prune.json"
    found = json.loads((entry / "found.json").read_text())
    section = None
    if prune_file.is_file():
        summary = PruneSummary.from_json(json.loads(prune_file.read_text()))
        section = _prune_section(prune, summary, choice)
    return Quantised(
        (entry / "model.tflite").read_bytes(),
        test,
        calibration,
        np.load(outputs_file, allow_pickle=False) if outputs_file.is_file() else None,
        section,
        None if found["loss"] is None else Loss(**found["loss"]),
        Fidelity.from_json(found["fidelity"]),
        found["foreign_scale"],
    )


def _model_inputs(request: BuildRequest, cache: Cache) -> tuple[InputSpec, ...]:
    from tinyflow.convert.convert import model_inputs
    from tinyflow.convert.model_file import model_kind

    model_kind(request.model)  # a file that is no model is not worth a key
    key = ContentHash("inputs", VERSION, _keras_versions(), request.model).key()

    def make(folder: Path) -> None:
        found = [asdict(spec) for spec in model_inputs(request.model)]
        (folder / "inputs.json").write_text(json.dumps(found))

    stored = json.loads((cache.fetch(key, make, "the inputs") / "inputs.json").read_text())
    return tuple(
        InputSpec(**{**item, "shape": tuple(item["shape"])})  # JSON has lists only
        for item in stored
    )


def _prune_section(settings: PruneTable, summary: Any, choice: PruneChoice | None) -> PruneSection:
    return PruneSection(
        method=settings.method,
        ratio=settings.ratio,
        parameters_before=summary.parameters_before,
        parameters_after=summary.parameters_after,
        macs_before=summary.macs_before,
        macs_after=summary.macs_after,
        predicted_cycles=None if choice is None else choice.cycles,
        unpruned_cycles=None if choice is None else choice.unpruned_cycles,
    )


def _test_data(request: BuildRequest, specs: Sequence[InputSpec]) -> Dataset | None:
    if request.test is None:
        return None
    data = load_dataset(request.test, specs, split="test", purpose="test data")
    return data if request.test_samples is None else data.take(request.test_samples)


def _keras_versions() -> list[str]:
    """The versions that a converted model depends on, read without importing them."""
    versions = []
    for package in ("tensorflow-cpu", "tensorflow", "keras"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def device_inputs(
    graph: Graph, quantised: Quantised, count: int
) -> tuple[list[tuple[Array, ...]], list[tuple[Array, ...]]]:
    """Inputs as the device takes them: `count` for the oracle, and all test samples.

    The first are real samples, then random ones, then extremes: `vector_kinds` says how many.
    """
    tensors = list(graph.input_tensors())
    kinds = vector_kinds(graph, count, quantised.real_samples)
    test = [] if quantised.test is None else _quantised_samples(tensors, quantised.test)
    real = test[: kinds.real]
    if not test and quantised.calibration is not None:
        real = _quantised_samples(tensors, quantised.calibration.take(kinds.real))
    return real + synthetic_vectors(graph, kinds), test


def _quantised_samples(tensors: Sequence[Tensor], data: Dataset) -> list[tuple[Array, ...]]:
    arrays = []
    for tensor, array in zip(tensors, data.inputs, strict=True):
        shaped = array.reshape(len(data), *tensor.shape)
        if tensor.dtype is not DType.FLOAT32 and shaped.dtype.kind == "f":
            shaped = quantize_array(
                shaped, tensor.q.scale, tensor.q.zero_point, np.dtype(tensor.dtype.value)
            )
        arrays.append(shaped.astype(tensor.dtype.numpy))
    return [tuple(array[index] for array in arrays) for index in range(len(data))]
