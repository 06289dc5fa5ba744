# SPDX-License-Identifier: Apache-2.0
"""Arrays the user gives: calibration samples, training data, a test set.

Read from `.npz` or `.npy` with pickling refused, and checked against the model's inputs, so
that a wrong shape or a NaN is named by file and array before any long work starts.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyflow.arrays import Array
from tinyflow.errors import InputError

#: Bytes that an .npz may unpack to.
MOST_UNPACKED_BYTES = 4 << 30

_FORMS = (
    "A data file is an .npz with one array per model input, named as the input or `x` "
    "(optional labels: `y`), or an .npy with the samples of the only input."
)


@dataclass(frozen=True)
class InputSpec:
    """One input of a model.

    Attributes:
        name: the input's name in the model.
        shape: the shape of one sample, without the batch dimension.
        dtype: NumPy name of the float model's dtype, "float32" as a rule.
        accepts_float: an integer input also takes real values, which stay float32 and are
            quantised later, as for a model that is quantised already.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    accepts_float: bool = False


@dataclass(frozen=True)
class Dataset:
    """Samples, one array per model input in the model's order, each (samples, *shape).

    Attributes:
        inputs: the samples, in the inputs' dtypes.
        labels: None, integers (samples, ...), class indices as a rule, or float targets
            (samples, ...). `task.find_task` says what they mean to a model.
    """

    inputs: tuple[Array, ...]
    labels: Array | None = None

    def __len__(self) -> int:
        return int(self.inputs[0].shape[0])

    def take(self, count: int) -> Dataset:
        """The first `count` samples."""
        labels = None if self.labels is None else self.labels[:count]
        return Dataset(tuple(array[:count] for array in self.inputs), labels)


def sample_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one sample of a compiled model's input: without the batch of one."""
    return shape[1:] if shape[:1] == (1,) else shape


#: Calibration data is a dataset whose labels, if any, are not used.
CalibrationData = Dataset


def load_calibration(
    source: Path | str | Array | Sequence[Array] | Mapping[str, Array],
    inputs: Sequence[InputSpec],
) -> CalibrationData:
    """Read and check calibration samples.

    Args:
        source: an `.npz` or `.npy` file, one array (model with one input), a sequence in the
            model's input order, or a mapping from input names to arrays.
        inputs: the model's inputs.

    Raises:
        InputError: see `load_dataset`.
    """
    return load_dataset(source, inputs, purpose="calibration data")


def load_dataset(
    source: Path | str | Array | Sequence[Array] | Mapping[str, Array],
    inputs: Sequence[InputSpec],
    *,
    labels: bool = False,
    split: str | None = None,
    purpose: str = "data",
) -> Dataset:
    """Read and check samples and, where there are any, labels.

    Arrays have the shape of a sample with or without a leading batch dimension; without it
    they are one sample. Float inputs take any real dtype and are converted to the model's;
    integer inputs take integers that fit.

    Labels `y` may be integers of shape (n, ...), one-hot rows of shape (n, classes), which become
    indices, or float targets of any shape (n, ...).

    Args:
        source: as for `load_calibration`.
        inputs: the model's inputs.
        labels: whether labels must be there.
        split: looks for `x_<split>`, `y_<split>` and `<input>_<split>` before the plain keys.
        purpose: what the data is for, in messages.

    Raises:
        InputError: the file is missing, damaged, pickled or empty, an array is missing, has
            another shape or dtype, another number of samples, or holds NaN or infinity.
            The message names the file and the array, with expected and found shapes.
    """
    where, arrays = _arrays(source, inputs, purpose)
    suffix = f"_{split}" if split else ""
    samples = []
    for index, spec in enumerate(inputs):
        key = _find(arrays, input_keys(spec, index, len(inputs), suffix))
        if key is None:
            raise InputError(
                f"{where}: no array for the input {spec.name!r} of shape {spec.shape}; "
                f"the file holds {_listed(arrays)}",
                hint=_FORMS,
            )
        samples.append(_checked(where, key, arrays[key], spec))
    counts = {len(array) for array in samples}
    if len(counts) > 1:
        found = ", ".join(
            f"{spec.name} {len(array)}" for spec, array in zip(inputs, samples, strict=True)
        )
        raise InputError(f"{where}: the inputs differ in their number of samples: {found}")
    key = _find(arrays, label_keys(suffix))
    if key is None:
        if labels:
            raise InputError(
                f"{where}: no labels `y`; the file holds {_listed(arrays)}", hint=_FORMS
            )
        return Dataset(tuple(samples))
    return Dataset(tuple(samples), _labels(where, key, arrays[key], len(samples[0])))


def input_keys(spec: InputSpec, index: int, count: int, suffix: str) -> list[str]:
    """The names that the array of an input may have, the best first."""
    keys = [f"{spec.name}{suffix}", spec.name]
    keys += [f"x{suffix}", "x"] if count == 1 else [f"x{index}{suffix}", f"x{index}"]
    # np.savez(file, array) without a name.
    return [*keys, f"arr_{index}"]


def label_keys(suffix: str) -> list[str]:
    """The names that the labels may have, the best first."""
    return [f"y{suffix}", "y", f"labels{suffix}", "labels"]


