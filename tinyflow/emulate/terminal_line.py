# SPDX-License-Identifier: Apache-2.0
"""A pseudo terminal that carries a UART: bytes as they are, for this user only."""

from __future__ import annotations

import os
import select
import termios
import time
from pathlib import Path

#: Seconds until a line that takes no bytes is given up.
_WRITE_S = 30.0
#: Positions of `termios`' flags for input, output and lines, and of the special characters.
_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6


class TerminalLine:
    """The slave side of a pseudo terminal, opened by its path.

    Raises:
        OSError: it cannot be opened, or the other side is gone; of `write`, also that nothing was
            taken for half a minute.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _make_raw(self._fd)
        except BaseException:
            self.close()
            raise

    def write(self, data: bytes) -> None:
        """Send all bytes."""
        left = memoryview(data)
        deadline = time.monotonic() + _WRITE_S
        while left:
            if not select.select([], [self._fd], [], max(0.0, deadline - time.monotonic()))[1]:
                raise TimeoutError(f"no bytes are taken for {_WRITE_S:g} s")
            left = left[os.write(self._fd, left) :]

    def read(self, count: int, timeout_s: float) -> bytes | None:
        """Receive up to `count` bytes, none if the other side is gone; None in time for none."""
        if not select.select([self._fd], [], [], max(0.0, timeout_s))[0]:
            return None
        return os.read(self._fd, count)

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)


def _make_raw(fd: int) -> None:
    """No character is special, none is changed, none is echoed.

    Renode leaves flags to chance where its own standard input is no terminal.
    """
    mode = termios.tcgetattr(fd)
    mode[_IFLAG] = mode[_OFLAG] = mode[_LFLAG] = 0
    mode[_CFLAG] = termios.CS8 | termios.CREAD | termios.CLOCAL
    mode[_CC][termios.VMIN], mode[_CC][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSANOW, mode)
