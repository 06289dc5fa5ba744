# SPDX-License-Identifier: Apache-2.0
"""The model's library: `lib/<model>/`, which compiles on its own in anyone's firmware."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from tinyflow.codegen.c_names import layer_title
from tinyflow.codegen.layer_code import ConstantArrays, layer_code, literals
from tinyflow.distribution import VERSION
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import TensorId
from tinyflow.ir.types import DType
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.plan.fused_blocks import row_bytes
from tinyflow.plan.memory import MemoryPlan
from tinyflow.render import render
from tinyflow.resources import FIRMWARE

#: Headers for layers that run row by row.
_ROWS_HEADER = "tinyflow_rows.h"
#: Header of QUANTIZE and DEQUANTIZE, which convert float inputs and outputs.
_CONVERSIONS_HEADER = "tinyflow_kernels.h"

#: Type names in functions that convert to float32 and back.
_SUFFIXES = {DType.INT8: "s8", DType.UINT8: "u8", DType.INT16: "s16"}

_RANGES = {
    DType.INT8: (-128, 127),
    DType.UINT8: (0, 255),
    DType.INT16: (-(2**15), 2**15 - 1),
}


@dataclass(frozen=True)
class GeneratedLayer:
    """One layer in the C file.

    Attributes:
        function: the C function, a symbol of the ELF.
        kernel: what it calls.
        fused_block: which of the segments that run row by row it is part of, None if it runs whole.
    """

    function: str
    kernel: Kernel
    fused_block: int | None = None


@dataclass(frozen=True)
class ModelCode:
    """A model's library as text.

    Attributes:
        name: the C name.
        files: content by path relative to `lib/<name>/`.
        layers: those that run code, in order.
        sha256: of the `.tflite`, in hex.
        weight_bytes: bytes of all constant arrays.
        stateful: whether it keeps a state from one inference to the next.
        arena_bound: bytes that no arena for this order of layers can go below.
    """

    name: str
    files: Mapping[str, str | bytes]
    layers: tuple[GeneratedLayer, ...]
    sha256: str
    weight_bytes: int
    stateful: bool
    arena_bound: int


def generate_model(
    graph: Graph,
    plan: MemoryPlan,
    cmsis: CmsisNN,
    tflite: bytes,
    *,
    emit_tflite_array: bool = False,
) -> ModelCode:
    """Write the C of a planned graph.

    Args:
        graph: named by a C identifier.
        plan: from `plan_memory`.
        cmsis: where CMSIS-NN's sources are copied from.
        tflite: the model file, for its digest and, if asked for, as a C array.
        emit_tflite_array: add the model file itself as `<name>_tflite.c`.
    """
    name = graph.name
    layers = tuple(_layers(graph, plan))
    kernels = [layer.kernel for layer in layers]
    uses_cmsis = any(kernel.library == "CMSIS-NN" for kernel in kernels)
    sha256 = hashlib.sha256(tflite).hexdigest()
    constants = ConstantArrays((layer.function, layer.kernel) for layer in layers)
    code = layer_code(graph, plan, kernels, constants)
    conversions = _conversions(graph)
    common = {"name": name, "NAME": name.upper(), "version": VERSION}
    model = _model_context(graph, plan, layers, sha256)
    initial = list(_initial_states(graph, plan))
    arrays = constants.arrays + initial
    total = constants.size + sum(array["length"] for array in initial)

    files: dict[str, str | bytes] = {
        f"{name}.h": render("model/model.h.j2", **common, model=model),
        f"{name}.c": render(
            "model/model.c.j2",
            **common,
            model=model,
            shared=code.shared,
            layers=[
                _layer_context(graph, index, layer, body)
                for index, (layer, body) in enumerate(zip(layers, code.bodies, strict=True))
            ],
            uses_cmsis_nn=uses_cmsis,
            calls=list(_calls(graph, plan, layers)),
            headers=sorted(
                {kernel.header for kernel in kernels if kernel.library == "tinyflow"}
                | ({_ROWS_HEADER} if plan.fused_blocks else set())
                | ({_CONVERSIONS_HEADER} if conversions else set())
            ),
        ),
        f"{name}_weights.h": render("model/weights.h.j2", **common, arrays=arrays),
        f"{name}_weights.c": render("model/weights.c.j2", **common, arrays=arrays, total=total),
    }
    files |= _portable_sources(kernels) | _firmware_kernels(conversions)
    if plan.fused_blocks:
        files |= _firmware_kernels({_ROWS_HEADER})
    files |= _generated_sources(kernels)
    if uses_cmsis:
        files |= _cmsis_sources(cmsis, kernels)
    if emit_tflite_array:
        files |= _tflite_array(common, tflite)
    flags = ["-I."] + [
        f"-I{folder}"
        for folder in ("kernels", "cmsis_nn/Include")
        if any(path.startswith(folder + "/") for path in files)
    ]
    files["library.json"] = render("model/library.json.j2", **common, flags=json.dumps(flags))
    return ModelCode(
        name, files, layers, sha256, total, bool(plan.states), arena_bound=plan.lower_bound
    )


def _layers(graph: Graph, plan: MemoryPlan) -> Iterator[GeneratedLayer]:
    fused_blocks = {
        position: number
        for number, fused_block in enumerate(plan.fused_blocks)
        for position in range(fused_block.first, fused_block.end)
    }
    running = [i for i, kernel in enumerate(plan.kernels) if not kernel.aliases_input]
    for index, position in enumerate(running):
        kernel = plan.kernels[position]
        title = kernel.operator.title.lower().replace("+", "_")
        function = f"{graph.name}_layer_{index:02d}_{title}"
        yield GeneratedLayer(function, kernel, fused_blocks.get(position))


def _calls(
    graph: Graph, plan: MemoryPlan, layers: tuple[GeneratedLayer, ...]
) -> Iterator[dict[str, Any]]:
    """Yield an inference's calls, in order: whole layers, and fused blocks with their steps."""
    numbered = enumerate(layers)
    for fused_block, group in groupby(numbered, key=lambda pair: pair[1].fused_block):
        members = list(group)
        if fused_block is None:
            yield from ({"function": layer.function, "members": ()} for _, layer in members)
            continue
        first, last = members[0][0], members[-1][0]
        found = plan.fused_blocks[fused_block]
        yield {
            "function": f"{graph.name}_rows_{first:02d}_to_{last:02d}",
            "first": first,
            "last": last,
            "members": [layer.function for _, layer in members],
            "steps": literals(np.array(found.steps) - found.first),
        }


