# SPDX-License-Identifier: Apache-2.0
"""The whole way, one function a stage: prune, quantise, import, plan, generate, build, emulate.

Stages that take long are cached by the content of what goes into them, so that a second build
does only what changed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.codegen.c_names import c_identifier, model_name
from tinyflow.codegen.library import ModelCode, generate_model
from tinyflow.codegen.platformio_project import HarnessTensor, ModelHarness, project_files
from tinyflow.codegen.render import write_folder
from tinyflow.distribution import VERSION
from tinyflow.emulate.verify import Verification, verify_firmware
from tinyflow.errors import (
    BudgetError,
    DeviceError,
    ExactnessError,
    FitError,
)
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.kernels.cmsis_nn.source import LIB_DEPS, CmsisNN, find_cmsis_nn
from tinyflow.oracle.constants import fold_constants
from tinyflow.oracle.process import start as start_oracle
from tinyflow.passes import optimise
from tinyflow.passes.float_ends import convert_at_ends
from tinyflow.pipeline.conversions import describe_conversions
from tinyflow.pipeline.dump import BuildObserver, dumping
from tinyflow.pipeline.limits import choose, limits_of, shortfall_of
from tinyflow.pipeline.output import Output, replacing
from tinyflow.pipeline.quality import describe_quality
from tinyflow.pipeline.quantize import device_inputs, quantise
from tinyflow.pipeline.request import BuildRequest
from tinyflow.pipeline.score import check_limits, measure_score, task_of
from tinyflow.pipeline.vectors import vector_kinds
from tinyflow.placement.choose import choose_placement
from tinyflow.plan.in_ram import NOTHING_IN_RAM, InRam
from tinyflow.plan.memory import MemoryPlan
from tinyflow.progress import LoggedProgress, Progress
from tinyflow.report.assemble import assemble_report
from tinyflow.report.plan import describe_plan
from tinyflow.report.prediction import describe_shortfall
from tinyflow.report.renode_suite import renode_files
from tinyflow.report.report_data import Report, ShortfallSection
from tinyflow.storage.cache import Cache, ContentHash, Workspace
from tinyflow.storage.files import is_full, unwritable, write_file
from tinyflow.storage.manifest import WORKSPACE as PIO
from tinyflow.tflite.importer import import_model
from tinyflow.timing.cycle_model import Timing
from tinyflow.timing.latency_correction import correction_of
from tinyflow.timing.traced_run import model_inference
from tinyflow.timing.traced_vectors import Timings, summarise, to_trace
from tinyflow.toolchain.compiler import compiler_identity
from tinyflow.toolchain.elf import Image, read_image
from tinyflow.toolchain.platformio import build_project, elf_path, require_platformio


def run(request: BuildRequest, progress: Progress | None = None) -> Report:
    """Build, emulate and report.

    Raises:
        TinyflowError: a stage failed; `tinyflow.errors` lists the kinds. After an
            ExactnessError or a BudgetError the output folder is complete all the same.
    """
    progress = LoggedProgress(progress or Progress())
    cache = Cache(warn=progress.warn)
    try:
        with (
            replacing(request.output, cache, progress) as output,
            dumping(request, cache, progress) as observer,
        ):
            return _run(request, output, cache, progress, observer)
    except OSError as error:
        if is_full(error):
            raise unwritable(error.filename or "a temporary file", error) from error
        raise


def _run(
    request: BuildRequest,
    output: Output,
    cache: Cache,
    progress: Progress,
    observer: BuildObserver,
) -> Report:
    require_platformio()  # before the minutes that a Keras model may take
    correction = correction_of(request.board)
    name = c_identifier(request.name) if request.name else model_name(request.model)
    cmsis = find_cmsis_nn(request.cmsis_nn)

    quantised = quantise(request, cache, progress)
    folded = fold_constants(quantised.tflite, request.model)
    imported = import_model(folded, request.model, name=name)
    observer.imported(imported)
    graph = convert_at_ends(optimise(imported, folded, request.model, observer))
    observer.passed(convert_at_ends.__name__, 0, graph)
    source = str(request.test) if isinstance(request.test, str | Path) else "test data"
    task = task_of(graph, quantised, source)
    check_limits(request.budget, task)
    selected = choose(request, graph, cmsis, correction, cache, progress)
    observer.selected(graph, selected, limits_of(request, graph, correction))
    plan, shortfall = selected.plan, shortfall_of(selected, request, graph, correction)
    code = generate_model(
        graph, plan, cmsis, quantised.tflite, emit_tflite_array=request.emit_tflite_array
    )
    check_fit(code, plan, request.board, shortfall)
    vectors, test = device_inputs(graph, quantised, request.vectors)
    description = describe_plan(graph, plan, code).model_dump_json(indent=1) + "\n"
    fixed = {"model.tflite": quantised.tflite, "plan.json": description.encode("utf-8")}
    with cache.workspace(VERSION, str(request.output)) as workspace:

        def compiled(in_ram: InRam) -> Image:
            project = generate(request.board, graph, plan, code, cmsis, in_ram)
            image = compile_firmware(project, workspace, progress)
            elf = str(image.path.relative_to(workspace.folder))
            output.files = {**project, **fixed, elf: image.path.read_bytes()}
            return image

        in_ram = place(request, code, vectors[0], compiled, cache, progress)
        image = compiled(in_ram)
        verification = emulate(
            request, image, code, quantised.tflite, vectors, test, cache, progress
        )
        timings = model_timings(request, image, code, vectors, verification, cache, progress)
        report = assemble_report(
            request.board,
            graph,
            code,
            cmsis,
            image,
            verification,
            timings.corrected(correction),
            selected.choice,
            kernels=request.kernels,
            optimize=request.optimize,
            in_ram=in_ram,
            kinds=vector_kinds(graph, request.vectors, quantised.real_samples),
            source=request.model.name.encode("utf-8", "replace").decode("utf-8"),
            score=measure_score(graph, quantised, verification, task),
            quality=describe_quality(graph, quantised),
            prune=quantised.prune,
            budget=request.budget,
            shortfall=shortfall,
            conversions=describe_conversions(
                graph,
                request.board,
                vectors[timings.typical.vector],
                [output[timings.typical.vector] for output in verification.oracle_outputs],
                correction,
                cache,
            ),
            folder=workspace.folder,
        )
    output.files |= result_files(request.board, report, vectors, verification)
    _judge(report)
    return report


# ------------------------------------------------------------------------ generate, compile


def check_fit(
    code: ModelCode, plan: MemoryPlan, board: Board, shortfall: ShortfallSection | None = None
) -> None:
    """Check what is known before compiling: the weights and the arena.

    Raises:
        FitError: says which memory is too small and by how much.
    """
    ram = plan.arena_size + plan.state_size + board.stack_size
    kept = ", the state" if plan.state_size else ""
    needs = (
        (board.flash, code.weight_bytes, "the weights"),
        (board.ram, ram, f"the arena{kept} and the stack"),
    )
    for region, bytes_needed, what in needs:
        if bytes_needed > region.size:
            raise FitError(
                f"the model does not fit {board.id}: {what} need {bytes_needed:,} bytes of "
                f"{region.kind}, the board has {region.size:,}: "
                f"{bytes_needed - region.size:,} too many",
                hint="Prune the model, shrink its input, or choose a larger board "
                "(`tinyflow boards`)."
                + ("" if shortfall is None else f" {_sentence(describe_shortfall(shortfall))}"),
            )


def generate(
    board: Board,
    graph: Graph,
    plan: MemoryPlan,
    code: ModelCode,
    cmsis: CmsisNN,
    in_ram: InRam,
) -> dict[str, bytes]:
    """The files of the PlatformIO project, by relative path."""
    harness = ModelHarness(
        c_name=code.name,
        digest=bytes.fromhex(code.sha256)[:8],
        arena_bytes=plan.arena_size,
        layer_count=len(code.layers),
        inputs=tuple(
            _harness_tensor(tensor, position in graph.float_inputs)
            for position, tensor in enumerate(graph.input_tensors())
        ),
        outputs=tuple(
            _harness_tensor(tensor, position in graph.float_outputs)
            for position, tensor in enumerate(graph.output_tensors())
        ),
    )
    library = {
        f"lib/{code.name}/{name}": text.encode("utf-8") if isinstance(text, str) else text
        for name, text in code.files.items()
    }
    # What no layer uses needs no network.
    fetched = cmsis.root is None and any(
        layer.kernel.library == "CMSIS-NN" for layer in code.layers
    )
    lib_deps = LIB_DEPS if fetched else None
    return library | project_files(board, harness, cmsis_nn_lib_deps=lib_deps, in_ram=in_ram)


def _harness_tensor(tensor: Tensor, converted: bool) -> HarnessTensor:
    q = tensor.quantization
    return HarnessTensor(
        tensor.dtype.value,
        tensor.shape,
        tensor.size,
        1.0 if q is None else q.scale,
        0 if q is None else q.zero_point,
        converted,
    )


def place(
    request: BuildRequest,
    code: ModelCode,
    vector: tuple[Array, ...],
    compiled: Callable[[InRam], Image],
    cache: Cache,
    progress: Progress,
) -> InRam:
    """Choose what start-up copies to RAM."""
    limit = request.budget.ram_kib
    return choose_placement(
        request.board,
        request.optimize,
        request.placement,
        code,
        vector,
        None if limit is None else max(0, int(limit * 1024) - request.board.stack_size),
        lambda: compiled(NOTHING_IN_RAM),
        cache,
        progress,
    )


def compile_firmware(
    project: Mapping[str, bytes], workspace: Workspace, progress: Progress
) -> Image:
    """Build with PlatformIO, unless the very same project has been built before.

    That happens in a folder of the user's own cache: what PlatformIO, SCons and Python keep there
    from one build to the next is run or unpickled by them, so it must be tinyflow's.
    """
    folder = workspace.folder
    key = ContentHash("built", compiler_identity())
    for name, content in sorted(project.items()):
        key.add(name, content)
    stamp = folder / PIO / "tinyflow-built"
    write_folder(folder, project, keep=(PIO,))
    elf = elf_path(folder)
    if elf.is_file() and stamp.is_file() and stamp.read_text() == key.key():
        progress.skipped("build with PlatformIO")
    else:
        progress.stage("build with PlatformIO")
        start_oracle()  # ready by the time the firmware is
        stamp.unlink(missing_ok=True)
        build_project(folder, on_line=progress.line)
        write_file(stamp, key.key())
    workspace.seal()
    return read_image(elf)


# -------------------------------------------------------------------------------- emulate


def emulate(
    request: BuildRequest,
    image: Image,
    code: ModelCode,
    tflite: bytes,
    vectors: list[tuple[Array, ...]],
    test: list[tuple[Array, ...]],
    cache: Cache,
    progress: Progress,
) -> Verification:
    """Run the image in the simulator: exactness, instructions, stack, and all test samples."""
    key = ContentHash("verified", VERSION, request.board.model_dump_json(), image.path, tflite)
    for sample in [*vectors, *test]:
        key.add(*sample)
    key.add(len(vectors), len(test))

    def make(folder: Path) -> None:
        progress.stage(f"emulate on {request.board.id} ({len(vectors)} vectors)")
        verification = verify_firmware(
            image,
            request.board,
            tflite,
            entry=f"{code.name}_invoke",
            layers=[layer.function for layer in code.layers],
            vectors=vectors,
            samples=test,
            stateful=code.stateful,
            on_progress=lambda done, total: progress.line(f"{done}/{total} inferences"),
        )
        verification.save(folder)

    return Verification.load(cache.fetch(key.key(), make, "the verification"))


def model_timings(
    request: BuildRequest,
    image: Image,
    code: ModelCode,
    vectors: Sequence[tuple[Array, ...]],
    verification: Verification,
    cache: Cache,
    progress: Progress,
) -> Timings:
    """Trace a few inferences of the vectors again, and model their cycles.

    Raises:
        DeviceError: a traced inference is not the one that was verified.
    """
    board, traced = request.board, to_trace(verification.instructions)
    ahead = vectors if code.stateful else ()
    key = ContentHash("timings", VERSION, board.model_dump_json(), image.path, *traced)
    for sample in (*ahead, *(vectors[index] for index in traced)):
        key.add(*sample)

    def make(folder: Path) -> None:
        progress.stage(f"model cycles on {board.id} ({len(traced)} of {len(vectors)} vectors)")
        for index in traced:
            timing = model_inference(
                image,
                board,
                entry=f"{code.name}_invoke",
                layers=[layer.function for layer in code.layers],
                sample=vectors[index],
                before=ahead[:index],
            )
            timing.save(folder / f"timing_{index}.json")

    entry = cache.fetch(key.key(), make, "the timing")
    timings = {index: Timing.load(entry / f"timing_{index}.json", board) for index in traced}
    for index, timing in timings.items():
        executed = [layer.instructions for layer in timing.layers]
        if executed != verification.layer_instructions[index]:
            raise DeviceError(
                "the traced inference executed other instructions than the verified one",
                hint="This is a bug in tinyflow; please report it with the model.",
            )
    return summarise(timings, verification.instructions)


# --------------------------------------------------------------------------------- report


def result_files(
    board: Board,
    report: Report,
    vectors: Sequence[tuple[Array, ...]],
    verification: Verification,
) -> dict[str, bytes]:
    """The test vectors with the oracle's outputs, Renode's files, and the report."""
    arrays = {
        f"vectors/input_{index}.npy": np.stack(column)
        for index, column in enumerate(zip(*vectors, strict=True))
    }
    for index, outputs in enumerate(verification.oracle_outputs):
        arrays[f"vectors/output_{index}.npy"] = outputs
    return {
        **{name: _npy(_samples(array)) for name, array in arrays.items()},
        **{f"renode/{name}": data for name, data in renode_files(board, report).items()},
        "report.json": report.to_json().encode("utf-8"),
    }


def _npy(array: Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _samples(array: Array) -> Array:
    """Vectors (n, 1, ...) of a batch of one as samples (n, ...), as `tinyflow run` takes them."""
    return array[:, 0] if array.ndim > 2 and array.shape[1] == 1 else array


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _judge(report: Report) -> None:
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
            + ("" if shortfall is None else f" {_sentence(describe_shortfall(shortfall))}"),
        )
