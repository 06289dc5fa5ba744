"""Measures kernels on a board and fits their costs.

A layer is timed alone, with cold caches: inside of a network the layers between have driven its
code and weights out of caches as small as these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from tinyflow.boards import Board
from tinyflow.cache import ContentHash
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.cost import CostTable, KernelCosts, board_key, kernel_name
from tinyflow.progress import Progress
from tinyflow.trial import Trial
from tinyflow.tune.digest import kernel_digest, model_digest
from tinyflow.tune.fit import fit_relative
from tinyflow.tune.probes import Probe, probes


@dataclass(frozen=True)
class Measured:
    """A kernel's figures on one probe."""

    work: Mapping[str, int]
    cycles: int
    instructions: int
    code: Mapping[str, int]
    layer_bytes: int


@dataclass(frozen=True)
class _Shape:
    """One kernel on one probe, still to be measured."""

    probe: Probe
    kernel: Kernel


def measure_costs(
    kinds: Iterable[type[Operator]],
    board: Board,
    cmsis: CmsisNN,
    progress: Progress,
    former: CostTable | None = None,
) -> CostTable:
    """The costs of all kernels that serve some kinds of operators.

    Args:
        kinds: of operators; those that are not measured are passed over.
        board: the board.
        cmsis: the copy of CMSIS-NN that is measured.
        progress: told about every kernel.
        former: a table, of which entries that are not stale are kept.
    """
    kept = former.kernels if former is not None and former.model == model_digest() else {}
    found: dict[str, KernelCosts] = {}
    with ProcessPoolExecutor() as pool:
        for name, shapes in sorted(kernel_shapes(kinds, board, cmsis).items()):
            digest = shapes_digest(shapes, cmsis)
            if name in kept and kept[name].digest == digest:
                found[name] = kept[name]
                continue
            progress.line(f"{name}, {len(shapes)} shapes")
            measured = pool.map(_measure, shapes, [board] * len(shapes), [cmsis] * len(shapes))
            found[name] = _fit(digest, list(measured))
    return CostTable(board=board_key(board), model=model_digest(), kernels=found)


def kernel_shapes(
    kinds: Iterable[type[Operator]], board: Board, cmsis: CmsisNN
) -> dict[str, list[_Shape]]:
    """By `kernel_name`, the probes that each kernel with a `work` serves."""
    found: dict[str, list[_Shape]] = {}
    for kind in kinds:
        for probe in probes(kind):
            (operator,) = probe.graph.operators
            for kernel in candidates(operator, probe.graph, board, cmsis).kernels:
                if kernel.work:
                    found.setdefault(kernel_name(kernel), []).append(_Shape(probe, kernel))
    return found


def shapes_digest(shapes: Iterable[_Shape], cmsis: CmsisNN) -> str:
    """A hash of what measuring a kernel on its probes depends on."""
    digest = ContentHash()
    for shape in shapes:
        digest.add(shape.probe.name, kernel_digest(shape.kernel, cmsis))
    return digest.key()[:16]


def _measure(shape: _Shape, board: Board, cmsis: CmsisNN) -> Measured:
    trial = Trial(shape.probe.graph, [shape.kernel], board, cmsis)
    (layer,) = trial.time(*shape.probe.inputs, warm=False).layers
    return Measured(
        shape.kernel.work,
        layer.cycles,
        layer.instructions,
        trial.shared_code(),
        trial.layer_bytes(),
    )


def _fit(digest: str, measured: list[Measured]) -> KernelCosts:
    names = sorted({name for one in measured for name in one.work})
    work = np.array([[one.work.get(name, 0) for name in names] for one in measured], np.float64)
    cycles = np.array([one.cycles for one in measured], np.float64)
    instructions = np.array([one.instructions for one in measured], np.float64)
    fitted = fit_relative(work, cycles)
    errors = np.abs(work @ fitted / cycles - 1)
    return KernelCosts(
        digest=digest,
        cycles=dict(zip(names, _rounded(fitted), strict=True)),
        instructions=dict(zip(names, _rounded(fit_relative(work, instructions)), strict=True)),
        code=dict(sorted({k: v for one in measured for k, v in one.code.items()}.items())),
        layer_bytes=max(one.layer_bytes for one in measured),
        points=len(measured),
        error_percent=round(100 * float(errors.max()), 1),
    )


def _rounded(values: Iterable[float]) -> Iterator[float]:
    """Few enough digits that the last bits of the machine's arithmetic do not show."""
    return (float(f"{value:.6g}") for value in values)
