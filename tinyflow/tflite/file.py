# SPDX-License-Identifier: Apache-2.0
"""Reads a .tflite file, which is untrusted, into the flatbuffer schema's object tree."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tinyflow.errors import InputError

_HINT = "Give a .tflite that the TFLite converter wrote with full int8 quantisation."
_MAX_BYTES = 256 << 20

#: Custom operators that are compiled, by their code; no builtin operator has such a name.
CUSTOM_OPERATORS = frozenset(
    {
        "CIRCULAR_BUFFER",
        "SignalDelay",
        "SignalEnergy",
        "SignalFftAutoScale",
        "SignalFilterBank",
        "SignalFilterBankLog",
        "SignalFilterBankSpectralSubtraction",
        "SignalFilterBankSquareRoot",
        "SignalFramer",
        "SignalIrfft",
        "SignalOverlapAdd",
        "SignalPCAN",
        "SignalRfft",
        "SignalStacker",
        "SignalWindow",
        "TFLite_Detection_PostProcess",
    }
)


def read_tflite(path: Path) -> bytes:
    """The bytes of a .tflite file whose header is right.

    Raises:
        InputError: the file is missing, empty, too large, or not a TFLite flatbuffer.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a file")
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"{path}: larger than 256 MiB, which no microcontroller holds")
    content = path.read_bytes()
    if len(content) < 8 or content[4:8] != b"TFL3":
        raise InputError(f"{path}: not a TFLite model (no TFL3 identifier)", hint=_HINT)
    return content


def is_tflite(path: Path) -> bool:
    """Whether a path is meant as a .tflite: by its suffix, or by its content."""
    if path.suffix == ".tflite" or not path.is_file():
        return path.suffix == ".tflite"
    with path.open("rb") as file:
        return file.read(8)[4:] == b"TFL3"


def parse_tflite(content: bytes, path: Path) -> Any:
    """The object tree (`ModelT`) of a TFLite flatbuffer.

    Raises:
        InputError: the file is truncated or damaged, or has no subgraph.
    """
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    except (
        AttributeError,
        IndexError,
        MemoryError,
        OverflowError,
        RecursionError,
        struct.error,
        TypeError,
        UnicodeDecodeError,
        ValueError,
    ) as error:
        raise InputError(f"{path}: truncated or damaged TFLite model", hint=_HINT) from error
    if model.version != 3:
        raise InputError(f"{path}: TFLite schema version {model.version}, expected 3", hint=_HINT)
    if not model.subgraphs or not model.operatorCodes or model.buffers is None:
        raise InputError(f"{path}: the TFLite model holds no graph", hint=_HINT)
    return model


def operator_name(model: Any, operator: Any, path: Path) -> str:
    """TFLite's name of an operator, or a custom operator's code.

    That of a custom operator which is not compiled is `CUSTOM code`.

    Raises:
        InputError: the operator's code does not exist.
    """
    try:
        code = model.operatorCodes[operator.opcodeIndex]
    except (IndexError, TypeError) as error:
        raise InputError(f"{path}: an operator has no code; the file is damaged") from error
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _BUILTIN_NAMES.get(builtin)
    if name is None:
        raise InputError(f"{path}: operator code {builtin} is not known to the TFLite schema")
    if name == "CUSTOM":
        custom = text(code.customCode)
        return custom if custom in CUSTOM_OPERATORS else f"CUSTOM {custom!r}"
    return name


def text(value: bytes | str | None) -> str:
    """A name from the file as text; damaged UTF-8 is replaced."""
    if value is None:
        return ""
    return value if isinstance(value, str) else value.decode("utf-8", errors="replace")


def unpack_int4(data: NDArray[np.uint8], elements: int) -> NDArray[np.int8]:
    """Signed values of four bits as a `.tflite` packs them, two to a byte, the low one first.

    Args:
        data: bytes [ceil(elements / 2)].
        elements: how many there are; of an odd number the last byte's high half is not used.
    """
    halves = np.stack([data & 15, data >> 4], axis=-1).ravel()[:elements]
    return ((halves ^ 8).astype(np.int8) - np.int8(8)).astype(np.int8)


_BUILTIN_NAMES: dict[int, str] = {
    value: name
    for name, value in vars(schema.BuiltinOperator).items()
    if not name.startswith("_") and isinstance(value, int)
}
