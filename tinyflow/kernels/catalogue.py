# SPDX-License-Identifier: Apache-2.0
"""Catalogue of the kernels that support each operator, in their docstrings' words.

The docstring of a maker is `OPERATOR: types, attributes`; it is the one place where a kernel's
constraints are documented. `tinyflow operators` and `docs/operators.md` are generated from it.
For a generated kernel, `On CORES.` follows and, if supported, `In place.` and `Row by row.`, with a
condition after a comma; further text is for readers of the code.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Literal, get_args

from tinyflow.boards import Core
from tinyflow.ir.unquantised import Tabulated
from tinyflow.kernels.candidates import INT16_KERNELS, KERNELS
from tinyflow.kernels.generated.registry import GENERATED
from tinyflow.kernels.makers import Maker, VariantMaker
from tinyflow.kernels.portable.unquantised import TYPES, UNQUANTISED_KERNELS

_TYPE = r"(?:u?int(?:4|8|16|32|64)|float32|bool)"
#: The element types that a constraint begins with, as in "int8 or int16 to float32".
_TYPES = re.compile(rf"{_TYPE}(?:(?:, | or | and | to ){_TYPE})*\b")
_GENERATED = re.compile(
    r"(?P<text>.*?) On (?P<cores>Cortex-[^.]+)\."
    r"(?: (?P<in_place>In place)(?:, (?P<place_if>[^.]+))?\.)?"
    r"(?: (?P<by_rows>Row by row)(?:, (?P<rows_if>[^.]+))?\.)?"
)
_CORE = re.compile(r"M(\d+)(\+?)")
#: Marks an unconditional property.
ALWAYS = "always"


@dataclass(frozen=True)
class Service:
    """Layers of an operator that one kernel supports.

    Attributes:
        operator: TFLite's name.
        library: origin of the kernel: generated, CMSIS-NN, or tinyflow's portable C.
        types: element types of the activations; empty if the attributes decide.
        attributes: shapes, attributes and operands.
        cores: that it runs on; only generated kernels are limited to some.
        in_place: of a generated kernel, when the output may lie in the memory of an input that
            nothing
            reads any more: `always`, or a condition; None if it may not.
        by_rows: of a generated kernel, when it can run row by row, likewise.
    """

    operator: str
    library: Literal["generated", "CMSIS-NN", "tinyflow"]
    types: str
    attributes: str
    cores: tuple[Core, ...] = get_args(Core)
    in_place: str | None = None
    by_rows: str | None = None


def services() -> tuple[Service, ...]:
    """Return all services by operator: the generated ones first, then the others by preference."""
    found: dict[str, list[Service]] = {}
    for family in GENERATED:
        for kind, variants in family.items():
            if kind is not Tabulated:
                own = (generated_service(kind.kind, make) for make in variants)
                found.setdefault(kind.kind, []).extend(own)
    for kind, makers in KERNELS.items():
        others = (*makers, *INT16_KERNELS.get(kind, ()))
        found.setdefault(kind.kind, []).extend(_service(kind.kind, make) for make in others)
    for kind in UNQUANTISED_KERNELS.keys() - {Tabulated}:
        types = TYPES.get(kind, "float32")
        service = Service(kind.kind, "tinyflow", types, "where the converter left it so")
        found.setdefault(kind.kind, []).append(service)
    return tuple(service for name in sorted(found) for service in dict.fromkeys(found[name]))


def _service(operator: str, maker: Maker) -> Service:
    library: Literal["CMSIS-NN", "tinyflow"] = "tinyflow"
    if ".cmsis_nn." in maker.__module__:
        library = "CMSIS-NN"
    return Service(operator, library, *_types_and_attributes(_stated(maker)))


def generated_service(operator: str, maker: VariantMaker) -> Service:
    """Return what a generated kernel's maker states."""
    found = _GENERATED.match(_stated(maker))
    assert found is not None, f"{maker.__module__}.{maker.__name__} states no cores"
    numbers = _CORE.findall(found["cores"])
    names = {f"cortex-m{number}{'plus' if plus else ''}" for number, plus in numbers}
    return Service(
        operator,
        "generated",
        *_types_and_attributes(found["text"]),
        tuple(core for core in get_args(Core) if core in names),
        (found["place_if"] or ALWAYS) if found["in_place"] else None,
        (found["rows_if"] or ALWAYS) if found["by_rows"] else None,
    )


def _stated(maker: Maker | VariantMaker) -> str:
    """A maker's docstring in one line, without the operator."""
    return " ".join((inspect.getdoc(maker) or "").split()).partition(": ")[2]


def _types_and_attributes(text: str) -> tuple[str, str]:
    types = _TYPES.match(text)
    if types is None:
        return "", text
    return types[0], text[types.end() :].lstrip(",;. ")
