# SPDX-License-Identifier: Apache-2.0
"""The project file, the command line and the Python API offer the same options."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import typer.main

from tinyflow import api
from tinyflow.cli.app import app
from tinyflow.settings.options import OptionError, build_options, with_options
from tinyflow.settings.project_file import Project, make_project


def _project(**tables: Any) -> Project:
    content = {"model": {"path": "net.tflite"}, **tables}
    return make_project(content, base=Path("/base"), source="tinyflow.toml")


def test_names_are_unique() -> None:
    names = [option.name for option in build_options()]
    assert len(names) == len(set(names))


def test_the_command_line_has_every_option_and_no_other() -> None:
    command: Any = typer.main.get_command(app)
    flags = {flag for param in command.commands["build"].params for flag in param.opts}
    expected = {option.flag for option in build_options()}
    assert flags - expected == {"model", "--json", "--verbose", "-v"}
    assert expected <= flags


def test_the_python_api_has_every_option_with_its_default() -> None:
    parameters = inspect.signature(api.build).parameters
    options = {option.name: option for option in build_options()}
    assert parameters.keys() - options.keys() == {"model", "progress"}
    assert options.keys() <= parameters.keys()
    for name, option in options.items():
        if name != "board":
            assert parameters[name].default == option.field.default, name


def test_the_python_api_has_the_same_choices() -> None:
    hints = typing.get_type_hints(api.build, localns={"keras": SimpleNamespace(Model=object)})
    choices = [o for o in build_options() if typing.get_origin(o.field.annotation) is Literal]
    assert len(choices) >= 5
    for option in choices:
        assert hints[option.name] == option.field.annotation, option.name


def test_an_option_overrides_a_key_and_absent_ones_keep_theirs() -> None:
    project = _project(budget={"ram_kib": 64.0}, prune={"method": "structured"})
    found = with_options(project, {"ram_kib": 32.0, "prune_ratio": 0.25, "kernels": None})
    assert (found.budget.ram_kib, found.prune.method, found.prune.ratio) == (32, "structured", 0.25)
    assert found.build.kernels == project.build.kernels


def test_paths_of_options_are_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = with_options(_project(), {"calibration": Path("data.npz")})
    assert found.data.calibration == tmp_path / "data.npz"
    assert found.model.path == Path("/base/net.tflite")


def test_the_former_name_of_a_value_is_answered_with_the_new_one() -> None:
    former = "native"
    with pytest.raises(OptionError, match=r"^--kernels: 'native' is now called 'generated'$"):
        with_options(_project(), {"kernels": former})


def test_a_wrong_value_names_the_option() -> None:
    with pytest.raises(
        OptionError, match=r"^--prune-ratio: input should be less than 1, got 1\.5$"
    ):
        with_options(_project(), {"prune_ratio": 1.5})
