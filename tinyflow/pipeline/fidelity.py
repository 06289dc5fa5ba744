# SPDX-License-Identifier: Apache-2.0
"""Distance of a quantised model from the float model it was made from, layer by layer.

Both run on some calibration samples in LiteRT, which keeps every tensor; tensors of the same name
are the same values. It is a separate process (`_fidelity_worker.py`): what fails there costs
the comparison, not the build.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tinyflow.arrays import Array
from tinyflow.datasets.accuracy import quantize_array
from tinyflow.datasets.litert_versions import with_lowered_versions
from tinyflow.errors import TinyflowError
from tinyflow.oracle.oracle import Oracle
from tinyflow.tflite.state_mark import is_reset
from tinyflow.worker import run_worker

_WORKER = "tinyflow.pipeline._fidelity_worker"
#: Samples that are compared at most, and values of all tensors together: some seconds.
_SAMPLES, _VALUES = 32, 200_000_000
_TIMEOUT = 120.0
#: Steps outside of an integer's range that count as saturated: 1.0 is one beyond the range that
#: the output of a softmax has, which loses nothing.
_BEYOND = 1.01
#: SQNR in dB where the quantised model has infinities.
FAR_DB = -200.0
#: Float values of a tensor and sample among which the most frequent is looked for, about.
_COUNTED = 4096
_MULTIPLIER = 2654435761  # Knuth's, of multiplicative hashing


@dataclass(frozen=True)
class TensorFidelity:
    """Comparison of a tensor of the quantised model with that of the float model, over all samples.

    Attributes:
        name: the tensor's name.
        sqnr_db: variance of the float values over the mean square of the error, in dB; None if
            the float values are constant, infinite without an error.
        cosine: of the two, each as one vector.
        saturated: share of float values that lie outside of the integers' range.
        common: share of the most frequent integer.
        float_common: share of the float values that are equal to the most frequent of them.
        is_output: whether it is an output of the model.
    """

    name: str
    sqnr_db: float | None
    cosine: float
    saturated: float
    common: float
    float_common: float
    is_output: bool = False


@dataclass(frozen=True)
class Fidelity:
    """The comparison.

    Attributes:
        samples: how many were run.
        tensors: in the order in which the quantised model computes them.
        agreement: share of samples for which the largest value of the first output is at the same
            place; None if the output has one value.
        one_answer: the place of the largest value in the float model's first output, where it is
            the same for all samples, which differ; None otherwise.
        failure: why there is no comparison; None if there is one.
    """

    samples: int = 0
    tensors: tuple[TensorFidelity, ...] = field(default=())
    agreement: float | None = None
    one_answer: int | None = None
    failure: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> Fidelity:
        """The inverse of `to_json`."""
        tensors = tuple(TensorFidelity(**each) for each in values["tensors"])
        return Fidelity(**{**values, "tensors": tensors})


def compare_models(float_model: bytes, quantised: bytes, samples: Sequence[Array]) -> Fidelity:
    """Compare in its own process; what fails there is the result's `failure`.

    Args:
        float_model: a float `.tflite`, from which `quantised` was made.
        quantised: the quantised one.
        samples: real values, one array (samples, *shape) per input.
    """
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as name:
        folder = Path(name)
        (folder / "float.tflite").write_bytes(float_model)
        (folder / "quantised.tflite").write_bytes(quantised)
        taken = np.unique(np.linspace(0, len(samples[0]) - 1, _SAMPLES).astype(int))
        arrays: dict[str, Any] = {str(index): each[taken] for index, each in enumerate(samples)}
        np.savez(folder / "samples.npz", **arrays)
        try:
            reply = run_worker(
                _WORKER, {}, folder, task="comparing with the float model", timeout=_TIMEOUT
            )
        except TinyflowError as error:
            return Fidelity(failure=error.message.splitlines()[0])
    return Fidelity.from_json(reply)


# ---------------------------------------------------------------------- in the worker


def measure_fidelity(float_model: bytes, quantised: bytes, samples: Sequence[Array]) -> Fidelity:
    """Compare in this process; see `compare_models`."""
    reference, device = _Model(float_model), _device(quantised)
    resets = is_reset_model(quantised) or not device.has_state
    matched = _matched(reference.written, device.written, device.outputs, reference.outputs)
    size = sum(math.prod(device.written[index].shape) for index in matched)
    count = max(1, min(len(samples[0]), _VALUES // max(1, size)))
    sums = {index: _TensorSums(device.written[index]) for index in matched}
    tops: list[tuple[int, int]] = []
    for number in range(count):
        if resets:
            reference.reset()
            device.reset()
        given = [array[number : number + 1] for array in samples]
        reference.run(given)
        device.run(given)
        for index, other in matched.items():
            sums[index].add(reference.tensor(other), device.tensor(index))
        real, integers = (model.tensor(model.outputs[0]) for model in (reference, device))
        tops.append((int(np.argmax(real)), int(np.argmax(integers))))
    outputs = set(device.outputs)
    tensors = [sums[index].result(index in outputs) for index in matched]
    several = math.prod(device.written[device.outputs[0]].shape) > 1
    answers = {place for place, _ in tops}
    return Fidelity(
        count,
        tuple(tensors),
        float(np.mean([a == b for a, b in tops])) if several else None,
        answers.pop() if several and len(answers) == 1 and count > 1 else None,
    )


@dataclass(frozen=True)
class _WrittenTensor:
    """Tensor that an operator writes: `scale` is 0 for floats."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


