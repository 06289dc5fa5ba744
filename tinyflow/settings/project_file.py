# SPDX-License-Identifier: Apache-2.0
"""The project file, `tinyflow.toml`: what to build, from what data, for which board.

The models below are the one definition of a build's options: they check the file, and
`tinyflow.options` makes the command line's options and the Python API's keywords of them.
`tinyflow init` writes their descriptions as comments, and `docs/usage.md` lists them.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tinyflow.errors import InputError

PROJECT_FILE = "tinyflow.toml"
#: Type of quantised activations, and of the model's inputs and outputs.
Activations = Literal["int8", "int16"]
#: Kernels that a build may use; an operator without one of them falls back to the other kernels.
KernelSet = Literal["auto", "generated", "cmsis-nn"]
#: Objective of the kernel choice.
Objective = Literal["balanced", "speed", "size", "ram"]

#: What start-up may copy to RAM where it waits too long for flash: `auto`, code and, at `speed`,
#: constants that are read over and over; `ram`, code and all constants; code only; or nothing.
Placement = Literal["auto", "ram", "code", "flash"]


class _TomlTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelTable(_TomlTable):
    """The model."""

    path: Path = Field(description="A .keras, .h5, SavedModel folder or quantised .tflite.")
    name: str | None = Field(
        default=None,
        description="Name of the C functions; the model file's name if absent.",
        examples=["my_model"],
    )


class DataTable(_TomlTable):
    """The data: .npz files with arrays x (samples) and y (labels), or .npy files of samples."""

    calibration: Path | None = Field(
        default=None,
        description="Representative samples for quantisation: an .npz with an array x, or with one "
        "array for each input by name, or an .npy.",
        examples=["calibration.npz"],
    )
    training: Path | None = Field(
        default=None,
        description="Samples x and labels y, for fine-tuning after pruning.",
        examples=["training.npz"],
    )
    test: Path | None = Field(
        default=None,
        description="Held-out samples x and labels y: the accuracy is counted on them.",
        examples=["test.npz"],
    )
    test_samples: int | None = Field(
        default=None, gt=0, description="Use only the first N test samples.", examples=[1000]
    )


class PruneTable(_TomlTable):
    """Pruning before quantisation; Keras models only."""

    method: Literal["none", "structured", "magnitude"] = Field(
        default="none",
        description="none; structured removes channels; magnitude zeroes single weights.",
    )
    ratio: float = Field(
        default=0.5, gt=0, lt=1, description="Share of channels or weights to remove."
    )
    epochs: int = Field(default=10, ge=0, description="Epochs of fine-tuning on the training data.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Learning rate of fine-tuning.")
    batch_size: int = Field(default=32, gt=0, description="Batch size of fine-tuning.")
    seed: int = Field(default=0, ge=0, description="Seed of fine-tuning.")


class QuantizeTable(_TomlTable):
    """Quantisation, with int8 weights; Keras models only."""

    activations: Activations = Field(
        default="int8",
        description="int8; int16 is more accurate, slower, and takes twice the RAM.",
    )
    samples: int = Field(default=200, gt=0, description="Calibration samples to use, at most.")


class BuildTable(_TomlTable):
    """The firmware."""

    board: str | None = Field(
        default=None, description="The board; `tinyflow boards` lists them.", examples=["stm32f746"]
    )
    cmsis_nn: Path | None = Field(
        default=None,
        description="Folder of CMSIS-NN's sources; if absent, an installed CMSIS-Pack, else the "
        "copy in PyPI's bakenn, else PlatformIO fetches it.",
        examples=["CMSIS-NN"],
    )
    optimize: Objective = Field(
        default="balanced",
        description="What to optimise for: speed, size (flash), ram, or all in balance.",
    )
    kernels: KernelSet = Field(
        default="auto",
        description="Which kernels to use: auto takes the best for each layer; generated and "
        "cmsis-nn "
        "take these wherever they support the layer.",
    )
    placement: Placement = Field(
        default="auto",
        description="What start-up copies to RAM if it waits too long for flash: auto, code and, "
        "with optimize = speed, weights that are read over and over; ram, code and all weights; "
        "code, only code; flash, nothing.",
    )
    vectors: int = Field(
        default=20, gt=0, description="Inputs on which the firmware is compared with the oracle."
    )
    emit_tflite_array: bool = Field(
        default=False, description="Also emit the .tflite as a C array."
    )
    output: Path | None = Field(
        default=None,
        description="Folder of the build; build/BOARD if absent. For several boards, the folder "
        "that holds theirs.",
        examples=["build/stm32f746"],
    )
    dump: Path | None = Field(
        default=None,
        description="Folder for what the build did inside: the graph after import and each pass, "
        "the kernels weighed for each layer, the memory plan. For several boards, the folder that "
        "holds theirs.",
        examples=["dump/stm32f746"],
    )


class BudgetTable(_TomlTable):
    """Limits; a build that breaks one fails with exit code 7."""

    latency_ms: float | None = Field(
        default=None, gt=0, description="Limit on the worst inference, in ms.", examples=[50.0]
    )
    ram_kib: float | None = Field(
        default=None,
        gt=0,
        description="Limit on RAM, in KiB: arena, data and the reserved stack.",
        examples=[64.0],
    )
    flash_kib: float | None = Field(
        default=None, gt=0, description="Limit on flash, in KiB: the whole image.", examples=[256.0]
    )
    accuracy_drop: float | None = Field(
        default=None,
        ge=0,
        description="Points the device may lose against the float model, in classification.",
        examples=[1.0],
    )
    max_error: float | None = Field(
        default=None,
        gt=0,
        description="Mean absolute error of the device on the test data, in units of the output: "
        "regression and autoencoders.",
        examples=[0.1],
    )


class Project(_TomlTable):
    """A whole project; paths are absolute once read."""

    model: ModelTable
    data: DataTable = DataTable()
    prune: PruneTable = PruneTable()
    quantize: QuantizeTable = QuantizeTable()
    build: BuildTable = BuildTable()
    budget: BudgetTable = BudgetTable()


def read_project(path: Path) -> Project:
    """Read a project file; its paths are taken relative to it.

    Raises:
        InputError: the file is missing, is not TOML, or a key is missing, unknown or wrong; the
            message names the file and the key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: no such file",
            hint="`tinyflow init MODEL` writes one, or name a model: `tinyflow build MODEL ...`.",
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from error
    return make_project(content, base=path.parent, source=str(path))


