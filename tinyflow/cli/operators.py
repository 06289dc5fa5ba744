"""`tinyflow operators`."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import typer
from rich.table import Table

from tinyflow.cli.console import out, print_json
from tinyflow.cli.options import Json
from tinyflow.errors import InputError
from tinyflow.kernels.catalogue import Service, services

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OPERATOR]...", help="Only these, by TFLite's names; all if none is named."
    ),
]


def command(names: Names = None, as_json: Json = False) -> None:
    """List the operators that are compiled, with types, attributes and kernel library.

    A model that holds another operator, or one of these outside its constraints, is refused
    before anything is generated; the message names the layer and the constraint.

    Where an operator has several lines, the first kernel that is legal for the layer and in the
    copy of CMSIS-NN at hand serves it.

    \b
    tinyflow operators
    tinyflow operators CONV_2D SOFTMAX
    tinyflow operators --json
    """
    chosen = _chosen(services(), names or [])
    if as_json:
        print_json([asdict(service) for service in chosen])
        return
    table = Table(box=None)
    for column in ("operator", "kernels", "types"):
        table.add_column(column, no_wrap=column != "types")
    table.add_column("attributes")
    for name, kernels in groupby(chosen, key=lambda service: service.operator):
        for index, kernel in enumerate(kernels):
            shown = "" if index else name
            table.add_row(shown, kernel.library, kernel.types, kernel.attributes)
    out.print(table)


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
