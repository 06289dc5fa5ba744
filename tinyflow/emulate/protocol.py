# SPDX-License-Identifier: Apache-2.0
"""The host's side of the harness protocol (docs/harness-protocol.md)."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyflow.emulate.frames import (
    ERROR,
    OVERHEAD,
    REPLY,
    Frame,
    FrameDecoder,
    encode,
)
from tinyflow.emulate.target import Target
from tinyflow.errors import DeviceError, InputError

PROTOCOL_VERSION = 2

#: A request is sent this often before the device is given up.
ATTEMPTS = 3
#: Time limit of a reply, seconds; an inference has its own limit.
REPLY_TIMEOUT_S = 3.0
INVOKE_TIMEOUT_S = 120.0
#: Zero bytes sent to end a half-received frame before INFO has given `max_payload`.
_FLUSH_UNTOLD = 4096
#: After those, the line must be quiet for this long, seconds.
_QUIET_S = 0.1
#: Replies are asked for in pieces of at most this size, so that a lost byte costs little.
_READ_CHUNK = 4096

_DTYPES: tuple[np.dtype[Any], ...] = tuple(
    np.dtype(code) for code in ("<i1", "<u1", "<i2", "<i4", "<f4", "<i8", "?", "<u4", "<u8")
)


class Command(IntEnum):
    """The requests."""

    INFO = 1
    WRITE_INPUT = 2
    INVOKE = 3
    READ_OUTPUT = 4
    STATS = 5
    RESET = 6


_ERROR_MEANINGS = {
    1: "wrong CRC",
    2: "payload too long, or of the wrong length for the command",
    3: "unknown command",
    4: "no tensor of that index, or the range lies outside it or cuts a float",
}
#: The device dropped the request unseen: sending it again is safe.
_RETRY_CODES = (b"\x01", b"\x02")


class UnansweredError(DeviceError):
    """The device gave no answer that can be used; it may or may not have acted."""


class NotRunError(DeviceError):
    """The device has not run the inference; it may have lost the inputs."""


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of the model on the device."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    bytes: int
    scale: float
    zero_point: int


@dataclass(frozen=True)
class DeviceInfo:
    """Firmware's description of itself. `digest` begins the SHA-256 of the `.tflite`."""

    protocol_version: int
    max_payload: int
    model: str
    board: str
    digest: bytes
    arena_bytes: int
    clock_hz: int
    layers: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


@dataclass(frozen=True)
class InvokeResult:
    """Status of the model's `invoke` (0 is success) and cycles of the core's counter."""

    status: int
    cycles: int


@dataclass(frozen=True)
class DeviceStats:
    """Memory in bytes and counters since start; `last_` is of the last inference."""

    arena_bytes: int
    stack_peak: int
    stack_size: int
    last_cycles: int
    inferences: int
    last_status: int


