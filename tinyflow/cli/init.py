# SPDX-License-Identifier: Apache-2.0
"""`tinyflow init`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.text import Text

from tinyflow.boards import load_board
from tinyflow.cli.completion import complete_board
from tinyflow.cli.console import out, print_json
from tinyflow.cli.shared_options import Json
from tinyflow.codegen.c_names import model_name
from tinyflow.datasets.dataset import InputSpec
from tinyflow.datasets.recognise import Header, Purpose, Recognised, recognise
from tinyflow.errors import InputError, TinyflowError
from tinyflow.settings.project_file import PROJECT_FILE, DataTable, Project
from tinyflow.storage.files import write_file
from tinyflow.tflite.file import is_tflite, read_tflite

#: The keys of [data] that name files, and the board where none is named.
_PURPOSES: tuple[Purpose, ...] = ("calibration", "training", "test")
_BOARD = "stm32f746"


def command(
    model: Annotated[
        Path, typer.Argument(help="The .keras, .h5, SavedModel folder or quantised .tflite.")
    ],
    board: Annotated[
        str,
        typer.Option(
            help="The board to build for; `tinyflow boards` lists them.",
            autocompletion=complete_board,
        ),
    ] = _BOARD,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a tinyflow.toml that is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a commented tinyflow.toml for a model into this folder.

    NumPy files of this folder and of data/ whose arrays fit the model's inputs are entered, by what
    they hold, whatever they are called; every other key is written as a comment with its default
    or an example. Says what is still to be entered.
    """
    if not model.exists():
        raise InputError(f"{model}: no such file")
    target = Path(PROJECT_FILE)
    if os.path.lexists(target) and not force:
        raise InputError(f"{target}: exists already", hint="Give --force to replace it.")
    entered = load_board(board)
    specs, unread = _inputs(model)
    found = recognise([Path(), Path("data")], specs) if specs else Recognised({}, {})
    data: dict[str, Any] = {
        key: str(found.chosen[key].path) for key in _PURPOSES if key in found.chosen
    }
    chosen: dict[str, dict[str, Any]] = {
        "model": {"path": str(model), "name": model_name(model)},
        "data": data,
        "build": {"board": entered.id},
    }
    write_file(target, project_text(chosen))
    missing = [key for key in _PURPOSES if key not in data]
    needed = ["calibration"] if "calibration" in missing and not is_tflite(model) else []
    if as_json:
        print_json(
            {
                "written": str(target),
                "board": entered.id,
                "data": data,
                "needed": [f"data.{key}" for key in needed],
                "optional": [f"data.{key}" for key in missing if key not in needed],
                "unfit": {str(path): _listed(arrays) for path, arrays in found.unfit.items()},
            }
        )
        return
    _say(f"wrote {target}")
    if unread is not None:
        _say(f"the model cannot be read, so data was not looked for: {unread}")
    for spec in specs:
        _say(f"  input        {spec.name}: {_shape(spec)} {spec.dtype}")
    default = " (the default; `tinyflow boards` lists others)" if board == _BOARD else ""
    _say(f"  board        {entered.id}{default}")
    for key in _PURPOSES:
        if key in found.chosen:
            samples = found.chosen[key]
            _say(f"  {key:<12} {samples.path}: {_listed(samples.arrays)}")
    for path, arrays in found.unfit.items():
        _say(f"  not entered  {path}: {_listed(arrays)} does not fit the model's inputs")
    if missing:
        _say(f"still to be entered in [data] of {target}:")
    for key in missing:
        _say(f"  {key:<12} {_wanted(key, needed=key in needed)}")
    _say("then: tinyflow build" if needed else "now: tinyflow build")


def _say(line: str) -> None:
    out.print(Text(line), soft_wrap=True)


def _inputs(model: Path) -> tuple[Sequence[InputSpec], str | None]:
    """The model's inputs, or why they are not known."""
    from tinyflow.convert.convert import model_inputs
    from tinyflow.pipeline.imported import import_file, input_specs

    try:
        if not is_tflite(model):
            return model_inputs(model), None
        return input_specs(import_file(read_tflite(model), model).graph), None
    except TinyflowError as error:
        return (), error.message


def _wanted(key: Purpose, *, needed: bool) -> str:
    """Describe the purpose of a key's data, and whether a build needs it."""
    description = (DataTable.model_fields[key].description or "").rstrip(".")
    return f"{description}; {'needed' if needed else 'optional'}"


def _shape(spec: InputSpec) -> str:
    return "x".join(map(str, spec.shape)) or "scalar"


def _listed(arrays: Mapping[str, Header]) -> str:
    return ", ".join(f"{name} {header}".strip() for name, header in arrays.items())


def project_text(chosen: dict[str, dict[str, Any]]) -> str:
    """A whole tinyflow.toml: the chosen keys set, the others as comments."""
    blocks = []
    for table, info in Project.model_fields.items():
        annotation = info.annotation
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        lines = [f"# {annotation.__doc__}", f"[{table}]"]
        for key, field in annotation.model_fields.items():
            lines += _key_lines(key, field, chosen.get(table, {}))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _key_lines(key: str, field: FieldInfo, chosen: dict[str, Any]) -> list[str]:
    comment = f"# {field.description}"
    if key in chosen:
        return [comment, f"{key} = {_toml(chosen[key])}"]
    shown = field.examples[0] if field.examples else field.default
    return [comment, f"# {key} = {_toml(shown)}"]


def _toml(value: Any) -> str:
    # A JSON string, number or boolean is a TOML one, but for the one character TOML escapes.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


command.__name__ = "init"
