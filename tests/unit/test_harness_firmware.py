# SPDX-License-Identifier: Apache-2.0
"""The harness's C, compiled for this machine, with pipes for a UART."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyflow.resources import FIRMWARE

MAX_PAYLOAD = 509
INPUT_BYTES = 1000
OUTPUT_BYTES = 600
FLUSH = bytes(MAX_PAYLOAD + 10)

SUPPORT = """\
#include <stdio.h>
#include <stdlib.h>
#include "tinyflow_core.h"
#include "tinyflow_harness.h"
#include "tinyflow_mcu.h"

static uint32_t cycles;
uint8_t tinyflow_mcu_uart_read(void) {
    const int byte = getchar();
    if (byte == EOF) { exit(0); }
    return (uint8_t)byte;
}
void tinyflow_mcu_uart_write(uint8_t byte) { putchar(byte); }
void tinyflow_mcu_uart_flush(void) { fflush(stdout); }
uint32_t tinyflow_mcu_cycles(void) { return cycles += 1000u; }
uint32_t tinyflow_stack_size(void) { return 4096u; }
uint32_t tinyflow_stack_peak(void) { return 777u; }

static uint8_t in[1000], out[600];
static void init(void) { for (int i = 0; i < 600; ++i) { out[i] = 0; } }
static void *input(size_t index) { return index == 0 ? in : NULL; }
static const void *output(size_t index) { return index == 0 ? out : NULL; }
static int invoke(void) {
    for (int i = 0; i < 600; ++i) { out[i] = (uint8_t)(in[i] + in[i + 400]); }
    return -7;
}
static const uint32_t shape[] = {1, 10, 100};
static const tinyflow_tensor_t inputs[] = {
    {.type = TINYFLOW_INT8, .rank = 3, .shape = shape, .bytes = 1000, .scale = 0.1f, .zero_point =
    -3}};
static const tinyflow_tensor_t outputs[] = {
    {.type = TINYFLOW_UINT8, .rank = 0, .shape = NULL, .bytes = 600, .scale = 2.0f, .zero_point =
    9}};
static const tinyflow_model_t model = {
    .name = "m", .board = "host", .digest = {1, 2, 3, 4, 5, 6, 7, 8}, .arena_bytes = 1600,
    .clock_hz = 64000000, .layer_count = 5, .input_count = 1, .output_count = 1,
    .inputs = inputs, .outputs = outputs, .init = init, .input = input, .output = output,
    .invoke = invoke};
int main(void) { tinyflow_harness_run(&model); }
"""

Talk = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    """Sends bytes to a fresh harness and returns all it answers."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler for this machine")
    folder = tmp_path_factory.mktemp("harness")
    (folder / "support.c").write_text(SUPPORT)
    harness = FIRMWARE / "harness"
    includes = [f"-I{FIRMWARE / name}" for name in ("harness", "core", "mcu")]
    sources = [harness / "tinyflow_harness.c", harness / "tinyflow_crc32.c", folder / "support.c"]
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    program = folder / "harness"
    subprocess.run([compiler, *warnings, *includes, *sources, "-o", program], check=True)

    def exchange(request: bytes) -> bytes:
        done = subprocess.run([program], input=request, capture_output=True, check=True)
        return done.stdout

    return exchange


def frame(command: int, payload: bytes = b"", sequence: int = 0x42) -> bytes:
    body = struct.pack("<BBH", command, sequence, len(payload)) + payload
    return b"TF" + body + struct.pack("<I", zlib.crc32(body))


def reply(command: int, payload: bytes = b"", sequence: int = 0x42) -> bytes:
    return frame(command | 0x80, payload, sequence)


def error(code: int, sequence: int = 0x42) -> bytes:
    return frame(0xFF, bytes([code]), sequence)


def write_input(offset: int, data: bytes, index: int = 0) -> bytes:
    return frame(2, struct.pack("<BI", index, offset) + data)


def read_output(offset: int, count: int, index: int = 0) -> bytes:
    return frame(4, struct.pack("<BIH", index, offset, count))


def test_info(talk: Talk) -> None:
    expected = struct.pack("<HH", 2, MAX_PAYLOAD) + b"\x01m\x04host" + bytes(range(1, 9))
    expected += struct.pack("<IIHBB", 1600, 64_000_000, 5, 1, 1)
    expected += struct.pack("<BBIfi3I", 0, 3, INPUT_BYTES, 0.1, -3, 1, 10, 100)
    expected += struct.pack("<BBIfi", 1, 0, OUTPUT_BYTES, 2.0, 9)
    assert talk(frame(1)) == reply(1, expected)


