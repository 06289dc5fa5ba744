# SPDX-License-Identifier: Apache-2.0
"""`lib/<model>/` by itself: in anyone's firmware, on any core, from C and C++."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.first_kernels import select_kernels
from tests.support.small_model import small_model
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.boards import load_board
from tinyflow.codegen.library import ModelCode, generate_model
from tinyflow.datasets.accuracy import dequantize_array, quantize_array
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.oracle.oracle import Oracle
from tinyflow.passes.float_ends import convert_at_ends
from tinyflow.plan.memory import plan_memory
from tinyflow.storage.folders import write_folder
from tinyflow.tflite.importer import import_model

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "generated-c.md"
#: Another copy of CMSIS-NN to compile with, such as 7.0.0; bakenn's is 4.0.0.
OTHER_CMSIS_NN = os.environ.get("TINYFLOW_TEST_CMSIS_NN")
COPIES = [None, OTHER_CMSIS_NN] if OTHER_CMSIS_NN else [None]

GCC, GXX, NM = "arm-none-eabi-gcc", "arm-none-eabi-g++", "arm-none-eabi-nm"
CORES = {
    "cortex-m0plus": [],
    "cortex-m4": ["-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "cortex-m7": ["-mfpu=fpv5-d16", "-mfloat-abi=hard"],
}
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]

needs_arm = pytest.mark.skipif(shutil.which(GCC) is None, reason=f"{GCC} is not on PATH")
needs_host = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc for this machine")


def generate(
    tflite: bytes,
    name: str,
    cmsis_nn: str | None = None,
    *,
    core: str = "cortex-m4",
    convert: bool = False,
    **options: bool,
) -> ModelCode:
    """A model's library; `convert` takes float ends out of the arena, as builds do."""
    cmsis = find_cmsis_nn(None if cmsis_nn is None else Path(cmsis_nn))
    graph = import_model(tflite, Path(f"{name}.tflite"), name=name)
    graph = convert_at_ends(graph) if convert else graph
    board = load_board("stm32l4r5").model_copy(update={"core": core})
    plan = plan_memory(graph, select_kernels(graph, board, cmsis))
    return generate_model(graph, plan, cmsis, tflite, **options)


def edges_model(
    dtype: str = "float32", *, scale: float = 0.02, zero_point: int = 5, output: str = "float32"
) -> bytes:
    """A fully connected layer with another type than int8 at its input and output."""
    b = TfliteBuilder()
    real = dtype == "float32"
    x = b.tensor((1, 8), dtype, scale=None if real else scale, zero_point=zero_point, name="x")
    q = b.tensor((1, 8), scale=0.02, zero_point=5) if dtype != "int8" else x
    if dtype != "int8":
        b.operator("QUANTIZE", [x], [q])
    weights = np.arange(-12, 12, dtype=np.int8).reshape(3, 8)
    y = b.tensor((1, 3), scale=0.1, zero_point=-7)
    b.operator("FULLY_CONNECTED", [q, b.tensor((3, 8), scale=0.01, data=weights), -1], [y])
    real = output == "float32"
    out = b.tensor((1, 3), output, scale=None if real else 0.1, zero_point=0 if real else 121)
    b.operator("DEQUANTIZE" if real else "QUANTIZE", [y], [out])
    return b.build([x], [out])


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def includes(library: Path) -> list[str]:
    """Include paths as docs/generated-c.md gives them: CMSIS-NN's headers as a system's."""
    return [
        f"-I{library}",
        f"-I{library / 'kernels'}",
        "-isystem",
        str(library / "cmsis_nn" / "Include"),
    ]


