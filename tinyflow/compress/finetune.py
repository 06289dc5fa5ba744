"""Training a pruned model on, so that it regains its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyflow.arrays import Array
from tinyflow.compress.layer_rules import activation_name
from tinyflow.datasets.dataset import Dataset
from tinyflow.errors import InputError

if TYPE_CHECKING:
    import keras


def loss_for(model: keras.Model, labels: Array) -> Any:
    """The loss that fits a model's output and its labels.

    Integer labels: sparse categorical cross-entropy, binary for an output of size one, from
    logits unless the last activation is softmax or sigmoid. Float targets: the mean square.

    Raises:
        InputError: the model has several outputs, or the labels do not fit its output.
    """
    import keras

    if len(model.outputs) != 1:
        raise InputError(f"fine-tuning takes one output, this model has {len(model.outputs)}")
    shape = tuple(model.outputs[0].shape[1:])
    if labels.dtype.kind == "f":
        if labels.shape[1:] != shape:
            raise InputError(
                f"training data: targets `y` of shape {labels.shape}, "
                f"the model's output is (samples, {', '.join(map(str, shape))})"
            )
        return keras.losses.MeanSquaredError()
    classes = int(shape[-1])
    logits = _last_activation(model) not in ("softmax", "sigmoid", "hard_sigmoid")
    highest = int(labels.max())
    if highest >= max(classes, 2):
        raise InputError(
            f"training data: labels `y` reach {highest}, but the model has {classes} classes"
        )
    if classes == 1:
        return keras.losses.BinaryCrossentropy(from_logits=logits)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)


def _last_activation(model: Any) -> str:
    operation = model.outputs[0]._keras_history.operation
    if type(operation).__name__ == "Softmax":
        return "softmax"
    if hasattr(operation, "layers"):
        return _last_activation(operation)
    if type(operation).__name__ in ("Reshape", "Flatten", "Dropout", "Identity"):
        operation = operation.input._keras_history.operation
    return "softmax" if type(operation).__name__ == "Softmax" else activation_name(operation)


def fine_tune(
    model: keras.Model,
    training: Dataset,
    *,
    validation: Dataset | None = None,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
    callbacks: Sequence[Any] = (),
    settled_epoch: int = 0,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> tuple[float, float]:
    """Train `model` in place with Adam and a cosine-decaying rate; the same for the same seed.

    With validation data the weights of the best epoch by its loss are kept, counted from
    `settled_epoch`; epochs before it (where pruning still goes on) do not count.

    Returns:
        The loss before and after, on the validation data, else on the training data.

    Raises:
        InputError: there are no labels, or they do not fit the model.
    """
    import keras

    if training.labels is None:
        raise InputError("training data: fine-tuning needs labels `y`")
    loss = loss_for(model, training.labels)
    keras.utils.set_random_seed(seed)
    keras.config.disable_interactive_logging()
    steps = -(-len(training) // batch_size)
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, max(1, steps * epochs))
        ),
        loss=loss,
    )
    checked = validation if validation is not None else training

    def measure() -> float:
        return float(model.evaluate(_inputs(checked), _targets(model, checked), verbose=0))

    best = _best_weights(keras, settled_epoch)
    report = _reporter(keras, on_epoch)
    before = measure()
    model.fit(
        _inputs(training),
        _targets(model, training),
        validation_data=(
            None if validation is None else (_inputs(validation), _targets(model, validation))
        ),
        epochs=epochs,
        batch_size=batch_size,
        shuffle=True,
        verbose=0,
        callbacks=[*callbacks, report, *([] if validation is None else [best])],
    )
    return before, measure()


def _inputs(data: Dataset) -> Any:
    return data.inputs[0] if len(data.inputs) == 1 else list(data.inputs)


def _targets(model: Any, data: Dataset) -> Array:
    assert data.labels is not None
    if data.labels.dtype.kind == "f":
        return data.labels
    shape = model.outputs[0].shape
    if shape[-1] == 1 and data.labels.ndim == len(shape) - 1:
        return np.asarray(data.labels, dtype=np.float32)[..., np.newaxis]
    return data.labels


def _best_weights(keras: Any, start: int) -> Any:
    class BestWeights(keras.callbacks.Callback):  # type: ignore[misc]
        """Keeps the weights of the epoch with the least validation loss."""

        def __init__(self) -> None:
            super().__init__()
            self.least = float("inf")
            self.weights: list[Array] | None = None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            loss = (logs or {}).get("val_loss", float("inf"))
            if epoch >= start and loss < self.least:
                self.least, self.weights = loss, self.model.get_weights()

        def on_train_end(self, logs: Any = None) -> None:
            if self.weights is not None:
                self.model.set_weights(self.weights)

    return BestWeights()


def _reporter(keras: Any, on_epoch: Callable[[int, dict[str, float]], None] | None) -> Any:
    def end(epoch: int, logs: dict[str, float] | None) -> None:
        if on_epoch is not None:
            on_epoch(epoch, {key: float(value) for key, value in (logs or {}).items()})

    return keras.callbacks.LambdaCallback(on_epoch_end=end)
