# SPDX-License-Identifier: Apache-2.0
"""Changes to the graph between import and the choice of kernels; none changes a result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Protocol

from tinyflow.ir.graph import Graph
from tinyflow.ir.verifier import verify
from tinyflow.passes.activations import fuse_activations
from tinyflow.passes.chained_tables import merge_tables
from tinyflow.passes.dead_channels import drop_channels
from tinyflow.passes.duplicates import share_duplicates
from tinyflow.passes.float_subgraphs import Evaluate, tabulate_float_subgraphs
from tinyflow.passes.identities import reshape_identities
from tinyflow.passes.padding import fold_padding
from tinyflow.passes.reshape_after_elementwise import reshape_after_elementwise
from tinyflow.passes.reshape_before_pad import reshape_before_pad
from tinyflow.passes.reshapes import bypass_reshapes
from tinyflow.passes.unread import drop_unread

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Sees every pass that has run."""

    def passed(self, name: str, round_: int, graph: Graph) -> None:
        """A pass has run.

        Args:
            name: the pass: its function's name.
            round_: how many times the list was begun by then; 0 for passes outside of the list.
            graph: the result, which is the pass's own argument if it found nothing to do.
        """


class Unobserved:
    """Looks at nothing."""

    def passed(self, name: str, round_: int, graph: Graph) -> None:
        """Ignore a pass."""


UNOBSERVED = Unobserved()

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


def optimise(
    graph: Graph,
    content: bytes,
    path: Path,
    evaluate: Evaluate,
    observer: Observer = UNOBSERVED,
) -> Graph:
    """The graph after all passes, verified; tensors keep their indices.

    Args:
        graph: as imported from the file.
        content: the `.tflite` file's bytes.
        path: where they came from, for messages only.
        evaluate: runs parts of the model by the reference kernels.
        observer: sees every pass that has run.

    Raises:
        TinyflowError: the oracle refuses a part of the model.
    """
    tabulated = tabulate_float_subgraphs(graph, content, path, evaluate)
    _note(tabulate_float_subgraphs.__name__, 0, graph, tabulated, observer)
    return rewrite(tabulated, observer)


def rewrite(graph: Graph, observer: Observer = UNOBSERVED) -> Graph:
    """The graph after those passes that need no file, repeated until none finds anything more."""
    changed = graph
    for round_ in count(1):
        before = changed
        for rewritten in PASSES:
            given, changed = changed, rewritten(changed)
            _note(rewritten.__name__, round_, given, changed, observer)
        verify(changed)
        if changed is before:
            _log.info(
                "%d operators became %d in %d rounds",
                len(graph.operators),
                len(changed.operators),
                round_,
            )
            break
    return changed


def _note(name: str, round_: int, before: Graph, after: Graph, observer: Observer) -> None:
    """Log what a pass did, and show it to the observer."""
    if after is not before:
        counts = len(before.operators), len(after.operators)
        _log.debug("%s, round %d: %d operators, then %d", name, round_, *counts)
    observer.passed(name, round_, after)
