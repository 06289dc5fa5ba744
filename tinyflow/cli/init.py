"""`tinyflow init`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tinyflow.boards import load_board
from tinyflow.cli.console import out, print_json
from tinyflow.cli.options import Json
from tinyflow.codegen.names import model_name
from tinyflow.errors import InputError
from tinyflow.files import write_file
from tinyflow.project import PROJECT_FILE, Project


def command(
    model: Annotated[
        Path, typer.Argument(help="The .keras, .h5, SavedModel folder or quantised .tflite.")
    ],
    board: Annotated[
        str, typer.Option(help="The board to build for; `tinyflow boards` lists them.")
    ] = "stm32f746",
    force: Annotated[
        bool, typer.Option("--force", help="Replace a tinyflow.toml that is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a commented tinyflow.toml for a model into this folder.

    Data files that are there under their usual names (calibration.npz, training.npz, test.npz)
    are entered; every other key is written as a comment with its default or an example.
    """
    if not model.exists():
        raise InputError(f"{model}: no such file")
    target = Path(PROJECT_FILE)
    if os.path.lexists(target) and not force:
        raise InputError(f"{target}: exists already", hint="Give --force to replace it.")
    chosen: dict[str, dict[str, Any]] = {
        "model": {"path": str(model), "name": model_name(model)},
        "data": {
            key: f"{key}.npz"
            for key in ("calibration", "training", "test")
            if Path(f"{key}.npz").is_file()
        },
        "build": {"board": load_board(board).id},
    }
    write_file(target, project_text(chosen))
    if as_json:
        print_json({"written": str(target)})
    else:
        out.print(f"wrote {target}; now: tinyflow build")


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
