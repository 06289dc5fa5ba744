# SPDX-License-Identifier: Apache-2.0
"""A quantised graph through BakeNN (PyPI's `bakenn`): its C, compiled for a board of ours.

BakeNN compiles ahead of time as tinyflow does, and chooses between portable C, its own kernels
and CMSIS-NN 4.0.0, which it carries.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bakenn
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from bakenn.backend.portable_c import CBackendOptions, KernelPolicy
from bakenn.ir import QuantizedGraph

from tinyflow.boards import Board
from tinyflow.timing.traced_run import compile_code
from tinyflow.toolchain.elf import Image

PORTABLE = CBackendOptions()
#: BakeNN's own kernels for the DSP extension.
DSP = CBackendOptions(kernel_policy=KernelPolicy.STATIC_PRIORITY, target=bakenn.CORTEX_M4)
#: The same and CMSIS-NN, which come first where both support a layer.
CMSIS_NN = replace(DSP, enable_cmsis_nn=True)

_FLAGS = (
    "-O2", "-fhosted", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections",
    "-Wl,--undefined=infer,--undefined=output",
    "-DBAKENN_CMSIS_NN_BUILTIN_MEMORY",
)  # fmt: skip
#: The input lies in RAM, as it does on a board: constants would be read from flash.
_RUNNER = """\
#include "bknn_{name}.h"
#include <stdint.h>

int8_t input[] = {{{values}}};
int8_t output[{outputs}];
static _Alignas(16) uint8_t arena[BKNN_{upper}_ARENA_SIZE > 0u ? BKNN_{upper}_ARENA_SIZE : 1u];

void infer(void);
__attribute__((noinline)) void infer(void) {{ bknn_{name}_infer(arena, input, output); }}
"""


@dataclass(frozen=True)
class BakedModel:
    """BakeNN's translation of a graph.

    Attributes:
        image: calls the model by `infer()`, which reads `input` and writes `output`.
        ram: bytes of its arena, input and output.
    """

    image: Image
    ram: int


def bake(
    graph: QuantizedGraph,
    board: Board,
    options: CBackendOptions,
    *,
    name: str,
    codes: Sequence[int],
) -> BakedModel:
    """Compile a graph of one int8 input and one int8 output.

    Args:
        graph: the graph.
        board: the board.
        options: which of BakeNN's kernels are chosen.
        name: of the model in C.
        codes: the elements of the input.
    """
    with tempfile.TemporaryDirectory(prefix="tinyflow-") as folder:
        made = bakenn.compile(
            graph, Path(folder) / "generated", model_name=name, backend_options=options
        ).artifacts
        files = (
            made.model_source, made.weights_source, made.kernels_source, *made.support_sources,
        )  # fmt: skip
        sources = {path.name: path.read_text() for path in map(Path, files)}
        outputs = int(np.prod(graph.values[graph.outputs[0]].shape))
        sources["runner.c"] = _RUNNER.format(
            name=name,
            upper=name.upper(),
            values=", ".join(str(code) for code in codes),
            outputs=outputs,
        )
        headers = [Path(made.output_dir), *map(Path, made.support_include_dirs)]
        image = compile_code(
            sources,
            board,
            flags=[*_FLAGS, *(f"-I{path.resolve()}" for path in headers)],
            libraries=("c", "gcc"),
        )
    return BakedModel(image, made.memory_report.arena_bytes + len(codes) + outputs)


def for_bakenn(content: bytes) -> bytes:
    """A `.tflite` as BakeNN's importer takes it; what it computes stays the same but for the end.

    A last SOFTMAX, for which BakeNN has no kernel, is left off. Shape signatures, which leave the
    batch open, go, and RESHAPE gets the options that older converters left out.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    for tensor in graph.tensors:
        tensor.shapeSignature = None
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    if codes[graph.operators[-1].opcodeIndex] == schema.BuiltinOperator.SOFTMAX:
        graph.outputs = [graph.operators.pop().inputs[0]]
        model.signatureDefs = None
    for operator in graph.operators:
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.RESHAPE:
            operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
            operator.builtinOptions = schema.ReshapeOptionsT()
            operator.builtinOptions.newShape = list(graph.tensors[operator.outputs[0]].shape)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
