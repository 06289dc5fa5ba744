"""Changes to the graph between import and the choice of kernels; none changes a result."""

from __future__ import annotations

from pathlib import Path

from tinyflow.ir.graph import Graph
from tinyflow.ir.verify import verify
from tinyflow.passes.islands import tabulate_islands


def optimise(graph: Graph, content: bytes, path: Path) -> Graph:
    """The graph after all passes, verified; tensors keep their indices.

    Args:
        graph: as imported from the file.
        content: the `.tflite` file's bytes.
        path: where they came from, for messages only.

    Raises:
        TinyflowError: the oracle refuses a part of the model.
    """
    changed = tabulate_islands(graph, content, path)
    verify(changed)
    return changed