def _matched(
    reference: dict[int, _WrittenTensor],
    device: dict[int, _WrittenTensor],
    device_outputs: list[int],
    reference_outputs: list[int],
) -> dict[int, int]:
    """Map tensors of the quantised model, in order, to the float model's: outputs by position."""
    names = {tensor.name: index for index, tensor in reference.items()}
    at_the_end = dict(zip(device_outputs, reference_outputs, strict=True))
    found: dict[int, int] = {}
    for index, tensor in device.items():
        other = at_the_end.get(index, names.get(tensor.name))
        if other is None or reference[other].dtype.kind != "f" or tensor.dtype.kind == "b":
            continue
        if reference[other].shape == tensor.shape:
            found[index] = other
    return found


class _Model:
    """A `.tflite` in LiteRT that keeps all tensors."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._interpreter: Any = Interpreter(
            model_content=with_lowered_versions(content),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        self._interpreter.allocate_tensors()
        details = {each["index"]: each for each in self._interpreter.get_tensor_details()}
        operators = self._interpreter._get_ops_details()
        self.written = {
            int(index): _described(details[int(index)])
            for operator in operators
            for index in operator["outputs"]
            if int(index) in details
        }
        self.inputs = [int(each["index"]) for each in self._interpreter.get_input_details()]
        self.outputs = [int(each["index"]) for each in self._interpreter.get_output_details()]
        self._given = [_described(details[index]) for index in self.inputs]
        self.has_state = any("LSTM" in each["op_name"] or "SVDF" in each["op_name"]
                             or "VAR" in each["op_name"] for each in operators)  # fmt: skip

    def reset(self) -> None:
        self._interpreter.reset_all_variables()

    def run(self, given: Sequence[Array]) -> None:
        for index, tensor, array in zip(self.inputs, self._given, given, strict=True):
            self._interpreter.set_tensor(index, _as_input(array, tensor))
        self._interpreter.invoke()

    def tensor(self, index: int) -> Array:
        return np.asarray(self._interpreter.get_tensor(index))


class _Exact(_Model):
    """The same in the oracle's arithmetic: LiteRT's int8 LSTM is not always right."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._oracle = Oracle(content, keep_tensors=True)

    def reset(self) -> None:
        """Nothing: the oracle resets before each run what is to be reset."""

    def run(self, given: Sequence[Array]) -> None:
        self._oracle.run(*(map(_as_input, given, self._given)))

    def tensor(self, index: int) -> Array:
        tensor = self.written[index]
        return self._oracle.tensor(index).reshape(tensor.shape)


