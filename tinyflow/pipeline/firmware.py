# SPDX-License-Identifier: Apache-2.0
"""Stage 3: the library becomes a PlatformIO project, and that an image with its RAM placement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tinyflow.boards import Board
from tinyflow.codegen.library import ModelCode
from tinyflow.codegen.platformio_project import HarnessTensor, ModelHarness, project_files
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.kernels.cmsis_nn.source import LIB_DEPS, CmsisNN
from tinyflow.oracle.process import start as start_oracle
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.output import Output
from tinyflow.pipeline.plan_model import Planned
from tinyflow.placement.choose import FirmwareToTrace, PlacementRequest, choose_placement
from tinyflow.plan.in_ram import NOTHING_IN_RAM, InRam
from tinyflow.plan.memory import MemoryPlan
from tinyflow.progress import Progress
from tinyflow.report.plan import describe_plan
from tinyflow.storage.cache import ContentHash, Workspace
from tinyflow.storage.files import write_file
from tinyflow.storage.folders import write_folder
from tinyflow.storage.manifest import WORKSPACE as PIO
from tinyflow.toolchain.compiler import compiler_identity
from tinyflow.toolchain.elf import Image, read_image
from tinyflow.toolchain.platformio import build_project, elf_path


@dataclass(frozen=True)
class Firmware:
    """A compiled firmware.

    Attributes:
        planned: the model.
        in_ram: what start-up copies to RAM.
        image: the linked image.
        folder: of the PlatformIO project.
    """

    planned: Planned
    in_ram: InRam
    image: Image
    folder: Path


def build_firmware(
    context: BuildContext, planned: Planned, workspace: Workspace, output: Output
) -> Firmware:
    """Place code and weights in RAM where that pays, and compile.

    Args:
        context: of the build.
        planned: the model.
        workspace: the folder to compile in.
        output: gets the project's files and the image, as of the latest compilation.

    Raises:
        ToolError: PlatformIO fails.
        DeviceError: the firmware faulted.
    """
    graph, code = planned.prepared.graph, planned.code
    description = describe_plan(graph, planned.plan, code).model_dump_json(indent=1) + "\n"
    fixed = {
        "model.tflite": planned.prepared.quantised.tflite,
        "plan.json": description.encode("utf-8"),
    }

    def compiled(in_ram: InRam) -> Image:
        project = generate_project(context.board, graph, planned.plan, code, context.cmsis, in_ram)
        image = compile_firmware(project, workspace, context.progress)
        elf = str(image.path.relative_to(workspace.folder))
        output.files = {**project, **fixed, elf: image.path.read_bytes()}
        return image

    request = context.request
    limit = request.budget.ram_kib
    in_ram = choose_placement(
        PlacementRequest(
            context.board,
            request.optimize,
            request.placement,
            None if limit is None else max(0, int(limit * 1024) - context.board.stack_size),
        ),
        FirmwareToTrace(code, planned.prepared.vectors[0], lambda: compiled(NOTHING_IN_RAM)),
        context.cache,
        context.progress,
    )
    return Firmware(planned, in_ram, compiled(in_ram), workspace.folder)


def generate_project(
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
