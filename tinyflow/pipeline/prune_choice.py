# SPDX-License-Identifier: Apache-2.0
"""Choice of the channel counts that structured pruning keeps: those the board computes in the
fewest cycles.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyflow.compress.channel_sets import Granularity
from tinyflow.compress.prune import pruning_candidates
from tinyflow.datasets.dataset import Dataset
from tinyflow.distribution import VERSION
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.imported import import_file, optimised_graph
from tinyflow.pipeline.limits import choose
from tinyflow.storage.cache import ContentHash

#: Calibration samples by which forms are quantised: their costs depend on shapes.
_SAMPLES = 2


@dataclass(frozen=True)
class PruneChoice:
    """The form chosen.

    Attributes:
        granularity: of the numbers of channels that are kept; None: all are kept, since no form
            with fewer is as fast.
        cycles: predicted of the form, without fine-tuning; None if costs are not known.
        unpruned_cycles: predicted of the model as it is.
    """

    granularity: Granularity | None
    cycles: int | None
    unpruned_cycles: int | None


def choose_granularity(context: BuildContext, calibration: Dataset) -> PruneChoice:
    """Choose among all forms the one with the fewest predicted cycles, and of equals the smallest.

    No form with more cycles than the unpruned model is chosen.

    Raises:
        TinyflowError: a form cannot be converted or compiled.
    """
    request, cache, progress = context.request, context.cache, context.progress
    taken = calibration.take(_SAMPLES)
    key = ContentHash("prune candidates", VERSION, request.model, request.prune.ratio)
    key.add(request.prune.seed, *taken.inputs)

    def make(folder: Path) -> None:
        progress.stage("weigh numbers of channels")
        found = pruning_candidates(
            request.model, request.prune, taken, output=folder, on_line=progress.line
        )
        names = [
            [None if granularity is None else asdict(granularity), path.name]
            for granularity, path in found
        ]
        (folder / "candidates.json").write_text(json.dumps(names))

    entry = cache.fetch(key.key(), make, "the pruned forms")
    cmsis = context.cmsis
    key.add("choice", request.board.model_dump_json(), request.kernels, request.optimize)
    key.add(request.budget.model_dump_json(), cmsis.version, cmsis.origin)

    def weigh(folder: Path) -> None:
        forms = json.loads((entry / "candidates.json").read_text())
        cycles = [_predicted(context, entry / name) for _, name in forms]
        best = _best(cycles)
        chosen = {"granularity": forms[best][0], "cycles": cycles[best], "unpruned": cycles[0]}
        (folder / "choice.json").write_text(json.dumps(chosen))

    weighed = cache.fetch(key.key(), weigh, "the choice of a pruned form")
    chosen = json.loads((weighed / "choice.json").read_text())
    granularity = chosen["granularity"]
    return PruneChoice(
        None if granularity is None else Granularity(**granularity),
        chosen["cycles"],
        chosen["unpruned"],
    )


def _best(cycles: list[int | None]) -> int:
    """The place of the form to take; the first is the model as it is."""
    known = [(figure, place) for place, figure in enumerate(cycles) if figure is not None]
    if len(known) < len(cycles):  # kernels like fours, as a rule
        return min(2, len(cycles) - 1)
    # Of equals the one with channels removed.
    return min(known, key=lambda form: (form[0], form[1] == 0, form[1]))[1]


def _predicted(context: BuildContext, path: Path) -> int | None:
    """Cycles that a build for the request is predicted to take; None if that is not known."""
    graph = optimised_graph(import_file(path.read_bytes(), path), path)
    totals = choose(context, graph).choice.totals
    return None if totals is None else totals.cycles
