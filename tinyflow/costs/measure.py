# SPDX-License-Identifier: Apache-2.0
"""Measures kernels on a board and fits their costs.

A layer is timed alone, with cold caches: in a network, the other layers evict its code and
weights from caches as small as these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np

from tinyflow.boards import Board
from tinyflow.costs.digest import kernel_digest, model_digest, source_text
from tinyflow.costs.least_squares import Floats, fit_relative
from tinyflow.costs.object_size import object_code
from tinyflow.costs.probes import Probe, probes, side_by_side
from tinyflow.costs.table import (
    CostTable,
    FamilyCode,
    KernelCosts,
    SourceSize,
    board_key,
    dissimilarity,
    kernel_family,
    kernel_name,
    source_parameters,
)
from tinyflow.costs.trial import Trial
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.portable.window_rows import row_kernel
from tinyflow.progress import Progress
from tinyflow.storage.cache import ContentHash


@dataclass(frozen=True)
class ProbedKernel:
    """A kernel on a probe."""

    probe: Probe
    kernel: Kernel


#: Most bytes of activations and scratch in one trial.
_PART_BYTES = 65536

#: Fewest probes that a portable row kernel is measured on.
_ROW_SHAPES = 12
#: Probes that each kernel supports, by `kernel_family` and `kernel_name`.
Families = dict[str, dict[str, list[ProbedKernel]]]


@dataclass(frozen=True)
class _Measured:
    """A kernel's figures on one probe."""

    work: Mapping[str, int]
    cycles: int
    instructions: int
    code: Mapping[str, int]
    layer_bytes: int


def measure_costs(
    kinds: Iterable[type[Operator]],
    board: Board,
    cmsis: CmsisNN,
    progress: Progress,
    former: CostTable | None = None,
) -> CostTable:
    """The costs of all kernels of some kinds of operators.

    Args:
        kinds: of operators; those that are not measured are passed over.
        board: the board.
        cmsis: the copy of CMSIS-NN that is measured.
        progress: shows every kernel.
        former: a table whose entries are kept unless stale.

    Raises:
        BuildError: the compiler refused a kernel.
        DeviceError: a kernel faulted.
    """
    if former is not None and former.model != model_digest():
        former = None
    families = kernel_shapes(kinds, board, cmsis)
    kernels: dict[str, KernelCosts] = {}
    code: dict[str, FamilyCode] = {}
    with ProcessPoolExecutor() as pool:
        sizes, generated = _source_sizes(families, board, pool)
        for family, variants in sorted(families.items()):
            digests = {name: shapes_digest(shapes, cmsis) for name, shapes in variants.items()}
            kept = {} if former is None else _kept(former, digests)
            if former is not None and kept.keys() == digests.keys():
                kernels |= kept
                code[family] = former.families[family]
                continue
            measured = {}
            for name, shapes in sorted(variants.items()):
                progress.line(f"{name}: {len(shapes)} shapes")
                parts = pool.map(_measure, _parts(shapes), repeat(board), repeat(cmsis))
                measured[name] = [one for part in parts for one in part]
            kernels |= _fit_family(digests, measured)
            code[family] = _family_code(measured, generated)
    return CostTable(
        board=board_key(board),
        model=model_digest(),
        families=code,
        kernels=dict(sorted(kernels.items())),
        sources=sizes,
    )


def kernel_shapes(kinds: Iterable[type[Operator]], board: Board, cmsis: CmsisNN) -> Families:
    """All kernels with a `work`, and the probes to measure them on."""
    found: Families = {}
    for kind in kinds:
        for probe in probes(kind):
            (operator,) = probe.graph.operators
            for kernel in candidates(operator, probe.graph, board, cmsis).kernels:
                if kernel.work:
                    variants = found.setdefault(kernel_family(kernel), {})
                    variants.setdefault(kernel_name(kernel), []).append(ProbedKernel(probe, kernel))
        for shape in _row_shapes(kind, board):
            variants = found.setdefault(kernel_family(shape.kernel), {})
            variants.setdefault(kernel_name(shape.kernel), []).append(shape)
    return found


