# SPDX-License-Identifier: Apache-2.0
"""Generated kernels do what they state, on the layers that they are measured on."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tests.support.cores import board_with
from tinyflow.boards import Core
from tinyflow.costs.probes import probes
from tinyflow.ir.operators import Operator
from tinyflow.ir.unquantised import Tabulated
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.catalogue import ALWAYS, generated_service, services
from tinyflow.kernels.generated.registry import GENERATED
from tinyflow.kernels.makers import VariantMaker

MAKERS = [
    pytest.param(kind, make, id=f"{kind.kind} {make.__module__.rpartition('.')[2]}.{make.__name__}")
    for family in GENERATED
    for kind, makers in family.items()
    for make in makers
    if kind is not Tabulated
]


@pytest.mark.parametrize(("kind", "make"), MAKERS)
def test_cores_and_abilities_are_as_stated(
    kind: type[Operator], make: VariantMaker, tmp_path: Path
) -> None:
    stated = generated_service(kind.kind, make)
    made: dict[Core, list[Kernel]] = {}
    for core in get_args(Core):
        board = board_with(core, tmp_path)
        for probe in probes(kind):
            (operator,) = probe.graph.operators
            if found := list(make(operator, probe.graph, board)):
                made.setdefault(core, []).extend(found)
    assert tuple(made) == stated.cores
    kernels = [kernel for found in made.values() for kernel in found]
    for said, can in (
        (stated.in_place, [bool(kernel.overlaps) for kernel in kernels]),
        (stated.by_rows, [kernel.row_form is not None for kernel in kernels]),
    ):
        assert any(can) == (said is not None)
        assert all(can) or said != ALWAYS


def test_every_generated_kernel_is_listed_before_the_others() -> None:
    for operator in {service.operator for service in services()}:
        generated = [
            each.library == "generated" for each in services() if each.operator == operator
        ]
        assert generated == sorted(generated, reverse=True)
    listed = {service.operator for service in services() if service.library == "generated"}
    assert listed == {kind.kind for family in GENERATED for kind in family} - {Tabulated.kind}


def test_all_generated_kernels_state_types_and_attributes() -> None:
    generated = [service for service in services() if service.library == "generated"]
    assert {service.types for service in generated} == {"int8", "int8 to int8"}
    assert all(service.attributes for service in generated)