def _model_context(
    graph: Graph, plan: MemoryPlan, layers: tuple[GeneratedLayer, ...], sha256: str
) -> dict[str, Any]:
    return {
        "title": graph.name,
        "sha256": sha256,
        "macs": sum(layer.kernel.macs for layer in layers),
        "layer_count": len(layers),
        "activations": _activations(graph),
        "arena_size": plan.arena_size,
        "lower_bound": plan.lower_bound,
        "arena_is_optimal": plan.is_optimal,
        "has_state": bool(plan.states),
        "resets_state": bool(plan.states) and graph.resets_state,
        "state_size": plan.state_size,
        "states": [_state_context(graph, plan, index) for index in plan.states],
        "arena_map": [
            {
                "offset": plan.tensors[index],
                "size": graph.tensors[index].size,
                "title": layer_title(graph.tensors[index].name),
            }
            for index in plan.tensors
        ],
        "rings": [
            {
                "offset": ring.offset,
                "size": ring.rows * row_bytes(graph, index),
                "rows": ring.rows,
                "title": layer_title(graph.tensors[index].name),
            }
            for index, ring in plan.rings.items()
        ],
        "inputs": [
            _edge(plan, i, graph.tensors[index], index, seen)
            for i, (index, seen) in enumerate(zip(graph.inputs, graph.input_tensors(), strict=True))
        ],
        "outputs": [
            _edge(plan, i, graph.tensors[index], index, seen)
            for i, (index, seen) in enumerate(
                zip(graph.outputs, graph.output_tensors(), strict=True)
            )
        ],
    }


def _activations(graph: Graph) -> str:
    """The types that layers compute with, the narrower first."""
    found = {graph.tensors[index].dtype for op in graph.operators for index in op.outputs()}
    return " and ".join(dtype.value for dtype in (DType.INT8, DType.INT16) if dtype in found)


def _edge(
    plan: MemoryPlan, position: int, tensor: Tensor, index: TensorId, seen: Tensor
) -> dict[str, Any]:
    """An input or output in the arena, and what the caller sees of it."""
    low, high = _RANGES.get(tensor.dtype, (0, 0))
    quantized = tensor.quantization is not None and tensor.dtype in _RANGES
    return {
        "index": position,
        "title": layer_title(seen.name),
        "c_type": tensor.dtype.c_type,
        "size": tensor.size,
        "elements": tensor.elements,
        "shape": seen.shape,
        "offset": plan.tensors[index],
        "in_float": seen is not tensor,
        "suffix": _SUFFIXES.get(tensor.dtype),
        "quantized": quantized,
        "scale": tensor.q.scale if quantized else 0.0,
        "zero_point": tensor.q.zero_point if quantized else 0,
        "low": low,
        "high": high,
    }


