# SPDX-License-Identifier: Apache-2.0
"""The host's side of the harness protocol against a device made of a few lines of Python."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyflow.emulate.frames import ERROR, OVERHEAD, REPLY, Frame, FrameDecoder, encode
from tinyflow.emulate.protocol import (
    ATTEMPTS,
    Command,
    HarnessClient,
    InvokeResult,
    NotRunError,
)
from tinyflow.emulate.target import Target
from tinyflow.errors import DeviceError, InputError

MAX_PAYLOAD = 32

frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40))


def decode_all(decoder: FrameDecoder) -> list[Frame]:
    return list(iter(decoder.next, None))


def info_payload(outputs: int = 1) -> bytes:
    def tensor(dtype: int, shape: tuple[int, ...], size: int) -> bytes:
        return struct.pack(f"<BBIfi{len(shape)}I", dtype, len(shape), size, 0.5, -3, *shape)

    head = struct.pack("<HH", 2, MAX_PAYLOAD) + b"\x05model\x05board" + bytes(range(8))
    return (
        head
        + struct.pack("<IIHBB", 1000, 64_000_000, 3, 1, outputs)
        + tensor(0, (1, 4, 10), 40)
        + tensor(3, (1, 12), 48) * outputs
    )


@dataclass
class FakeDevice(Target):
    """Adds one to its input. `damage` may change, add or drop the n-th reply's bytes."""

    damage: dict[int, bytes] = field(default_factory=dict)
    deaf_to: set[int] = field(default_factory=set)
    corrupt_requests: set[int] = field(default_factory=set)
    info: bytes = field(default_factory=info_payload)
    status: int = 0
    inferences: int = 0
    deaf_commands: set[int] = field(default_factory=set)
    name = "fake"

    def __post_init__(self) -> None:
        self._decoder = FrameDecoder()
        self._out = bytearray()
        self.input = bytearray(40)
        self.output = bytes(48)
        self.requests: list[Frame] = []

    def write(self, data: bytes) -> None:
        self._decoder.feed(data)
        while (frame := self._decoder.next()) is not None:
            self._serve(frame)
        if data == bytes(MAX_PAYLOAD + OVERHEAD):
            self._decoder.clear()

    def read(self, count: int, timeout_s: float) -> bytes:
        data = bytes(self._out[:count])
        del self._out[:count]
        return data

    def close(self) -> None:
        pass

    def _serve(self, request: Frame) -> None:
        number = len(self.requests)
        self.requests.append(request)
        if number in self.deaf_to or request.command in self.deaf_commands:
            return
        if number in self.corrupt_requests:
            reply = Frame(ERROR, request.sequence ^ 0x10, b"\x01")
        else:
            reply = Frame(request.command | REPLY, request.sequence, self._answer(request))
            if reply.payload == b"error 4":
                reply = Frame(ERROR, request.sequence, b"\x04")
        self._out += self.damage.get(number, encode(reply))

    def _answer(self, request: Frame) -> bytes:
        assert len(request.payload) <= MAX_PAYLOAD
        match request.command:
            case Command.INFO:
                return self.info
            case Command.WRITE_INPUT:
                _, offset = struct.unpack_from("<BI", request.payload)
                data = request.payload[5:]
                self.input[offset : offset + len(data)] = data
                return b""
            case Command.INVOKE:
                values = np.frombuffer(self.input[:12], np.int8).astype("<i4") + 1
                self.output = values.tobytes()
                self.input[:] = bytes(40)  # as a real arena may
                self.inferences += 1
                return struct.pack("<iI", self.status, 77)
            case Command.READ_OUTPUT:
                _, offset, count = struct.unpack("<BIH", request.payload)
                return self.output[offset : offset + count] or b"error 4"
            case Command.STATS:
                return struct.pack(
                    "<5Ii", 1000, 200, 4096, 77, self.inferences & 0xFFFFFFFF, self.status
                )
        return b""


INPUT = np.arange(40, dtype=np.int8).reshape(1, 4, 10)
OUTPUT = np.arange(1, 13, dtype=np.int32).reshape(1, 12)


@given(st.lists(frames, max_size=5), st.binary(max_size=20), st.data())
def test_frames_survive_garbage_before_them_and_split_reads(
    sent: list[Frame], garbage: bytes, data: st.DataObject
) -> None:
    # A "TF" in the garbage may swallow what follows as its payload, until that much has come.
    stream = garbage.replace(b"T", b"t") + b"".join(map(encode, sent))
    decoder, found = FrameDecoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        decoder.feed(stream[:size])
        stream = stream[size:]
        found += decode_all(decoder)
    assert found == sent


@given(frames, frames, st.data())
def test_a_frame_with_a_wrong_crc_is_skipped(
    damaged: Frame, sound: Frame, data: st.DataObject
) -> None:
    encoded = bytearray(encode(damaged))
    position = data.draw(st.integers(6, len(encoded) - 1))  # header kept: the length is right
    encoded[position] ^= data.draw(st.integers(1, 255))
    decoder = FrameDecoder()
    decoder.feed(bytes(encoded) + encode(sound) + bytes(70000))
    assert sound in decode_all(decoder)
    assert decoder.skipped > 0


