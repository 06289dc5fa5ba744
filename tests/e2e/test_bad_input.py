# SPDX-License-Identifier: Apache-2.0
"""Whatever a user gets wrong: one message that names it, an exit code, nothing half-written."""

from __future__ import annotations

import base64
import contextlib
import json
import marshal
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyflow as package
from tests.support.command_line import CommandLine, snapshot
from tests.support.small_model import CLASSES, INPUT_SHAPE, small_model
from tests.support.tflite_builder import TfliteBuilder
from tinyflow import boards
from tinyflow.boards import load_board
from tinyflow.cli import console
from tinyflow.emulate.frames import ERROR, Frame, FrameDecoder, encode
from tinyflow.emulate.protocol import Command, HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.errors import DeviceError
from tinyflow.report.report_data import Report
from tinyflow.storage.manifest import MARKER, manifest_of

BOARD = "nrf52840"
CONV: dict[str, Any] = {
    "strideH": 1,
    "strideW": 1,
    "dilationHFactor": 1,
    "dilationWFactor": 1,
    "padding": 0,
}

needs_compiler = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

#: Names as a hostile model file may carry them; the first eight go to activations, which are
#: named in C comments, in the report and in the terminal.
HOSTILE_NAMES = [
    "*/ int injected = 1 /*",
    "line\nfeed\r\n#error injected",
    "{{ 7*7 }}{% raw %}%}",
    "question??/",
    "back\\",
    "[red]markup[/]",
    "ünïcode 模型 \u202e [/]",
    "long" * 5000,
    "\"quoted'",
    "../../../injected",
    "back\\\nslash",
    ";",
    "\x1b[31m",
    "//",
    "%s%n$(touch injected)`touch injected`",
]
#: What is made of the first eight where the name of a layer is shown.
TITLES = [
    "*/ int injected = 1 /*",
    "linefeed#error injected",
    "{{ 7*7 }}{% raw %}%}",
    "question??/",
    "back\\",
    "[red]markup[/]",
    "ünïcode 模型  [/]",
    ("long" * 20)[:79] + "…",
]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of the small model."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "small.tflite").write_bytes(small_model())
    package.build(folder / "small.tflite", board=BOARD, output=folder / "out")
    return folder / "out"


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    """A copy of that build, to be harmed."""
    return shutil.copytree(built, tmp_path / "out", symlinks=True)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(small_model())
    return path


class Refusal:
    """A build that must fail, twice: with no output folder before it, and with a former build."""

    def __init__(self, tinyflow: CommandLine, folder: Path) -> None:
        self._tinyflow = tinyflow
        self._folder = folder

    def __call__(self, code: int, *arguments: object, says: tuple[str, ...]) -> dict[str, Any]:
        if "--board" not in arguments:
            arguments = (*arguments, "--board", BOARD)
        place = self._folder / "outputs"
        place.mkdir()
        error = self._build(code, arguments, place / "out", says)
        assert list(place.iterdir()) == []
        former = place / "former"
        (former / "lib").mkdir(parents=True)
        files = {"report.json": b"{}", "lib/model.c": b"former"}
        for name, content in {MARKER: manifest_of(files), **files}.items():
            (former / name).write_bytes(content)
        before = snapshot(place)
        assert self._build(code, arguments, former, says)["kind"] == error["kind"]
        assert snapshot(place) == before
        return error

    def _build(
        self, code: int, arguments: tuple[object, ...], output: Path, says: tuple[str, ...]
    ) -> dict[str, Any]:
        return self._tinyflow.refused(code, "build", *arguments, "--output", output, says=says)


@pytest.fixture
def refused(tinyflow: CommandLine, tmp_path: Path) -> Refusal:
    return Refusal(tinyflow, tmp_path)


