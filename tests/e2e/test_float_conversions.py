# SPDX-License-Identifier: Apache-2.0
"""Float inputs and outputs are converted piece by piece, exactly, on the device."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tinyflow as tf
from tests.support.command_line import CommandLine
from tests.support.cores import cortex_m0plus
from tests.support.float_ends import SCALE, float_ends_model
from tinyflow.boards import Board, load_board
from tinyflow.emulate.frames import ERROR, REPLY, Frame, FrameDecoder, encode
from tinyflow.emulate.protocol import Command, HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.oracle.constants import reference
from tinyflow.oracle.oracle import Oracle
from tinyflow.report.report_data import Report
from tinyflow.toolchain.elf import read_image

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
SHAPE = (9, 11, 3)
ELEMENTS = 9 * 11 * 3
RANGE_ERROR = 4


@dataclass(frozen=True)
class Built:
    """A build's folder, its board, and the model that it was made of."""

    folder: Path
    board: Board
    oracle: Oracle


@pytest.fixture(scope="module", params=["cortex-m4", "cortex-m0plus"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("ends")
    content = float_ends_model(SHAPE)
    (folder / "net.tflite").write_bytes(content)
    board = load_board("stm32l4r5") if request.param == "cortex-m4" else cortex_m0plus(folder)
    tf.build(folder / "net.tflite", board=board, output=folder / "build", vectors=12)
    return Built(folder / "build", board, reference(content))


@pytest.fixture
def device(built: Built) -> Iterator[Simulator]:
    report = Report.read(built.folder / "report.json")
    image = read_image(built.folder / report.artifacts["elf"])
    with Simulator(image, built.board) as simulator:
        yield simulator


def _hostile(seed: int) -> np.ndarray:
    """Values around every tie, beyond the type, beyond 2^31 steps, infinite, and NaN."""
    rng = np.random.default_rng(seed)
    values = (rng.integers(-400, 400, ELEMENTS) / 2 * SCALE).astype(np.float32)
    values[::3] = rng.normal(0, 4, values[::3].shape)
    odd = [np.nan, -np.nan, np.inf, -np.inf, 1e9, -1e9, 1.1e8, -1.1e8, 3e38, -3e38, 1e-40, -0.0]
    values[rng.choice(ELEMENTS, len(odd), replace=False)] = odd
    return values.reshape(1, *SHAPE)


def test_a_build_is_exact_and_says_what_it_leaves_out(built: Built) -> None:
    report = Report.read(built.folder / "report.json")
    assert (report.exact.mismatches, report.exact.vectors) == (0, 12)
    assert [layer.operator for layer in report.layers] == ["CONV_2D"]
    assert {report.model.inputs[0].dtype, report.model.outputs[0].dtype} == {"float32"}
    given, taken = report.conversions
    assert (given.kind, given.index, given.dtype, given.elements) == ("input", 0, "int8", ELEMENTS)
    assert (taken.kind, taken.index, taken.elements) == ("output", 0, 5 * 6 * 4)
    for each in (given, taken):
        assert each.cycles >= each.instructions > 4 * each.elements


def _ask(simulator: Simulator, command: Command, payload: bytes) -> Frame:
    simulator.write(encode(Frame(command, 9, payload)))
    decoder = FrameDecoder()
    while received := simulator.read(4096, 0.0):
        decoder.feed(received)
    (reply,) = iter(decoder.next, None)
    return reply


@pytest.mark.parametrize("piece", [1, 7, 125, 126])
def test_pieces_of_any_size_in_any_order_are_exact(
    piece: int, built: Built, device: Simulator
) -> None:
    values = _hostile(piece)
    (due,) = built.oracle.run(values)
    data = values.tobytes()
    offsets = list(range(0, len(data), 4 * piece))
    for offset in [*reversed(offsets), offsets[0]]:  # the first once more, as after a lost reply
        part = struct.pack("<BI", 0, offset) + data[offset : offset + 4 * piece]
        assert _ask(device, Command.WRITE_INPUT, part).command == Command.WRITE_INPUT | REPLY
    status, _ = struct.unpack("<iI", _ask(device, Command.INVOKE, b"").payload)
    assert status == 0
    found = b""
    while len(found) < due.nbytes:
        count = min(4 * piece, due.nbytes - len(found))
        asked = struct.pack("<BIH", 0, len(found), count)
        found += _ask(device, Command.READ_OUTPUT, asked).payload
    assert found == due.tobytes()


@pytest.mark.parametrize(("offset", "count"), [(1, 4), (2, 2), (0, 3), (4, 5), (4 * ELEMENTS, 4)])
def test_parts_of_a_float_are_refused(offset: int, count: int, device: Simulator) -> None:
    refused = Frame(ERROR, 9, bytes([RANGE_ERROR]))
    part = struct.pack("<BI", 0, offset) + bytes(count)
    assert _ask(device, Command.WRITE_INPUT, part) == refused
    assert _ask(device, Command.READ_OUTPUT, struct.pack("<BIH", 0, offset, count)) == refused


def test_the_client_writes_and_reads_whole_tensors(built: Built, device: Simulator) -> None:
    client = HarnessClient(device)
    assert [tensor.dtype.name for tensor in client.info().inputs] == ["float32"]
    for seed in range(4):
        values = _hostile(seed)
        (found,), (due,) = client.run(values), built.oracle.run(values)
        assert found.tobytes() == due.tobytes()


def test_the_commands_take_such_a_build(
    built: Built, tmp_path: Path, tinyflow: CommandLine
) -> None:
    if built.board.id != "stm32l4r5":
        pytest.skip("the commands know the boards of tinyflow")
    values = np.nan_to_num(_hostile(5), nan=0.0, posinf=1e20, neginf=-1e20)
    np.save(tmp_path / "x.npy", values)
    inputs = (built.folder, "--inputs", tmp_path / "x.npy")
    ran = tinyflow("run", *inputs, "--outputs", tmp_path / "y.npy")
    assert ran.code == 0, ran
    (due,) = built.oracle.run(values)
    assert np.load(tmp_path / "y.npy").tobytes() == due.tobytes()
    found = tinyflow("bisect", *inputs, "--json")
    assert found.code == 0
    assert [layer["differing"] for layer in found.json["layers"]] == [0]
    assert tinyflow("profile", built.folder).code == 0


@pytest.mark.parametrize(("dtype", "reshaped"), [("int16", False), ("int8", True)])
def test_other_types_and_shapes_are_exact(dtype: str, reshaped: bool, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(float_ends_model((3, 5, 2), dtype, reshaped=reshaped))
    report = tf.build(
        tmp_path / "net.tflite", board="stm32l4r5", output=tmp_path / "build", vectors=12
    )
    assert report.exact.mismatches == 0
    assert [found.dtype for found in report.conversions] == [dtype, dtype]
    assert not {"QUANTIZE", "DEQUANTIZE"} & {layer.operator for layer in report.layers}
