"""Changes to the graph between import and the choice of kernels; none changes a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tinyflow.ir.graph import Graph
from tinyflow.ir.verify import verify
from tinyflow.passes.activations import fuse_activations
from tinyflow.passes.channels import drop_channels
from tinyflow.passes.duplicates import share_duplicates
from tinyflow.passes.identities import reshape_identities
from tinyflow.passes.islands import tabulate_islands
from tinyflow.passes.padding import fold_padding
from tinyflow.passes.reshape_after_elementwise import reshape_after_elementwise
from tinyflow.passes.reshape_before_pad import reshape_before_pad
from tinyflow.passes.reshapes import bypass_reshapes
from tinyflow.passes.tables import merge_tables
from tinyflow.passes.unread import drop_unread

#: Passes in the order they run; each returns the same object where it finds nothing to do.
PASSES: tuple[Callable[[Graph], Graph], ...] = (
    drop_unread,
    share_duplicates,
    reshape_identities,
    reshape_before_pad,
    reshape_after_elementwise,
    bypass_reshapes,
    fuse_activations,
    merge_tables,
    fold_padding,
    drop_channels,
)


def optimise(graph: Graph, content: bytes, path: Path) -> Graph:
    """The graph after all passes, verified; tensors keep their indices.

    Args:
        graph: as imported from the file.
        content: the `.tflite` file's bytes.
        path: where they came from, for messages only.

    Raises:
        TinyflowError: the oracle refuses a part of the model.
    """
    return rewrite(tabulate_islands(graph, content, path))


def rewrite(graph: Graph) -> Graph:
    """The graph after those passes that need no file, repeated until none finds anything more."""
    changed = graph
    while True:
        before = changed
        for rewritten in PASSES:
            changed = rewritten(changed)
        verify(changed)
        if changed is before:
            return changed