def shell(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """The command as its own process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tinyflow", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


# ----------------------------------------------------------------------------- model files


def conv(
    b: TfliteBuilder,
    *,
    dtype: str = "int8",
    channels: int = 4,
    depth: int = 4,
    computed: bool = False,
    weight_zero: int = 0,
) -> tuple[int, int]:
    quantised: dict[str, Any] = {} if dtype == "float32" else {"scale": 0.1}
    kind = dtype if dtype == "float32" else "int8"
    x = b.tensor((1, 4, 4, channels), dtype, **quantised)
    data = None if computed else np.ones((4, 1, 1, depth), kind)
    w = b.tensor((4, 1, 1, depth), kind, data=data, zero_point=weight_zero, **quantised)
    y = b.tensor((1, 4, 4, 4), dtype, name="conv_1", **quantised)
    b.operator("CONV_2D", [x, w, -1], [y], **CONV)
    return x, y


def float_model(b: TfliteBuilder) -> tuple[int, int]:
    return conv(b, dtype="float32")


def dynamic_shape(b: TfliteBuilder) -> tuple[int, int]:
    """Height and width are open, and the file has the 1 that the converter writes for that."""
    x, y = conv(b)
    b.subgraph.tensors[x].shape = np.array([1, 1, 1, 4], np.int32)
    b.subgraph.tensors[x].shapeSignature = np.array([1, -1, -1, 4], np.int32)
    return x, y


def no_shape(b: TfliteBuilder) -> tuple[int, int]:
    x, y = conv(b)
    b.subgraph.tensors[x].shape = np.array([1, 0, 4, 4], np.int32)
    return x, y


def unknown_operator(b: TfliteBuilder) -> tuple[int, int]:
    x, y = conv(b)
    z = b.tensor((1, 4, 4, 4), scale=0.1, name="block/sign")
    b.operator("SIGN", [y], [z])
    return x, z


def custom_operator(b: TfliteBuilder) -> tuple[int, int]:
    x, y = unknown_operator(b)
    b.operator("CUSTOM", [x], [y])
    b.subgraph.operators.reverse()
    b.model.operatorCodes[-1].customCode = "Evil\x1b[31m[/]"
    return x, y


def variable(b: TfliteBuilder) -> tuple[int, int]:
    x, y = conv(b)
    b.subgraph.tensors[x].isVariable = True
    return x, y


def strings(b: TfliteBuilder) -> tuple[int, int]:
    x, y = conv(b)
    b.subgraph.tensors[x].type = 5
    return x, y


def constant_operands(b: TfliteBuilder) -> tuple[int, int]:
    x = b.tensor((1, 4), scale=0.1)
    c = b.tensor((1, 4), scale=0.1, data=np.ones((1, 4)), name="offset")
    y = b.tensor((1, 4), scale=0.1, name="sum")
    b.operator("ADD", [c, c], [y])
    return x, y


def add_scales(b: TfliteBuilder) -> tuple[int, int]:
    x = b.tensor((1, 4), scale=1e6)
    y = b.tensor((1, 4), scale=1e-3, name="sum")
    b.operator("ADD", [x, x], [y])
    return x, y


def maximum_scales(b: TfliteBuilder) -> tuple[int, int]:
    x = b.tensor((1, 4), scale=0.1)
    y = b.tensor((1, 4), scale=0.2, name="largest")
    b.operator("MAXIMUM", [x, x], [y])
    return x, y


def broadcast(b: TfliteBuilder) -> tuple[int, int]:
    x = b.tensor((1, 4), scale=0.1)
    c = b.tensor((1, 3), scale=0.1)
    y = b.tensor((1, 4), scale=0.1, name="sum")
    b.operator("ADD", [x, c], [y])
    return x, y


def constant_output(b: TfliteBuilder) -> tuple[int, int]:
    x, _ = conv(b)
    return x, 1


def damaged_weights(b: TfliteBuilder) -> tuple[int, int]:
    x, y = conv(b)
    b.subgraph.tensors[1].shape = np.array([4, 1, 1, 400], np.int32)
    return x, y


def huge(b: TfliteBuilder) -> tuple[int, int]:
    x = b.tensor((1, 1 << 15, 1 << 15), scale=0.1, name="huge")
    y = b.tensor((1, 1 << 30), scale=0.1)
    b.operator("RESHAPE", [x], [y])
    return x, y


MODELS: dict[str, tuple[int, Callable[[TfliteBuilder], tuple[int, int]], tuple[str, ...]]] = {
    "float": (3, float_model, ("CONV_2D layer 'conv_1' computes in float32", "calibration data")),
    "dynamic shape": (3, dynamic_shape, ("'tensor_0' has the dynamic shape [1, -1, -1, 4]",)),
    "shape of 0": (3, no_shape, ("'tensor_0' has the dynamic shape [1, 0, 4, 4]",)),
    "unknown operator": (
        4,
        unknown_operator,
        ("the operator SIGN of layer 'block/sign'", "Supported: ABS, ADD, ADD_N"),
    ),
    "custom operator": (4, custom_operator, (r"operator CUSTOM 'Evil\x1b[31m[/]' of layer",)),
    "uneven groups": (
        4,
        lambda b: conv(b, channels=6),
        ("CONV_2D layer 'conv_1': grouped convolution (6 input channels, filters of 4)",),
    ),
    "uint8": (4, lambda b: conv(b, dtype="uint8"), ("'tensor_0' is uint8, expected int8",)),
    "computed weights": (4, lambda b: conv(b, computed=True), ("the weights 'tensor_1' are",)),
    "variable": (4, variable, ("the operand 'tensor_0' is a variable",)),
    "strings": (4, strings, ("tensor 'tensor_0' has the type string",)),
    "constant operands": (4, constant_operands, ("the model's output 'sum' is a constant",)),
    "add scales": (4, add_scales, ("ADD layer 'sum': the scales give the multiplier 1907.3",)),
    "maximum scales": (4, maximum_scales, ("MAXIMUM layer 'largest': operands and output differ",)),
    "broadcast": (3, broadcast, ("ADD layer 'sum': operands of the shapes [1, 4] and [1, 3]",)),
    "constant output": (4, constant_output, ("the model's output 'tensor_1' is a constant",)),
    "damaged weights": (3, damaged_weights, ("'tensor_1' has 16 bytes of data for 1600",)),
    "huge": (3, huge, ("'huge' of shape [1, 32768, 32768] is too large",)),
}


@pytest.mark.parametrize("case", MODELS)
def test_a_model_that_cannot_be_compiled(case: str, refused: Refusal, tmp_path: Path) -> None:
    code, make, says = MODELS[case]
    b = TfliteBuilder()
    x, y = make(b)
    inputs = [x, 1] if case == "broadcast" else [x]
    (tmp_path / "bad.tflite").write_bytes(b.build(inputs, [y]))
    error = refused(code, tmp_path / "bad.tflite", says=says)
    assert error["kind"] == {3: "InputError", 4: "UnsupportedError"}[code]


@pytest.mark.parametrize("suffix", [".tflite", ".keras", ".h5", ""])
def test_a_missing_model(refused: Refusal, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"absent{suffix}"
    refused(3, path, says=(f"{path}: no such",))


@pytest.mark.parametrize("share", [0.001, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_tflite(refused: Refusal, tmp_path: Path, share: float) -> None:
    content = small_model()
    path = tmp_path / "cut.tflite"
    path.write_bytes(content[: int(len(content) * share)])
    refused(3, path, says=(f"{path}: ", "tflite" if share < 0.01 else "damaged"))


@pytest.mark.parametrize("content", [b"", b"TFL3", b"not a model at all", bytes(4096)])
def test_not_a_tflite(refused: Refusal, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.tflite"
    path.write_bytes(content)
    refused(3, path, says=(f"{path}: not a TFLite model", "full int8 quantisation"))


def test_not_a_model_of_any_kind(refused: Refusal, tmp_path: Path) -> None:
    (tmp_path / "x.keras").write_text("not a model at all")
    refused(3, tmp_path / "x.keras", says=("x.keras: damaged, or not a Keras model", ".tflite"))


def test_a_folder_that_is_no_saved_model(refused: Refusal, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused(3, tmp_path / "folder", says=("folder: a folder without saved_model.pb",))


def test_a_tflite_of_another_name_is_told_by_its_content(refused: Refusal, tmp_path: Path) -> None:
    b = TfliteBuilder()
    (tmp_path / "model.lite").write_bytes(b.build(*([index] for index in float_model(b))))
    refused(3, tmp_path / "model.lite", says=("computes in float32",))


# ----------------------------------------------------------------------- Keras models, data


def keras_file(path: Path, *layers: dict[str, Any]) -> Path:
    """A .keras file of those layers, with no weights: enough for what is read before Keras."""
    entry = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": {"batch_shape": [None, 4, 2], "dtype": "float32", "name": "signal"},
        "registered_name": None,
    }
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "net", "layers": [entry, *layers]},
        "registered_name": None,
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
    return path


def test_a_lambda_layer_is_refused_and_never_run(
    refused: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def payload(x: Any) -> Any:
        return open("executed", "w")  # noqa: PTH123

    code = base64.b64encode(marshal.dumps(payload.__code__)).decode()
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None}}
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"name": "my_lambda", "function": function},
        "registered_name": None,
    }
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 4, 2), np.float32))
    model = keras_file(tmp_path / "net.keras", layer)
    refused(
        3, model, "--calibration", tmp_path / "x.npz",
        says=("net.keras: the layer 'my_lambda': it is a Lambda layer", "nothing was executed"),
    )  # fmt: skip
    assert not (tmp_path / "executed").exists()


def test_no_calibration_data(refused: Refusal, tmp_path: Path) -> None:
    model = keras_file(tmp_path / "net.keras")
    refused(3, model, says=("net.keras: quantisation needs calibration data", "--calibration"))


def with_nan() -> np.ndarray:
    array = np.zeros((3, 4, 2), np.float32)
    array[1, 2, 0] = np.nan
    return array


CALIBRATION: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing": (
        lambda path: None,
        (": no such file (calibration data)", "an .npz with one array per model input"),
    ),
    "wrong shape": (
        lambda path: np.savez(path, x=np.zeros((3, 5, 2), np.float32)),
        (": array 'x' has shape (3, 5, 2), expected (samples, 4, 2) for the input 'signal'",),
    ),
    "NaN": (
        lambda path: np.savez(path, x=with_nan()),
        (": array 'x' holds 1 values that are NaN or infinite, the first at index (1, 2, 0)",),
    ),
    "missing array": (
        lambda path: np.savez(path, images=np.zeros((3, 4, 2), np.float32)),
        (": no array for the input 'signal' of shape (4, 2); the file holds images (3, 4, 2)",),
    ),
    "empty": (
        lambda path: np.savez(path, x=np.zeros((0, 4, 2), np.float32)),
        (": array 'x' is empty",),
    ),
    "pickled": (
        lambda path: np.savez(path, x=np.array([{"a": 1}], object)),
        (": cannot be read as calibration data", "pickled Python objects, which are refused"),
    ),
    "bare pickle": (
        lambda path: path.write_bytes(pickle.dumps([1])),
        (": cannot be read as calibration data", "pickled Python objects, which are refused"),
    ),
    "text": (
        lambda path: np.savez(path, x=np.full((3, 4, 2), "one")),
        (": array 'x' has dtype <U3, expected numbers",),
    ),
    "truncated": (
        lambda path: path.write_bytes(b"PK\x03\x04 and no more"),
        (": cannot be read as calibration data",),
    ),
}


@pytest.mark.parametrize("case", CALIBRATION)
def test_calibration_data(case: str, refused: Refusal, tmp_path: Path) -> None:
    make, says = CALIBRATION[case]
    path = tmp_path / "x.npz"
    make(path)
    model = keras_file(tmp_path / "net.keras")
    refused(3, model, "--calibration", path, says=(f"{path}{says[0]}", *says[1:]))


def test_test_data_without_labels(refused: Refusal, small: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "test.npz", x=np.zeros((3, 8, 8, 3), np.float32))
    refused(3, small, "--test", tmp_path / "test.npz", says=("test.npz: no labels `y`",))


# --------------------------------------------------------------------- boards and their memory


def test_an_unknown_board(refused: Refusal, small: Path) -> None:
    says = ("unknown board 'stm32f764'; did you mean 'stm32f746'?", "tinyflow boards")
    refused(3, small, "--board", "stm32f764", says=says)


def test_a_board_is_no_path(refused: Refusal, small: Path) -> None:
    refused(3, small, "--board", "../boards/nrf52840", says=("unknown board '../boards/nrf52840'",))


def test_no_board(tinyflow: CommandLine, small: Path) -> None:
    tinyflow.refused(3, "build", small, says=("no board named", "--board BOARD"))


@pytest.fixture
def shrink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes the board `tiny`, of other memory sizes."""
    folder = tmp_path / "boards"
    folder.mkdir()

    def make(**sizes: int) -> None:
        manifest = json.loads(load_board(BOARD).path.read_text())
        for region in manifest["tinyflow"]["memory"]:
            region["size"] = sizes.get(region["kind"], region["size"])
        (folder / "tiny.json").write_text(json.dumps(manifest))
        monkeypatch.setattr(boards, "BOARDS", folder)

    yield make
    load_board.cache_clear()


def test_weights_that_do_not_fit(
    refused: Refusal, shrink: Callable[..., None], tmp_path: Path
) -> None:
    b = TfliteBuilder()
    x, y = b.tensor((1, 128), scale=0.1), b.tensor((1, 128), scale=0.1)
    w = b.tensor((128, 128), scale=0.1, data=np.ones((128, 128)))
    b.operator("FULLY_CONNECTED", [x, w, -1], [y])
    (tmp_path / "large.tflite").write_bytes(b.build([x], [y]))
    shrink(flash=12_000)
    error = refused(
        6, tmp_path / "large.tflite", "--board", "tiny",
        says=("does not fit tiny: the weights need", "of flash, the board has 12,000", "too many"),
    )  # fmt: skip
    need, short = (
        int(number.replace(",", ""))
        for number in re.search(r"need ([\d,]+) .*: ([\d,]+) too many", error["message"]).groups()  # type: ignore[union-attr]
    )
    assert need >= 128 * 128
    assert short == need - 12_000


def test_an_arena_that_does_not_fit(refused: Refusal, small: Path, shrink: Any) -> None:
    shrink(ram=4_200)
    refused(
        6, small, "--board", "tiny",
        says=("does not fit tiny: the arena and the stack need 4,464 bytes of ram",
              "the board has 4,200: 264 too many"),
    )  # fmt: skip


@needs_compiler
@pytest.mark.parametrize(("kind", "size"), [("flash", 8_500), ("ram", 4_800)])
def test_an_image_that_does_not_fit(
    tinyflow: CommandLine, out: Path, small: Path, shrink: Any, kind: str, size: int
) -> None:
    """An image that is too large is found by the linker only; a former build survives it."""
    shrink(**{kind: size})
    before = snapshot(out)
    error = tinyflow.refused(
        6, "build", small, "--board", "tiny", "--output", out, says=("does not fit the board",)
    )
    assert re.search(rf"{kind.upper()} is [1-9]\d* bytes short", error["message"])
    assert "tinyflow boards" in error["hint"]
    assert snapshot(out) == before
    assert not out.with_name(".out.previous").exists()


# ------------------------------------------------------------------------------ missing tools


def test_no_compiler_is_told_at_once(small: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    (tmp_path / "bin").mkdir()
    process = shell(
        "build", small, "--board", BOARD, "--output", tmp_path / "out", "--json",
        PATH=str(tmp_path / "bin"), https_proxy="http://127.0.0.1:9",
        PLATFORMIO_CORE_DIR=str(tmp_path / "platformio"),
    )  # fmt: skip
    output, shown = process.communicate()
    assert process.returncode == 5
    assert time.monotonic() - start < 15
    error = json.loads(output)["error"]
    assert "`arm-none-eabi-gcc` is not on PATH" in error["message"]
    assert "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi" in error["hint"]
    assert "error: `arm-none-eabi-gcc`" in shown
    assert not (tmp_path / "out").exists()


def test_no_platformio_is_told_at_once(small: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['platformio'] = None\n")
    start = time.monotonic()
    process = shell(
        "build", small, "--board", BOARD, "--output", tmp_path / "out", "--json",
        PYTHONPATH=os.pathsep.join((str(tmp_path), str(Path(package.__file__).parents[1]))),
    )  # fmt: skip
    output, _ = process.communicate()
    assert process.returncode == 5
    assert time.monotonic() - start < 10
    error = json.loads(output)["error"]
    assert error["message"] == "PlatformIO is not installed"
    assert "pip install platformio" in error["hint"]
    assert not (tmp_path / "out").exists()


@needs_compiler
def test_hil_tests_without_renode(
    tinyflow: CommandLine, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TINYFLOW_RENODE", raising=False)
    before = snapshot(out)
    error = tinyflow.refused(12, "test", out, says=("Renode is not installed",))
    assert error["kind"] == "RenodeMissingError"
    assert "\n" not in error["message"]
    x = tmp_path / "x.npy"
    np.save(x, np.zeros(INPUT_SHAPE, np.int8))
    tinyflow.refused(12, "run", out, "--inputs", x, "--target", "renode", says=("Renode",))
    assert snapshot(out) == before


# ------------------------------------------------------------------------------ hostile names


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build of a model whose every name is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    activations, others = iter(HOSTILE_NAMES[:8]), cycle(HOSTILE_NAMES[8:])
    model = folder / "{{7*7}} [red]*[];'\"x\\.tflite"
    content = small_model(lambda name: next(others if "/" in name else activations))
    model.write_bytes(content)
    package.build(model, board=BOARD, output=folder / "out", name='../*/{{ 7*7 }} "\n')
    return folder


@needs_compiler
def test_hostile_names_harm_nothing(hostile: Path) -> None:
    """Hostile names still build: the C compiles with all warnings as errors."""
    assert {path.name for path in hostile.iterdir()} == {
        "out", "{{7*7}} [red]*[];'\"x\\.tflite"
    }  # fmt: skip
    report = Report.read(hostile / "out" / "report.json")
    assert report.exact.mismatches == 0
    assert report.model.name == "model_7_7"
    assert not list(hostile.rglob("*injected*"))
    for path in (hostile / "out" / "lib" / "model_7_7").glob("*.[ch]"):
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        assert "injected" not in code
    source = (hostile / "out" / "lib" / "model_7_7" / "model_7_7.c").read_text()
    for title in TITLES[1:3] + TITLES[6:]:
        assert f", {title}\n" in source or f"  {title}\n" in source
    assert "* / int injected = 1 / *" in source
    assert "question? ?/" in source
    assert max(map(len, source.splitlines())) < 300


@needs_compiler
def test_hostile_names_are_shown_as_they_are(
    hostile: Path, tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 200)  # narrower tables shorten names
    (model,) = hostile.glob("*.tflite")
    arguments = ("build", model, "--board", BOARD, "--output", hostile / "out")
    named = (*arguments, "--name", "{{ 7*7 }}")
    shown = tinyflow(*named)
    assert shown.code == 0, shown.err
    assert "(unchanged)" in shown.err
    titles = [layer.name for layer in Report.read(hostile / "out" / "report.json").layers]
    assert titles == [title for title in TITLES[1:] if title != TITLES[5]]
    for title in titles:
        assert title[:30] in shown.out
    as_json = tinyflow(*named, "--json").json
    assert [layer["name"] for layer in as_json["layers"]] == titles
    assert as_json["model"]["source"] == model.name


@needs_compiler
def test_markup_in_names_is_not_interpreted(tinyflow: CommandLine, out: Path, small: Path) -> None:
    report = json.loads((out / "report.json").read_text())
    folder = out.parent / "[red]a[/] [/]"
    shutil.copytree(out, folder, symlinks=True)
    shown = tinyflow("build", small, "--board", BOARD, "--output", folder)
    assert shown.code == 0, shown.err
    assert f"the project is in {folder}" in shown.err
    assert report["model"]["name"] in shown.out


# -------------------------------------------------------------------------- the device's line


class Board(threading.Thread):
    """A board at a pseudo terminal; it vanishes after a number of bytes."""

    def __init__(self, elf: Path, limit: int) -> None:
        super().__init__(daemon=True)
        self._elf, self._limit = elf, limit
        self._far, self._near = os.openpty()
        self.port = os.ttyname(self._near)
        self.start()

    def run(self) -> None:
        received = 0
        with Simulator(self._elf, load_board(BOARD)) as device, contextlib.suppress(OSError):
            while received < self._limit and (data := os.read(self._far, 256)):
                received += len(data)
                device.write(data)
                while answer := device.read(256, 0.0):
                    os.write(self._far, answer)
        for end in (self._far, self._near):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).integers(-128, 128, (5, *INPUT_SHAPE[1:]), np.int8))
    return path


@needs_compiler
def test_a_serial_port_and_the_simulator_agree(
    tinyflow: CommandLine, out: Path, samples: Path, tmp_path: Path
) -> None:
    found = []
    board = Board(out / ".pio" / "build" / BOARD / "firmware.elf", 10**9)
    for target in ("simulator", f"serial:{board.port}"):
        y = tmp_path / "y.npy"
        outcome = tinyflow(
            "run", out, "--inputs", samples, "--outputs", y, "--target", target, "--json"
        )
        assert outcome.code == 0, outcome.err
        assert outcome.json["samples"] == 5
        found.append(np.load(y))
    assert found[0].shape == (5, 1, CLASSES)
    assert found[0].dtype == np.int8
    np.testing.assert_array_equal(*found)


@needs_compiler
@pytest.mark.parametrize("limit", [1, 300])
def test_a_serial_port_that_vanishes(
    tinyflow: CommandLine, out: Path, samples: Path, tmp_path: Path, limit: int
) -> None:
    board = Board(out / ".pio" / "build" / BOARD / "firmware.elf", limit)
    y = tmp_path / "y.npy"
    tinyflow.refused(
        9, "run", out, "--inputs", samples, "--outputs", y, "--target", f"serial:{board.port}",
        says=(f"the serial port {board.port} vanished", "Check the cable"),
    )  # fmt: skip
    board.join(10)
    assert not y.exists()


@needs_compiler
def test_a_serial_port_that_is_not_there(tinyflow: CommandLine, out: Path, samples: Path) -> None:
    tinyflow.refused(
        3, "run", out, "--inputs", samples, "--target", "serial:/dev/tinyflow-none",
        says=("cannot open the serial port /dev/tinyflow-none", "serial port"),
    )  # fmt: skip
    tinyflow.refused(
        3, "run", out, "--inputs", samples, "--target", "gdb",
        says=("unknown target 'gdb'", "simulator, renode and serial:PORT"),
    )  # fmt: skip


@needs_compiler
def test_the_firmware_answers_a_wrong_crc(built: Path) -> None:
    """The firmware reports it, does nothing, and takes the next frame."""
    elf = built / ".pio" / "build" / BOARD / "firmware.elf"
    with Simulator(elf, load_board(BOARD)) as device:
        decoder = FrameDecoder()
        damaged = bytearray(encode(Frame(Command.RESET, 7)))
        damaged[-1] ^= 1
        device.write(bytes(damaged))
        decoder.feed(device.read(100, 0.0))
        assert decoder.next() == Frame(ERROR, 7, b"\x01")
        device.write(encode(Frame(Command.RESET, 8)))
        decoder.feed(device.read(100, 0.0))
        assert decoder.next() == Frame(Command.RESET | 0x80, 8)


class NoisyLine(Simulator):
    """Damages a bit of each of the first frames that carry an input."""

    frames_to_damage = 0

    def write(self, data: bytes) -> None:
        if self.frames_to_damage and data[2:3] == bytes([Command.WRITE_INPUT]):
            self.frames_to_damage -= 1
            data = data[:20] + bytes([data[20] ^ 4]) + data[21:]
        super().write(data)


@needs_compiler
def test_a_damaged_frame_is_sent_again_and_in_the_end_given_up(built: Path) -> None:
    elf = built / ".pio" / "build" / BOARD / "firmware.elf"
    sample = np.arange(192, dtype=np.uint8).view(np.int8).reshape(INPUT_SHAPE)
    with NoisyLine(elf, load_board(BOARD)) as device:
        client = HarnessClient(device)
        (expected,) = client.run(sample)
        device.frames_to_damage = 1
        (found,) = client.run(sample)
        np.testing.assert_array_equal(found, expected)
        device.frames_to_damage = 100
        with pytest.raises(DeviceError, match=r"WRITE_INPUT was answered.*wrong CRC.*3 attempts"):
            client.run(sample)


# ------------------------------------------------------------------------------ tinyflow run


BAD_SAMPLES: dict[str, tuple[np.ndarray, str]] = {
    "shape": (np.zeros((5, 8, 8, 1), np.int8), "has shape (5, 8, 8, 1), expected (samples, 8, 8"),
    "empty": (np.zeros((0, 8, 8, 3), np.int8), "is empty"),
    "range": (np.full(INPUT_SHAPE, 200, np.int32), "holds values outside of int8"),
    "dtype": (np.full(INPUT_SHAPE, "x"), "has dtype <U1, expected numbers"),
    "NaN": (np.full(INPUT_SHAPE, np.nan, np.float32), "NaN or infinite"),
}


@needs_compiler
@pytest.mark.parametrize("case", BAD_SAMPLES)
def test_inputs_of_the_wrong_form(
    case: str, tinyflow: CommandLine, built: Path, tmp_path: Path
) -> None:
    array, says = BAD_SAMPLES[case]
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, array)
    tinyflow.refused(3, "run", built, "--inputs", x, "--outputs", y, says=(f"{x}: array", says))
    assert not y.exists()


@needs_compiler
def test_inputs_and_outputs_of_the_wrong_number(
    tinyflow: CommandLine, built: Path, samples: Path, tmp_path: Path
) -> None:
    y = tmp_path / "y.npy"
    two = ("--inputs", samples, "--inputs", samples)
    tinyflow.refused(3, "run", built, *two, says=("2 input file(s) for a model with 1 input(s)",))
    two = ("--outputs", y, "--outputs", y)
    tinyflow.refused(
        3, "run", built, "--inputs", samples, *two, says=("2 output file(s) for a model with 1",)
    )
    tinyflow.refused(
        3, "run", built, "--inputs", tmp_path / "no.npy", says=("no.npy: no such file",)
    )
    tinyflow.refused(
        3, "run", built, "--inputs", samples, "--outputs", tmp_path / "no" / "y.npy",
        says=("y.npy: the folder", "does not exist"),
    )  # fmt: skip


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(path: Path, *keys: str, value: Any) -> None:
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content))


