# SPDX-License-Identifier: Apache-2.0
"""Options of custom operators: FlexBuffers of strangers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from flatbuffers import flexbuffers

from tinyflow.tflite.custom_options import DamagedOptionsError, read_options


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shift": 12},
        {"T": 7, "fft_length": 512},
        {"a": -70_000, "b": 1 << 40, "c": True, "d": 1.5, "e": -0.25},
        {f"option_{index:02}": index for index in range(64)},
    ],
)
def test_a_map_of_scalars_is_read(options: dict[str, Any]) -> None:
    found = read_options(bytes(flexbuffers.Dumps(options)))
    assert {name: value.number for name, value in found.items()} == options


def test_an_unsigned_byte_is_signed_to_kernels_that_read_by_position() -> None:
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("shift")
        builder.UInt(200, 1)
    value = read_options(bytes(builder.Finish()))["shift"]
    assert (value.number, value.signed) == (200, -56)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x24\x01",
        bytes(flexbuffers.Dumps([1, 2, 3])),
        bytes(flexbuffers.Dumps(7)),
        bytes(flexbuffers.Dumps({"nested": {"a": 1}})),
        bytes(flexbuffers.Dumps({"text": "a"})),
        bytes(flexbuffers.Dumps({f"option_{index:02}": index for index in range(65)})),
        bytes(flexbuffers.Dumps({"x" * 64: 1})),
    ],
)
def test_anything_else_is_damage(content: bytes) -> None:
    with pytest.raises(DamagedOptionsError):
        read_options(content)


def test_mutated_bytes_are_read_or_are_damage() -> None:
    rng = random.Random(1)
    good = bytes(flexbuffers.Dumps({"a": 1.5, "b": True, "c": -70_000, "d": 1 << 40}))
    damaged = 0
    for _ in range(20_000):
        content = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        content = content[: rng.choice([len(content), rng.randint(0, len(content))])]
        try:
            assert all(
                isinstance(value.number, int | float)
                for value in read_options(bytes(content)).values()
            )
        except DamagedOptionsError:
            damaged += 1
    assert damaged > 10_000