def compile_library(library: Path, core: str, folder: Path) -> list[Path]:
    """Every source file below the library's folder; tinyflow's own with warnings as errors."""
    sources = sorted([*library.rglob("*.c"), *library.rglob("*.S")])
    own = [path for path in sources if "cmsis_nn" not in path.parts]
    other = [path for path in sources if "cmsis_nn" in path.parts]
    folder.mkdir()
    machine = [f"-mcpu={core}", "-mthumb", *CORES[core], "-O2", "-std=c11", *includes(library)]
    for paths, flags in ((own, [*STRICT, "-pedantic"]), (other, ["-w"])):
        if paths:
            run(GCC, "-c", *machine, *flags, "-fcallgraph-info", *paths, cwd=folder)
    return [folder / f"{path.stem}.o" for path in sources]


def example() -> str:
    """The C file that docs/generated-c.md shows."""
    found = re.search(r"<!-- example: \S+ -->\n```c\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@needs_arm
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("cmsis_nn", COPIES, ids=["found", "other"][: len(COPIES)])
@pytest.mark.parametrize("model", ["small", "float", "converted", "uint8"])
def test_it_compiles_alone(model: str, cmsis_nn: str | None, core: str, tmp_path: Path) -> None:
    models: dict[str, Callable[[], bytes]] = {
        "small": small_model,
        "float": edges_model,
        "converted": edges_model,
        "uint8": lambda: edges_model("uint8", zero_point=128, output="uint8"),
    }
    tflite, convert = models[model](), model == "converted"
    library = tmp_path / "lib" / "digits"
    code = generate(tflite, "digits", cmsis_nn, core=core, convert=convert, emit_tflite_array=True)
    write_folder(library, code.files)
    objects = compile_library(library, core, tmp_path / "objects")

    called = set(run(NM, "-u", "--format=just-symbols", *objects, cwd=tmp_path).split())
    own = set(run(NM, "--defined-only", "--format=just-symbols", *objects, cwd=tmp_path).split())
    foreign = {name for name in called - own if not name.endswith(":")}
    # The compiler's own helpers (`__`), and what it makes of loops: no heap, no printing.
    allowed = {"memcpy", "memset", "memmove"}
    assert not {n for n in foreign - allowed if not n.startswith("__")}
    assert not _cycle(tmp_path / "objects")


def _cycle(folder: Path) -> list[str]:
    """Functions that call themselves, directly or through others, by GCC's call graphs."""
    calls: dict[str, set[str]] = {}
    for path in folder.glob("*.ci"):
        edges = re.findall(r'edge: { sourcename: "(.*?)" targetname: "(.*?)"', path.read_text())
        for caller, callee in edges:
            calls.setdefault(caller.split(":")[-1], set()).add(callee.split(":")[-1])
    assert any(name.endswith("_invoke") for name in calls)
    reached = {name: set(callees) for name, callees in calls.items()}
    for _ in calls:
        for callees in reached.values():
            callees |= {far for near in list(callees) for far in reached.get(near, ())}
    return [name for name, callees in reached.items() if name in callees]


@needs_arm
@pytest.mark.parametrize("core", CORES)
def test_the_documented_example_links(core: str, tmp_path: Path) -> None:
    library = tmp_path / "lib" / "digits"
    write_folder(library, generate(small_model(), "digits", core=core).files)
    objects = compile_library(library, core, tmp_path / "objects")
    (tmp_path / "digit_reader.c").write_text(example())
    (tmp_path / "main.c").write_text(
        '#include "digits.h"\n'
        "int read_digit(const float image[DIGITS_INPUT_0_ELEMENTS]);\n"
        "int main(void) {\n"
        "    static const float image[DIGITS_INPUT_0_ELEMENTS] = {0.5f};\n"
        "    digits_init();\n"
        "    return read_digit(image);\n"
        "}\n"
    )
    machine = [f"-mcpu={core}", "-mthumb", *CORES[core], "-O2", "-std=c11"]
    run(
        GCC, *machine, *STRICT, *includes(library), "--specs=nano.specs", "--specs=nosys.specs",
        "main.c", "digit_reader.c", *objects, "-o", "firmware.elf",
        cwd=tmp_path,
    )  # fmt: skip


@needs_arm
@pytest.mark.skipif(shutil.which(GXX) is None, reason=f"{GXX} is not on PATH")
@pytest.mark.parametrize("standard", ["c++11", "c++20"])
@pytest.mark.parametrize("convert", [False, True], ids=["as it is", "converted"])
@pytest.mark.parametrize("tflite", [small_model(), edges_model()], ids=["int8", "float"])
def test_cpp_includes_the_header(
    tflite: bytes, convert: bool, standard: str, tmp_path: Path
) -> None:
    library = tmp_path / "lib" / "digits"
    write_folder(library, generate(tflite, "digits", convert=convert).files)
    (tmp_path / "user.cpp").write_text(
        '#include "digits.h"\n'
        "static const int shape[] = DIGITS_INPUT_0_SHAPE;\n"
        'static_assert(sizeof(shape) / sizeof(shape[0]) == DIGITS_INPUT_0_RANK, "");\n'
        "static_assert(sizeof(DIGITS_INPUT_0_TYPE) * DIGITS_INPUT_0_ELEMENTS"
        ' == DIGITS_INPUT_0_SIZE, "");\n'
        "int infer() {\n"
        "    digits_init();\n"
        "    return digits_invoke() + (digits_input(0) != nullptr) + shape[0];\n"
        "}\n"
    )
    machine = ["-mcpu=cortex-m4", "-mthumb", f"-std={standard}", *STRICT, "-pedantic"]
    run(GXX, "-c", *machine, f"-I{library}", "user.cpp", cwd=tmp_path)
    names = run(NM, "-u", "--format=just-symbols", "user.o", cwd=tmp_path).split()
    assert "digits_invoke" in names  # not a mangled name


_DIGESTS = """
import hashlib, sys
sys.path.insert(0, {root!r})
from tests.e2e.test_library import generate, small_model
for path, content in generate(small_model(), "digits", emit_tflite_array=True).files.items():
    data = content.encode() if isinstance(content, str) else content
    print(path, hashlib.sha256(data).hexdigest())
"""


def test_it_is_the_same_to_the_byte_each_time() -> None:
    here = {
        path: hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
        for path, data in generate(small_model(), "digits", emit_tflite_array=True).files.items()
    }
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _DIGESTS.format(root=str(ROOT))],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert dict(line.split(" ") for line in done.stdout.splitlines()) == here


