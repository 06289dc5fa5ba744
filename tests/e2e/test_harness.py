# SPDX-License-Identifier: Apache-2.0
"""The harness firmware, built by PlatformIO for every board, spoken to in the simulator."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.fake_model import PLUS_ONE, SIZE, write_fake_model
from tinyflow.boards import Board, board_ids, load_board
from tinyflow.emulate import open_target
from tinyflow.emulate.frames import ERROR, OVERHEAD, REPLY, Frame, FrameDecoder, encode
from tinyflow.emulate.protocol import Command, HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.toolchain.elf import Image, read_image
from tinyflow.toolchain.platformio import build_project

GCC = "arm-none-eabi-gcc"
pytestmark = pytest.mark.skipif(shutil.which(GCC) is None, reason=f"{GCC} is not installed")

Firmware = tuple[Board, Image]


@pytest.fixture(scope="module", params=board_ids())
def firmware(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    board = load_board(request.param)
    directory: Path = tmp_path_factory.mktemp(board.id)
    write_fake_model(directory, board)
    return board, read_image(build_project(directory))


@pytest.fixture
def simulator(firmware: Firmware) -> Iterator[Simulator]:
    board, image = firmware
    with Simulator(image, board, cycles_per_instruction=2.0) as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator) -> HarnessClient:
    return HarnessClient(simulator)


def vector(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (1, 4, 4)).astype(np.int8)


def expected(values: np.ndarray) -> np.ndarray:
    return (values.reshape(1, SIZE).astype(int) + 1).astype(np.int8)


def test_info_describes_the_model(client: HarnessClient, firmware: Firmware) -> None:
    info = client.info()
    board, _ = firmware
    assert (info.protocol_version, info.model, info.board) == (2, "plus_one", board.id)
    assert info.digest == bytes(range(8))
    assert (info.clock_hz, info.layers) == (board.clock_hz, PLUS_ONE.layer_count)
    assert info.arena_bytes == PLUS_ONE.arena_bytes
    (found,), (result,) = info.inputs, info.outputs
    assert (found.dtype, found.shape, found.bytes) == (np.int8, (1, 4, 4), SIZE)
    assert (found.scale, found.zero_point) == (pytest.approx(0.1), -3)
    assert (result.shape, result.scale, result.zero_point) == ((1, SIZE), 0.00390625, -128)


def test_inferences_give_the_models_output(client: HarnessClient) -> None:
    for seed in range(20):
        values = vector(seed)
        np.testing.assert_array_equal(client.run(values)[0], expected(values))
    assert client.stats().inferences == 20
    client.reset()
    np.testing.assert_array_equal(client.read_output(0), np.zeros((1, SIZE), np.int8))


def test_the_same_through_open_target(firmware: Firmware) -> None:
    board, image = firmware
    with open_target("simulator", image, board) as target:
        np.testing.assert_array_equal(HarnessClient(target).run(vector(1))[0], expected(vector(1)))


def test_stack_and_arena_are_told(client: HarnessClient, firmware: Firmware) -> None:
    board, _ = firmware
    client.run(vector(0))
    stats = client.stats()
    assert stats.arena_bytes == PLUS_ONE.arena_bytes
    assert stats.stack_size == board.stack_size
    assert 16 <= stats.stack_peak <= 512


def test_cycles_are_those_of_the_measured_instructions(
    client: HarnessClient, simulator: Simulator
) -> None:
    client.run(vector(0))
    assert client.stats().last_cycles == 0  # outside `measure` the counter stops
    counts = set()
    for seed in range(3):
        client.write_input(0, vector(seed))
        with simulator.measure("plus_one_invoke") as measurement:
            result = client.invoke()
        assert (result.status, measurement.calls) == (0, 1)
        assert client.stats().last_cycles == result.cycles
        # Between the two readings lie the call and a few instructions around it.
        overhead = result.cycles - 2 * measurement.instructions
        assert 0 < overhead <= 2 * 20
        counts.add((measurement.instructions, result.cycles))
    assert len(counts) == 1
    assert next(iter(counts))[0] > 3 * SIZE


# ---- damaged and wrong requests, byte by byte ----

CRC, LENGTH, COMMAND, RANGE = 1, 2, 3, 4


def replies(simulator: Simulator, data: bytes) -> list[Frame]:
    simulator.write(data)
    decoder = FrameDecoder()
    while received := simulator.read(4096, 0.0):
        decoder.feed(received)
    return list(iter(decoder.next, None))


def info_works(simulator: Simulator, before: bytes = b"") -> bool:
    frames = replies(simulator, before + encode(Frame(Command.INFO, 0x5A)))
    return [(f.command, f.sequence) for f in frames[-1:]] == [(Command.INFO | REPLY, 0x5A)]


def write_input(index: int, offset: int, data: bytes) -> bytes:
    return encode(Frame(Command.WRITE_INPUT, 7, struct.pack("<BI", index, offset) + data))


def read_output(index: int, offset: int, count: int) -> bytes:
    return encode(Frame(Command.READ_OUTPUT, 7, struct.pack("<BIH", index, offset, count)))


@pytest.mark.parametrize(
    ("request_bytes", "error"),
    [
        (write_input(1, 0, b"x"), RANGE),
        (write_input(0, SIZE, b"x"), RANGE),
        (write_input(0, 0, bytes(SIZE + 1)), RANGE),
        (write_input(0, 0xFFFFFFFF, b"xx"), RANGE),
        (read_output(1, 0, 1), RANGE),
        (read_output(0, 0, SIZE + 1), RANGE),
        (read_output(0, 0xFFFFFFFF, 2), RANGE),
        (encode(Frame(Command.WRITE_INPUT, 7, b"\0\0")), LENGTH),
        (encode(Frame(Command.READ_OUTPUT, 7, bytes(8))), LENGTH),
        (encode(Frame(Command.INFO, 7, b"?")), LENGTH),
        (encode(Frame(Command.INVOKE, 7, b"?")), LENGTH),
        (encode(Frame(Command.STATS, 7, b"?")), LENGTH),
        (encode(Frame(Command.RESET, 7, b"?")), LENGTH),
        (encode(Frame(0, 7)), COMMAND),
        (encode(Frame(99, 7)), COMMAND),
    ],
)
def test_wrong_requests_are_answered_with_their_error(
    simulator: Simulator, request_bytes: bytes, error: int
) -> None:
    assert replies(simulator, request_bytes) == [Frame(ERROR, 7, bytes([error]))]
    assert info_works(simulator)


def test_the_longest_payload_is_taken_and_one_more_refused(
    simulator: Simulator, client: HarnessClient
) -> None:
    longest = client.info().max_payload
    assert replies(simulator, encode(Frame(99, 1, bytes(longest)))) == [
        Frame(ERROR, 1, bytes([COMMAND]))
    ]
    too_long = encode(Frame(99, 2, bytes(longest + 1)))
    assert replies(simulator, too_long) == [Frame(ERROR, 2, bytes([LENGTH]))]
    assert info_works(simulator)


def _flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0x40]) + data[position + 1 :]


@pytest.mark.parametrize("position", [2, 3, 6, 10, 14, -4, -1])
def test_a_damaged_frame_is_answered_with_a_crc_error(simulator: Simulator, position: int) -> None:
    data = write_input(0, 0, bytes(8))
    (reply,) = replies(simulator, _flip(data, position % len(data)))
    assert (reply.command, reply.payload) == (ERROR, bytes([CRC]))
    assert info_works(simulator)


GARBAGE: dict[str, Callable[[], bytes]] = {
    "text": lambda: b"U-Boot 2024.01\r\n",
    "zeros": lambda: bytes(600),
    "all bytes": lambda: bytes(range(256)),
    "half a sync": lambda: b"T",
    "doubled sync": lambda: b"TTT",
    "noise": lambda: np.random.default_rng(1).bytes(500).replace(b"TF", b"tf"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_before_a_frame_is_skipped(simulator: Simulator, kind: str) -> None:
    assert info_works(simulator, before=GARBAGE[kind]())


@pytest.mark.parametrize("cut", [2, 3, 5, 6, 9, 20, -1])
def test_zeros_end_a_half_received_frame(
    simulator: Simulator, client: HarnessClient, cut: int
) -> None:
    flush = bytes(client.info().max_payload + OVERHEAD)
    replies(simulator, write_input(0, 0, bytes(16))[:cut] + flush)
    assert info_works(simulator)
    np.testing.assert_array_equal(client.run(vector(3))[0], expected(vector(3)))


@pytest.mark.parametrize("seed", range(3))
def test_any_noise_leaves_a_device_that_still_works(
    simulator: Simulator, client: HarnessClient, seed: int
) -> None:
    noise = np.random.default_rng(seed).choice(
        np.frombuffer(b"TF\x01\x02\x03\x04\x05\x00\xff", np.uint8), 3000
    )
    replies(simulator, noise.tobytes())
    values = vector(seed)
    np.testing.assert_array_equal(client.run(values)[0], expected(values))
