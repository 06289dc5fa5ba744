"""`plan.json`: where each layer's outputs lie in the arena, for tools that look into memory."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tinyflow.codegen.model import ModelCode
from tinyflow.codegen.names import layer_title
from tinyflow.ir.graph import Graph
from tinyflow.plan.memory import MemoryPlan


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlannedTensor(_Section):
    """A tensor: its index in the `.tflite`, and its offset in bytes from the arena's start."""

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int


class PlannedLayer(_Section):
    """A layer that runs code, and what it writes."""

    function: str
    name: str
    operator: str
    kernel: str
    outputs: tuple[PlannedTensor, ...]


class PlanFile(_Section):
    """The arena's symbol, and the layers in order."""

    arena: str
    layers: tuple[PlannedLayer, ...]

    @staticmethod
    def read(path: Path) -> PlanFile:
        """The plan in a `plan.json`."""
        return PlanFile.model_validate_json(path.read_text(encoding="utf-8"))


def describe_plan(graph: Graph, plan: MemoryPlan, code: ModelCode) -> PlanFile:
    """The plan of a generated model."""
    return PlanFile(
        arena=f"{code.name}_arena",
        layers=tuple(
            PlannedLayer(
                function=layer.function,
                name=layer_title(layer.kernel.operator.name),
                operator=layer.kernel.operator.kind,
                kernel=layer.kernel.function,
                outputs=tuple(
                    PlannedTensor(
                        index=index,
                        name=layer_title(graph.tensors[index].name),
                        dtype=graph.tensors[index].dtype.value,
                        shape=graph.tensors[index].shape,
                        offset=plan.tensors[index],
                    )
                    for index in layer.kernel.operator.outputs()
                ),
            )
            for layer in code.layers
        ),
    )
