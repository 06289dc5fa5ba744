# SPDX-License-Identifier: Apache-2.0
"""Layers that repeat share their constants and their code; those that differ do not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tests.support.first_kernels import select_kernels
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.codegen.library import ModelCode, generate_model
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.plan.memory import plan_memory
from tinyflow.tflite.importer import import_model

SIZE = 12


def _layers(scales: list[float], weights: list[int]) -> ModelCode:
    """A chain of layers: its tensors' scales, and which weights each layer reads."""
    b = TfliteBuilder()
    values = [
        np.random.default_rng(seed).integers(-127, 128, (SIZE, SIZE), dtype=np.int8)
        for seed in range(max(weights) + 1)
    ]
    first = last = b.tensor((1, SIZE), scale=scales[0], zero_point=2)
    for scale, which in zip(scales[1:], weights, strict=True):
        kernel = b.tensor((SIZE, SIZE), scale=[0.01] * SIZE, data=values[which])
        output = b.tensor((1, SIZE), scale=scale, zero_point=2)
        b.operator("FULLY_CONNECTED", [last, kernel, -1], [output])
        last = output
    content = b.build([first], [last])
    graph = import_model(content, Path("net.tflite"), name="net")
    cmsis = find_cmsis_nn()
    plan = plan_memory(
        graph, select_kernels(graph, load_board("stm32l4r5"), cmsis, kernels="cmsis-nn")
    )
    return generate_model(graph, plan, cmsis, content)


def _counts(code: ModelCode) -> tuple[int, int, int]:
    """Layers, functions they share, arrays of weights."""
    model, constants = str(code.files["net.c"]), str(code.files["net_weights.c"])
    return (
        len(re.findall(r"^LAYER net_layer", model, re.MULTILINE)),
        len(re.findall(r"^LAYER net_shared", model, re.MULTILINE)),
        len(re.findall(r"_weights\[144\]", constants)),
    )


def test_layers_that_differ_in_addresses_only_share_all() -> None:
    code = _layers([0.1] * 4, [0, 0, 0])
    assert _counts(code) == (3, 1, 1)
    assert code.weight_bytes == SIZE * SIZE + 3 * 4 * SIZE
    calls = re.findall(
        r"return (net_shared_00_fully_connected)\(&net_arena", str(code.files["net.c"])
    )
    assert len(calls) == 3


def test_other_scales_share_the_weights_alone() -> None:
    assert _counts(_layers([0.1, 0.2, 0.7], [0, 0])) == (2, 0, 1)


def test_other_weights_share_nothing_of_them() -> None:
    assert _counts(_layers([0.1] * 3, [0, 1])) == (2, 0, 2)
