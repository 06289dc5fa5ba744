# SPDX-License-Identifier: Apache-2.0
"""Pruning a model file, in its own process."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.compress.channel_sets import Granularity
from tinyflow.compress.summary import PruneSummary
from tinyflow.convert.convert import model_inputs
from tinyflow.convert.model_file import ModelKind, model_kind
from tinyflow.datasets.dataset import Dataset
from tinyflow.errors import InputError
from tinyflow.settings.project_file import PruneTable
from tinyflow.worker import OnLine, read_result, require_keras, run_worker

_WORKER = "tinyflow.compress._prune_worker"


def prune_model(
    model_path: Path,
    settings: PruneTable,
    training: Dataset | None,
    *,
    output_path: Path,
    granularity: Granularity | None = None,
    validation: Dataset | None = None,
    timeout: float | None = None,
    on_line: OnLine | None = None,
) -> PruneSummary:
    """Prune a `.keras` or `.h5` model and fine-tune it where training data is given.

    Args:
        model_path: the model; it is left unchanged.
        settings: method, ratio, epochs and so on.
        training: samples and labels (an autoencoder needs no labels); None prunes without
            fine-tuning.
        output_path: the `.keras` to write; it appears whole or not at all.
        granularity: what numbers of channels are multiples of, for structured pruning.
        validation: samples and labels by which the best epoch is kept.
        timeout: seconds before the work is stopped; None waits for ever.
        on_line: receives lines of progress.

    Raises:
        InputError: the model is refused or is a SavedModel, or the data does not fit it.
        ConversionError: the process crashed, or ran out of memory or time.
        ToolMissingError: Keras is not installed.
    """
    require_keras()
    if output_path.suffix != ".keras":
        raise InputError(f"{output_path}: a pruned model is written as .keras")
    if model_kind(model_path) is ModelKind.SAVED_MODEL:
        raise InputError(
            f"{model_path}: a SavedModel has no layers to work on; it can be quantised, not pruned",
            hint="Save the model with model.save('model.keras'), or set prune to \"none\".",
        )
    for data in (training, validation):
        _check(model_path, data)
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name)
        _save(folder / "training.npz", training)
        _save(folder / "validation.npz", validation)
        job: dict[str, Any] = {
            "model": str(model_path.resolve()),
            "settings": settings.model_dump(),
            "granularity": None if granularity is None else asdict(granularity),
        }
        reply = run_worker(
            _WORKER,
            job,
            folder,
            task=f"pruning {model_path}",
            reads=[model_path.resolve()],
            timeout=timeout,
            on_line=on_line,
        )
        output_path.parent.mkdir(parents=True, exist_ok=True)
        aside = output_path.with_name(f"{output_path.name}.{os.getpid()}.part")
        try:
            aside.write_bytes(read_result(folder / "pruned.keras"))
            aside.replace(output_path)
        finally:
            aside.unlink(missing_ok=True)
    return PruneSummary.from_json(reply)


def pruning_candidates(
    model_path: Path,
    settings: PruneTable,
    calibration: Dataset,
    *,
    output: Path,
    on_line: OnLine | None = None,
) -> tuple[tuple[Granularity | None, Path], ...]:
    """Return the candidates of structured pruning, each as an int8 `.tflite`, without fine-tuning.

    Args:
        model_path: the model; it is left unchanged.
        settings: the ratio.
        calibration: some samples; for the costs of kernels two do.
        output: an existing folder for the files.
        on_line: receives lines of progress.

    Returns:
        For each form with other numbers of channels the granularity that gives it, and its file:
        the model as it is first, whose granularity is None, then the finest first.

    Raises:
        InputError, ConversionError, ToolMissingError: as `prune_model`; also if a form cannot be
            converted.
    """
    require_keras()
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name)
        arrays: dict[str, Any] = {str(index): each for index, each in enumerate(calibration.inputs)}
        np.savez(folder / "calibration.npz", **arrays)
        reply = run_worker(
            _WORKER,
            {
                "model": str(model_path.resolve()),
                "settings": settings.model_dump(),
                "candidates": True,
            },
            folder,
            task=f"pruning {model_path}",
            reads=[model_path.resolve()],
            on_line=on_line,
        )
        found = []
        for index, granularity in enumerate(reply["candidates"]):
            path = output / f"candidate_{index}.tflite"
            path.write_bytes(read_result(folder / path.name))
            found.append((None if granularity is None else Granularity(**granularity), path))
    return tuple(found)


def _check(model_path: Path, data: Dataset | None) -> None:
    wanted = [spec.shape for spec in model_inputs(model_path)]
    if data is None:
        return
    found = [array.shape[1:] for array in data.inputs]
    if found != wanted:
        raise InputError(
            f"training data: samples of the shapes {found}, the inputs of {model_path} are {wanted}"
        )


def _save(path: Path, data: Dataset | None) -> None:
    if data is None:
        return
    arrays: dict[str, Any] = {str(index): array for index, array in enumerate(data.inputs)}
    if data.labels is not None:
        arrays["labels"] = data.labels
    np.savez(path, **arrays)
