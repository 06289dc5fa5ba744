# SPDX-License-Identifier: Apache-2.0
"""The options of a build: the keys of tinyflow.toml, each with its command-line and Python name.

`tinyflow.project` defines them, with their texts. This module lists them, so that the command line,
the Python API and the documentation offer the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tinyflow.errors import InputError
from tinyflow.settings.project_file import Project, make_project


class OptionError(InputError):
    """An option has a value that is not allowed."""


@dataclass(frozen=True)
class Option:
    """One key of tinyflow.toml.

    Attributes:
        table: the table that holds the key.
        key: the key.
        name: the keyword in Python; with hyphens, the option on the command line.
        field: its type, default and description.
    """

    table: str
    key: str
    name: str
    field: FieldInfo

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def title(self) -> str:
        """The heading of the table's options."""
        return self.table.capitalize()

    @property
    def help(self) -> str:
        """The description, with the default if there is one."""
        default = self.field.default
        shown = default is not None and default is not False
        return f"{self.field.description}{f' Default: {default}.' if shown else ''}"


#: Options of another name than their key.
_NAMES = {"prune.method": "prune", "quantize.samples": "calibration_samples"}


@cache
def build_options() -> tuple[Option, ...]:
    """Every option of a build but the model itself, in the order of tinyflow.toml."""
    return tuple(
        Option(table, key, _NAMES.get(f"{table}.{key}", _name(table, key)), field)
        for table, info in Project.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
        for key, field in info.annotation.model_fields.items()
        if (table, key) != ("model", "path")
    )


def _name(table: str, key: str) -> str:
    """Keys of [prune] carry the table's name, since others have epochs and seeds too."""
    return f"prune_{key}" if table == "prune" else key


def with_options(project: Project, values: Mapping[str, Any]) -> Project:
    """The project with options in place of its keys.

    Args:
        project: what a file says.
        values: by an option's name; None keeps the project's value. Paths are taken relative to
            the current folder.

    Raises:
        OptionError: a value is wrong; the message names the option.
    """
    content: dict[str, dict[str, Any]] = {name: dict(table) for name, table in project}
    given = [option for option in build_options() if values.get(option.name) is not None]
    for option in given:
        content[option.table][option.key] = values[option.name]
    labels = {(option.table, option.key): option.flag for option in given}
    try:
        return make_project(content, base=Path.cwd(), source="the options", labels=labels)
    except InputError as error:
        raise OptionError(error.message, hint=error.hint) from error
