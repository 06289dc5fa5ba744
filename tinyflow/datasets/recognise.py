# SPDX-License-Identifier: Apache-2.0
"""Finds data files by their content: NumPy arrays that fit a model's inputs.

Only headers are read, so that a large file costs no time, and nothing is unpickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from tinyflow.datasets.dataset import InputSpec, input_keys, label_keys

Purpose = Literal["calibration", "training", "test"]

_ZIP, _NPY = b"PK\x03\x04", b"\x93NUMPY"
#: Files of a folder and arrays of a file that are looked at, at most.
_FILES, _ARRAYS = 500, 64


@dataclass(frozen=True)
class Header:
    """Shape and dtype of an array in a file."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape)) or 'scalar'} {self.dtype}"


@dataclass(frozen=True)
class Samples:
    """A file whose arrays fit a model's inputs.

    Attributes:
        path: the file.
        count: its samples, without those that have their own purpose, as in `x_test`.
        labelled: whether it has labels for them.
        splits: samples that are named for a purpose, with labels, as `x_train` and `y_train`.
        arrays: what it holds.
    """

    path: Path
    count: int
    labelled: bool
    splits: Mapping[str, int]
    arrays: Mapping[str, Header]


@dataclass(frozen=True)
class Recognised:
    """The data files of a folder.

    Attributes:
        chosen: the file for each purpose that has one.
        unfit: arrays that were found and do not fit, by file.
    """

    chosen: Mapping[Purpose, Samples]
    unfit: Mapping[Path, Mapping[str, Header]]


def recognise(folders: Sequence[Path], specs: Sequence[InputSpec]) -> Recognised:
    """Look through folders for data of a model with these inputs.

    What a file can be for is decided by its arrays: labels are needed for training and test,
    `x_train` and `x_test` say which. Where that leaves several, a file's name decides if it says
    its purpose; else the file with the most samples is for training and another for test.
    """
    fitting: list[Samples] = []
    unfit: dict[Path, Mapping[str, Header]] = {}
    for path in _files(folders):
        arrays = read_headers(path)
        if not arrays:
            continue
        samples = _fit(path, arrays, specs)
        if samples is None:
            unfit[path] = arrays
        else:
            fitting.append(samples)
    return Recognised(_chosen(fitting), unfit)


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            entries = sorted(folder.iterdir())[:_FILES]
            yield from (entry for entry in entries if entry.is_file())


# ------------------------------------------------------------------------------ headers


def read_headers(path: Path) -> dict[str, Header]:
    """The arrays of an `.npy` or `.npz`, whatever the file is called; none if it is neither.

    The array of an `.npy` has the name ''.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_NPY))
            file.seek(0)
            if magic == _NPY:
                return {"": _header(file)}
            if not magic.startswith(_ZIP):
                return {}
            with zipfile.ZipFile(file) as archive:
                return _members(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return {}


def _members(archive: zipfile.ZipFile) -> dict[str, Header]:
    found = {}
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    for name in names[:_ARRAYS]:
        with archive.open(name) as member:
            found[name.removesuffix(".npy")] = _header(member)
    return found


def _header(file: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(file)
    return Header(shape, dtype)


# ------------------------------------------------------------------------------ choosing


def _fit(path: Path, arrays: Mapping[str, Header], specs: Sequence[InputSpec]) -> Samples | None:
    """The samples of a file, None if it has none for every input."""
    if set(arrays) == {""}:
        count = _samples(arrays[""], specs[0]) if len(specs) == 1 else None
        return None if count is None else Samples(path, count, False, {}, arrays)
    plain = _count(arrays, specs, "")
    splits = {
        split: count
        for split in ("train", "test")
        if any(name.endswith(f"_{split}") for name in arrays)
        and (count := _count(arrays, specs, f"_{split}")) is not None
        and _labels(arrays, f"_{split}", count)
    }
    if plain is None and not splits:
        return None
    count = max(splits.values()) if plain is None else plain
    return Samples(path, count, plain is not None and _labels(arrays, "", plain), splits, arrays)


def _count(arrays: Mapping[str, Header], specs: Sequence[InputSpec], suffix: str) -> int | None:
    """Return the number of samples of every input; None if the inputs disagree."""
    counts = set()
    for index, spec in enumerate(specs):
        keys = input_keys(spec, index, len(specs), suffix)
        key = next((key for key in keys if key in arrays), None)
        counts.add(None if key is None else _samples(arrays[key], spec))
    return counts.pop() if len(counts) == 1 else None


def _samples(header: Header, spec: InputSpec) -> int | None:
    """Return the number of samples of an input in an array; None if it does not fit."""
    real = header.dtype.kind == "f"
    if header.dtype.kind not in "fiub":
        return None
    if real and np.dtype(spec.dtype).kind in "iu" and not spec.accepts_float:
        return None
    if header.shape == spec.shape:
        return 1
    if header.shape[1:] == spec.shape and header.shape[0] > 0:
        return header.shape[0]
    return None


def _labels(arrays: Mapping[str, Header], suffix: str, count: int) -> bool:
    key = next((key for key in label_keys(suffix) if key in arrays), None)
    if key is None:
        return False
    header = arrays[key]
    return header.dtype.kind in "fiub" and header.shape[:1] == (count,)


def _chosen(files: Sequence[Samples]) -> dict[Purpose, Samples]:
    chosen: dict[Purpose, Samples] = {}
    labelled = [file for file in files if file.labelled]
    splits: tuple[tuple[Purpose, str], ...] = (("training", "train"), ("test", "test"))
    for purpose, split in splits:
        options = [file for file in files if split in file.splits]
        options += [file for file in labelled if _says(file, split)]
        if options:
            chosen[purpose] = options[0]
    rest = [file for file in labelled if file not in chosen.values() and not _says(file, "cal")]
    rest.sort(key=lambda file: -file.count)
    if "training" not in chosen and (len(rest) > 1 or (rest and "test" in chosen)):
        chosen["training"] = rest.pop(0)
    if "test" not in chosen and rest:
        chosen["test"] = rest.pop()
    calibration = [file for file in files if _says(file, "cal")]
    calibration += [file for file in files if not file.labelled and not file.splits]
    calibration += [chosen[purpose] for purpose, _ in splits if purpose in chosen]
    if calibration:
        chosen["calibration"] = calibration[0]
    return chosen


def _says(file: Samples, word: str) -> bool:
    return word in file.path.stem.lower()