ELF = f".pio/build/{BOARD}/firmware.elf"
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no report": (lambda f: (f / "report.json").unlink(), "not a finished build (no report.json)"),
    "cut report": (lambda f: cut(f / "report.json"), "report.json: damaged"),
    "empty report": (lambda f: (f / "report.json").write_text("{}"), "report.json: damaged"),
    "no artifacts": (
        lambda f: edit(f / "report.json", "artifacts", value={}), "report.json: damaged"
    ),
    "bad digest": (
        lambda f: edit(f / "report.json", "model", "sha256", value="xyz"), "report.json: damaged"
    ),
    "another board": (
        lambda f: edit(f / "report.json", "board", "id", value="nrf5284"),
        "did you mean 'nrf52840'?",
    ),
    "no image": (lambda f: (f / ELF).unlink(), "firmware.elf: the firmware image is missing"),
    "cut image": (lambda f: cut(f / ELF), "firmware.elf: not a firmware image"),
    "empty image": (lambda f: (f / ELF).write_bytes(b""), "firmware.elf: not a firmware image"),
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_build(case: str, tinyflow: CommandLine, out: Path, samples: Path) -> None:
    damage, says = DAMAGE[case]
    damage(out)
    tinyflow.refused(3, "run", out, "--inputs", samples, says=(says,))