def _device(content: bytes) -> _Model:
    model = _Model(content)
    return _Exact(content) if model.has_state else model


def is_reset_model(content: bytes) -> bool:
    """Whether a model's state is reset before each inference."""
    from ai_edge_litert.schema_py_generated import Model, ModelT

    return is_reset(ModelT.InitFromObj(Model.GetRootAs(content)))


def _described(detail: dict[str, Any]) -> _WrittenTensor:
    parameters = detail["quantization_parameters"]
    one = len(parameters["scales"]) == 1
    return _WrittenTensor(
        str(detail["name"]),
        tuple(int(size) for size in detail["shape"]),
        np.dtype(detail["dtype"]),
        float(parameters["scales"][0]) if one else 0.0,
        int(parameters["zero_points"][0]) if one else 0,
    )


def _as_input(array: Array, tensor: _WrittenTensor) -> Array:
    if not tensor.scale or tensor.dtype.kind == "f":
        return array.astype(tensor.dtype).reshape(tensor.shape)
    integers = quantize_array(array, tensor.scale, tensor.zero_point, tensor.dtype)
    return integers.reshape(tensor.shape)


class _TensorSums:
    """Sums over samples for one tensor."""

    def __init__(self, tensor: _WrittenTensor) -> None:
        self._tensor = tensor
        self._count = self._saturated = self._counted = 0
        self._sum = self._square = self._noise = self._product = self._other = 0.0
        self._integers: dict[int, int] = {}
        self._reals: dict[float, int] = {}

    def add(self, real: Array, found: Array) -> None:
        tensor = self._tensor
        exact = real.astype(np.float64).ravel()
        got = found.astype(np.float64).ravel()
        if tensor.dtype.kind in "iu":
            _count_into(self._integers, found)
            part = real.ravel()[_scattered(real.size)]
            _count_into(self._reals, part)
            self._counted += part.size
            if tensor.scale:
                got = (got - tensor.zero_point) * tensor.scale
                limits = np.iinfo(tensor.dtype)
                low, high = (
                    (limit - tensor.zero_point + half) * tensor.scale
                    for limit, half in ((limits.min, -_BEYOND), (limits.max, _BEYOND))
                )
                self._saturated += int(((exact < low) | (exact > high)).sum())
        self._count += exact.size
        self._sum += float(exact.sum())
        self._square += float(exact @ exact)
        self._noise += float(np.square(exact - got).sum())
        self._product += float(exact @ got)
        self._other += float(got @ got)

    def result(self, is_output: bool) -> TensorFidelity:
        count = max(1, self._count)
        variance = max(0.0, self._square / count - (self._sum / count) ** 2)
        noise = self._noise / count
        ratio = None
        if math.isfinite(variance) and variance > 1e-12 * max(self._square / count, 1e-30):
            ratio = FAR_DB
            if math.isfinite(noise):
                ratio = 10 * math.log10(variance / max(noise, variance * 1e-20))
        length = math.sqrt(self._square * self._other)
        cosine = float(self._square == self._other)
        if length:
            cosine = self._product / length if math.isfinite(length) else 0.0
        return TensorFidelity(
            self._tensor.name,
            ratio,
            cosine,
            self._saturated / count,
            max(self._integers.values(), default=0) / count,
            max(self._reals.values(), default=0) / max(1, self._counted),
            is_output,
        )


def _scattered(size: int) -> Array:
    """Positions all over an array, in no step with its axes."""
    if size <= _COUNTED:
        return np.arange(size)
    return np.arange(_COUNTED) * _MULTIPLIER % size


def _count_into(counts: dict[Any, int], values: Array) -> None:
    if values.dtype.itemsize == 1:
        shifted = values.ravel().view(np.uint8)
        numbers = np.bincount(shifted, minlength=256)
        found = np.arange(256)
    else:
        found, numbers = np.unique(values, return_counts=True)
        found, numbers = found[numbers > 1], numbers[numbers > 1]
    for value, number in zip(found.tolist(), numbers.tolist(), strict=True):
        counts[value] = counts.get(value, 0) + number
