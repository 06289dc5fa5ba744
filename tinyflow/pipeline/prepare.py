# SPDX-License-Identifier: Apache-2.0
"""Stage 1: what the user gave becomes an optimised graph, test vectors and test samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyflow.arrays import Array
from tinyflow.codegen.c_names import c_identifier, model_name
from tinyflow.datasets.task import Task
from tinyflow.ir.graph import Graph
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.imported import import_file, optimised_graph
from tinyflow.pipeline.quantize import (
    Quantised,
    device_inputs,
    quantise_keras,
    read_quantised,
    with_data,
)
from tinyflow.pipeline.score import check_limits, task_of
from tinyflow.tflite.file import is_tflite


@dataclass(frozen=True)
class Prepared:
    """A model that is ready to be compiled, and the data to judge it by.

    Attributes:
        quantised: the quantised model, and what is known of the float model.
        graph: after all passes.
        task: what the model's outputs mean; None without test labels.
        vectors: inputs whose outputs are compared with the oracle.
        test: all test samples, as the device takes them.
    """

    quantised: Quantised
    graph: Graph
    task: Task | None
    vectors: list[tuple[Array, ...]]
    test: list[tuple[Array, ...]]


def prepare(context: BuildContext) -> Prepared:
    """Prune and quantise a Keras model, or read a .tflite; import and optimise it.

    Raises:
        TinyflowError: the model or the data is refused; says why.
    """
    request = context.request
    name = c_identifier(request.name) if request.name else model_name(request.model)
    if is_tflite(request.model):
        tflite = read_quantised(request)
        imported = import_file(tflite, request.model, name)
        quantised = with_data(request, tflite, imported.graph)
    else:
        quantised = quantise_keras(context)
        imported = import_file(quantised.tflite, request.model, name)
    context.observer.imported(imported.graph)
    graph = optimised_graph(imported, request.model, context.observer)
    source = str(request.test) if isinstance(request.test, str | Path) else "test data"
    task = task_of(graph, quantised, source)
    check_limits(request.budget, task)
    vectors, test = device_inputs(graph, quantised, request.vectors)
    return Prepared(quantised, graph, task, vectors, test)