@needs_compiler
def test_a_damaged_image_is_built_again(
    tinyflow: CommandLine, out: Path, samples: Path, small: Path
) -> None:
    cut(out / ELF)
    outcome = tinyflow("build", small, "--board", BOARD, "--output", out, "--json")
    assert outcome.code == 0, outcome.err
    assert tinyflow("run", out, "--inputs", samples).code == 0


def test_folders_that_are_no_build(tinyflow: CommandLine, tmp_path: Path) -> None:
    for command in ("test", "flash"):
        tinyflow.refused(3, command, tmp_path, says=("not a finished build", "build/stm32f746"))


@needs_compiler
def test_firmware_of_another_model(
    tinyflow: CommandLine, out: Path, hostile: Path, samples: Path, tmp_path: Path
) -> None:
    shutil.copyfile(hostile / "out" / ELF, out / ELF)
    y = tmp_path / "y.npy"
    tinyflow.refused(
        9, "run", out, "--inputs", samples, "--outputs", y,
        says=("the device runs the model 'model_7_7'", "not 'small'", "tinyflow flash"),
    )  # fmt: skip
    assert not y.exists()


# ------------------------------------------------------------- projects, budgets, output folders


def test_an_output_folder_of_others(tinyflow: CommandLine, small: Path, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "text").write_text("years of work")
    before = snapshot(tmp_path)
    for place, says in (
        (thesis, "thesis: holds files that tinyflow did not make"),
        (thesis / "text", "text: is a file, not a folder"),
        (thesis / "text" / "out", "cannot be written"),
        ("/", "cannot be an output folder"),
    ):
        arguments = ("build", small, "--board", BOARD, "--output", place)
        tinyflow.refused(3, *arguments, says=(says, "--output"))
    assert snapshot(tmp_path) == before


