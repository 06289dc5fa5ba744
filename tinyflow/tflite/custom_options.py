# SPDX-License-Identifier: Apache-2.0
"""The options of custom operators: a FlexBuffer, which is untrusted, of one flat map of scalars.

The format is FlexBuffers of Google's FlatBuffers (flatbuffers.dev/internals, "FlexBuffers"). Only
what such options need is read, each access within the bytes that are there.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: Options of a custom operator have far fewer, and shorter names.
_MOST_KEYS, _LONGEST_KEY = 64, 64

ScalarKind = Literal["int", "uint", "float", "bool", "null"]
_MAP = 9
_KINDS: dict[int, ScalarKind] = {0: "null", 1: "int", 2: "uint", 3: "float", 26: "bool"}


class DamagedOptionsError(ValueError):
    """The bytes are not a map of scalars; the message says why."""


@dataclass(frozen=True)
class Scalar:
    """A value as it is stored: its kind, and its bytes, of which there are 1, 2, 4 or 8."""

    kind: ScalarKind
    content: bytes

    @property
    def number(self) -> float | int:
        """The value; that of null is 0."""
        if self.kind == "float":
            form = {2: "<e", 4: "<f", 8: "<d"}.get(len(self.content))
            if form is None:
                raise DamagedOptionsError("a float of one byte")
            return float(struct.unpack(form, self.content)[0])
        return int.from_bytes(self.content, "little", signed=self.kind == "int")

    @property
    def signed(self) -> int:
        """The bytes as a signed integer, whatever their kind: what most of TFLM's kernels read."""
        return int.from_bytes(self.content, "little", signed=True)


def read_options(content: bytes) -> Mapping[str, Scalar]:
    """The scalars of a map by name, in the order in which they are stored.

    Raises:
        DamagedOptionsError: the bytes are something else than a map of scalars.
    """
    return _Reader(content).options()


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def options(self) -> Mapping[str, Scalar]:
        if len(self._content) < 3:
            raise DamagedOptionsError("no options")
        # From the end: the width of the root, its type with the width of what it points to.
        width, packed = self._content[-1], self._content[-2]
        if width not in (1, 2, 4, 8) or packed >> 2 != _MAP:
            raise DamagedOptionsError("the options are not a map")
        start = self._behind(len(self._content) - 2 - width, width)
        width = 1 << (packed & 3)
        # Before the values: where the names are, how wide their offsets are, the number of values.
        names = self._behind(start - 3 * width, width)
        name_width, count = (self._unsigned(start - part * width, width) for part in (2, 1))
        if count > _MOST_KEYS or name_width not in (1, 2, 4, 8):
            raise DamagedOptionsError(f"{count} options")
        if self._unsigned(names - name_width, name_width) != count:
            raise DamagedOptionsError("other names than values")
        found: dict[str, Scalar] = {}
        for index in range(count):
            name = self._name(self._behind(names + index * name_width, name_width))
            kind = _KINDS.get(self._take(start + count * width + index, 1)[0] >> 2)
            if kind is None or name in found:
                raise DamagedOptionsError(f"the option {name!r} is not a number, or is there twice")
            found[name] = Scalar(kind, self._take(start + index * width, width))
        return found

    def _take(self, start: int, size: int) -> bytes:
        if start < 0 or start + size > len(self._content):
            raise DamagedOptionsError("an offset beyond the options")
        return self._content[start : start + size]

    def _unsigned(self, start: int, width: int) -> int:
        return int.from_bytes(self._take(start, width), "little")

    def _behind(self, start: int, width: int) -> int:
        """Return the position an offset points to; it counts back from its own position."""
        return start - self._unsigned(start, width)

    def _name(self, start: int) -> str:
        found = self._take(start, min(_LONGEST_KEY, max(0, len(self._content) - start)))
        name, end, _ = found.partition(b"\0")
        if not end or not name.isascii():
            raise DamagedOptionsError("a name without an end, or not of ASCII")
        return name.decode()
