# SPDX-License-Identifier: Apache-2.0
"""Stage 5: what the stages found becomes the report and the other result files, and is judged."""

from __future__ import annotations

import io

import numpy as np

from tinyflow.arrays import Array
from tinyflow.distribution import VERSION
from tinyflow.errors import BudgetError, ExactnessError
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.conversions import describe_conversions
from tinyflow.pipeline.measure import Measured
from tinyflow.pipeline.quality import describe_quality
from tinyflow.pipeline.score import measure_score
from tinyflow.pipeline.vectors import vector_kinds
from tinyflow.report.placement import describe_placement
from tinyflow.report.prediction import prediction_section, shortfall_hint
from tinyflow.report.renode_suite import renode_files
from tinyflow.report.report_data import (
    BoardSection,
    ConversionSection,
    ExactSection,
    KernelsSection,
    ModelSection,
    Report,
)
from tinyflow.report.sections import (
    budget_items,
    inferences_section,
    latency_section,
    layer_sections,
    memory_section,
    tensor_section,
)


def describe(context: BuildContext, measured: Measured) -> Report:
    """Put the report of a build together."""
    request, board, cmsis = context.request, context.board, context.cmsis
    firmware, verification = measured.firmware, measured.verification
    planned, image = firmware.planned, firmware.image
    prepared, code, choice = planned.prepared, planned.code, planned.selection.choice
    graph, quantised = prepared.graph, prepared.quantised
    timing = measured.timings.typical.timing
    latency, inferences = latency_section(timing, board), inferences_section(measured.timings)
    memory = memory_section(board, code, image, verification.stack_peak)
    placement = describe_placement(board, image, code.name, firmware.in_ram)
    layers = layer_sections(graph, code, timing, choice)
    kinds = vector_kinds(graph, request.vectors, quantised.real_samples)
    score = measure_score(graph, quantised, verification, prepared.task)
    quantization, warnings = describe_quality(graph, quantised)
    return Report(
        tinyflow=VERSION,
        model=ModelSection(
            name=code.name,
            source=request.model.name.encode("utf-8", "replace").decode("utf-8"),
            sha256=code.sha256,
            macs=sum(layer.kernel.macs for layer in code.layers),
            inputs=tuple(tensor_section(tensor) for tensor in graph.input_tensors()),
            outputs=tuple(tensor_section(tensor) for tensor in graph.output_tensors()),
        ),
        board=BoardSection(
            id=board.id, name=board.name, mcu=board.mcu, core=board.core, clock_hz=board.clock_hz
        ),
        latency=latency,
        inferences=inferences,
        conversions=_conversions(context, measured),
        memory=memory,
        placement=placement,
        exact=ExactSection(
            oracle=verification.oracle,
            vectors=verification.vectors,
            real=kinds.real,
            random=kinds.random,
            extreme=kinds.extreme,
            bytes=verification.compared_bytes,
            mismatches=verification.mismatches,
        ),
        accuracy=score.accuracy,
        error=score.error,
        quantization=quantization,
        warnings=(*warnings, *score.warnings),
        prune=quantised.prune,
        layers=layers,
        kernels=KernelsSection(
            cmsis_nn=cmsis.version,
            origin=cmsis.origin,
            kernels=request.kernels,
            optimize=request.optimize,
            predicted_cycles=None if choice.totals is None else choice.totals.cycles,
            row_cycles=choice.by_rows.cycles,
            row_instructions=choice.by_rows.instructions,
            prediction=prediction_section(layers, sum(one.gain_cycles or 0 for one in placement)),
            shortfall=planned.shortfall,
        ),
        budget=budget_items(request.budget, inferences.worst.ms, memory, score),
        artifacts={
            "project": ".",
            "elf": str(image.path.relative_to(firmware.folder)),
            "library": f"lib/{code.name}",
            "tflite": "model.tflite",
            "plan": "plan.json",
            "report": "report.json",
            "vectors": "vectors",
            "renode": "renode",
        },
    )


def _conversions(context: BuildContext, measured: Measured) -> tuple[ConversionSection, ...]:
    """Measure the conversions of float inputs and outputs on the vector of typical latency."""
    prepared, vector = measured.firmware.planned.prepared, measured.timings.typical.vector
    return describe_conversions(
        prepared.graph,
        context.board,
        prepared.vectors[vector],
        [output[vector] for output in measured.verification.oracle_outputs],
        context.correction,
        context.cache,
    )


def result_files(context: BuildContext, measured: Measured, report: Report) -> dict[str, bytes]:
    """Return the test vectors with the oracle's outputs, Renode's files, and the report."""
    vectors = measured.firmware.planned.prepared.vectors
    arrays = {
        f"vectors/input_{index}.npy": np.stack(column)
        for index, column in enumerate(zip(*vectors, strict=True))
    }
    for index, outputs in enumerate(measured.verification.oracle_outputs):
        arrays[f"vectors/output_{index}.npy"] = outputs
    return {
        **{name: _npy(_samples(array)) for name, array in arrays.items()},
        **{f"renode/{name}": data for name, data in renode_files(context.board, report).items()},
        "report.json": report.to_json().encode("utf-8"),
    }


def _npy(array: Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _samples(array: Array) -> Array:
    """Vectors (n, 1, ...) of a batch of one as samples (n, ...), as `tinyflow run` takes them."""
    return array[:, 0] if array.ndim > 2 and array.shape[1] == 1 else array


def judge(report: Report) -> None:
    """Refuse a build that is not exact, or that breaks its budget.

    Raises:
        ExactnessError: outputs differ from the oracle's.
        BudgetError: a limit is broken; names all of them.
    """
    exact = report.exact
    if exact.mismatches:
        raise ExactnessError(
            f"{exact.mismatches} of {exact.bytes} output bytes differ from {exact.oracle}",
            hint="This is a bug in tinyflow or in the CMSIS-NN it was given; please report it "
            "with the model.",
        )
    broken, shortfall = [i for i in report.budget if not i.kept], report.kernels.shortfall
    if broken:
        raise BudgetError(
            "\n".join(
                f"budget broken: {item.name} is " + item.shown + f", the limit is {item.limit:g}"
                for item in broken
            ),
            hint="The build is complete; its report.json has the figures."
            + shortfall_hint(shortfall),
        )
