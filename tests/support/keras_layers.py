# SPDX-License-Identifier: Apache-2.0
"""Keras layers and operations, each as a tiny model.

Run as a script: `python keras_layers.py FOLDER` converts every model and
writes, for each, `NAME.tflite` and `NAME.npz` with samples (`x0`, `x1`, ...) and the float model's
first output (`y`) into the folders `simple`, `recurrent` and `fused`; and `failures.json` with
those that fail.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SERIES, IMAGE, VECTOR = (12, 4), (8, 9, 3), (10,)
#: Input shape of recurrent layers: each moment is a step of operators.
_MOMENTS = (7, 4)
#: Rows of the smallest embedding.
_INDICES = 8

#: Layers by the shape of their input: name, class, arguments.
_LAYERS: dict[str, tuple[tuple[int, ...], str, dict[str, Any]]] = {
    "conv1d": (SERIES, "Conv1D", {"filters": 4, "kernel_size": 3, "padding": "same"}),
    "conv1d-strided": (SERIES, "Conv1D", {"filters": 4, "kernel_size": 3, "strides": 2}),
    "conv1d-causal": (
        SERIES,
        "Conv1D",
        {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2},
    ),
    "conv1d-transpose": (SERIES, "Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2}),
    "depthwise1d": (SERIES, "DepthwiseConv1D", {"kernel_size": 3, "padding": "same"}),
    "separable1d": (SERIES, "SeparableConv1D", {"filters": 4, "kernel_size": 3}),
    "conv2d": (IMAGE, "Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same"}),
    "conv2d-strided": (IMAGE, "Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2}),
    "conv2d-dilated": (IMAGE, "Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2}),
    "conv2d-groups": (IMAGE, "Conv2D", {"filters": 6, "kernel_size": 3, "groups": 3}),
    "conv2d-transpose": (
        IMAGE,
        "Conv2DTranspose",
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
    ),
    "depthwise2d": (IMAGE, "DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}),
    "separable2d": (IMAGE, "SeparableConv2D", {"filters": 4, "kernel_size": 3, "padding": "same"}),
    "dense-2": (VECTOR, "Dense", {"units": 4}),
    "dense-3": (SERIES, "Dense", {"units": 3}),
    "dense-4": (IMAGE, "Dense", {"units": 4}),
    "einsum-dense": (
        SERIES,
        "EinsumDense",
        {"equation": "abc,cde->abde", "output_shape": (None, 2, 3), "bias_axes": "de"},
    ),
    "batch-normalization": (IMAGE, "BatchNormalization", {}),
    "global-max-1d": (SERIES, "GlobalMaxPooling1D", {}),
    "global-average-1d": (SERIES, "GlobalAveragePooling1D", {"keepdims": True}),
    "global-max-2d": (IMAGE, "GlobalMaxPooling2D", {"keepdims": True}),
    "global-average-2d": (IMAGE, "GlobalAveragePooling2D", {}),
    "max-1d": (SERIES, "MaxPooling1D", {"padding": "same"}),
    "average-1d": (SERIES, "AveragePooling1D", {"pool_size": 2}),
    "max-2d": (IMAGE, "MaxPooling2D", {}),
    "average-2d": (IMAGE, "AveragePooling2D", {"pool_size": 2, "padding": "same"}),
    "up-1d": (SERIES, "UpSampling1D", {"size": 3}),
    "up-2d-nearest": (IMAGE, "UpSampling2D", {"size": (2, 3)}),
    "up-2d-bilinear": (IMAGE, "UpSampling2D", {"interpolation": "bilinear"}),
    "zero-padding-1d": (SERIES, "ZeroPadding1D", {"padding": 2}),
    "zero-padding-2d": (IMAGE, "ZeroPadding2D", {"padding": ((1, 2), (0, 1))}),
    "cropping-1d": (SERIES, "Cropping1D", {"cropping": (1, 2)}),
    "cropping-2d": (IMAGE, "Cropping2D", {"cropping": ((1, 2), (0, 1))}),
    "center-crop": (IMAGE, "CenterCrop", {"height": 5, "width": 5}),
    "resizing": (IMAGE, "Resizing", {"height": 5, "width": 6}),
    "resizing-nearest": (
        IMAGE,
        "Resizing",
        {"height": 16, "width": 18, "interpolation": "nearest"},
    ),
    "permute": (IMAGE, "Permute", {"dims": (3, 1, 2)}),
    "reshape": (IMAGE, "Reshape", {"target_shape": (27, 8)}),
    "flatten": (IMAGE, "Flatten", {}),
    "repeat-vector": (VECTOR, "RepeatVector", {"n": 3}),
    "prelu": (VECTOR, "PReLU", {"alpha_initializer": "uniform"}),
    "prelu-shared": (IMAGE, "PReLU", {"alpha_initializer": "uniform", "shared_axes": [1, 2]}),
    "relu-max": (VECTOR, "ReLU", {"max_value": 2.0}),
    "relu-slope": (VECTOR, "ReLU", {"negative_slope": 0.1}),
    "relu-threshold": (VECTOR, "ReLU", {"threshold": 0.5}),
    "relu-all": (VECTOR, "ReLU", {"max_value": 1.5, "negative_slope": 0.2, "threshold": 0.3}),
    "leaky-relu": (VECTOR, "LeakyReLU", {"negative_slope": 0.2}),
    "softmax-axis": (SERIES, "Softmax", {"axis": 1}),
    "rescaling": (IMAGE, "Rescaling", {"scale": 0.5, "offset": -1.0}),
    "normalization": (
        SERIES,
        "Normalization",
        {"mean": [-1.0, 0.0, 0.5, 1.0], "variance": [0.5, 1.0, 2.0, 1.5]},
    ),
    "layer-normalization": (SERIES, "LayerNormalization", {}),
    "group-normalization": (IMAGE, "GroupNormalization", {"groups": 3}),
    "unit-normalization": (SERIES, "UnitNormalization", {}),
    "rms-normalization": (SERIES, "RMSNormalization", {}),
    "elu": (SERIES, "ELU", {"alpha": 0.5}),
}  # fmt: skip
_ACTIVATIONS = (
    "relu relu6 leaky_relu silu hard_sigmoid hard_silu hard_tanh hard_shrink soft_shrink "
    "tanh_shrink sparse_plus tanh sigmoid softmax log_softmax glu sparse_sigmoid elu selu celu "
    "gelu exponential softplus softsign mish log_sigmoid squareplus"
).split()
#: Layers that do something in training only.
_VANISHING = ("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D")
_MERGES = "Concatenate Add Subtract Multiply Average Maximum Minimum".split()
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "matmul": lambda ops, x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
    "mean": lambda ops, x: ops.mean(x, axis=-1),
    "var": lambda ops, x: ops.var(x, axis=1),
    "sum": lambda ops, x: ops.sum(x, axis=1),
    "min": lambda ops, x: ops.min(x, axis=1),
    "abs": lambda ops, x: ops.abs(x),
    "square": lambda ops, x: ops.square(x),
    "negative": lambda ops, x: -x,
    "rsqrt": lambda ops, x: ops.rsqrt(ops.relu(x) + 1.0),
    "clip": lambda ops, x: ops.clip(x, -1.0, 1.0),
    "where": lambda ops, x: ops.where(x > 0, x, x * 0.1),
    "slice": lambda ops, x: x[:, 2:8, 1:],
    "split": lambda ops, x: ops.concatenate(ops.split(x, 2, axis=1)[::-1], axis=1),
    "stack": lambda ops, x: ops.stack([x, x + 1.0], axis=1),
    "pad": lambda ops, x: ops.pad(x, ((0, 0), (1, 1), (0, 0))),
    "pad-reflect": lambda ops, x: ops.pad(x, ((0, 0), (1, 1), (0, 0)), mode="reflect"),
    "flip": lambda ops, x: ops.flip(x, axis=1),
    "roll": lambda ops, x: ops.roll(x, 2, axis=1),
    "take": lambda ops, x: ops.take(x, np.array([0, 2, 3]), axis=1),
    "einsum": lambda ops, x: ops.einsum("btf,bsf->bts", x, x),
    "normalize": lambda ops, x: ops.normalize(x, axis=-1),
    "outer": lambda ops, x: ops.expand_dims(x, 2) * ops.expand_dims(x, 1),
    "argmax": lambda ops, x: ops.argmax(x, axis=-1),
    "gelu-exact": lambda ops, x: ops.gelu(x, approximate=False),
    "exp": lambda ops, x: ops.exp(-ops.abs(x)),
    "log": lambda ops, x: ops.log(ops.abs(x) + 0.5),
    "log1p": lambda ops, x: ops.log1p(ops.abs(x)),
    "expm1": lambda ops, x: ops.expm1(x),
    "logsumexp": lambda ops, x: ops.logsumexp(x, axis=-1),
    "sqrt": lambda ops, x: ops.sqrt(ops.abs(x)),
    "norm": lambda ops, x: ops.norm(x, axis=-1),
    "std": lambda ops, x: ops.std(x, axis=1),
    "divide": lambda ops, x: ops.divide(x, ops.abs(x) + 1.0),
    "divide-broadcast": lambda ops, x: x / ops.sum(ops.abs(x) + 0.5, axis=-1, keepdims=True),
    "reciprocal": lambda ops, x: ops.reciprocal(ops.abs(x) + 0.5),
    "sin": lambda ops, x: ops.sin(x),
    "cos": lambda ops, x: ops.cos(x),
    "floor": lambda ops, x: ops.floor(x),
    "ceil": lambda ops, x: ops.ceil(x),
    "round": lambda ops, x: ops.round(x),
    "one-hot": lambda ops, x: ops.one_hot(ops.argmax(x, axis=-1), 4),
    "cast": lambda ops, x: x * ops.cast(x > 0.5, "float32"),
    "cast-integers": lambda ops, x: ops.cast(ops.cast(x, "int32"), "float32") * 0.5,
    "less": lambda ops, x: ops.cast(x < 0.5, "float32"),
    "logical-not": lambda ops, x: ops.where(ops.logical_not(x > 1), x, -x),
    "max": lambda ops, x: ops.max(x, axis=1),
    "tile": lambda ops, x: ops.tile(x, (1, 2, 1)),
    "repeat": lambda ops, x: ops.repeat(x, 2, axis=1),
    "argmin": lambda ops, x: ops.argmin(x, axis=-1),
}
#: Recurrent layers that are unrolled: name, class, arguments.
_UNROLLED: dict[str, tuple[str, dict[str, Any]]] = {
    "gru": ("GRU", {}),
    "gru-sequences-backwards": ("GRU", {"return_sequences": True, "go_backwards": True}),
    "gru-reset-before": ("GRU", {"reset_after": False}),
    "gru-no-bias": ("GRU", {"use_bias": False}),
    "lstm-relu": ("LSTM", {"activation": "relu", "recurrent_activation": "hard_sigmoid"}),
    "simple-rnn": ("SimpleRNN", {}),
}
#: Layers that become the fused operator.
_FUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("LSTM", {}),
    "lstm-sequences-backwards": ("LSTM", {"return_sequences": True, "go_backwards": True}),
    "lstm-no-bias": ("LSTM", {"use_bias": False}),
}


def _two(keras: Any, join: Callable[[Any], Any], first: Any, second: Any) -> Any:
    inputs = [keras.Input(first, name="first"), keras.Input(second, name="second")]
    return keras.Model(inputs, join(inputs))


def simple_models(keras: Any) -> dict[str, Any]:
    """Every model without a recurrent layer."""
    layers, ops = keras.layers, keras.ops

    def stack(shape: tuple[int, ...], *parts: Any) -> Any:
        return keras.Sequential([keras.Input(shape), *parts])

    models = {
        name: stack(shape, getattr(layers, kind)(**arguments))
        for name, (shape, kind, arguments) in _LAYERS.items()
    }
    models |= {f"act-{name}": stack(VECTOR, layers.Activation(name)) for name in _ACTIVATIONS}
    models |= {
        f"no-{name}": stack(SERIES, getattr(layers, name)(0.3), layers.Dense(3))
        for name in _VANISHING
    }
    models |= {
        f"merge-{name}": _two(keras, getattr(layers, name)(), SERIES, SERIES) for name in _MERGES
    }
    for name, operation in _OPERATIONS.items():
        source = keras.Input(SERIES)
        models[f"ops-{name}"] = keras.Model(source, operation(ops, source))
    models["dot"] = _two(keras, layers.Dot(axes=1), (6,), (6,))
    models["dot-sequences"] = _two(keras, layers.Dot(axes=2, normalize=True), (7, 5), (6, 5))
    for name, kind in (("attention", layers.Attention), ("additive", layers.AdditiveAttention)):
        models[name] = _two(keras, kind(), (6, 8), (5, 8))
    heads = layers.MultiHeadAttention(2, 4)
    models["multi-head"] = _two(keras, lambda pair: heads(*pair), (6, 8), (5, 8))
    source = keras.Input((6, 8))
    causal = layers.MultiHeadAttention(2, 4)(source, source, use_causal_mask=True)
    models["multi-head-causal"] = keras.Model(source, causal)
    grouped = layers.GroupQueryAttention(4, 4, 2)
    models["grouped-query"] = _two(keras, lambda pair: grouped(*pair), (6, 8), (5, 8))
    models |= _shaped_models(keras)
    return models


def _shaped_models(keras: Any) -> dict[str, Any]:
    """Models whose structure is the point."""
    layers = keras.layers
    first, second = keras.Input((6,), name="zeta"), keras.Input((4,), name="alpha")
    joined = layers.Dense(5, activation="relu")(layers.Concatenate()([first, second]))
    several = keras.Model(
        [first, second], [layers.Dense(2)(joined), layers.Dense(3, activation="softmax")(joined)]
    )
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6, activation="relu")])
    source = keras.Input((6,))
    by_name = {"b": keras.Input((6,), name="b"), "a": keras.Input((4,), name="a")}
    named = keras.Model(
        by_name, {"q": layers.Dense(3)(by_name["b"]) + layers.Dense(3)(by_name["a"])}
    )
    distributed = keras.Sequential(
        [
            keras.Input((4, 8, 8, 2)),
            layers.TimeDistributed(layers.Conv2D(3, 3, activation="relu")),
            layers.TimeDistributed(layers.GlobalAveragePooling2D()),
            layers.TimeDistributed(layers.Dense(3)),
        ]
    )
    words, place = keras.Input((6,)), keras.Input((6,))
    embedded = layers.Embedding(20, 5)(words) + layers.Embedding(8, 5)(place)
    texts = keras.Sequential(
        [keras.Input((7,)), layers.Embedding(20, 6), layers.Conv1D(4, 3, activation="gelu")]
    )
    return {
        "embedding": texts,
        "embedding-several": keras.Model([words, place], embedded),
        "several-inputs-and-outputs": several,
        "nested-shared": keras.Model(source, inner(inner(source))),
        "dictionaries": named,
        "time-distributed": distributed,
    }


def recurrent_models(keras: Any) -> dict[str, Any]:
    """Every model with recurrent layers but the fused ones."""
    layers = keras.layers
    models = {
        name: _series(keras, getattr(layers, kind)(5, **arguments))
        for name, (kind, arguments) in _UNROLLED.items()
    }
    for mode in ("concat", "sum", "mul", "ave"):
        both = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=mode)
        models[f"bidirectional-gru-{mode}"] = _series(keras, both)
    models["stacked-gru"] = _series(keras, layers.GRU(4, return_sequences=True), layers.GRU(3))
    models["stacked-cells"] = _series(
        keras, layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(2)])
    )
    models["conv-lstm"] = keras.Sequential([keras.Input((3, 6, 6, 2)), layers.ConvLSTM2D(3, 3)])
    source, prompt = keras.Input(_MOMENTS), keras.Input((4, 3))
    _, hidden, carry = layers.LSTM(4, return_state=True)(source)
    decoded = layers.LSTM(4, return_sequences=True)(prompt, initial_state=[hidden, carry])
    models["encoder-decoder"] = keras.Model([source, prompt], layers.Dense(3)(decoded))
    return models


def fused_models(keras: Any) -> dict[str, Any]:
    """Every model with an LSTM that the converter fuses, each beginning from zeros."""
    layers = keras.layers
    models = {
        name: _series(keras, getattr(layers, kind)(6, **arguments))
        for name, (kind, arguments) in _FUSED.items()
    }
    for mode in ("concat", "sum", "ave"):
        for sequences in (False, True):
            both = layers.Bidirectional(layers.LSTM(4, return_sequences=sequences), merge_mode=mode)
            models[f"bidirectional-lstm-{mode}-{sequences}"] = _series(keras, both)
    models["stacked-lstm"] = _series(keras, layers.LSTM(5, return_sequences=True), layers.LSTM(4))
    models["lstm-after-gru"] = _series(keras, layers.GRU(4, return_sequences=True), layers.LSTM(4))
    return models


def _series(keras: Any, *parts: Any) -> Any:
    return keras.Sequential([keras.Input(_MOMENTS), *parts, keras.layers.Dense(3)])


def write_all(folder: Path, every: int = 1) -> None:
    """Convert the models, or one in `every` of each family, each with its own data."""
    import keras

    failures = {}
    families = {"simple": simple_models, "recurrent": recurrent_models, "fused": fused_models}
    for family, make in families.items():
        (folder / family).mkdir()
        keras.utils.set_random_seed(4)
        for name, model in list(make(keras).items())[::every]:
            path = folder / family / f"{name}.keras"
            model.save(path)
            try:
                _write(path)
            except Exception as error:
                failures[name] = f"{type(error).__name__}: {error}"
    (folder / "failures.json").write_text(json.dumps(failures), encoding="utf-8")


def _write(path: Path) -> None:
    from tinyflow.convert._worker import _convert, _load, _predict

    rng = np.random.default_rng(np.frombuffer(path.stem.encode(), np.uint8))
    model = _load(path)
    data = [_samples(rng, spec) for spec in model.inputs]
    expected = _predict(model, data)[0]
    converted = _convert(model, [array[:30] for array in data], "int8")
    path.with_suffix(".tflite").write_bytes(converted.quantised)
    samples: dict[str, Any] = {f"x{index}": array[30:] for index, array in enumerate(data)}
    np.savez(path.with_suffix(".npz"), y=expected[30:], **samples)


def _samples(rng: np.random.Generator, spec: Any) -> np.ndarray[Any, Any]:
    """Walks; indices of embeddings, where those are asked for."""
    shape = (60, *spec.shape)
    if spec.dtype == "int32":
        return rng.integers(0, _INDICES, shape).astype(np.int32)
    return np.cumsum(rng.normal(size=shape), 1).astype(np.float32) * 0.5


if __name__ == "__main__":
    write_all(Path(sys.argv[1]), int(sys.argv[2]))
