# SPDX-License-Identifier: Apache-2.0
"""`tinyflow bisect` names the layer that is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyflow as tf
from tests.support.command_line import CommandLine
from tests.support.drawn_nets import DrawnNet
from tests.support.rewritten import file_of
from tests.support.row_networks import residual_block
from tests.support.small_model import small_model

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bisect")
    (folder / "net.tflite").write_bytes(small_model())
    tf.build(folder / "net.tflite", board="stm32f407", output=folder / "build")
    return folder / "build"


def test_every_layer_of_a_sound_build_is_equal(build: Path, tinyflow: CommandLine) -> None:
    result = tinyflow("bisect", build, "--inputs", build / "vectors" / "input_0.npy", "--json")
    assert result.code == 0
    assert result.json["first"] is None
    plan = json.loads((build / "plan.json").read_text())
    assert [layer["name"] for layer in result.json["layers"]] == [
        layer["name"] for layer in plan["layers"]
    ]
    for layer, planned in zip(result.json["layers"], plan["layers"], strict=True):
        sizes = [int(np.prod(tensor["shape"])) for tensor in planned["outputs"]]
        assert layer["elements"] == sum(sizes) > 0
        assert layer["differing"] == layer["largest"] == 0


def test_layers_are_compared_by_the_channels_that_are_left(
    tmp_path: Path, tinyflow: CommandLine
) -> None:
    (tmp_path / "net.tflite").write_bytes(file_of([DrawnNet(3)]))
    tf.build(tmp_path / "net.tflite", board="stm32f407", output=tmp_path / "build")
    plan = json.loads((tmp_path / "build" / "plan.json").read_text())
    tensors = [tensor for layer in plan["layers"] for tensor in layer["outputs"]]
    assert any(tensor["channels"] for tensor in tensors)
    vectors = tmp_path / "build" / "vectors" / "input_0.npy"
    result = tinyflow("bisect", tmp_path / "build", "--inputs", vectors, "--json")
    assert result.code == 0
    assert [layer["elements"] for layer in result.json["layers"]] == [
        int(np.prod(tensor["shape"])) for tensor in tensors
    ]


@pytest.mark.parametrize("position", [0, 2])
def test_the_layer_with_other_weights_is_named(
    position: int, build: Path, tmp_path: Path, tinyflow: CommandLine
) -> None:
    wrong = tmp_path / "build"
    shutil.copytree(build, wrong)
    # The oracle reads model.tflite: there the layer's first weights are others than in the image.
    constants = [
        np.asarray(buffer.data)
        for buffer in _buffers(build / "model.tflite")
        if buffer.data is not None and len(buffer.data) > 8
    ]
    weights = constants[position].tobytes()
    content = (build / "model.tflite").read_bytes()
    assert content.count(weights) == 1
    changed = bytes((value + 64) & 0xFF for value in weights[:8]) + weights[8:]
    (wrong / "model.tflite").write_bytes(content.replace(weights, changed))

    result = tinyflow("bisect", wrong, "--inputs", wrong / "vectors" / "input_0.npy", "--json")
    assert result.code == 8
    first = result.json["layers"][position // 2]
    assert result.json["first"] == first["index"] == position // 2
    assert first["differing"] > 0
    assert first["largest"] >= 1

    output = tinyflow("bisect", wrong, "--inputs", wrong / "vectors" / "input_0.npy")
    assert output.code == 8
    assert f"{first['name']!r}, is the first that differs" in output.err


def test_a_build_without_its_plan(build: Path, tmp_path: Path, tinyflow: CommandLine) -> None:
    shutil.copytree(build, tmp_path / "build")
    (tmp_path / "build" / "plan.json").write_text("{")
    tinyflow.refused(
        3,
        *("bisect", tmp_path / "build", "--inputs", build / "vectors" / "input_0.npy"),
        says=("plan.json: missing or damaged",),
    )


def _buffers(path: Path) -> list[Any]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    return list(model.buffers)


def test_layers_that_run_row_by_row_are_compared_where_they_are_whole(
    tmp_path: Path, tinyflow: CommandLine
) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(residual_block())
    # Less RAM than whole layers take: portable kernels that run row by row are taken.
    report = tf.build(
        model,
        board="stm32f407",
        output=tmp_path / "build",
        kernels="cmsis-nn",
        ram_kib=11,  # of which the stack reserves 4
    )
    assert report.memory.ram.arena < 5000
    assert report.exact.mismatches == 0
    plan = json.loads((tmp_path / "build" / "plan.json").read_text())
    vectors = tmp_path / "build" / "vectors" / "input_0.npy"
    layers = tinyflow("bisect", tmp_path / "build", "--inputs", vectors, "--json").json["layers"]
    hidden = [layer for layer in plan["layers"] if not layer["outputs"]]
    assert hidden
    assert all(layer["fused_block"] is not None for layer in hidden)
    assert all(
        layer["fused_block"] == planned["fused_block"]
        for layer, planned in zip(report.model_dump()["layers"], plan["layers"], strict=True)
    )
    for layer, planned in zip(layers, plan["layers"], strict=True):
        assert layer["compared"] == bool(planned["outputs"])
        assert layer["differing"] == 0
    output = tinyflow("bisect", tmp_path / "build", "--inputs", vectors)
    assert output.out.count("row by row") == len(hidden)
