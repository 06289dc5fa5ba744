# SPDX-License-Identifier: Apache-2.0
"""A complete project around a model too small to matter: each output is an input plus one."""

from __future__ import annotations

import json
from pathlib import Path

from tinyflow.boards import Board
from tinyflow.codegen.platformio_project import HarnessTensor, ModelHarness, project_files
from tinyflow.storage.folders import write_folder
from tinyflow.storage.manifest import WORKSPACE

SIZE = 16

HEADER = """\
#ifndef PLUS_ONE_H
#define PLUS_ONE_H
#include <stddef.h>
#include <stdint.h>
void plus_one_init(void);
int8_t *plus_one_input(size_t index);
const int8_t *plus_one_output(size_t index);
int plus_one_invoke(void);
#endif
"""

SOURCE = """\
#include "plus_one.h"
#define SIZE 16
static int8_t plus_one_arena[2 * SIZE] __attribute__((aligned(16)));
__attribute__((section(".rodata.tinyflow_weights.ones"), aligned(16)))
static const int8_t ones[SIZE] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
void plus_one_init(void) {
    for (int i = 0; i < 2 * SIZE; ++i) {
        plus_one_arena[i] = 0;
    }
}
int8_t *plus_one_input(size_t index) {
    return index == 0 ? plus_one_arena : NULL;
}
const int8_t *plus_one_output(size_t index) {
    return index == 0 ? plus_one_arena + SIZE : NULL;
}
int plus_one_invoke(void) {
    for (int i = 0; i < SIZE; ++i) {
        plus_one_arena[SIZE + i] = (int8_t)(plus_one_arena[i] + ones[i]);
    }
    return 0;
}
"""

LIBRARY = {
    "name": "plus_one",
    "version": "1.0.0",
    "frameworks": "*",
    "platforms": "*",
    "build": {
        "srcDir": ".",
        "includeDir": ".",
        "flags": ["-Wall", "-Wextra", "-Wconversion", "-Werror"],
    },
}

PLUS_ONE = ModelHarness(
    c_name="plus_one",
    digest=bytes(range(8)),
    arena_bytes=2 * SIZE,
    layer_count=1,
    inputs=(HarnessTensor("int8", (1, 4, 4), SIZE, 0.1, -3),),
    outputs=(HarnessTensor("int8", (1, SIZE), SIZE, 0.00390625, -128),),
)


def write_project(directory: Path, board: Board, *, cmsis_nn_lib_deps: str | None = None) -> None:
    """Write the project around the model; what is there and unchanged is not touched."""
    files = project_files(board, PLUS_ONE, cmsis_nn_lib_deps=cmsis_nn_lib_deps)
    library = [f"lib/plus_one/{name}" for name in ("plus_one.h", "plus_one.c", "library.json")]
    write_folder(directory, files, keep=(WORKSPACE, *library))


def write_fake_model(
    directory: Path, board: Board, *, cmsis_nn_lib_deps: str | None = None
) -> ModelHarness:
    """Write a project that builds with `pio run`; returns the model that it runs."""
    library = directory / "lib" / "plus_one"
    library.mkdir(parents=True, exist_ok=True)
    (library / "plus_one.h").write_text(HEADER, encoding="utf-8")
    (library / "plus_one.c").write_text(SOURCE, encoding="utf-8")
    (library / "library.json").write_text(json.dumps(LIBRARY), encoding="utf-8")
    write_project(directory, board, cmsis_nn_lib_deps=cmsis_nn_lib_deps)
    return PLUS_ONE