# ----------------------------------------------------------------------- the inline helpers

_HELPERS = """
#include "m.h"
void quantize(const float *from, M_INPUT_0_TYPE *to, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] = m_quantize_input_0(from[i]);
}
void dequantize(const M_OUTPUT_0_TYPE *from, float *to, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] = m_dequantize_output_0(from[i]);
}
"""


def _host_helpers(tflite: bytes, folder: Path) -> ctypes.CDLL:
    """The header's helpers, compiled for this machine."""
    write_folder(folder / "m", generate(tflite, "m").files)
    (folder / "helpers.c").write_text(_HELPERS)
    # UBSan would be found out by a trap: an overflowing conversion is not the same everywhere.
    sanitize = ["-fsanitize=undefined,float-cast-overflow", "-fsanitize-undefined-trap-on-error"]
    run(
        "gcc", "-shared", "-fPIC", "-O2", "-std=c11", "-ffp-contract=off", *STRICT, *sanitize,
        f"-I{folder / 'm'}", "helpers.c", "-o", "helpers.so", cwd=folder,
    )  # fmt: skip
    return ctypes.CDLL(str(folder / "helpers.so"))


def _call(function: Any, source: np.ndarray, dtype: str) -> np.ndarray:
    result = np.zeros(source.shape, dtype)
    function(
        source.ctypes.data_as(ctypes.c_void_p),
        result.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_size_t(source.size),
    )
    return result


