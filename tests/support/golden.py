# SPDX-License-Identifier: Apache-2.0
"""Generated code that is checked in, so that a review sees what a change of a template does.

    python -m tests.support.golden

rewrites `tests/golden/`: `kernels/` has two variants of each template of generated kernels, and
`library/` the whole library of a small model.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.support.small_model import small_model
from tinyflow.boards import load_board
from tinyflow.codegen.library import generate_model
from tinyflow.costs.digest import source_text
from tinyflow.costs.measure import kernel_shapes
from tinyflow.costs.probes import MEASURED
from tinyflow.kernels.base import Source
from tinyflow.kernels.cmsis_nn.source import CmsisNN, find_cmsis_nn
from tinyflow.oracle.process import first_output
from tinyflow.passes import optimise
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.limits import choose
from tinyflow.pipeline.request import BuildRequest
from tinyflow.tflite.importer import import_model

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
#: A single-issue and a dual-issue core: the kernels differ.
_BOARDS = ("stm32l4r5", "stm32f746")


def golden_files() -> dict[str, str]:
    """The files that `tests/golden` must hold, by path.

    Raises:
        InputError: there is no copy of CMSIS-NN.
    """
    cmsis = find_cmsis_nn(None)
    kernels = {f"kernels/{source.file}": source_text(source) for source in _variants(cmsis)}
    library = {f"library/{name}": text for name, text in _library(cmsis).items()}
    return {**kernels, **library}


def _variants(cmsis: CmsisNN) -> list[Source]:
    """Return the shortest variant of each template and the one of median length."""
    templates: dict[str, dict[str, Source]] = {}
    for name in _BOARDS:
        for kernels in kernel_shapes(MEASURED, load_board(name), cmsis).values():
            for shape in (shape for shapes in kernels.values() for shape in shapes):
                for source in shape.kernel.sources:
                    templates.setdefault(source.template, {})[source.file] = source
    chosen: list[Source] = []
    for variants in templates.values():
        ordered = sorted(variants.values(), key=lambda it: (len(source_text(it)), it.file))
        chosen += {it.file: it for it in (ordered[0], ordered[len(ordered) // 2])}.values()
    return chosen


def _library(cmsis: CmsisNN) -> Mapping[str, str]:
    content, path = small_model(), Path("small.tflite")
    graph = optimise(import_model(content, path, name="small"), content, path, first_output)
    request = BuildRequest(path, load_board("stm32f746"), Path("build"), kernels="generated")
    planned = choose(BuildContext(request, cmsis), graph)
    code = generate_model(graph, planned.plan, cmsis, content)
    return {name: text for name, text in code.files.items() if isinstance(text, str)}


def rewrite() -> None:
    """Bring `tests/golden` up to date."""
    files = golden_files()
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for name, text in files.items():
        path = GOLDEN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(files)} files in {GOLDEN}")


if __name__ == "__main__":
    rewrite()