def test_a_project_file_that_is_wrong(
    tinyflow: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tinyflow.refused(3, "build", says=("tinyflow.toml: no such file", "tinyflow init"))
    for text, says in (
        ("model = [", "tinyflow.toml: not a TOML file"),
        ('[model]\npath = "x"\n[budgets]\n', "tinyflow.toml: [budgets]: unknown table"),
        ('[model]\npath = "x"\nfile = 1\n', "tinyflow.toml: [model] file: unknown key"),
        ("[model]\npath = 1\n", "tinyflow.toml: [model] path: must be a path, got 1"),
    ):
        (tmp_path / "tinyflow.toml").write_text(text)
        tinyflow.refused(3, "build", "--board", BOARD, says=(says,))
    assert [path.name for path in tmp_path.iterdir()] == ["tinyflow.toml"]


def test_init_refuses(
    tinyflow: CommandLine, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tinyflow.refused(3, "init", "none.tflite", says=("none.tflite: no such file",))
    tinyflow.refused(3, "init", small.name, "--board", "none", says=("unknown board 'none'",))
    assert not Path("tinyflow.toml").exists()
    Path("tinyflow.toml").write_text("# mine\n")
    tinyflow.refused(3, "init", small.name, says=("tinyflow.toml: exists already", "--force"))
    assert Path("tinyflow.toml").read_text() == "# mine\n"


@needs_compiler
def test_init_then_build_then_a_broken_budget(
    tinyflow: CommandLine, built: Path, small: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(built, tmp_path / "build" / BOARD, symlinks=True)
    report = tmp_path / "build" / BOARD / "report.json"
    wrote = tinyflow("init", small.name, "--board", BOARD, "--json")
    assert wrote.json["written"] == "tinyflow.toml"
    assert tinyflow("build", "--json").json == json.loads(report.read_text())

    project = Path("tinyflow.toml")
    kept = project.read_text().replace("# flash_kib = 256.0", "flash_kib = 256.0")
    project.write_text(kept)
    shown = tinyflow("build")
    assert shown.code == 0
    assert "budget flash_kib" in shown.out

    project.write_text(
        kept.replace("# latency_ms = 50.0", "latency_ms = 0.001")
        .replace("# ram_kib = 64.0", "ram_kib = 0.5")
        .replace("# accuracy_drop = 1.0", "accuracy_drop = 1.0")
    )
    error = tinyflow.refused(7, "build", says=("The build is complete",))
    assert re.fullmatch(
        r"budget broken: latency_ms is \d\.\d\d, the limit is 0\.001\n"
        r"budget broken: ram_kib is \d\.\d\d, the limit is 0\.5\n"
        r"budget broken: accuracy_drop is not measured, the limit is 1",
        error["message"],
    )
    budget = {item["name"]: item["kept"] for item in json.loads(report.read_text())["budget"]}
    assert budget == {
        "latency_ms": False, "ram_kib": False, "flash_kib": True, "accuracy_drop": False
    }  # fmt: skip
    assert (report.parent / ELF).is_file()
    shown = tinyflow("build")
    assert shown.code == 7
    assert "exactness" in shown.out
    assert shown.err.count("budget broken:") == 3
    np.save("x.npy", np.zeros(INPUT_SHAPE, np.int8))
    assert tinyflow("run", f"build/{BOARD}", "--inputs", "x.npy").code == 0


# ------------------------------------------------------------------------- builds cut short


def start_and_interrupt(out: Path, model: Path, number: signal.Signals) -> int:
    """Start another build over a former one, and end it while it compiles."""
    marker = f"TINYFLOW_TEST={model}"
    cache = model.with_name("cache")
    process = shell(
        "build", model, "--board", BOARD, "--output", out,
        TINYFLOW_TEST=str(model), TINYFLOW_CACHE=str(cache),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(cache.glob("**/.pio/build/*/lib*/other")):  # made by the compiling SCons
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    process.wait()
    if number is signal.SIGKILL:  # as when the power fails: what it started ends, too
        while orphans := list(started_with(marker)):
            for orphan in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
            time.sleep(0.02)
    assert not list(started_with(marker))
    process.communicate()
    return process.returncode


def started_with(variable: str) -> Iterator[int]:
    """The running processes that have this variable in their environment."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if variable.encode() in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


@needs_compiler
def test_a_killed_build_leaves_the_former_one(
    tinyflow: CommandLine, out: Path, tmp_path: Path
) -> None:
    before = snapshot(out)
    (tmp_path / "other.tflite").write_bytes(small_model(seed=1))
    assert start_and_interrupt(out, tmp_path / "other.tflite", signal.SIGKILL) == -9
    assert snapshot(out) == before
    assert (tmp_path / ".out.tinyflow-lock").exists()  # which blocks no build
    arguments = ("build", tmp_path / "other.tflite", "--board", BOARD, "--output", out)
    assert tinyflow(*arguments).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "out", "other.tflite"}


@needs_compiler
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_build_that_is_told_to_end_puts_the_former_back(
    out: Path, tmp_path: Path, number: signal.Signals
) -> None:
    before = snapshot(out)
    (tmp_path / "other.tflite").write_bytes(small_model(seed=1))
    assert start_and_interrupt(out, tmp_path / "other.tflite", number) not in (0, 1)
    assert snapshot(out) == before
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "out", "other.tflite"}