def _find(arrays: Mapping[str, Array], keys: Sequence[str]) -> str | None:
    return next((key for key in keys if key in arrays), None)


def _listed(arrays: Mapping[str, Array]) -> str:
    listed = ", ".join(f"{key} {array.shape}" for key, array in list(arrays.items())[:12])
    return listed or "no array"


def _arrays(
    source: Path | str | Array | Sequence[Array] | Mapping[str, Array],
    inputs: Sequence[InputSpec],
    purpose: str,
) -> tuple[str, dict[str, Array]]:
    if isinstance(source, str | Path):
        return str(source), _read(Path(source), inputs, purpose)
    if isinstance(source, Mapping):
        return purpose, {str(key): np.asarray(value) for key, value in source.items()}
    if isinstance(source, np.ndarray):
        source = [source]
    if len(source) != len(inputs):
        raise InputError(
            f"{purpose}: {len(source)} arrays for a model with {len(inputs)} inputs",
            hint=_FORMS,
        )
    return purpose, {
        spec.name: np.asarray(array) for spec, array in zip(inputs, source, strict=True)
    }


def _read(path: Path, inputs: Sequence[InputSpec], purpose: str) -> dict[str, Array]:
    if not path.is_file():
        raise InputError(f"{path}: no such file ({purpose})", hint=_FORMS)
    try:
        _check_unpacked_size(path)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            if len(inputs) != 1:
                raise InputError(
                    f"{path}: an .npy holds one array, the model has {len(inputs)} inputs: "
                    + ", ".join(spec.name for spec in inputs),
                    hint=_FORMS,
                )
            return {inputs[0].name: loaded}
        with loaded:
            return {key: loaded[key] for key in loaded.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "allow_pickle" in reason or "pickle" in reason.lower():
            reason = "not a NumPy file, or one that holds pickled Python objects, which are refused"
        raise InputError(f"{path}: cannot be read as {purpose}: {reason}", hint=_FORMS) from error


def _check_unpacked_size(path: Path) -> None:
    """Refuse an archive that unpacks to more than a machine should hold.

    An archive of zeros unpacks to a thousand times its size; zipfile never reads beyond the size
    that an archive declares.

    Raises:
        InputError: the declared sizes are beyond `MOST_UNPACKED_BYTES`.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MOST_UNPACKED_BYTES:
        raise InputError(
            f"{path}: unpacks to {unpacked / 2**30:,.1f} GiB; the limit is "
            f"{MOST_UNPACKED_BYTES / 2**30:g} GiB",
            hint="Keep fewer samples: some hundreds are enough for calibration.",
        )


def _checked(where: str, key: str, array: Array, spec: InputSpec) -> Array:
    wanted = f"(samples, {', '.join(str(size) for size in spec.shape)})"
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"{where}: array {key!r} has dtype {array.dtype}, expected numbers "
            f"({spec.dtype}) for the input {spec.name!r}"
        )
    if array.shape == spec.shape:
        array = array[np.newaxis]
    if array.shape[1:] != spec.shape or array.ndim == 0:
        raise InputError(
            f"{where}: array {key!r} has shape {array.shape}, expected {wanted} "
            f"for the input {spec.name!r}"
        )
    if array.shape[0] == 0:
        raise InputError(f"{where}: array {key!r} is empty: {array.shape}, expected {wanted}")
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array)
        if bad.any():
            first = tuple(int(axis) for axis in np.argwhere(bad)[0])
            raise InputError(
                f"{where}: array {key!r} holds {int(bad.sum())} values that are NaN or infinite, "
                f"the first at index {first}"
            )
    target = np.dtype(spec.dtype)
    if spec.accepts_float and array.dtype.kind == "f":
        target = np.dtype(np.float32)
    if target.kind in "iu":
        if array.dtype.kind == "f":
            raise InputError(
                f"{where}: array {key!r} has dtype {array.dtype}, but the input {spec.name!r} "
                f"takes integers ({spec.dtype})"
            )
        limits = np.iinfo(target)
        if array.dtype.kind in "iu" and (array.min() < limits.min or array.max() > limits.max):
            raise InputError(f"{where}: array {key!r} holds values outside of {spec.dtype}")
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(array, dtype=target)
    if target.kind == "f" and not np.isfinite(converted).all():
        raise InputError(f"{where}: array {key!r} holds values too large for {spec.dtype}")
    return converted


def _labels(where: str, key: str, array: Array, samples: int) -> Array:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{where}: labels {key!r} have dtype {array.dtype}, expected numbers")
    if array.ndim == 0 or array.shape[0] != samples:
        raise InputError(
            f"{where}: labels {key!r} have shape {array.shape}, expected ({samples}, ...): "
            "one per sample"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{where}: labels {key!r} hold NaN or infinite values")
    if array.ndim == 2 and array.shape[1] > 1 and _is_one_hot(array):
        indices: Array = np.argmax(array, axis=1).astype(np.int64)
        return indices
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, dtype=np.float32)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return np.ascontiguousarray(array, dtype=np.int64)


def _is_one_hot(array: Array) -> bool:
    return bool(np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all())
