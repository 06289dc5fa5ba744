# SPDX-License-Identifier: Apache-2.0
"""Frames of the harness protocol (docs/harness-protocol.md): encoding, and finding them again."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

SYNC = b"TF"
REPLY = 0x80
ERROR = 0xFF
#: Bytes of a frame that are not payload: sync, command, sequence, length and CRC.
OVERHEAD = 10

_HEADER = struct.Struct("<2sBBH")
_CRC = struct.Struct("<I")


@dataclass(frozen=True)
class Frame:
    """One frame; `command` is the byte on the wire, bit 7 included."""

    command: int
    sequence: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """The bytes of a frame on the wire."""
    header = _HEADER.pack(SYNC, frame.command, frame.sequence, len(frame.payload))
    body = header + frame.payload
    return body + _CRC.pack(zlib.crc32(body[2:]))


class FrameDecoder:
    """Finds frames in a byte stream; what is not a frame with a right CRC is skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.skipped = 0

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self._buffer += data

    def clear(self) -> None:
        """Forget a half-received frame."""
        self._buffer.clear()

    def next(self) -> Frame | None:
        """The next complete frame, or None when more bytes are needed."""
        buffer = self._buffer
        while True:
            start = buffer.find(SYNC)
            if start < 0:  # the last byte may be the first of the sync
                start = len(buffer) - 1 if buffer.endswith(SYNC[:1]) else len(buffer)
            self._skip(start)
            if len(buffer) < _HEADER.size:
                return None
            _, command, sequence, length = _HEADER.unpack_from(buffer)
            end = _HEADER.size + length
            if len(buffer) < end + _CRC.size:
                return None
            if _CRC.unpack_from(buffer, end)[0] == zlib.crc32(buffer[2:end]):
                frame = Frame(command, sequence, bytes(buffer[_HEADER.size : end]))
                del buffer[: end + _CRC.size]
                return frame
            self._skip(1)  # the sync was part of garbage: look on behind it

    def missing(self) -> int:
        """Return the number of bytes that the shortest possible frame still needs, at least 1."""
        if len(self._buffer) < _HEADER.size:
            return OVERHEAD - len(self._buffer)
        length: int = _HEADER.unpack_from(self._buffer)[3]
        return max(1, OVERHEAD + length - len(self._buffer))

    def _skip(self, count: int) -> None:
        self.skipped += count
        del self._buffer[:count]