class HarnessClient:
    """Speaks the protocol to the firmware behind a target, one request at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._decoder = FrameDecoder()
        self._sequence = 0
        self._info: DeviceInfo | None = None
        #: Inferences the device has run, None before that matters.
        self._inferences: int | None = None

    def info(self) -> DeviceInfo:
        """Return the device's description of its model; asked once, then remembered.

        Raises:
            DeviceError: no answer, or one that is not understood.
        """
        if self._info is None:
            payload = self._request(Command.INFO)
            try:
                self._info = _parse_info(payload)
            except (struct.error, UnicodeDecodeError, IndexError) as error:
                raise self._garbled(Command.INFO, payload) from error
        return self._info

    def write_input(self, index: int, array: npt.NDArray[Any]) -> None:
        """Write a whole input, whose shape and type must be the model's.

        Raises:
            InputError: the index, shape or type is not the model's.
            DeviceError: the device failed.
        """
        tensor = self._tensor("input", index)
        if array.dtype != tensor.dtype or array.shape != tensor.shape:
            raise InputError(
                f"input {index} must be {_describe(tensor.dtype, tensor.shape)}, "
                f"not {_describe(array.dtype, array.shape)}"
            )
        data = np.ascontiguousarray(array, dtype=tensor.dtype).tobytes()
        room = self.info().max_payload - 5
        step = max(room - room % tensor.dtype.itemsize, 1)  # whole elements
        for offset in range(0, len(data), step):
            head = struct.pack("<BI", index, offset)
            self._request(Command.WRITE_INPUT, head + data[offset : offset + step])

    def invoke(self) -> InvokeResult:
        """Run one inference, exactly once. Write every input again before the next one.

        An inference changes the inputs and the model's state, so the request is not repeated
        when its answer is lost: the device's count of inferences then says whether it has run.

        Raises:
            NotRunError: the device has not run it; the state is as before. `run` writes the
                inputs and tries again.
            DeviceError: the device failed, or has restarted.
        """
        before = self.stats().inferences if self._inferences is None else self._inferences
        self._inferences = before
        try:
            payload = self._request(Command.INVOKE, timeout_s=INVOKE_TIMEOUT_S, attempts=1)
        except UnansweredError as error:
            return self._unanswered(before, error)
        if len(payload) != 8:
            raise self._garbled(Command.INVOKE, payload)
        self._inferences = _following(before)
        return InvokeResult(*struct.unpack("<iI", payload))

    def _unanswered(self, before: int, error: DeviceError) -> InvokeResult:
        """The result of an inference whose answer is lost, if it has run."""
        self._flush()
        stats = self.stats()
        if stats.inferences == before:
            raise NotRunError(error.message, hint=error.hint) from error
        if stats.inferences != _following(before):
            raise DeviceError(
                f"{self._target.name}: the device has run {stats.inferences} inferences where it "
                f"should have run {_following(before)}: it has restarted, or is not used alone"
            ) from error
        self._inferences = stats.inferences
        return InvokeResult(stats.last_status, stats.last_cycles)

    def read_output(self, index: int) -> npt.NDArray[Any]:
        """The output in the model's type and shape.

        Raises:
            InputError: there is no such output.
            DeviceError: the device failed.
        """
        tensor = self._tensor("output", index)
        data = b""
        while len(data) < tensor.bytes:
            count = min(_READ_CHUNK, tensor.bytes - len(data))
            reply = self._request(Command.READ_OUTPUT, struct.pack("<BIH", index, len(data), count))
            if len(reply) != count:
                raise self._garbled(Command.READ_OUTPUT, reply)
            data += reply
        return np.frombuffer(data, dtype=tensor.dtype).reshape(tensor.shape).copy()

    def stats(self) -> DeviceStats:
        """Arena and stack, the count of inferences, and how the last one went.

        Raises:
            DeviceError: the device failed.
        """
        payload = self._request(Command.STATS)
        if len(payload) != 24:
            raise self._garbled(Command.STATS, payload)
        return DeviceStats(*struct.unpack("<5Ii", payload))

    def reset(self) -> None:
        """Run the model's `init` again, which resets its state.

        Raises:
            DeviceError: the device failed.
        """
        self._request(Command.RESET)

    def run(self, *inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Write the inputs, invoke, and read every output.

        Raises:
            InputError: the number, shape or type of the inputs is not the model's.
            DeviceError: the device failed, or the model's `invoke` returned an error.
        """
        info = self.info()
        if len(inputs) != len(info.inputs):
            raise InputError(
                f"the model {info.model} takes {len(info.inputs)} input(s), not {len(inputs)}"
            )
        result = self._write_and_invoke(inputs)
        if result.status != 0:
            raise DeviceError(
                f"{self._target.name}: invoke of the model {info.model} "
                f"returned the error {result.status}"
            )
        return [self.read_output(index) for index in range(len(info.outputs))]

    def _write_and_invoke(self, inputs: tuple[npt.NDArray[Any], ...]) -> InvokeResult:
        for attempt in range(ATTEMPTS):
            for index, array in enumerate(inputs):
                self.write_input(index, array)
            try:
                return self.invoke()
            except NotRunError as error:
                if attempt == ATTEMPTS - 1:
                    error.message += f" ({ATTEMPTS} attempts)"
                    raise
        raise AssertionError("unreachable")

    def _tensor(self, kind: str, index: int) -> TensorInfo:
        info = self.info()
        tensors = info.inputs if kind == "input" else info.outputs
        if not 0 <= index < len(tensors):
            raise InputError(
                f"the model {info.model} has no {kind} {index}: it has {len(tensors)} {kind}(s)"
            )
        return tensors[index]

    def _request(
        self,
        command: Command,
        payload: bytes = b"",
        *,
        timeout_s: float = REPLY_TIMEOUT_S,
        attempts: int = ATTEMPTS,
    ) -> bytes:
        problem: UnansweredError | None = None
        for attempt in range(attempts):
            if attempt:
                self._flush()
            self._sequence = (self._sequence + 1) & 0xFF
            self._target.write(encode(Frame(command, self._sequence, payload)))
            reply = self._receive(command, timeout_s)
            if reply is None:
                problem = UnansweredError(
                    f"{self._target.name}: no answer to {command.name}",
                    hint="Is this firmware built by tinyflow, and does the board's UART reach "
                    "this port at the board's speed?",
                )
                continue
            if reply.command != ERROR:
                return reply.payload
            code = reply.payload[0] if reply.payload else 0
            meaning = _ERROR_MEANINGS.get(code, "an unknown error")
            said = f"{self._target.name}: {command.name} was answered with error {code}: {meaning}"
            if reply.payload[:1] not in _RETRY_CODES:
                raise DeviceError(said)
            problem = UnansweredError(said)
        assert problem is not None
        if attempts > 1:
            problem.message += f" ({attempts} attempts)"
        raise problem

    def _receive(self, command: Command, timeout_s: float) -> Frame | None:
        """The reply to the last request; None when there is none in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            frame = self._decoder.next()
            if frame is None:
                left = max(0.0, deadline - time.monotonic())
                data = self._target.read(self._decoder.missing(), left)
                if not data:
                    return None
                self._decoder.feed(data)
            elif frame.sequence == self._sequence and frame.command in (command | REPLY, ERROR):
                return frame
            elif frame.command == ERROR and frame.payload[:1] in _RETRY_CODES:
                return frame  # a damaged request may have had its sequence number damaged, too

    def _flush(self) -> None:
        """End a half-received frame on the device, and forget what it still says."""
        longest = self._info.max_payload if self._info else _FLUSH_UNTOLD
        self._target.write(bytes(longest + OVERHEAD))
        while self._target.read(_READ_CHUNK, _QUIET_S):
            pass
        self._decoder.clear()

    def _garbled(self, command: Command, payload: bytes) -> DeviceError:
        return DeviceError(
            f"{self._target.name}: the answer to {command.name} is not understood: "
            f"{len(payload)} bytes, {payload[:32].hex(' ')}",
            hint=f"This tinyflow speaks version {PROTOCOL_VERSION} of the harness protocol; "
            "build the firmware again.",
        )


def _following(inferences: int) -> int:
    """The device's count after one more inference; it has 32 bits."""
    return (inferences + 1) & 0xFFFFFFFF


