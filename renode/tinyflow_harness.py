# SPDX-License-Identifier: Apache-2.0
"""Robot Framework keywords that talk to tinyflow's firmware over a pseudo terminal.

They speak the harness protocol, which docs/harness-protocol.md of tinyflow describes. Only the
standard library is used: renode-test brings its own Python.
"""

from __future__ import annotations

import ast
import os
import select
import shutil
import struct
import tempfile
import termios
import time
import zlib
from pathlib import Path

from robot.api import logger

INFO, WRITE_INPUT, INVOKE, READ_OUTPUT, STATS, RESET = 1, 2, 3, 4, 5, 6
REPLY, ERROR = 0x80, 0xFF
TYPES = ("int8", "uint8", "int16", "int32", "float32", "int64", "bool", "uint32", "uint64")
REPLY_TIMEOUT_S = 30.0
INVOKE_TIMEOUT_S = 300.0
READ_CHUNK = 4096


class tinyflow_harness:  # noqa: N801 - Robot Framework wants the module's name
    """The keywords."""

    ROBOT_LIBRARY_SCOPE = "SUITE"

    def __init__(self):
        self._line = None
        self._folder = None
        self._received = b""
        self._sequence = 0
        self._info = None

    # ---- connection ----

    def new_uart(self):
        """A path for the UART's pseudo terminal, in a folder that only this user can open."""
        self._folder = tempfile.mkdtemp(prefix="tinyflow-uart-")
        return str(Path(self._folder) / "uart")

    def monitor_path(self, path):
        """A path as Renode's monitor takes it."""
        return "@" + str(path).replace(" ", "\\ ")

    def connect(self, uart, timeout_s=30.0):
        """Connect, and wait until the firmware has booted: until it answers."""
        deadline = time.monotonic() + float(timeout_s)
        while not Path(uart).exists():
            if time.monotonic() > deadline:
                raise AssertionError(f"Renode made no {uart} in {timeout_s} s")
            time.sleep(0.05)
        self._line = os.open(uart, os.O_RDWR | os.O_NOCTTY)
        mode = termios.tcgetattr(self._line)
        mode[0] = mode[1] = mode[3] = 0  # bytes as they are, both ways, with no echo
        mode[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._line, termios.TCSANOW, mode)
        while True:
            try:
                return self._request(INFO, timeout_s=0.5)
            except TimeoutError:
                # What came before the firmware had set up its UART is lost.
                if time.monotonic() > deadline:
                    raise AssertionError(f"the firmware is silent for {timeout_s} s") from None

    def disconnect(self):
        """Close the connection."""
        if self._line is not None:
            os.close(self._line)
            self._line = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    # ---- the model ----

    def model_info(self):
        """Return the firmware's description of its model, as a dictionary."""
        if self._info is None:
            self._info = _parse_info(self._request(INFO))
        return self._info

    def log_info(self, info):
        """Print what `Model Info` gave."""
        lines = ["{model} on {board}, {layers} layers, .tflite {digest}...".format(**info)]
        lines.append("arena {arena_bytes} bytes, core at {clock_hz} Hz".format(**info))
        for kind in ("inputs", "outputs"):
            for tensor in info[kind]:
                text = "{type} {shape}, scale {scale:g}, zero point {zero_point}".format(**tensor)
                lines.append(f"{kind[:-1]}: {text}")
        logger.info("\n".join(lines), also_console=True)

    def device_stats(self):
        """Arena and stack in bytes, inferences since start, cycles and status of the last one."""
        names = ("arena_bytes", "stack_peak", "stack_size", "last_cycles", "inferences", "status")
        values = struct.unpack("<5Ii", self._request(STATS))
        return {name: values[index] for index, name in enumerate(names)}

    def reset_model(self):
        """Set the model's state, if it has one, to what it is before the first vector."""
        self._request(RESET)

    def run_test_vector(self, folder, index):
        """Run one vector of a build's `vectors` folder; every output must be as expected.

        Returns the cycles the core's counter counted.
        """
        index = int(index)
        info = self.model_info()
        for number in range(len(info["inputs"])):
            self._write_input(number, read_vector(Path(folder) / f"input_{number}.npy", index))
        status, cycles = struct.unpack("<iI", self._request(INVOKE, timeout_s=INVOKE_TIMEOUT_S))
        if status:
            raise AssertionError(f"vector {index}: invoke returned the error {status}")
        for number, tensor in enumerate(info["outputs"]):
            expected = read_vector(Path(folder) / f"output_{number}.npy", index)
            found = self._read_output(number, tensor["bytes"])
            differing = [at for at in range(len(expected)) if expected[at] != found[at]]
            if differing:
                at = differing[0]
                raise AssertionError(
                    f"vector {index}: output {number} differs in {len(differing)} of "
                    f"{len(expected)} bytes; byte {at} is {found[at]}, not {expected[at]}"
                )
        return cycles

    def cycles_in_microseconds(self, microseconds, clock_hz):
        """Return the number of cycles of the clock in that time."""
        return float(microseconds) * float(clock_hz) / 1e6

    def should_be_near(self, value, expected, percent, slack=0, what="The value"):
        """Fail unless the value is within that many percent, or within the slack, of the other."""
        value, expected = float(value), float(expected)
        error = abs(value - expected)
        logger.info(f"{what}: {value:.0f}, reported {expected:.0f}", also_console=True)
        if error > max(expected * float(percent) / 100, float(slack)):
            raise AssertionError(
                f"{what} is {value:.0f}: {100 * error / expected:.2f} % from the "
                f"reported {expected:.0f}; {percent} % are allowed"
            )

    # ---- requests ----

    def _write_input(self, number, data):
        expected = self.model_info()["inputs"][number]["bytes"]
        if len(data) != expected:
            raise AssertionError(f"input {number} has {len(data)} bytes, the model's {expected}")
        step = self.model_info()["max_payload"] - 5
        for offset in range(0, len(data), step):
            head = struct.pack("<BI", number, offset)
            self._request(WRITE_INPUT, head + data[offset : offset + step])

    def _read_output(self, number, size):
        data = b""
        while len(data) < size:
            count = min(READ_CHUNK, size - len(data))
            data += self._request(READ_OUTPUT, struct.pack("<BIH", number, len(data), count))
        return data

    def _request(self, command, payload=b"", timeout_s=REPLY_TIMEOUT_S):
        self._sequence = (self._sequence + 1) & 0xFF
        body = struct.pack("<BBH", command, self._sequence, len(payload)) + payload
        frame = b"TF" + body + struct.pack("<I", zlib.crc32(body))
        while frame:
            frame = frame[os.write(self._line, frame) :]
        deadline = time.monotonic() + timeout_s
        while True:
            reply, sequence, answer = self._frame(deadline)
            if sequence != self._sequence:
                continue
            if reply == ERROR:
                raise AssertionError(f"request {command} was answered with error {answer[0]}")
            if reply == command | REPLY:
                return answer

    def _frame(self, deadline):
        """The next frame whose CRC is right."""
        while True:
            start = self._received.find(b"TF")
            if start >= 0:
                rest = self._received[start:]
                if len(rest) >= 6:
                    reply, sequence, length = struct.unpack_from("<BBH", rest, 2)
                    if len(rest) >= length + 10:
                        crc = struct.unpack_from("<I", rest, length + 6)[0]
                        right = crc == zlib.crc32(rest[2 : length + 6])
                        self._received = rest[length + 10 if right else 2 :]
                        if right:
                            return reply, sequence, rest[6 : length + 6]
                        continue
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the firmware does not answer")
            if select.select([self._line], [], [], left)[0]:
                try:
                    data = os.read(self._line, 65536)
                except OSError:
                    data = b""
                if not data:
                    raise AssertionError("Renode closed the connection")
                self._received += data


