# SPDX-License-Identifier: Apache-2.0
"""STM32 USART and LPUART, both generations of registers.

Sources: RM0090 section 30.6 (v1: F4), RM0385 section 31.8 (v2: F7), RM0432 "USART registers" and
"LPUART registers" (v2: L4+). Bytes take no time, and none is ever lost.
"""

from __future__ import annotations

from typing import ClassVar

from tinyflow.boards import PeripheralInstance
from tinyflow.emulate.peripherals.base import Machine, PeripheralFault, Register, RegisterMap
from tinyflow.emulate.peripherals.stm32_gpio import Gpio
from tinyflow.emulate.peripherals.stm32_pwr import Pwr
from tinyflow.emulate.peripherals.uart import Uart

_RE, _TE = 1 << 2, 1 << 3
_RXNE, _TC, _TXE = 1 << 5, 1 << 6, 1 << 7
_PORT_G = 6


class Usart(Uart):
    """Base of both generations: enable bits, the speed, the pins."""

    CR1: ClassVar[int]
    BRR: ClassVar[int]
    STATUS: ClassVar[int]
    DATA: ClassVar[int]  # of the receiver
    UE: ClassVar[int]

    def __init__(self, instance: PeripheralInstance, machine: Machine) -> None:
        super().__init__(instance, machine)
        self._checked = 0  # directions whose pins have been looked at
        self._status = 0

    def read(self, offset: int, size: int) -> int:
        """Read a register; those that are read for every byte come first."""
        if self._status and self.machine.clocks.is_enabled(self.name):
            if offset == self.STATUS:
                return self._status | _RXNE if self.poll() else self._status
            if offset == self.DATA and self._checked & _RE:
                return self.take()
        return super().read(offset, size)

    def get(self, offset: int) -> int:
        """A status read of a USART that is off is refused: the firmware would wait for ever."""
        if offset == self.STATUS:
            raise PeripheralFault(f"{self.name} is polled while it is not enabled (CR1)")
        return super().get(offset)

    def set(self, offset: int, value: int) -> None:
        """Enabling it, or a new divider while it is on, must give the board's speed."""
        super().set(offset, value)
        if offset in (self.CR1, self.BRR):
            enabled = self.values[self.CR1] & self.UE
            self._status = self._ready() if enabled else 0
            if enabled:
                self.check_speed(self._baud())

    def _ready(self) -> int:
        return _TC | _TXE

    def send(self, value: int) -> None:
        """A byte to the host."""
        self._need(_TE, "transmits", "TX")
        self.put(value)

    def receive(self) -> int:
        """A byte from the host."""
        self._need(_RE, "receives", "RX")
        return self.take()

    def check_receiver(self) -> None:
        """RE and the RX pin."""
        self._need(_RE, "waits for a byte", "RX")

    def _need(self, enable: int, action: str, pin: str) -> None:
        if self._checked & enable:
            return
        if not self._status or not self.values[self.CR1] & enable:
            raise PeripheralFault(f"{self.name} {action} while it is not enabled (CR1)")
        self._check_pin(pin)
        self._checked |= enable

    def _check_pin(self, pin: str) -> None:
        """Whether the board's UART pin is given to this UART."""
        board = self.machine.board
        port, number, function = (
            board.defines.get(name)
            for name in (
                f"TINYFLOW_UART_{pin}_PORT",
                f"TINYFLOW_UART_{pin}_PIN",
                "TINYFLOW_UART_AF",
            )
        )
        if board.uart.peripheral != self.name or not (
            isinstance(port, int) and isinstance(number, int) and isinstance(function, int)
        ):
            return
        gpio = self.machine.peripherals.get(f"gpio{'abcdefghijk'[port]}")
        if isinstance(gpio, Gpio):
            gpio.check_pin(number, function, f"{self.name} {pin}")
        power = self.machine.peripherals.get("pwr")
        if isinstance(power, Pwr) and port == _PORT_G and number >= 2 and not power.vddio2_valid:
            raise PeripheralFault(
                f"{self.name} uses port G while its supply is isolated (PWR_CR2.IOSV, RM0432)"
            )

    def _baud(self) -> float:
        divider = self.values[self.BRR]
        if divider == 0:
            raise PeripheralFault(f"{self.name} is enabled with a baud rate divider of 0")
        clock = self.machine.clocks.bus_hz(self.name)
        if self.name.startswith("lpuart"):
            return 256 * clock / divider
        return clock / divider


class UsartV1(Usart):
    """`stm32_usart_v1`: one data register."""

    STATUS, DR, BRR, CR1 = 0x00, 0x04, 0x08, 0x0C
    UE, DATA = 1 << 13, DR
    registers: ClassVar[RegisterMap] = {
        STATUS: Register("USART_SR", 0xC0, 0x360),
        DR: Register("USART_DR"),
        BRR: Register("USART_BRR", 0, 0xFFFF),
        CR1: Register("USART_CR1", 0, 0xBFFF),
        0x10: Register("USART_CR2", 0, 0x7F6F),
        0x14: Register("USART_CR3", 0, 0xFFF),
        0x18: Register("USART_GTPR", 0, 0xFFFF),
    }

    def get(self, offset: int) -> int:
        """DR gives the received byte."""
        return self.receive() if offset == self.DR else super().get(offset)

    def set(self, offset: int, value: int) -> None:
        """DR takes the byte to send."""
        if offset == self.DR:
            self.send(value)
        else:
            super().set(offset, value)


class UsartV2(Usart):
    """`stm32_usart_v2`: separate receive and transmit registers; LPUART by its name."""

    CR1, BRR, STATUS, RDR, TDR = 0x00, 0x0C, 0x1C, 0x24, 0x28
    UE, DATA = 1 << 0, RDR
    registers: ClassVar[RegisterMap] = {
        CR1: Register("USART_CR1"),
        0x04: Register("USART_CR2"),
        0x08: Register("USART_CR3"),
        BRR: Register("USART_BRR", 0, 0xFFFFF),
        0x10: Register("USART_GTPR"),
        0x14: Register("USART_RTOR"),
        0x18: Register("USART_RQR", 0, 0),
        STATUS: Register("USART_ISR", 0xC0, 0),
        0x20: Register("USART_ICR", 0, 0),
        RDR: Register("USART_RDR", 0, 0),
        TDR: Register("USART_TDR"),
        0x2C: Register("USART_PRESC", 0, 0),
    }

    def _ready(self) -> int:
        control = self.values[self.CR1]
        acknowledged = (control & _TE) << 18 | (control & _RE) << 20  # TEACK, REACK
        return super()._ready() | acknowledged

    def get(self, offset: int) -> int:
        """RDR gives the received byte."""
        return self.receive() if offset == self.RDR else super().get(offset)

    def set(self, offset: int, value: int) -> None:
        """TDR takes the byte to send."""
        if offset == self.TDR:
            self.send(value)
        else:
            super().set(offset, value)