def _layer_context(graph: Graph, index: int, layer: GeneratedLayer, body: str) -> dict[str, Any]:
    operator = layer.kernel.operator
    return {
        "index": index,
        "kind": operator.title,
        "title": layer_title(operator.name),
        "function": layer.function,
        "shapes": _shapes(graph, layer.kernel),
        "by_rows": layer.fused_block is not None,
        "body": body,
    }


def _state_context(graph: Graph, plan: MemoryPlan, index: TensorId) -> dict[str, Any]:
    """Return the placement and reset of a state: all bytes to one value, or to an array's."""
    tensor = graph.tensors[index]
    return {
        "offset": plan.states[index],
        "size": tensor.size,
        "title": layer_title(tensor.name),
        "fill": _fill(tensor),
        "initial": _initial_name(graph, plan, index),
    }


def _fill(tensor: Tensor) -> int | None:
    """The value of every byte of a state's initial value, None if they differ."""
    assert tensor.initial is not None
    content = tensor.initial.tobytes()
    return content[0] if content == content[:1] * len(content) else None


def _initial_name(graph: Graph, plan: MemoryPlan, index: TensorId) -> str:
    return f"{graph.name}_state_{list(plan.states).index(index):02d}_initial"


def _initial_states(graph: Graph, plan: MemoryPlan) -> Iterator[dict[str, Any]]:
    """The initial values that are not one byte repeated, as arrays in flash."""
    for index in plan.states:
        tensor = graph.tensors[index]
        if _fill(tensor) is None:
            assert tensor.initial is not None
            yield {
                "name": _initial_name(graph, plan, index),
                "c_type": "uint8_t",
                "length": tensor.size,
                "comment": f"The state at {plan.states[index]} after a reset, its bytes",
                "body": literals(np.frombuffer(tensor.initial.tobytes(), np.uint8)),
            }


def _shapes(graph: Graph, kernel: Kernel) -> str:
    def shown(tensor: Tensor) -> str:
        return "x".join(str(extent) for extent in tensor.shape) + f" {tensor.dtype.value}"

    operator = kernel.operator
    sources = [
        shown(graph.tensors[index])
        for index in operator.inputs()
        if not graph.tensors[index].is_constant
    ]
    results = [shown(graph.tensors[index]) for index in operator.outputs()]
    return f"{' and '.join(sources)} -> {' and '.join(results)}, {kernel.function}"


def _portable_sources(kernels: list[Kernel]) -> dict[str, bytes]:
    own = [kernel for kernel in kernels if kernel.library == "tinyflow"]
    named = {file for kernel in own for file in (kernel.source, kernel.header, *kernel.needs)}
    files = {file for file in named if file is not None}
    if own:
        files.add("tinyflow_requantize.h")
    return _firmware_kernels(files)


def _firmware_kernels(names: Iterable[str]) -> dict[str, bytes]:
    return {f"kernels/{file}": (FIRMWARE / "kernels" / file).read_bytes() for file in sorted(names)}


def _conversions(graph: Graph) -> set[str]:
    """The files of `firmware/kernels` that convert float inputs and outputs."""
    files = {"tinyflow_quantize.c"} if graph.float_inputs else set()
    files |= {"tinyflow_dequantize.c"} if graph.float_outputs else set()
    return files | {_CONVERSIONS_HEADER} if files else files


def _generated_sources(kernels: list[Kernel]) -> dict[str, str]:
    """The files of the kernels' variants, each written once."""
    sources = {source.file: source for kernel in kernels for source in kernel.sources}
    return {
        f"kernels/{file}": render(
            f"kernels/{source.template}", file=file, **dict(source.parameters)
        )
        for file, source in sorted(sources.items())
    }


def _cmsis_sources(cmsis: CmsisNN, kernels: list[Kernel]) -> dict[str, bytes]:
    """The headers and the sources the kernels reach; none if PlatformIO fetches them."""
    if cmsis.root is None:
        return {}
    functions = {kernel.function for kernel in kernels if kernel.library == "CMSIS-NN"}
    files = {f"cmsis_nn/Include/{name}": path for name, path in cmsis.headers().items()}
    files |= {f"cmsis_nn/{path.relative_to(cmsis.root)}": path for path in cmsis.closure(functions)}
    files |= {
        f"cmsis_nn/{path.name}": path
        for pattern in ("LICENSE*", "*PROVENANCE*")
        for path in sorted(cmsis.root.glob(pattern))
    }
    return {name: path.read_bytes() for name, path in files.items()}


def _tflite_array(common: Mapping[str, str], tflite: bytes) -> dict[str, str]:
    body = literals(np.frombuffer(tflite, np.uint8))
    return {
        f"{common['name']}_tflite.h": render("model/tflite.h.j2", **common, length=len(tflite)),
        f"{common['name']}_tflite.c": render(
            "model/tflite.c.j2", **common, length=len(tflite), body=body
        ),
    }