def read_vector(path, index):
    """The bytes of one element along the first axis of a .npy file."""
    data = Path(path).read_bytes()
    if data[:6] != b"\x93NUMPY":
        raise AssertionError(f"{path}: not a .npy file")
    width = 2 if data[6] == 1 else 4
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    header = ast.literal_eval(data[8 + width : start].decode("latin1"))
    if header["fortran_order"] or header["descr"][0] == ">":
        raise AssertionError(f"{path}: wants C order, little endian")
    count = header["shape"][0]
    if not 0 <= index < count:
        raise AssertionError(f"{path}: holds {count} vectors, there is no {index}")
    size = (len(data) - start) // count
    return data[start + index * size : start + (index + 1) * size]


def _parse_info(payload):
    position = 0

    def take(form):
        nonlocal position
        values = struct.unpack_from("<" + form, payload, position)
        position += struct.calcsize("<" + form)
        return values

    def text():
        (length,) = take("B")
        return take(f"{length}s")[0].decode("utf-8")

    def tensor():
        kind, rank, size, scale, zero_point = take("BBIfi")
        shape = "x".join(str(dimension) for dimension in take(f"{rank}I"))
        return {
            "type": TYPES[kind],
            "shape": shape or "scalar",
            "bytes": size,
            "scale": scale,
            "zero_point": zero_point,
        }

    version, max_payload = take("HH")
    if version != 2:
        raise AssertionError(f"the firmware speaks version {version} of the protocol, not 2")
    info = {"max_payload": max_payload, "model": text(), "board": text()}
    digest, arena_bytes, clock_hz, layers, inputs, outputs = take("8sIIHBB")
    info.update(digest=digest.hex(), arena_bytes=arena_bytes, clock_hz=clock_hz, layers=layers)
    info["inputs"] = [tensor() for _ in range(inputs)]
    info["outputs"] = [tensor() for _ in range(outputs)]
    return info
