"""Measures kernels on a board and fits their costs.

A layer is timed alone, with cold caches: inside of a network the layers between have driven its
code and weights out of caches as small as these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from tinyflow.boards import Board
from tinyflow.cache import ContentHash
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel, Source
from tinyflow.kernels.candidates import candidates
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.cost import (
    CostTable,
    KernelCosts,
    SourceSize,
    board_key,
    dissimilarity,
    kernel_family,
    kernel_name,
)
from tinyflow.progress import Progress
from tinyflow.trial import Trial
from tinyflow.tune.digest import kernel_digest, model_digest, source_text
from tinyflow.tune.fit import Floats, fit_relative
from tinyflow.tune.objects import ObjectCode, object_code
from tinyflow.tune.probes import Probe, probes


@dataclass(frozen=True)
class Shape:
    """A kernel on a probe."""

    probe: Probe
    kernel: Kernel


#: By `kernel_family` and `kernel_name`, the probes that each kernel serves.
Families = dict[str, dict[str, list[Shape]]]


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
    """The costs of all kernels that serve some kinds of operators.

    Args:
        kinds: of operators; those that are not measured are passed over.
        board: the board.
        cmsis: the copy of CMSIS-NN that is measured.
        progress: told about every kernel.
        former: a table, of which what is not stale is kept.

    Raises:
        BuildError: the compiler refused a kernel.
        DeviceError: a kernel faulted.
    """
    if former is not None and former.model != model_digest():
        former = None
    families = kernel_shapes(kinds, board, cmsis)
    kernels: dict[str, KernelCosts] = {}
    with ProcessPoolExecutor() as pool:
        sizes, generated = _source_sizes(families, board, pool)
        for _, variants in sorted(families.items()):
            digests = {name: shapes_digest(shapes, cmsis) for name, shapes in variants.items()}
            kept = {} if former is None else _kept(former, digests)
            if kept.keys() == digests.keys():
                kernels |= kept
                continue
            measured = {}
            for name, shapes in sorted(variants.items()):
                progress.line(f"{name}: {len(shapes)} shapes")
                measured[name] = list(pool.map(_measure, shapes, repeat(board), repeat(cmsis)))
            kernels |= _fit_family(digests, measured, generated)
    return CostTable(
        board=board_key(board),
        model=model_digest(),
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
                    variants.setdefault(kernel_name(kernel), []).append(Shape(probe, kernel))
    return found


def shapes_digest(shapes: Iterable[Shape], cmsis: CmsisNN) -> str:
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


def _measure(shape: Shape, board: Board, cmsis: CmsisNN) -> _Measured:
    trial = Trial(shape.probe.graph, [shape.kernel], board, cmsis)
    (layer,) = trial.time(*shape.probe.inputs, warm=False).layers
    return _Measured(
        shape.kernel.work,
        layer.cycles,
        layer.instructions,
        trial.shared_code(),
        trial.layer_bytes(),
    )


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
    sizes = tuple(_size(sources[file], code) for file, code in zip(files, objects, strict=True))
    return sizes, frozenset().union(*(code.symbols for code in objects))


def _size(source: Source, code: ObjectCode) -> SourceSize:
    return SourceSize(template=source.template, parameters=dict(source.parameters), bytes=code.size)


# ---- the fit ----


#: What a measurement of a very similar variant counts beside one of the variant itself, and how
#: fast that falls with `dissimilarity`.
_SIMILAR, _FALL = 0.1, 4.0
#: The dissimilarity that is as good as infinite.
_UNLIKE = 2.0


def _fit_family(
    digests: Mapping[str, str],
    measured: Mapping[str, list[_Measured]],
    generated: frozenset[str],
) -> dict[str, KernelCosts]:
    """Fit each variant; where its own measurements tell little, those of similar ones count."""
    everything = [(name, one) for name, variant in measured.items() for one in variant]
    points = [one for _, one in everything]
    terms = sorted({term for one in points for term in one.work})
    work, cycles = _work(points, terms), _figures(points, "cycles")
    instructions = _figures(points, "instructions")
    found = {}
    for variant, own in measured.items():
        weights = np.array([_weight(variant, name) for name, _ in everything], np.float64)
        fitted = fit_relative(work, cycles, weights)
        code = {symbol: size for one in own for symbol, size in one.code.items()}
        errors = np.abs(_work(own, terms) @ fitted / _figures(own, "cycles") - 1)
        found[variant] = KernelCosts(
            digest=digests[variant],
            cycles=_coefficients(terms, fitted),
            instructions=_coefficients(terms, fit_relative(work, instructions, weights)),
            code={name: code[name] for name in sorted(code.keys() - generated)},
            layer_bytes=max(one.layer_bytes for one in own),
            points=len(own),
            error_percent=round(100 * float(errors.max()), 1),
        )
    return found


def _weight(variant: str, other: str) -> float:
    if variant == other:
        return 1.0
    return _SIMILAR * math.exp(-_FALL * min(dissimilarity(variant, other), _UNLIKE))


def _work(points: Iterable[_Measured], names: Iterable[str]) -> Floats:
    return np.array([[one.work.get(name, 0) for name in names] for one in points], np.float64)


def _figures(points: Iterable[_Measured], name: str) -> Floats:
    return np.array([getattr(one, name) for one in points], np.float64)


def _coefficients(names: Iterable[str], values: Iterable[float]) -> dict[str, float]:
    """By name, in few enough digits that the machine's last bits do not show."""
    return {name: float(f"{value:.6g}") for name, value in zip(names, values, strict=True)}