@given(frames, st.data())
def test_a_truncated_frame_is_no_frame_and_misses_bytes(frame: Frame, data: st.DataObject) -> None:
    encoded = encode(frame)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    decoder = FrameDecoder()
    decoder.feed(encoded[:cut])
    assert decoder.next() is None
    assert 1 <= decoder.missing() <= len(encoded) - cut
    decoder.feed(encoded[cut:])
    assert decoder.next() == frame


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_without_an_error(data: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(data)
    decode_all(decoder)


def test_info_is_parsed_and_asked_for_once() -> None:
    device = FakeDevice()
    client = HarnessClient(device)
    info = client.info()
    assert (info.model, info.board, info.layers, info.clock_hz) == ("model", "board", 3, 64_000_000)
    assert info.inputs[0].shape == (1, 4, 10) and info.inputs[0].dtype == np.int8
    assert info.outputs[0].dtype == np.int32 and info.outputs[0].zero_point == -3
    client.info()
    assert len(device.requests) == 1


def test_run_writes_in_pieces_and_reads_the_right_type_and_shape() -> None:
    device = FakeDevice()
    client = HarnessClient(device)
    (output,) = client.run(INPUT)
    assert output.dtype == np.int32 and output.shape == (1, 12)
    np.testing.assert_array_equal(output, OUTPUT)
    assert client.stats().stack_peak == 200
    client.reset()
    writes = [r for r in device.requests if r.command == Command.WRITE_INPUT]
    assert [len(write.payload) for write in writes] == [32, 18]


@pytest.mark.parametrize("request_number", range(6))
@pytest.mark.parametrize("fault", ["silent", "corrupt", "bad reply", "garbage", "half a reply"])
def test_run_survives_one_fault_anywhere(request_number: int, fault: str) -> None:
    device = FakeDevice()
    match fault:
        case "silent":
            device.deaf_to = {request_number}
        case "corrupt":
            device.corrupt_requests = {request_number}
        case "bad reply":
            device.damage = {request_number: b"TF\x83\x01\x02\x00ab\x00\x00\x00\x00"}
        case "garbage":
            device.damage = {request_number: b"boot 1.0\r\nTF TF TTF\xff"}
        case "half a reply":
            device.damage = {request_number: encode(Frame(0x81, 1, bytes(20)))[:15]}
    (output,) = HarnessClient(device).run(INPUT)
    np.testing.assert_array_equal(output, OUTPUT)
    assert device.inferences == 1  # a second one would step a model's state twice


@pytest.mark.parametrize("inferences", [0, 5, 0xFFFFFFFF])
def test_an_invoke_whose_reply_is_lost_is_not_repeated(inferences: int) -> None:
    device = FakeDevice(status=-3, inferences=inferences)
    client = HarnessClient(device)
    client.write_input(0, INPUT)
    device.damage = {len(device.requests) + 1: b""}  # it runs, but the reply is lost
    assert client.invoke() == InvokeResult(-3, 77)
    assert device.inferences == inferences + 1


def test_an_invoke_that_was_not_heard_says_so_and_is_run_again_with_its_inputs() -> None:
    device = FakeDevice()
    client = HarnessClient(device)
    client.run(INPUT)
    device.deaf_to = {len(device.requests)}
    with pytest.raises(NotRunError, match="no answer to INVOKE"):
        client.invoke()
    assert device.inferences == 1
    device.deaf_to = {len(device.requests) + 2}  # after two writes
    (output,) = client.run(INPUT)
    np.testing.assert_array_equal(output, OUTPUT)
    assert device.inferences == 2


def test_an_invoke_that_is_never_heard_is_given_up() -> None:
    device = FakeDevice()
    client = HarnessClient(device)
    client.run(INPUT)
    device.deaf_commands = {Command.INVOKE}
    with pytest.raises(DeviceError, match=r"no answer to INVOKE \(3 attempts\)"):
        client.run(INPUT)
    assert device.inferences == 1


def test_a_device_that_restarted_during_an_inference_is_an_error() -> None:
    device = FakeDevice(inferences=3)
    client = HarnessClient(device)
    client.run(INPUT)
    device.deaf_to = {len(device.requests) + 2}
    device.inferences = 0
    with pytest.raises(DeviceError, match="0 inferences where it should have run 5: it has rest"):
        client.run(INPUT)


def test_a_silent_device_is_given_up_after_three_attempts() -> None:
    device = FakeDevice(deaf_to=set(range(100)))
    with pytest.raises(DeviceError, match=r"fake: no answer to INFO \(3 attempts\)"):
        HarnessClient(device).info()
    assert len(device.requests) == ATTEMPTS == 3


def test_repeated_crc_errors_end_in_an_error() -> None:
    device = FakeDevice(corrupt_requests=set(range(100)))
    with pytest.raises(DeviceError, match="INFO was answered with error 1: wrong CRC"):
        HarnessClient(device).info()


def test_a_range_error_is_not_retried() -> None:
    device = FakeDevice()
    client = HarnessClient(device)
    client.info()
    device.output = b""
    with pytest.raises(DeviceError, match="READ_OUTPUT was answered with error 4: no tensor"):
        client.read_output(0)
    assert len(device.requests) == 2


def test_an_error_of_the_model_is_reported() -> None:
    with pytest.raises(DeviceError, match="invoke of the model model returned the error -2"):
        HarnessClient(FakeDevice(status=-2)).run(INPUT)


@pytest.mark.parametrize("payload", [b"", b"\x01", struct.pack("<HH", 9, 512), info_payload()[:-3]])
def test_an_info_that_is_not_understood_is_an_error(payload: bytes) -> None:
    with pytest.raises(DeviceError, match="the answer to INFO is not understood"):
        HarnessClient(FakeDevice(info=payload)).info()


def test_inputs_of_another_shape_type_or_number_are_refused() -> None:
    client = HarnessClient(FakeDevice())
    with pytest.raises(InputError, match="must be int8 of shape 1x4x10, not int8 of shape 4x10"):
        client.run(INPUT[0])
    with pytest.raises(InputError, match="must be int8 of shape 1x4x10, not float32"):
        client.run(INPUT.astype(np.float32))
    with pytest.raises(InputError, match=r"takes 1 input\(s\), not 2"):
        client.run(INPUT, INPUT)
    with pytest.raises(InputError, match="has no output 1"):
        client.read_output(1)