def _row_shapes(kind: type[Operator], board: Board) -> Iterator[ProbedKernel]:
    """Portable kernels that compute rows, on some of the probes: they are slow, but regular."""
    found = probes(kind)
    for probe in found[:: max(1, len(found) // _ROW_SHAPES)]:
        (operator,) = probe.graph.operators
        kernel = row_kernel(operator, probe.graph, board)
        if kernel is not None:
            yield ProbedKernel(probe, kernel)


def shapes_digest(shapes: Iterable[ProbedKernel], cmsis: CmsisNN) -> str:
    """A hash of what measuring a kernel on its probes depends on."""
    digest = ContentHash()
    for shape in shapes:
        digest.add(shape.probe.name, kernel_digest(shape.kernel, cmsis))
    return digest.key()[:16]


def _kept(former: CostTable, digests: Mapping[str, str]) -> dict[str, KernelCosts]:
    return {
        name: former.kernels[name]
        for name, digest in digests.items()
        if name in former.kernels and former.kernels[name].digest == digest
    }


def _parts(shapes: Sequence[ProbedKernel]) -> list[list[ProbedKernel]]:
    """The shapes in parts that fit a small board's memory together."""
    parts: list[list[ProbedKernel]] = []
    room = 0
    for shape in shapes:
        tensors = shape.probe.graph.tensors
        needed = shape.kernel.scratch + sum(one.size for one in tensors if not one.is_constant)
        if not parts or needed > room:
            parts.append([])
            room = _PART_BYTES
        parts[-1].append(shape)
        room -= needed
    return parts


def _measure(shapes: Sequence[ProbedKernel], board: Board, cmsis: CmsisNN) -> list[_Measured]:
    """Time layers that are compiled together, each by itself."""
    probe = side_by_side([shape.probe for shape in shapes])
    kernels = [
        replace(shape.kernel, operator=operator)
        for shape, operator in zip(shapes, probe.graph.operators, strict=True)
    ]
    trial = Trial(probe.graph, kernels, board, cmsis)
    code, layer_bytes = trial.shared_code(), -(-trial.layer_bytes() // len(shapes))
    timings = trial.time_layers(*probe.inputs)
    return [
        _Measured(
            kernel.work,
            timings[kernel.operator].cycles,
            timings[kernel.operator].instructions,
            code,
            layer_bytes,
        )
        for kernel in kernels
    ]


# ---- generated files ----


def _source_sizes(
    families: Families, board: Board, pool: Executor
) -> tuple[tuple[SourceSize, ...], frozenset[str]]:
    """The sizes of all generated files, and all symbols that they define."""
    shapes = (
        shape for variants in families.values() for all_ in variants.values() for shape in all_
    )
    sources = {source.file: source for shape in shapes for source in shape.kernel.sources}
    files = sorted(sources)
    texts = [source_text(sources[file]) for file in files]
    objects = list(pool.map(object_code, files, texts, repeat(board)))
    sizes = {
        (source.template, source_parameters(source)): code.size
        for source, code in zip(map(sources.__getitem__, files), objects, strict=True)
    }
    defined: frozenset[str] = frozenset().union(*(code.symbols for code in objects))
    return tuple(
        SourceSize(template=template, parameters=dict(parameters), bytes=size)
        for (template, parameters), size in sorted(sizes.items(), key=str)
    ), defined


# ---- the fit ----


#: Weight of a measurement of a very similar variant relative to one of the variant itself, how fast
#: that falls with `dissimilarity`, and what one of any variant counts at least.
_SIMILAR, _FALL, _LEAST = 0.1, 4.0, 1e-4


def _fit_family(
    digests: Mapping[str, str], measured: Mapping[str, list[_Measured]]
) -> dict[str, KernelCosts]:
    """Fit each variant; similar variants' measurements count where its own are few."""
    everything = [(name, one) for name, variant in measured.items() for one in variant]
    points = [one for _, one in everything]
    terms = sorted({term for one in points for term in one.work})
    work, cycles = _work(points, terms), _figures(points, "cycles")
    instructions = _figures(points, "instructions")
    found = {}
    for variant, own in measured.items():
        weights = np.array([_weight(variant, name) for name, _ in everything], np.float64)
        fitted = fit_relative(work, cycles, weights)
        errors = np.abs(_work(own, terms) @ fitted / _figures(own, "cycles") - 1)
        found[variant] = KernelCosts(
            digest=digests[variant],
            cycles=_coefficients(terms, fitted),
            instructions=_coefficients(terms, fit_relative(work, instructions, weights)),
            points=len(own),
            error_percent=round(100 * float(errors.max()), 1),
        )
    return found


def _family_code(measured: Mapping[str, list[_Measured]], generated: frozenset[str]) -> FamilyCode:
    everything = [one for variant in measured.values() for one in variant]
    code = {symbol: size for one in everything for symbol, size in one.code.items()}
    return FamilyCode(
        functions={name: code[name] for name in sorted(code.keys() - generated)},
        layer_bytes=max(one.layer_bytes for one in everything),
    )


def _weight(variant: str, other: str) -> float:
    if variant == other:
        return 1.0
    return max(_LEAST, _SIMILAR * math.exp(-_FALL * dissimilarity(variant, other)))


def _work(points: Iterable[_Measured], names: Iterable[str]) -> Floats:
    return np.array([[one.work.get(name, 0) for name in names] for one in points], np.float64)


def _figures(points: Iterable[_Measured], name: str) -> Floats:
    return np.array([getattr(one, name) for one in points], np.float64)


def _coefficients(names: Iterable[str], values: Iterable[float]) -> dict[str, float]:
    """Return non-zero coefficients by name, rounded for reproducibility."""
    found = ((name, float(f"{value:.6g}")) for name, value in zip(names, values, strict=True))
    return {name: value for name, value in found if value}
