# SPDX-License-Identifier: Apache-2.0
"""Training a pruned model on, so that it regains its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tinyflow.arrays import Array
from tinyflow.compress.layer_rules import activation_name
from tinyflow.datasets.dataset import Dataset
from tinyflow.datasets.task import Loss, Task, TaskKind, find_task
from tinyflow.errors import InputError

if TYPE_CHECKING:
    import keras


def training_task_of(model: keras.Model, data: Dataset, loss: Loss | None = None) -> Task:
    """Return the task of the model's output, and its targets; see `find_task`.

    Raises:
        InputError: the model has several outputs, or the labels do not fit its output.
    """
    if len(model.outputs) != 1:
        raise InputError(f"fine-tuning takes one output, this model has {len(model.outputs)}")
    shape = tuple(int(size) for size in model.outputs[0].shape[1:])
    return find_task(
        data.inputs,
        data.labels,
        shape,
        activation=_last_activation(model),
        loss=loss,
        purpose="training data",
    )


def loss_for(model: keras.Model, task: Task, declared: Loss | None = None) -> Any:
    """The loss by which a task is learnt.

    Classes: sparse categorical cross-entropy, from logits unless the last activation is softmax.
    Binary and multi-label: binary cross-entropy, from logits where the threshold is 0. Regression
    and reconstruction: the loss that the model was compiled with where Keras knows it by name,
    else the mean square.
    """
    import keras

    losses = keras.losses
    if task.kind is TaskKind.CLASSES:
        logits = _last_activation(model) not in ("softmax", "sigmoid", "hard_sigmoid")
        return losses.SparseCategoricalCrossentropy(from_logits=logits)
    if task.kind.is_classification:
        return losses.BinaryCrossentropy(from_logits=task.threshold == 0.0)
    known = {
        "mae": losses.MeanAbsoluteError,
        "mean_absolute_error": losses.MeanAbsoluteError,
        "huber": losses.Huber,
        "log_cosh": losses.LogCosh,
        "poisson": losses.Poisson,
    }
    name = "" if declared is None else declared.name
    bounded = _last_activation(model) in ("sigmoid", "hard_sigmoid")
    if name == "binary_crossentropy" and bounded:  # of autoencoders of images
        return losses.BinaryCrossentropy()
    return known.get(name, losses.MeanSquaredError)()


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
    declared: Loss | None = None,
) -> tuple[float, float]:
    """Train `model` in place with Adam and a cosine-decaying rate; the same for the same seed.

    The loss is that of the task which the labels and the model's output make; without labels, a
    model whose output has its input's shape learns its inputs. With validation data the weights
    of the best epoch by its loss are kept, counted from `settled_epoch`; epochs before it (where
    pruning still goes on) do not count.

    Returns:
        The loss before and after, on the validation data, else on the training data.

    Raises:
        InputError: there are no labels where the model needs some, or they do not fit it.
    """
    import keras

    task = training_task_of(model, training, declared)
    loss = loss_for(model, task, declared)
    keras.utils.set_random_seed(seed)
    keras.config.disable_interactive_logging()
    steps = -(-len(training) // batch_size)
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, max(1, steps * epochs))
        ),
        loss=loss,
    )
    checked, goals = training, task.targets
    if validation is not None:
        checked, goals = validation, training_task_of(model, validation, declared).targets

    def measure() -> float:
        return float(model.evaluate(_inputs(checked), goals, verbose=0))

    best = _best_weights(keras, settled_epoch)
    report = _reporter(keras, on_epoch)
    before = measure()
    model.fit(
        _inputs(training),
        task.targets,
        validation_data=None if validation is None else (_inputs(validation), goals),
        epochs=epochs,
        batch_size=batch_size,
        shuffle=True,
        verbose=0,
        callbacks=[*callbacks, report, *([] if validation is None else [best])],
    )
    return before, measure()


def _inputs(data: Dataset) -> Any:
    return data.inputs[0] if len(data.inputs) == 1 else list(data.inputs)


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
