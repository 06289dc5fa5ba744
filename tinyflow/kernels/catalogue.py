"""What is compiled: for each operator the kernels that serve it, in their docstrings' words.

The docstring of a maker is `OPERATOR: types, attributes`; it is the one place where a kernel's
constraints are stated for people. `tinyflow operators` and `docs/operators.md` are made of it.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Literal

from tinyflow.ir.plain import Tabulated
from tinyflow.kernels.base import Maker
from tinyflow.kernels.candidates import INT16_KERNELS, KERNELS
from tinyflow.kernels.portable.plain import AS_TABLES, OF_INT32, PLAIN_KERNELS

_TYPE = r"(?:u?int(?:4|8|16|32|64)|float32|bool)"
#: The element types that a constraint begins with, as in "int8 or int16 to float32".
_TYPES = re.compile(rf"{_TYPE}(?:(?:, | or | and | to ){_TYPE})*\b")


@dataclass(frozen=True)
class Service:
    """What one kernel serves of an operator.

    Attributes:
        operator: TFLite's name.
        library: whose kernel it is.
        types: element types of the activations; empty where the attributes tell.
        attributes: shapes, attributes and operands.
    """

    operator: str
    library: Literal["CMSIS-NN", "tinyflow"]
    types: str
    attributes: str


def services() -> tuple[Service, ...]:
    """All of them, by operator; of one operator the kernel preferred first."""
    found = {
        kind.kind: [_service(kind.kind, maker) for maker in (*makers, *INT16_KERNELS.get(kind, ()))]
        for kind, makers in KERNELS.items()
    }
    for plain in PLAIN_KERNELS.keys() - {Tabulated}:
        types = "float32 or int32" if issubclass(plain, OF_INT32) else "float32"
        service = Service(plain.kind, "tinyflow", types, "where the converter left it so")
        found.setdefault(plain.kind, []).append(service)
    for tabulated in AS_TABLES:
        where = "where a table of one int8 tensor can stand for it"
        service = Service(tabulated.kind, "tinyflow", "float32", where)
        found.setdefault(tabulated.kind, []).append(service)
    return tuple(service for name in sorted(found) for service in dict.fromkeys(found[name]))


def _service(operator: str, maker: Maker) -> Service:
    text = " ".join((inspect.getdoc(maker) or "").split()).partition(": ")[2]
    types = _TYPES.match(text)
    return Service(
        operator,
        "CMSIS-NN" if ".cmsis_nn." in maker.__module__ else "tinyflow",
        types[0] if types else "",
        text[types.end() :].lstrip(",;. ") if types else text,
    )
