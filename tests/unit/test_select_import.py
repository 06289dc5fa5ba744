# SPDX-License-Identifier: Apache-2.0
"""Refusals of SELECT, whose condition is not broadcast as that of SELECT_V2 is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.tflite.importer import import_model


def select(
    condition: tuple[int, ...],
    right: tuple[int, ...] = (4, 3),
    *,
    dtype: str = "bool",
    scale: float = 0.1,
) -> bytes:
    b = TfliteBuilder()
    chosen = b.tensor(condition, dtype, data=[0] * (condition[0] if condition else 1))
    left, other = b.tensor((4, 3), scale=0.1), b.tensor(right, scale=scale)
    y = b.tensor((4, 3), scale=0.1, name="either")
    b.operator("SELECT", [chosen, left, other], [y])
    return b.build([left, other], [y])


def imported(content: bytes) -> None:
    import_model(content, Path("model.tflite"), name="model")


@pytest.mark.parametrize("condition", [(), (4,)])
def test_what_is_read(condition: tuple[int, ...]) -> None:
    imported(select(condition))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (select((3,)), r"a condition of the shape \[3\] for \[4, 3\]"),
        (select((1,)), r"a condition of the shape \[1\]"),
        (select((), (1, 3)), "the second value has the shape"),
    ],
)
def test_shapes_that_only_select_v2_takes(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=f"SELECT layer 'either': {words}"):
        imported(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (select((4,), dtype="uint8"), "'tensor_0' is uint8, expected bool"),
        (select((4,), scale=0.2), "differ in scale or zero point"),
    ],
)
def test_unsupported(content: bytes, words: str) -> None:
    with pytest.raises(UnsupportedError, match=f"SELECT layer 'either': .*{words}"):
        imported(content)