def make_project(
    content: Mapping[str, Any],
    *,
    base: Path,
    source: str,
    labels: Mapping[tuple[str, str], str] | None = None,
) -> Project:
    """Check a project's tables.

    Args:
        content: the tables by name.
        base: the folder that relative paths start from.
        source: names the tables in messages.
        labels: by table and key, what messages call a value that is not from the tables' source.

    Raises:
        InputError: a key is missing, unknown or wrong.
    """
    try:
        return _absolute(Project.model_validate(content), base.resolve())
    except ValidationError as error:
        first = error.errors()[0]
        table, *keys = (str(part) for part in first["loc"])
        where = f"{source}: [{table}] {'.'.join(keys)}".strip()
        if labels and keys:
            where = labels.get((table, keys[0]), where)
        raise InputError(
            f"{where}: {_reason(first, keys)}",
            hint=_hint(table, keys) if first["type"] == "extra_forbidden" else None,
        ) from error


def _reason(error: Any, keys: list[str]) -> str:
    match error["type"]:
        case "literal_error" if keys == ["kernels"] and error["input"] == "native":
            return "'native' is now called 'generated'"
        case "extra_forbidden":
            return "unknown key" if keys else "unknown table"
        case "missing":
            return "missing"
        case "model_type":
            return f"must be a table, got {error['input']!r}"
        case "path_type":
            return f"must be a path, got {error['input']!r}"
        case _:
            return f"{error['msg'][:1].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _hint(table: str, keys: list[str]) -> str:
    """Suggest keys or tables instead of an unknown one."""
    if not keys:
        return _choice("Tables", table, list(Project.model_fields))
    annotation = Project.model_fields[table].annotation
    assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return _choice(f"Keys of [{table}]", keys[0], list(annotation.model_fields))


def _choice(what: str, wrong: str, names: list[str]) -> str:
    near = difflib.get_close_matches(wrong, names, n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    return f"{meant}{what}: {', '.join(names)}."


def _absolute(project: Project, base: Path) -> Project:
    """The project with every path made absolute."""

    def resolved(table: BaseModel) -> BaseModel:
        paths = {key: base / value for key, value in table if isinstance(value, Path)}
        return table.model_copy(update=paths)

    return project.model_copy(update={name: resolved(table) for name, table in project})
