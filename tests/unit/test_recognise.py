# SPDX-License-Identifier: Apache-2.0
"""Data files are found by their arrays, whatever they are called; `init` says what is missing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import CommandLine
from tests.support.small_model import INPUT_SHAPE, small_model
from tinyflow.datasets.dataset import InputSpec
from tinyflow.datasets.recognise import read_headers, recognise

SHAPE = INPUT_SHAPE[1:]
SPECS = [InputSpec("image", SHAPE)]


def samples(count: int, dtype: str = "float32") -> np.ndarray:
    return np.zeros((count, *SHAPE), dtype)


def chosen(folder: Path, specs: list[InputSpec] = SPECS) -> dict[str, str]:
    found = recognise([folder], specs).chosen
    return {purpose: each.path.name for purpose, each in found.items()}


def test_roles_follow_from_the_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=samples(500), y=np.zeros(500, int))
    np.savez(tmp_path / "b.npz", x=samples(90), y=np.zeros(90, int))
    np.savez(tmp_path / "c.npz", image=samples(40))
    np.savez(tmp_path / "d.npz", x=np.zeros((40, 7)))
    (tmp_path / "e.npz").write_bytes(b"PK\x03\x04 damaged")
    (tmp_path / "calibration.npz").write_text("not NumPy at all")
    assert chosen(tmp_path) == {"training": "a.npz", "test": "b.npz", "calibration": "c.npz"}
    assert [path.name for path in recognise([tmp_path], SPECS).unfit] == ["d.npz"]


def test_arrays_that_say_their_purpose(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "mnist.npz",
        x_train=samples(60),
        y_train=np.zeros(60, int),
        x_test=samples(10),
        y_test=np.zeros(10, int),
    )
    name = "mnist.npz"
    assert chosen(tmp_path) == {"training": name, "test": name, "calibration": name}


def test_names_decide_only_between_files_that_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "test.npz", x=samples(500), y=np.zeros(500, int))
    np.savez(tmp_path / "train.npz", x=samples(90), y=np.zeros(90, int))
    assert chosen(tmp_path) == {
        "training": "train.npz", "test": "test.npz", "calibration": "train.npz"
    }  # fmt: skip


def test_one_labelled_file_is_test_data_and_calibrates(tmp_path: Path) -> None:
    np.savez(tmp_path / "only.npz", x=samples(9), y=np.zeros(9, int))
    assert chosen(tmp_path) == {"test": "only.npz", "calibration": "only.npz"}


def test_other_suffixes_and_an_npy(tmp_path: Path) -> None:
    with (tmp_path / "samples.dat").open("wb") as file:
        np.save(file, samples(5))
    assert chosen(tmp_path) == {"calibration": "samples.dat"}
    assert read_headers(tmp_path / "samples.dat")[""].shape == (5, *SHAPE)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, *SHAPE), "U3"),
        np.zeros((5, *SHAPE), complex),
        np.zeros((0, *SHAPE)),
        np.zeros((5, *SHAPE, 1)),
    ],
)
def test_what_does_not_fit(array: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=array)
    assert chosen(tmp_path) == {}


def test_types_and_several_inputs(tmp_path: Path) -> None:
    integers = [InputSpec("tokens", SHAPE, "int32")]
    np.savez(tmp_path / "real.npz", x=samples(5))
    assert chosen(tmp_path, integers) == {}
    np.savez(tmp_path / "whole.npz", x=samples(5, "int64"))
    assert chosen(tmp_path, integers) == {"calibration": "whole.npz"}
    two = [InputSpec("one", SHAPE), InputSpec("two", (3,))]
    assert chosen(tmp_path, two) == {}
    np.savez(tmp_path / "uneven.npz", one=samples(5), two=np.zeros((4, 3)))
    assert chosen(tmp_path, two) == {}
    np.savez(tmp_path / "pair.npz", one=samples(5), two=np.zeros((5, 3)))
    assert chosen(tmp_path, two) == {"calibration": "pair.npz"}


def test_pickled_objects_are_not_opened(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    np.savez(tmp_path / "x.npz", x=np.array([Hostile()], object))
    assert chosen(tmp_path) == {}
    assert not (tmp_path / "ran").exists()


# ---- tinyflow init ----


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.tflite").write_bytes(small_model())
    return tmp_path


def test_init_enters_what_it_finds(here: Path, tinyflow: CommandLine) -> None:
    (here / "data").mkdir()
    np.savez(here / "data" / "things.npz", x=samples(9), y=np.zeros(9, int))
    np.savez(here / "test.npz", x=np.zeros((4, 5)), y=np.zeros(4, int))
    shown = tinyflow("init", "net.tflite").out
    project = tomllib.loads((here / "tinyflow.toml").read_text())
    assert project["data"] == {"test": "data/things.npz", "calibration": "data/things.npz"}
    assert "test.npz: x 4x5 float64, y 4 int64 does not fit the model's inputs" in shown
    assert "still to be entered in [data] of tinyflow.toml:" in shown
    assert "training" in shown and "image: 8x8x3 int8" in shown
    output = tinyflow("init", "net.tflite", "--force", "--json").json
    assert output["data"] == project["data"]
    assert (output["needed"], output["optional"]) == ([], ["data.training"])
    assert list(output["unfit"]) == ["test.npz"]


def test_init_says_what_a_build_will_need(here: Path, tinyflow: CommandLine) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input(SHAPE, name="image"), keras.layers.Flatten()])
    model.save("net.keras")
    output = tinyflow("init", "net.keras", "--json").json
    assert output["needed"] == ["data.calibration"]
    shown = tinyflow("init", "net.keras", "--force").out
    assert re.search(r"^  calibration  .*; needed$", shown, re.MULTILINE)
    assert "then: tinyflow build" in shown
    np.savez("anything.npz", x=samples(9))
    assert tinyflow("init", "net.keras", "--force", "--json").json["needed"] == []


def test_init_of_a_model_that_cannot_be_read(here: Path, tinyflow: CommandLine) -> None:
    (here / "net.tflite").write_bytes(b"damaged")
    shown = tinyflow("init", "net.tflite")
    assert shown.code == 0
    assert "the model cannot be read, so data was not looked for" in shown.out
