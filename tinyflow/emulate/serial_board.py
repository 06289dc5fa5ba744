# SPDX-License-Identifier: Apache-2.0
"""A real board at a serial port."""

from __future__ import annotations

import termios
from collections.abc import Iterator
from contextlib import contextmanager

import serial
from serial.tools import list_ports

from tinyflow.emulate.target import Target
from tinyflow.errors import DeviceError, InputError


class SerialBoard(Target):
    """Firmware behind a serial port: 8 data bits, no parity, one stop bit.

    Args:
        port: The port's name, as the operating system has it.
        baud: The speed of the board's UART.

    Raises:
        InputError: there is no such port, or it cannot be opened.
    """

    def __init__(self, port: str, baud: int) -> None:
        self.name = f"serial:{port}"
        self._port_name = port
        try:
            self._port = serial.Serial(port, baud, timeout=0, write_timeout=10)
            self._port.reset_input_buffer()
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            raise InputError(
                f"cannot open the serial port {port}: {error}", hint=_ports()
            ) from error

    def write(self, data: bytes) -> None:
        """Send bytes; waits until the operating system has taken them.

        Raises:
            DeviceError: the port is gone.
        """
        with self._watch():
            self._port.write(data)
            self._port.flush()

    def read(self, count: int, timeout_s: float) -> bytes:
        """Receive up to `count` bytes within the time.

        Raises:
            DeviceError: the port is gone.
        """
        with self._watch():
            self._port.timeout = timeout_s
            return bytes(self._port.read(count))

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    @contextmanager
    def _watch(self) -> Iterator[None]:
        try:
            yield
        # pyserial lets a TypeError out when the port is closed under a read, and a
        # termios.error, which is no OSError, when it vanishes before what was sent has left.
        except (OSError, TypeError, termios.error) as error:
            raise DeviceError(
                f"the serial port {self._port_name} vanished: {error}",
                hint="Check the cable and the board's power, and that no other program has the "
                "port open; then run the command again.",
            ) from error


def _ports() -> str:
    found = [f"{port.device} ({port.description})" for port in list_ports.comports()]
    return "Serial ports here: " + ", ".join(found) if found else "There is no serial port here."
