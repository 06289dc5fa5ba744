# SPDX-License-Identifier: Apache-2.0
"""`plan.json`: where each layer's outputs and states lie, for tools that look into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tinyflow.codegen.c_names import layer_title
from tinyflow.codegen.library import ModelCode
from tinyflow.errors import InputError
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, TensorId
from tinyflow.ir.state import AssignVariable
from tinyflow.plan.memory import MemoryPlan


class _PlanPart(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlannedTensor(_PlanPart):
    """A tensor: its index in the `.tflite`, and its offset in bytes from its memory's start.

    A variable that is assigned has the index of the tensor that gives the value. Where channels of
    the file's tensor are left out, `channels` has the indices of its last dimension that are there.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    memory: Literal["arena", "state"] = "arena"
    channels: tuple[int, ...] | None = None


class PlannedLayer(_PlanPart):
    """A layer that runs code, and what it writes: its outputs, and the states that it keeps.

    Layers of one `fused_block` run row by row, in turns. Their outputs are listed only where they
    are whole in memory at the end of the fused block.
    """

    function: str
    name: str
    operator: str
    kernel: str
    outputs: tuple[PlannedTensor, ...]
    states: tuple[PlannedTensor, ...] = ()
    fused_block: int | None = None


class PlanFile(_PlanPart):
    """The symbols of the arena and of the state, None without one, and the layers in order."""

    arena: str
    state: str | None = None
    state_bytes: int = 0
    layers: tuple[PlannedLayer, ...]

    @staticmethod
    def read(path: Path) -> PlanFile:
        """The plan in a `plan.json`."""
        return PlanFile.model_validate_json(path.read_text(encoding="utf-8"))


def read_plan(folder: Path) -> PlanFile:
    """The plan of a build.

    Raises:
        InputError: it is missing or damaged.
    """
    path = folder / "plan.json"
    try:
        return PlanFile.read(path)
    except (OSError, ValidationError, ValueError) as error:
        raise InputError(f"{path}: missing or damaged", hint="Build it again.") from error


def describe_plan(graph: Graph, plan: MemoryPlan, code: ModelCode) -> PlanFile:
    """The plan of a generated model."""
    return PlanFile(
        arena=f"{code.name}_arena",
        state=f"{code.name}_state" if plan.states else None,
        state_bytes=plan.state_size,
        layers=tuple(
            PlannedLayer(
                function=layer.function,
                name=layer_title(layer.kernel.operator.name),
                operator=layer.kernel.operator.title,
                kernel=layer.kernel.title,
                outputs=tuple(
                    _tensor(graph, plan, index, _known_as(layer.kernel.operator, index))
                    for index in layer.kernel.operator.outputs()
                    if index not in plan.rings
                ),
                states=tuple(
                    _tensor(graph, plan, index, index)
                    for index in layer.kernel.operator.states()
                    if not graph.tensors[index].internal
                ),
                fused_block=layer.fused_block,
            )
            for layer in code.layers
        ),
    )


def _known_as(operator: Operator, output: TensorId) -> TensorId:
    """The tensor of the file that holds what an operator writes."""
    return operator.input if isinstance(operator, AssignVariable) else output


def _tensor(graph: Graph, plan: MemoryPlan, place: TensorId, index: TensorId) -> PlannedTensor:
    tensor = graph.tensors[place]
    return PlannedTensor(
        index=index,
        name=layer_title(tensor.name),
        dtype=tensor.dtype.value,
        shape=tensor.shape,
        offset=plan.states[place] if tensor.is_state else plan.tensors[place],
        memory="state" if tensor.is_state else "arena",
        channels=tensor.channels,
    )
