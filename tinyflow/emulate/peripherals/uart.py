# SPDX-License-Identifier: Apache-2.0
"""Base of all UART models: the host's queues, and noticing that the firmware waits."""

from __future__ import annotations

from collections import deque

from tinyflow.boards import PeripheralInstance
from tinyflow.emulate.peripherals.base import Machine, Peripheral, PeripheralFault

#: The receiver's status read this often in a row, with nothing received or sent in between, is
#: a loop that waits for a byte. (One read belongs to a transmission's end, one may be a peek.)
_POLLS_OF_A_WAIT = 3
#: Above this error of the speed, bytes are lost: half a bit in the ten of a frame, shared by
#: both ends, less a margin.
_BAUD_TOLERANCE = 0.03
_CLOCK_TOLERANCE = 0.01


class Uart(Peripheral):
    """A UART that never loses a byte: the line waits until the firmware reads."""

    def __init__(self, instance: PeripheralInstance, machine: Machine) -> None:
        super().__init__(instance, machine)
        self._received: deque[int] = deque()
        self.sent = bytearray()
        self._polls = 0

    def deliver(self, data: bytes) -> None:
        """Bytes from the host, for the firmware to read."""
        self._received.extend(data)

    def poll(self) -> bool:
        """The firmware reads the receiver's status: whether there is a byte.

        Polling it in vain marks the machine as waiting.
        """
        if self._received:
            return True
        self._polls += 1
        if self._polls >= _POLLS_OF_A_WAIT:
            self._polls = 0
            self.check_receiver()
            self.machine.wait_for_input()
        return False

    def check_receiver(self) -> None:
        """Whether a byte could arrive at all; called when the firmware waits for one.

        Raises:
            PeripheralFault: the receiver is off, or its pin is not connected.
        """

    def take(self) -> int:
        """The firmware reads the data register."""
        self._polls = 0
        return self._received.popleft() if self._received else 0

    def put(self, value: int) -> None:
        """The firmware writes the data register."""
        self._polls = 0
        self.sent.append(value & 0xFF)

    def check_speed(self, baud: float) -> None:
        """Refuse a core clock or a speed that is not the board's.

        Raises:
            PeripheralFault: with both figures.
        """
        board = self.machine.board
        core_hz = self.machine.clocks.core_hz()
        if abs(core_hz / board.clock_hz - 1) > _CLOCK_TOLERANCE:
            raise PeripheralFault(
                f"{self.name} is enabled at a core clock of {core_hz / 1e6:g} MHz; "
                f"the board's is {board.clock_hz / 1e6:g} MHz"
            )
        if board.uart.peripheral == self.name and abs(baud / board.uart.baud - 1) > _BAUD_TOLERANCE:
            raise PeripheralFault(
                f"{self.name} runs at {baud:.0f} baud; the board's speed is {board.uart.baud}"
            )
