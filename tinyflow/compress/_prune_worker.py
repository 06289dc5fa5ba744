# SPDX-License-Identifier: Apache-2.0
"""The process that prunes and fine-tunes a Keras model.

Started by `prune.py` through `tinyflow.worker`. Job: `model`, `settings`, and for structured
pruning the `granularity`; next to it `training.npz` and `validation.npz`. Reply: a `PruneSummary`;
next to it `pruned.keras`. With `candidates` in the job, see `make_candidates` instead.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.compress.channel_counts import make_candidates
from tinyflow.compress.channel_sets import Granularity
from tinyflow.compress.finetune import fine_tune
from tinyflow.compress.magnitude import (
    CubicSchedule,
    magnitude_callback,
    prune_magnitude,
    sparsity_of,
)
from tinyflow.compress.structured import prune_channels
from tinyflow.compress.summary import PruneSummary, macs, parameters
from tinyflow.convert.declared_loss import declared_loss
from tinyflow.convert.keras_model import load_keras
from tinyflow.convert.model_file import reading_seconds
from tinyflow.datasets.dataset import Dataset
from tinyflow.datasets.task import Loss
from tinyflow.sandbox.confine import cpu_limit
from tinyflow.settings.project_file import PruneTable


def main(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Do one job; see the module's docstring."""
    settings = PruneTable(**job["settings"])
    path = Path(job["model"])
    print(f"loading {path.name}")
    import keras
    import tensorflow as tf

    # Before the model is made: a Dropout layer draws its seed when it is created.
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    with cpu_limit(reading_seconds(path)):
        model = load_keras(path)
    if job.get("candidates"):
        return {"candidates": make_candidates(path, model, settings.ratio, folder)}
    training, validation = _data(folder / "training.npz"), _data(folder / "validation.npz")
    epochs = settings.epochs if training is not None else 0
    if settings.method == "structured":
        granularity = Granularity(**job["granularity"]) if job.get("granularity") else 1
        model, summary = prune_channels(model, settings.ratio, granularity=granularity)
        print(
            f"removed channels: {summary.parameters_before:,} -> {summary.parameters_after:,} "
            f"weights, {summary.macs_before:,} -> {summary.macs_after:,} MACs"
        )
    else:
        size, work = parameters(model), macs(model)
        summary = PruneSummary(settings.method, size, size, work, work)
        if settings.method == "magnitude" and not epochs:
            prune_magnitude(model, settings.ratio)
    if settings.method != "none" and epochs and training is not None:
        losses = _fine_tune(model, settings, training, validation, declared_loss(path))
        summary = dataclasses.replace(
            summary, epochs=epochs, loss_before=losses[0], loss_after=losses[1]
        )
    if settings.method == "magnitude":
        summary = dataclasses.replace(summary, sparsity=sparsity_of(model))
    # Without the optimiser's state.
    model.save(folder / "pruned.keras", include_optimizer=False)
    return summary.to_json()


def _fine_tune(
    model: Any,
    settings: PruneTable,
    training: Dataset,
    validation: Dataset | None,
    declared: Loss | None,
) -> tuple[float, float]:
    callbacks = []
    settled = 0
    if settings.method == "magnitude":
        steps = -(-len(training) // settings.batch_size)
        # The second half of the epochs trains with the final zeros.
        settled = settings.epochs // 2
        schedule = CubicSchedule(settings.ratio, begin=0, end=max(1, settled * steps))
        callbacks.append(magnitude_callback(model, schedule))

    def report(epoch: int, logs: dict[str, float]) -> None:
        shown = ", ".join(f"{key} {value:.4f}" for key, value in sorted(logs.items()))
        print(f"epoch {epoch + 1} of {settings.epochs}: {shown}")

    return fine_tune(
        model,
        training,
        validation=validation,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        seed=settings.seed,
        callbacks=callbacks,
        settled_epoch=settled,
        on_epoch=report,
        declared=declared,
    )


def _data(path: Path) -> Dataset | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        labels = arrays["labels"] if "labels" in arrays.files else None
        inputs = len(arrays.files) - (labels is not None)
        return Dataset(tuple(arrays[str(index)] for index in range(inputs)), labels)
