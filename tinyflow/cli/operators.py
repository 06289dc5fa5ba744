# SPDX-License-Identifier: Apache-2.0
"""`tinyflow operators`."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import typer

from tinyflow.cli.completion import complete_operator
from tinyflow.cli.console import out, print_json
from tinyflow.cli.shared_options import Json
from tinyflow.errors import InputError
from tinyflow.kernels.catalogue import ALWAYS, Service, services
from tinyflow.report.fitted_table import Column, FittedTable

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OPERATOR]...",
        help="Only these, by TFLite's names; all if none is named.",
        autocompletion=complete_operator,
    ),
]


def command(names: Names = None, as_json: Json = False) -> None:
    """List the operators that are compiled, with types, attributes and kernels.

    A model that holds another operator, or one of these outside its constraints, is refused
    before anything is generated; the message names the layer and the constraint.

    An operator has a line for each kernel: the generated ones, made for the layer, with
    the cores they run on and whether they work in place and row by row; then CMSIS-NN's and
    tinyflow's portable C, of which the first one is taken that is legal for the layer and in the
    copy of CMSIS-NN at hand.

    \b
    tinyflow operators
    tinyflow operators CONV_2D SOFTMAX
    tinyflow operators --json
    """
    chosen = _chosen(services(), names or [])
    if as_json:
        print_json([asdict(service) for service in chosen])
        return
    table = FittedTable(
        [
            Column("operator", least=35),
            Column("kernels"),
            Column("types", "prose", least=7),
            Column("attributes", "prose", least=20),
        ]
    )
    for name, kernels in groupby(chosen, key=lambda service: service.operator):
        for index, kernel in enumerate(kernels):
            shown = "" if index else name
            table.add_row(shown, kernel.library, kernel.types, _attributes(kernel))
    out.print(table)


def _attributes(kernel: Service) -> str:
    """Describe the layers that a kernel supports and, where stated, its attributes."""
    if kernel.library != "generated":
        return kernel.attributes
    abilities = {"in place": kernel.in_place, "row by row": kernel.by_rows}
    parts = [f"on {', '.join(kernel.cores)}"]
    parts += [
        name if when == ALWAYS else f"{name} ({when})" for name, when in abilities.items() if when
    ]
    return f"{kernel.attributes.rstrip('.')}; {'; '.join(parts)}"


def _chosen(all_services: tuple[Service, ...], names: list[str]) -> tuple[Service, ...]:
    wanted = {name.upper() for name in names}
    known = {service.operator for service in all_services}
    for name in sorted(wanted - known):
        raise InputError(
            f"the operator {name} is not compiled",
            hint="`tinyflow operators` lists those that are.",
        )
    return tuple(s for s in all_services if not wanted or s.operator in wanted)


command.__name__ = "operators"
