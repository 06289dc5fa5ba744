"""The whole way, one function a stage: prune, quantise, import, plan, generate, build, emulate.

Stages that take long are cached by the content of what goes into them, so that a second build
does only what changed.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflow import __version__
from tinyflow.boards import Board
from tinyflow.cache import Cache, ContentHash
from tinyflow.codegen.model import ModelCode, generate_model
from tinyflow.codegen.names import c_identifier, model_name
from tinyflow.codegen.project import HarnessTensor, ModelHarness, write_project
from tinyflow.codegen.render import write_folder, write_if_changed
from tinyflow.codegen.renode import write_renode
from tinyflow.emulate.verify import Verification, verify_firmware
from tinyflow.errors import BudgetError, ExactnessError, FitError, InputError
from tinyflow.frontend.accuracy import accuracy, int8_predictions
from tinyflow.frontend.calibration import (
    Dataset,
    InputSpec,
    load_calibration,
    load_dataset,
    sample_shape,
)
from tinyflow.frontend.tflite_file import is_tflite, read_tflite
from tinyflow.frontend.tflite_import import import_model
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.types import DType
from tinyflow.kernels.cmsis_nn.source import LIB_DEPS, CmsisNN, find_cmsis_nn
from tinyflow.kernels.select import select_kernels
from tinyflow.output import check_output, replacing
from tinyflow.plan.memory import MemoryPlan, plan_memory
from tinyflow.progress import Progress
from tinyflow.project import BudgetTable, PruneTable
from tinyflow.report.assemble import assemble_report
from tinyflow.report.model import AccuracySection, PruneSection, Report
from tinyflow.toolchain.compiler import compiler_identity
from tinyflow.toolchain.elf import Image, read_image
from tinyflow.toolchain.platformio import build_project, elf_path, require_platformio

Array = npt.NDArray[Any]
#: A data file, or the arrays themselves.
DataSource = Path | str | Array | Sequence[Array] | Mapping[str, Array]


@dataclass(frozen=True)
class BuildRequest:
    """Everything a build depends on."""

    model: Path
    board: Board
    output: Path
    name: str | None = None
    calibration: DataSource | None = None
    training: DataSource | None = None
    test: DataSource | None = None
    test_samples: int | None = None
    calibration_samples: int = 200
    prune: PruneTable = field(default_factory=PruneTable)
    budget: BudgetTable = field(default_factory=BudgetTable)
    cmsis_nn: Path | None = None
    vectors: int = 20
    emit_tflite_array: bool = False


@dataclass(frozen=True)
class Quantised:
    """An int8 model, and what is known of the float model it came from.

    Attributes:
        tflite: the file's bytes.
        test: the held-out samples, None where there are none.
        calibration: the calibration samples, None for a model that came as a `.tflite`.
        float_outputs: the float model's first output for each test sample.
        prune: what pruning did.
    """

    tflite: bytes
    test: Dataset | None = None
    calibration: Dataset | None = None
    float_outputs: Array | None = None
    prune: PruneSection | None = None


def run(request: BuildRequest, progress: Progress | None = None) -> Report:
    """Build, emulate and report.

    Raises:
        TinyflowError: a stage failed; `tinyflow.errors` lists the kinds. After an
            ExactnessError or a BudgetError the output folder is complete all the same.
    """
    progress = progress or Progress()
    cache = Cache()
    check_output(request.output)
    require_platformio()  # before the minutes that a Keras model may take
    name = c_identifier(request.name) if request.name else model_name(request.model)
    cmsis = find_cmsis_nn(request.cmsis_nn)

    quantised = quantise(request, cache, progress)
    graph = import_model(quantised.tflite, request.model, name=name)
    plan = plan_memory(graph, select_kernels(graph, request.board, cmsis))
    code = generate_model(
        graph, plan, cmsis, quantised.tflite, emit_tflite_array=request.emit_tflite_array
    )
    check_fit(code, plan, request.board)
    with replacing(request.output) as folder:
        (folder / "report.json").unlink(missing_ok=True)
        generate(folder, request.board, graph, plan, code, cmsis, quantised.tflite)
        image = compile_firmware(folder, progress)
        vectors, test = device_inputs(graph, quantised, request.vectors)
        verification = emulate(
            request, image, code, quantised.tflite, vectors, test, cache, progress
        )
        report = assemble_report(
            request.board,
            graph,
            plan,
            code,
            cmsis,
            image,
            verification,
            source=request.model.name.encode("utf-8", "replace").decode("utf-8"),
            accuracy=measure_accuracy(quantised, verification),
            prune=quantised.prune,
            budget=request.budget,
            folder=folder,
        )
        write_results(folder, request.board, report, vectors, verification)
        _judge(report)
    return report


# ------------------------------------------------------------------------------- quantise


def quantise(request: BuildRequest, cache: Cache, progress: Progress) -> Quantised:
    """An int8 .tflite from whatever the user gave."""
    if is_tflite(request.model):
        if request.prune.method != "none":
            raise InputError(
                f"{request.model}: a .tflite cannot be pruned, only a Keras model can",
                hint='Give the .keras file, or set method = "none" in [prune].',
            )
        return _ready_tflite(request)
    return _from_keras(request, cache, progress)


def _ready_tflite(request: BuildRequest) -> Quantised:
    tflite = read_tflite(request.model)
    graph = import_model(tflite, request.model, name="model")
    specs = [
        InputSpec(tensor.name, sample_shape(tensor.shape), tensor.dtype.value, accepts_float=True)
        for tensor in graph.input_tensors()
    ]
    test = _test_data(request, specs)
    calibration = (
        None if request.calibration is None else load_calibration(request.calibration, specs)
    )
    return Quantised(tflite, test, calibration)


def _from_keras(request: BuildRequest, cache: Cache, progress: Progress) -> Quantised:
    from tinyflow.compress.prune import prune_model
    from tinyflow.compress.summary import PruneSummary
    from tinyflow.frontend.convert import float_predictions, model_inputs, quantize

    specs = model_inputs(request.model)
    if request.calibration is None:
        raise InputError(
            f"{request.model}: quantisation needs calibration data",
            hint="Give some dozens of representative samples: --calibration samples.npz, or "
            "`calibration` in [data].",
        )
    calibration = load_calibration(request.calibration, specs).take(request.calibration_samples)
    training = (
        None
        if request.training is None
        else load_dataset(
            request.training, specs, labels=True, split="train", purpose="training data"
        )
    )
    test = _test_data(request, specs)
    prune = request.prune
    key = ContentHash("quantised", __version__, _keras_versions(), request.model)
    key.add(prune.model_dump(), *calibration.inputs)
    if prune.method != "none" and training is not None and training.labels is not None:
        key.add("training", *training.inputs, training.labels)
    if test is not None:
        key.add("test", *test.inputs)

    def make(folder: Path) -> None:
        model = request.model
        if prune.method != "none":
            progress.stage(f"prune ({prune.method}, {prune.ratio:.0%})")
            pruned = folder / "pruned.keras"
            summary = prune_model(model, prune, training, output_path=pruned, on_line=progress.line)
            (folder / "prune.json").write_text(json.dumps(summary.to_json()))
            model = pruned
        progress.stage("quantise to INT8")
        conversion = quantize(
            model,
            calibration,
            output_path=folder / "model.tflite",
            samples=test.inputs if test is not None and prune.method == "none" else None,
            on_line=progress.line,
        )
        if test is not None:
            outputs = conversion.float_outputs or float_predictions(
                request.model, test.inputs, on_line=progress.line
            )
            np.save(folder / "float_outputs.npy", outputs[0])

    entry = cache.fetch(key.key(), make)
    outputs_file, prune_file = entry / "float_outputs.npy", entry / "prune.json"
    section = None
    if prune_file.is_file():
        section = _prune_section(prune, PruneSummary.from_json(json.loads(prune_file.read_text())))
    return Quantised(
        (entry / "model.tflite").read_bytes(),
        test,
        calibration,
        np.load(outputs_file, allow_pickle=False) if outputs_file.is_file() else None,
        section,
    )


def _prune_section(settings: PruneTable, summary: Any) -> PruneSection:
    return PruneSection(
        method=settings.method,
        ratio=settings.ratio,
        parameters_before=summary.parameters_before,
        parameters_after=summary.parameters_after,
        macs_before=summary.macs_before,
        macs_after=summary.macs_after,
    )


def _test_data(request: BuildRequest, specs: Sequence[InputSpec]) -> Dataset | None:
    if request.test is None:
        return None
    data = load_dataset(request.test, specs, labels=True, split="test", purpose="test data")
    return data if request.test_samples is None else data.take(request.test_samples)


def _keras_versions() -> list[str]:
    """The versions that a converted model depends on, read without importing them."""
    versions = []
    for package in ("tensorflow-cpu", "tensorflow", "keras"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


# ------------------------------------------------------------------------ generate, compile


def check_fit(code: ModelCode, plan: MemoryPlan, board: Board) -> None:
    """Check what is known before compiling: the weights and the arena.

    Raises:
        FitError: says which memory is too small and by how much.
    """
    needs = (
        (board.flash, code.weight_bytes, "the weights"),
        (board.ram, plan.arena_size + board.stack_size, "the arena and the stack"),
    )
    for region, bytes_needed, what in needs:
        if bytes_needed > region.size:
            raise FitError(
                f"the model does not fit {board.id}: {what} need {bytes_needed:,} bytes of "
                f"{region.kind}, the board has {region.size:,}: "
                f"{bytes_needed - region.size:,} too many",
                hint="Prune the model, shrink its input, or choose a larger board "
                "(`tinyflow boards`).",
            )


def generate(
    folder: Path,
    board: Board,
    graph: Graph,
    plan: MemoryPlan,
    code: ModelCode,
    cmsis: CmsisNN,
    tflite: bytes,
) -> None:
    """Write the PlatformIO project."""
    write_folder(folder / "lib" / code.name, code.files)
    for other in (folder / "lib").iterdir():
        if other.is_dir() and other.name not in {code.name, "tinyflow_harness"}:
            shutil.rmtree(other)
    harness = ModelHarness(
        c_name=code.name,
        digest=bytes.fromhex(code.sha256)[:8],
        arena_bytes=plan.arena_size,
        layer_count=len(code.layers),
        inputs=tuple(_harness_tensor(tensor) for tensor in graph.input_tensors()),
        outputs=tuple(_harness_tensor(tensor) for tensor in graph.output_tensors()),
    )
    write_project(
        folder, board, harness, cmsis_nn_lib_deps=LIB_DEPS if cmsis.root is None else None
    )
    write_if_changed(folder / "model.tflite", tflite)


def _harness_tensor(tensor: Tensor) -> HarnessTensor:
    q = tensor.quantization
    return HarnessTensor(
        tensor.dtype.value,
        tensor.shape,
        tensor.size,
        1.0 if q is None else q.scale,
        0 if q is None else q.zero_point,
    )


def compile_firmware(folder: Path, progress: Progress) -> Image:
    """Build with PlatformIO, unless the very same project has been built here before."""
    sources = [folder / name for name in ("lib", "src", "platform")]
    stamp = folder / ".pio" / "tinyflow-built"
    elf = elf_path(folder)

    def key() -> str:
        return ContentHash(compiler_identity(), folder / "platformio.ini", *sources, elf).key()

    if elf.is_file() and stamp.is_file() and stamp.read_text() == key():
        progress.skipped("build with PlatformIO")
        return read_image(elf)
    progress.stage("build with PlatformIO")
    elf.unlink(missing_ok=True)  # SCons would keep a damaged one
    image = read_image(build_project(folder, on_line=progress.line))
    stamp.write_text(key())
    return image


# -------------------------------------------------------------------------------- emulate


def device_inputs(
    graph: Graph, quantised: Quantised, count: int
) -> tuple[list[tuple[Array, ...]], list[tuple[Array, ...]]]:
    """Inputs as the device takes them: `count` for the oracle, and all test samples.

    The first are real samples as far as there are any, then seeded random ones.
    """
    tensors = list(graph.input_tensors())
    test = [] if quantised.test is None else _quantised_samples(tensors, quantised.test)
    real = test
    if not real and quantised.calibration is not None:
        real = _quantised_samples(tensors, quantised.calibration.take(count))
    random = np.random.default_rng(0)
    vectors = real[:count]
    while len(vectors) < count:
        vectors.append(tuple(_random_input(random, tensor) for tensor in tensors))
    return vectors, test


def _quantised_samples(tensors: Sequence[Tensor], data: Dataset) -> list[tuple[Array, ...]]:
    from tinyflow.frontend.accuracy import quantize_array

    arrays = []
    for tensor, array in zip(tensors, data.inputs, strict=True):
        shaped = array.reshape(len(data), *tensor.shape)
        if tensor.dtype is not DType.FLOAT32 and shaped.dtype.kind == "f":
            shaped = quantize_array(
                shaped, tensor.q.scale, tensor.q.zero_point, np.dtype(tensor.dtype.value)
            )
        arrays.append(shaped.astype(tensor.dtype.numpy))
    return [tuple(array[index] for array in arrays) for index in range(len(data))]


def _random_input(random: np.random.Generator, tensor: Tensor) -> Array:
    if tensor.dtype is DType.FLOAT32:
        return random.uniform(-1.0, 1.0, tensor.shape).astype(np.float32)
    limits = np.iinfo(tensor.dtype.value)
    return random.integers(limits.min, limits.max, tensor.shape, tensor.dtype.numpy, endpoint=True)


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
    key = ContentHash("emulated", __version__, request.board.model_dump_json(), image.path, tflite)
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
            on_progress=lambda done, total: progress.line(f"{done}/{total} inferences"),
        )
        verification.save(folder)

    return Verification.load(cache.fetch(key.key(), make))


def measure_accuracy(quantised: Quantised, verification: Verification) -> AccuracySection | None:
    """Accuracy of the float model, of the int8 model on the host, and of the device."""
    test = quantised.test
    if test is None or test.labels is None or verification.sample_outputs is None:
        return None
    labels = test.labels
    host = int8_predictions(quantised.tflite, test.inputs)[0]
    return AccuracySection(
        float=None
        if quantised.float_outputs is None
        else 100 * accuracy(quantised.float_outputs, labels),
        int8=100 * accuracy(host, labels),
        device=100 * accuracy(verification.sample_outputs.reshape(host.shape), labels),
        samples=len(test),
    )


# --------------------------------------------------------------------------------- report


def write_results(
    folder: Path,
    board: Board,
    report: Report,
    vectors: Sequence[tuple[Array, ...]],
    verification: Verification,
) -> None:
    """Write the test vectors with the oracle's outputs, Renode's files, and last the report."""
    target = folder / "vectors"
    target.mkdir(exist_ok=True)
    for index, column in enumerate(zip(*vectors, strict=True)):
        np.save(target / f"input_{index}.npy", _samples(np.stack(column)))
    for index, outputs in enumerate(verification.oracle_outputs):
        np.save(target / f"output_{index}.npy", _samples(outputs))
    write_renode(folder, board, report)
    write_if_changed(folder / "report.json", report.to_json())


def _samples(array: Array) -> Array:
    """Vectors (n, 1, ...) of a batch of one as samples (n, ...), as `tinyflow run` takes them."""
    return array[:, 0] if array.ndim > 2 and array.shape[1] == 1 else array


def _judge(report: Report) -> None:
    exact = report.exact
    if exact.mismatches:
        raise ExactnessError(
            f"{exact.mismatches} of {exact.bytes} output bytes differ from {exact.oracle}",
            hint="This is a bug in tinyflow or in the CMSIS-NN it was given; please report it "
            "with the model.",
        )
    broken = [item for item in report.budget if not item.kept]
    if broken:
        raise BudgetError(
            "\n".join(
                f"budget broken: {item.name} is "
                + ("not measured" if item.value is None else f"{item.value:.2f}")
                + f", the limit is {item.limit:g}"
                for item in broken
            ),
            hint="The build is complete; its report.json has the figures.",
        )