def _values(scale: float) -> np.ndarray:
    """Ties and their neighbours, the ends, random values, infinities."""
    step = np.float32(scale)
    ties = (np.arange(-600, 601, dtype=np.float64) / 2 * float(step)).astype(np.float32)
    rng = np.random.default_rng(3)
    limits = np.finfo(np.float32)
    extremes = np.array(
        [0.0, -0.0, limits.tiny, -limits.tiny, limits.max, limits.min, np.inf, -np.inf], np.float32
    )
    return np.concatenate(
        [
            ties,
            np.nextafter(ties, np.float32(np.inf)),
            np.nextafter(ties, np.float32(-np.inf)),
            (rng.normal(0, 100, 20_000) * step).astype(np.float32),
            extremes,
        ]
    )


@needs_host
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(
    ("scale", "zero_point"),
    [
        (1 / 256, 0),
        (1.0, 0),
        (0.5847029, 83),
        (0.003921569, -128),
        (0.05, 127),
        (1e-30, 3),
        (250.0, -1),
    ],
)
def test_quantize_helper(dtype: str, scale: float, zero_point: int, tmp_path: Path) -> None:
    zero_point += 128 if dtype == "uint8" else 0
    tflite = edges_model(dtype, scale=scale, zero_point=zero_point, output="uint8")
    helpers = _host_helpers(tflite, tmp_path)
    values = _values(scale)
    with np.errstate(over="ignore"):
        expected = quantize_array(values, scale, zero_point, dtype)
    np.testing.assert_array_equal(_call(helpers.quantize, values, dtype), expected)
    nan = np.array([np.nan, -np.nan], np.float32)
    assert (_call(helpers.quantize, nan, dtype) == np.iinfo(dtype).min).all()


@needs_host
def test_a_library_converts_float_inputs_and_outputs_in_pieces(tmp_path: Path) -> None:
    """On this machine, in plain C: as firmware would feed it from a driver."""
    tflite = edges_model()
    files = generate(tflite, "m", core="cortex-m0plus", convert=True).files
    write_folder(tmp_path / "m", files)
    sources = sorted((tmp_path / "m").rglob("*.c"))
    run(
        "gcc", "-shared", "-fPIC", "-O2", "-std=c11", "-ffp-contract=off", "-w",
        *includes(tmp_path / "m"), *sources, "-o", "m.so", cwd=tmp_path,
    )  # fmt: skip
    library = ctypes.CDLL(str(tmp_path / "m.so"))
    library.m_init()

    def call(name: str, first: int, values: np.ndarray) -> int:
        address = values.ctypes.data_as(ctypes.c_void_p)
        size = ctypes.c_size_t
        return int(getattr(library, name)(size(first), address, size(values.size)))

    odd = np.array([np.nan, np.inf, -np.inf, 1e9, 5e7, -1e9, 0.03, -0.03], np.float32)
    for values in (odd, np.linspace(-3, 3, 8, dtype=np.float32)):
        for first, end in ((3, 8), (0, 1), (1, 3), (8, 8)):
            assert call("m_write_input_0", first, values[first:end].copy()) == 0
        for first, count in ((8, 1), (0, 9), (7, 2), (2**31, 1)):  # nothing is written
            assert call("m_write_input_0", first, np.full(count, 9, np.float32)) == -1
        assert library.m_invoke() == 0
        found = np.zeros(3, np.float32)
        for position in (2, 0, 1):
            assert call("m_read_output_0", position, found[position : position + 1]) == 0
        assert call("m_read_output_0", 2, np.zeros(2, np.float32)) == -1
        (due,) = Oracle(tflite).run(values.reshape(1, 8))
        assert found.tobytes() == due.tobytes()


@needs_host
def test_dequantize_helper(tmp_path: Path) -> None:
    helpers = _host_helpers(edges_model("int8", output="uint8"), tmp_path)
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(
        _call(helpers.dequantize, values, "float32"), dequantize_array(values, 0.1, 121)
    )
