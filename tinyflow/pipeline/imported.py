# SPDX-License-Identifier: Apache-2.0
"""A .tflite file becomes an optimised graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyflow.datasets.dataset import InputSpec, sample_shape
from tinyflow.ir.graph import Graph
from tinyflow.oracle.constants import fold_constants
from tinyflow.oracle.process import first_output
from tinyflow.passes import UNOBSERVED, Observer, optimise
from tinyflow.passes.float_ends import convert_at_ends
from tinyflow.tflite.importer import import_model


@dataclass(frozen=True)
class Imported:
    """A .tflite file as imported.

    Attributes:
        content: the file's bytes with its constant parts folded.
        graph: before any pass.
    """

    content: bytes
    graph: Graph


def import_file(tflite: bytes, path: Path, name: str = "model") -> Imported:
    """Fold the constants of a .tflite file and import it.

    Args:
        tflite: the file's bytes.
        path: where they came from, for messages only.
        name: of the model, a C identifier.

    Raises:
        TinyflowError: the file is no model that can be compiled.
    """
    folded = fold_constants(tflite, path)
    return Imported(folded, import_model(folded, path, name=name))


def input_specs(graph: Graph) -> list[InputSpec]:
    """Return what a model's inputs take: values of their type, or real numbers.

    Args:
        graph: as imported, before any pass.
    """
    return [
        InputSpec(tensor.name, sample_shape(tensor.shape), tensor.dtype.value, accepts_float=True)
        for tensor in graph.input_tensors()
    ]


def optimised_graph(imported: Imported, path: Path, observer: Observer = UNOBSERVED) -> Graph:
    """Run all passes, and convert float inputs and outputs outside of the graph.

    Args:
        imported: the file.
        path: where it came from, for messages only.
        observer: sees every pass that has run.

    Raises:
        TinyflowError: the oracle refuses a part of the model.
    """
    optimised = optimise(imported.graph, imported.content, path, first_output, observer)
    graph = convert_at_ends(optimised)
    observer.passed(convert_at_ends.__name__, 0, graph)
    return graph
