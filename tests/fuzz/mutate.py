# SPDX-License-Identifier: Apache-2.0
"""Damaged .tflite files: bytes flipped at random, and object trees with one field changed."""

from __future__ import annotations

import random
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_NUMBERS = (-(2**31), -129, -128, -2, -1, 0, 1, 2, 3, 4, 7, 127, 128, 255, 65536, 2**31 - 1)


def raw(content: bytes, rng: random.Random) -> bytes:
    """The file with some bytes changed, cut out or doubled."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        position = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                del data[position : position + rng.randint(1, 64)]
            case 1:
                data[position:position] = data[position : position + rng.randint(1, 64)]
            case 2:
                number = rng.choice(_NUMBERS) & 0xFFFFFFFF
                data[position : position + 4] = number.to_bytes(4, "little")
            case _:
                data[position] = rng.randrange(256)
        if not data:
            data = bytearray(content[:16])
    return bytes(data)


def structured(content: bytes, rng: random.Random) -> bytes:
    """The file written anew with some fields of its object tree changed.

    A tree that the schema cannot write is tried again with other changes.
    """
    while True:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        for _ in range(rng.randint(1, 3)):
            _change(model, rng)
        try:
            builder = flatbuffers.Builder(1024)
            builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
            return bytes(builder.Output())
        except Exception:
            continue


def _change(model: Any, rng: random.Random) -> None:
    nodes = [node for node in _nodes(model) if vars(node)]
    node = rng.choice(nodes)
    names = [name for name in vars(node) if not name.startswith("_")]
    name = rng.choice(names)
    setattr(node, name, _other(getattr(node, name), rng))


def _nodes(value: Any) -> Any:
    """Every table of the tree."""
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)
    elif hasattr(value, "Pack"):
        yield value
        for child in vars(value).values():
            yield from _nodes(child)


def _other(value: Any, rng: random.Random) -> Any:  # noqa: PLR0911, PLR0912
    match value:
        case bool():
            return not value
        case int():
            return rng.choice(_NUMBERS)
        case float():
            return rng.choice((0.0, -1.0, 1e-38, 1e38, float("nan"), float("inf")))
        case bytes() | str():
            return rng.choice((b"", b"*/", b"{{ 7 }}", b"\xff\xfe", b"x" * 5000))
        case np.ndarray() if value.size:
            changed = value.copy()
            match rng.randrange(4):
                case 0:
                    return changed[: rng.randrange(len(changed))]
                case 1:
                    return np.concatenate([changed, changed])
                case _:
                    with np.errstate(over="ignore"):
                        changed[rng.randrange(len(changed))] = np.array(
                            rng.choice(_NUMBERS)
                        ).astype(changed.dtype)
                    return changed
        case list() if value:
            changed_list = list(value)
            match rng.randrange(3):
                case 0:
                    del changed_list[rng.randrange(len(changed_list))]
                case 1:
                    changed_list.append(rng.choice(changed_list))
                case _:
                    rng.shuffle(changed_list)
            return changed_list
        case _:
            return None