def test_an_inference(talk: Talk) -> None:
    data = bytes(i * 7 % 256 for i in range(INPUT_BYTES))
    requests = write_input(0, data[:504]) + write_input(504, data[504:]) + frame(3)
    answer = talk(requests + read_output(0, OUTPUT_BYTES) + frame(5))
    outputs = bytes((data[i] + data[i + 400]) % 256 for i in range(OUTPUT_BYTES))
    assert answer == (
        reply(2)
        + reply(2)
        + reply(3, struct.pack("<iI", -7, 1000))
        + reply(4, outputs)
        + reply(5, struct.pack("<5Ii", 1600, 777, 4096, 1000, 1, -7))
    )


def test_reset_runs_the_models_init(talk: Talk) -> None:
    requests = write_input(0, b"\1") + frame(3) + frame(6) + read_output(0, 1)
    assert talk(requests).endswith(reply(6) + reply(4, b"\0"))


@pytest.mark.parametrize("sequence", [0, 1, 0x54, 0xFF])
def test_the_sequence_number_comes_back(talk: Talk, sequence: int) -> None:
    assert talk(frame(6, sequence=sequence)) == reply(6, sequence=sequence)
    assert talk(frame(99, sequence=sequence)) == error(3, sequence)


@pytest.mark.parametrize(
    "request_bytes",
    [
        write_input(0, b"x", index=1),
        write_input(INPUT_BYTES, b"x"),
        write_input(INPUT_BYTES - 1, b"xy"),
        write_input(0xFFFFFFFF, b"x"),
        write_input(0xFFFFFFFF, b""),
        read_output(0, 1, index=255),
        read_output(OUTPUT_BYTES, 1),
        read_output(0, OUTPUT_BYTES + 1),
        read_output(0xFFFFFFFF, 2),
        read_output(1, 0xFFFF),
    ],
)
def test_a_range_outside_the_tensor(talk: Talk, request_bytes: bytes) -> None:
    assert talk(request_bytes) == error(4)


@pytest.mark.parametrize(
    "request_bytes",
    [
        frame(1, b"x"),
        frame(2, b"four"),
        frame(3, b"x"),
        frame(4, b"sixsix"),
        frame(4, b"eight..."),
        frame(5, b"x"),
        frame(6, b"x"),
    ],
)
def test_a_payload_of_the_wrong_length(talk: Talk, request_bytes: bytes) -> None:
    assert talk(request_bytes) == error(2)


def test_the_ends_of_a_tensor(talk: Talk) -> None:
    requests = write_input(INPUT_BYTES - 1, b"x") + write_input(INPUT_BYTES, b"")
    requests += read_output(OUTPUT_BYTES - 1, 1) + read_output(OUTPUT_BYTES, 0)
    assert talk(requests) == reply(2) + reply(2) + reply(4, b"\0") + reply(4)


def test_too_long_a_payload_is_refused_and_the_next_frame_heard(talk: Talk) -> None:
    answer = talk(frame(2, bytes(MAX_PAYLOAD + 1)) + frame(6, sequence=1))
    assert answer == error(2) + reply(6, sequence=1)
    assert talk(frame(9, bytes(MAX_PAYLOAD))) == error(3)


def test_a_wrong_crc_is_refused_and_nothing_done(talk: Talk) -> None:
    damaged = bytearray(write_input(0, b"\5"))
    damaged[11] ^= 1
    answer = talk(bytes(damaged) + frame(3) + read_output(0, 1))
    assert answer == error(1) + reply(3, struct.pack("<iI", -7, 1000)) + reply(4, b"\0")


@pytest.mark.parametrize("garbage", [b"T", b"TT", b"hello", b"F", b"TXF", bytes(100), b"T" * 9])
def test_garbage_before_a_frame_is_skipped(talk: Talk, garbage: bytes) -> None:
    assert talk(garbage + frame(6)) == reply(6)


@settings(max_examples=60, deadline=None)
@given(garbage=st.binary(max_size=700), cut=st.integers(0, 40))
def test_zeros_end_any_half_received_frame(talk: Talk, garbage: bytes, cut: int) -> None:
    half = write_input(0, bytes(40))[:cut]
    assert talk(garbage + half + FLUSH + frame(6, sequence=7)).endswith(reply(6, sequence=7))
