# SPDX-License-Identifier: Apache-2.0
"""Data files: what is accepted, and what each refusal says."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyflow.datasets import dataset
from tinyflow.datasets.dataset import InputSpec, load_calibration, load_dataset
from tinyflow.errors import InputError

IMAGE = (InputSpec("image", (4, 4, 1)),)
PAIR = (InputSpec("left", (3,)), InputSpec("right", (2,)))


def test_reads_npz_by_input_name_and_by_x(tmp_path: Path) -> None:
    samples = np.ones((5, 4, 4, 1), np.float64)
    for key in ("image", "x", "arr_0"):
        np.savez(tmp_path / "data.npz", **dict[str, Any]({key: samples}))
        data = load_calibration(tmp_path / "data.npz", IMAGE)
        assert len(data) == 5
        assert data.inputs[0].dtype == np.float32
        assert data.labels is None


def test_reads_npy_and_arrays(tmp_path: Path) -> None:
    samples = np.zeros((2, 4, 4, 1), np.uint8)
    np.save(tmp_path / "data.npy", samples)
    assert len(load_calibration(tmp_path / "data.npy", IMAGE)) == 2
    assert len(load_calibration(samples, IMAGE)) == 2
    assert len(load_calibration([np.ones((7, 3)), np.ones((7, 2))], PAIR)) == 7


def test_one_sample_without_a_batch_dimension() -> None:
    assert load_calibration(np.ones((4, 4, 1)), IMAGE).inputs[0].shape == (1, 4, 4, 1)


def test_several_inputs_go_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", right=np.full((4, 2), 2), left=np.full((4, 3), 1))
    data = load_calibration(tmp_path / "data.npz", PAIR)
    assert [array.shape for array in data.inputs] == [(4, 3), (4, 2)]


def test_labels_become_class_indices(tmp_path: Path) -> None:
    samples = np.ones((3, 4, 4, 1))
    for labels in (np.array([2, 0, 1]), np.array([[2], [0], [1]]), np.eye(3)[[2, 0, 1]]):
        np.savez(tmp_path / "data.npz", x=samples, y=labels)
        found = load_dataset(tmp_path / "data.npz", IMAGE, labels=True).labels
        assert found is not None
        assert found.dtype == np.int64
        assert found.tolist() == [2, 0, 1]


def test_float_targets_stay_float() -> None:
    data = load_dataset({"x": np.ones((3, 4, 4, 1)), "y": np.full((3, 2), 0.5)}, IMAGE)
    assert data.labels is not None
    assert data.labels.dtype == np.float32


def test_a_split_is_preferred() -> None:
    arrays: dict[str, Any] = {
        "x": np.ones((3, 4, 4, 1)),
        "x_train": np.ones((5, 4, 4, 1)),
        "y_train": np.zeros(5, int),
    }
    data = load_dataset(arrays, IMAGE, split="train", labels=True)
    assert len(data) == 5


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones((5, 4, 5, 1))}, ["'x'", "(5, 4, 5, 1)", "(samples, 4, 4, 1)", "'image'"]),
        ({"x": np.ones((0, 4, 4, 1))}, ["'x'", "empty"]),
        ({"x": np.full((2, 4, 4, 1), np.nan)}, ["'x'", "32 values", "NaN", "(0, 0, 0, 0)"]),
        ({"x": np.full((2, 4, 4, 1), np.inf)}, ["infinite"]),
        ({"x": np.full((2, 4, 4, 1), 1e300)}, ["too large for float32"]),
        ({"x": np.full((2, 4, 4, 1), "a")}, ["dtype <U1", "expected numbers"]),
        ({"pictures": np.ones((5, 4, 4, 1))}, ["no array for the input 'image'", "pictures"]),
        ({"x": np.ones((5, 4, 4, 1)), "y": np.ones(4, int)}, ["'y'", "(4,)", "one per sample"]),
    ],
)
def test_refusals_name_file_and_array(
    tmp_path: Path, arrays: dict[str, Any], words: list[str]
) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError) as caught:
        load_dataset(path, IMAGE)
    assert str(path) in caught.value.message
    for word in words:
        assert word in caught.value.message


def test_labels_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no labels `y`"):
        load_dataset({"x": np.ones((5, 4, 4, 1))}, IMAGE, labels=True)


def test_sample_counts_must_agree() -> None:
    with pytest.raises(InputError, match=r"left 4, right 5"):
        load_calibration({"left": np.ones((4, 3)), "right": np.ones((5, 2))}, PAIR)


def test_integer_inputs_take_integers_that_fit() -> None:
    spec = (InputSpec("x", (2,), "int8"),)
    assert load_calibration(np.array([[1, -128]]), spec).inputs[0].dtype == np.int8
    with pytest.raises(InputError, match="takes integers"):
        load_calibration(np.ones((1, 2)), spec)
    with pytest.raises(InputError, match="outside of int8"):
        load_calibration(np.array([[1, 128]]), spec)


def test_missing_damaged_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_calibration(tmp_path / "none.npz", IMAGE)
    np.savez(tmp_path / "whole.npz", x=np.random.default_rng(0).random((50, 4, 4, 1)))
    whole = (tmp_path / "whole.npz").read_bytes()
    for name, content in (("cut.npz", whole[:500]), ("text.npz", b"hello"), ("empty.npz", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            load_calibration(tmp_path / name, IMAGE)


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_pickles_are_refused_unopened(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = np.empty(1, dtype=object)
    trap[0] = _Trap(sprung)
    np.savez(tmp_path / "trap.npz", x=trap)
    np.save(tmp_path / "trap.npy", trap)
    for name in ("trap.npz", "trap.npy"):
        with pytest.raises(InputError, match="pickled"):
            load_calibration(tmp_path / name, IMAGE)
    assert not sprung.exists()


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    monkeypatch.setattr(dataset, "MOST_UNPACKED_BYTES", 1 << 26)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes((1 << 26) + 1))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(
        InputError, match=r"bomb\.npz: unpacks to 0\.1 GiB; the limit is 0\.0625 GiB"
    ):
        load_calibration(path, IMAGE)
