# SPDX-License-Identifier: Apache-2.0
"""Refusals of functions of one tensor: the message names the reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.tflite.importer import import_model

NAN = float("nan")


def read(
    kind: str,
    source: tuple[float, int],
    output: tuple[float, int],
    shape: Sequence[int] = (1, 8),
    result_shape: Sequence[int] | None = None,
    **options: Any,
) -> Graph:
    builder = TfliteBuilder()
    index = builder.tensor(shape, "int8", *source)
    result = builder.tensor(result_shape or shape, "int8", *output, name="layer")
    builder.operator(kind, [index], [result], **options)
    return import_model(builder.build([index], [result]), Path("model.tflite"), name="model")


@pytest.mark.parametrize(
    ("kind", "source", "output", "reason"),
    [
        ("LOGISTIC", (0.1, 0), (1 / 128, -128), "scale is not 1/256"),
        ("LOGISTIC", (0.1, 0), (1 / 256, 0), "zero point not -128"),
        ("TANH", (0.1, 0), (1 / 256, 0), "scale is not 1/128"),
        ("LOG_SOFTMAX", (0.1, 0), (1 / 16, 0), "zero point not 127"),
        ("L2_NORMALIZATION", (0.1, 0), (0.1, 0), "scale is not 1/128"),
        ("HARD_SWISH", (12.8, 0), (0.1, 0), "128 times"),
        ("HARD_SWISH", (2.0**25, 0), (2.0**25, 0), "above 2^24"),
        ("RELU", (2.0**31, 0), (1.0, 0), "2^30 times"),
        ("ELU", (1e20, 0), (1e-20, 0), "2^30 times"),
        ("RELU6", (0.1, 128), (0.1, 0), "zero point 128"),
        ("RELU", (0.1, 0), (0.1, -129), "zero point -129"),
        ("RSQRT", (0.1, -127), (0.1, -128), "can be negative"),
        ("RSQRT", (1e-30, -128), (1e-30, -128), "too small"),
    ],
)
def test_quantisations_that_are_refused(
    kind: str, source: tuple[float, int], output: tuple[float, int], reason: str
) -> None:
    with pytest.raises(UnsupportedError, match=re.escape(reason)) as caught:
        read(kind, source, output)
    assert f"{kind} layer 'layer'" in caught.value.message


@pytest.mark.parametrize("alpha", [NAN, float("inf"), 1e30])
def test_a_slope_that_is_refused(alpha: float) -> None:
    with pytest.raises(UnsupportedError, match="alpha"):
        read("LEAKY_RELU", (0.1, 0), (0.1, 0), alpha=alpha)


@pytest.mark.parametrize(
    ("kind", "output", "shape", "reason"),
    [
        ("LOG_SOFTMAX", (1 / 16, 127), (1, 4096), "at most 4095"),
        ("L2_NORMALIZATION", (1 / 128, 0), (1, 33026), "overflow"),
        ("L2_NORMALIZATION", (1 / 128, 0), (1, 1, 1, 1, 8), "four dimensions"),
    ],
)
def test_rows_that_are_refused(
    kind: str, output: tuple[float, int], shape: Sequence[int], reason: str
) -> None:
    with pytest.raises(UnsupportedError, match=re.escape(reason)):
        read(kind, (0.1, -128), output, shape)


def test_a_fused_activation_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="activation"):
        read("L2_NORMALIZATION", (0.1, 0), (1 / 128, 0), fusedActivationFunction=1)


@pytest.mark.parametrize("kind", ["ABS", "LOG_SOFTMAX"])
def test_another_shape_is_damage(kind: str) -> None:
    with pytest.raises(InputError, match="damaged"):
        read(kind, (0.1, 0), (1 / 16, 127), (1, 8), (1, 9))