def _describe(dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
    return f"{dtype.name} of shape {'x'.join(map(str, shape)) or 'scalar'}"


def _parse_info(payload: bytes) -> DeviceInfo:
    position = 0

    def take(form: str) -> tuple[Any, ...]:
        nonlocal position
        values = struct.unpack_from("<" + form, payload, position)
        position += struct.calcsize("<" + form)
        return values

    def text() -> str:
        (length,) = take("B")
        return str(take(f"{length}s")[0], "utf-8")

    def tensor() -> TensorInfo:
        kind, rank, size, scale, zero_point = take("BBIfi")
        shape = take(f"{rank}I")
        dtype = _DTYPES[kind]
        if prod(shape) * dtype.itemsize != size:
            raise struct.error("a tensor's bytes are not those of its shape and type")
        return TensorInfo(dtype, shape, size, scale, zero_point)

    version, max_payload = take("HH")
    if version != PROTOCOL_VERSION or max_payload <= OVERHEAD:
        raise struct.error("another version of the protocol")
    model, board = text(), text()
    digest, arena, clock, layers, inputs, outputs = take("8sIIHBB")
    return DeviceInfo(
        protocol_version=version,
        max_payload=max_payload,
        model=model,
        board=board,
        digest=digest,
        arena_bytes=arena,
        clock_hz=clock,
        layers=layers,
        inputs=tuple(tensor() for _ in range(inputs)),
        outputs=tuple(tensor() for _ in range(outputs)),
    )
