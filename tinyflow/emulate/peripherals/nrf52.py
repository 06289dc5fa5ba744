# SPDX-License-Identifier: Apache-2.0
"""nRF52: clock, legacy UART, flash controller and GPIO.

Source: nRF52840 Product Specification v1.7, chapters CLOCK, UART, NVMC and GPIO.
"""

from __future__ import annotations

from typing import ClassVar

from tinyflow.emulate.peripherals.base import Peripheral, PeripheralFault, Register, RegisterMap
from tinyflow.emulate.peripherals.uart import Uart


class NrfClock(Peripheral):
    """`nrf_clock`: oscillators start at once."""

    registers: ClassVar[RegisterMap] = {
        0x000: Register("TASKS_HFCLKSTART", 0, 0),
        0x004: Register("TASKS_HFCLKSTOP", 0, 0),
        0x008: Register("TASKS_LFCLKSTART", 0, 0),
        0x00C: Register("TASKS_LFCLKSTOP", 0, 0),
        0x100: Register("EVENTS_HFCLKSTARTED"),
        0x104: Register("EVENTS_LFCLKSTARTED"),
        0x408: Register("HFCLKRUN", 0, 0),
        0x40C: Register("HFCLKSTAT", 0, 0),
        0x414: Register("LFCLKRUN", 0, 0),
        0x418: Register("LFCLKSTAT", 0, 0),
        0x518: Register("LFCLKSRC"),
    }

    def set(self, offset: int, value: int) -> None:
        """A start task raises its event and shows in the status."""
        super().set(offset, value)
        if offset in (0x000, 0x008) and value & 1:
            high = offset == 0x000
            self.values[0x100 if high else 0x104] = 1
            self.values[0x408 if high else 0x414] = 1
            self.values[0x40C if high else 0x418] = 0x10001  # running, from the crystal
        elif offset in (0x004, 0x00C) and value & 1:
            self.values[0x40C if offset == 0x004 else 0x418] = 0

    @property
    def crystal_runs(self) -> bool:
        """Whether HFCLK comes from the crystal, which the UART's accuracy needs."""
        return bool(self.values[0x40C] & 1)


_STARTRX, _STOPRX, _STARTTX, _STOPTX = 0x000, 0x004, 0x008, 0x00C
_RXDRDY, _TXDRDY = 0x108, 0x11C
_ENABLE, _PSEL_TXD, _PSEL_RXD = 0x500, 0x50C, 0x514
_RXD, _TXD, _BAUDRATE, _CONFIG = 0x518, 0x51C, 0x524, 0x56C
_DISCONNECTED = 0xFFFFFFFF


class NrfUart(Uart):
    """`nrf_uart`: the UART without EasyDMA."""

    registers: ClassVar[RegisterMap] = {
        _STARTRX: Register("TASKS_STARTRX", 0, 0),
        _STOPRX: Register("TASKS_STOPRX", 0, 0),
        _STARTTX: Register("TASKS_STARTTX", 0, 0),
        _STOPTX: Register("TASKS_STOPTX", 0, 0),
        _RXDRDY: Register("EVENTS_RXDRDY"),
        _TXDRDY: Register("EVENTS_TXDRDY"),
        0x124: Register("EVENTS_ERROR"),
        0x144: Register("EVENTS_RXTO"),
        0x200: Register("SHORTS"),
        0x304: Register("INTENSET", 0, 0),
        0x308: Register("INTENCLR", 0, 0),
        0x480: Register("ERRORSRC", 0, 0),
        _ENABLE: Register("ENABLE", 0, 0xF),
        0x508: Register("PSEL.RTS", _DISCONNECTED),
        _PSEL_TXD: Register("PSEL.TXD", _DISCONNECTED),
        0x510: Register("PSEL.CTS", _DISCONNECTED),
        _PSEL_RXD: Register("PSEL.RXD", _DISCONNECTED),
        _RXD: Register("RXD", 0, 0),
        _TXD: Register("TXD", 0, 0),
        _BAUDRATE: Register("BAUDRATE", 0x04000000),
        _CONFIG: Register("CONFIG"),
    }

    _receiving = False
    _transmitting = False
    _ready = False  # an event for the byte at the head of the queue has been raised

    def get(self, offset: int) -> int:
        """EVENTS_RXDRDY is polled; reading RXD moves the next byte of the FIFO up."""
        if offset == _RXDRDY:
            return self._received_event()
        if offset == _RXD:
            self._need(self._receiving, "receives")
            self._ready = False
            return self.take()
        if offset == _TXDRDY and not self._transmitting:
            raise PeripheralFault(f"{self.name} waits for TXDRDY, but STARTTX was not triggered")
        return super().get(offset)

    def _received_event(self) -> int:
        self._need(self._receiving, "waits for a byte")
        if not self.values[_RXDRDY] and not self._ready and self.poll():
            self.values[_RXDRDY] = 1
            self._ready = True
        return self.values[_RXDRDY]

    def set(self, offset: int, value: int) -> None:
        """Tasks, events and the byte to send."""
        if offset in (_STARTRX, _STARTTX) and value & 1:
            self._start(offset)
        elif offset == _STOPRX and value & 1:
            self._receiving = False
        elif offset == _STOPTX and value & 1:
            self._transmitting = False
        elif offset == _TXD:
            self._need(self._transmitting, "transmits")
            self.put(value)
            self.values[_TXDRDY] = 1
        elif offset in (_PSEL_TXD, _PSEL_RXD, _BAUDRATE, _CONFIG) and self.values[_ENABLE]:
            register = self.layout[offset].name
            raise PeripheralFault(f"{self.name}.{register} is written while it is enabled")
        else:
            super().set(offset, value)

    def _start(self, task: int) -> None:
        if self.values[_ENABLE] != 4:
            raise PeripheralFault(f"{self.name} is started while ENABLE is not 4")
        clock = self.machine.peripherals.get("clock")
        if isinstance(clock, NrfClock) and not clock.crystal_runs:
            raise PeripheralFault(
                f"{self.name} is started on the RC oscillator (HFCLKSTART was not triggered)"
            )
        # BAUDRATE is baud * 2^32 / 16 MHz.
        self.check_speed(self.values[_BAUDRATE] * 16e6 / 2**32)
        transmit = task == _STARTTX
        self._check_pin("TX" if transmit else "RX", _PSEL_TXD if transmit else _PSEL_RXD)
        if transmit:
            self._transmitting = True
        else:
            self._receiving = True

    def _check_pin(self, name: str, select: int) -> None:
        pin = self.machine.board.defines.get(f"TINYFLOW_UART_{name}_PIN")
        if isinstance(pin, int) and self.values[select] != pin:
            raise PeripheralFault(
                f"{self.name} is started with {self.layout[select].name} at "
                f"{self.values[select]:#x}; the board's pin is {pin:#x}"
            )
        gpio = self.machine.peripherals.get("gpio0")
        if name == "TX" and isinstance(pin, int) and isinstance(gpio, NrfGpio):
            gpio.check_output(pin, f"{self.name} TX")

    def _need(self, started: bool, action: str) -> None:
        if not started:
            raise PeripheralFault(f"{self.name} {action}, but it was not started")


class NrfNvmc(Peripheral):
    """`nrf_nvmc`: the instruction cache's switch; programming flash is not modelled."""

    registers: ClassVar[RegisterMap] = {
        0x400: Register("READY", 1, 0),
        0x540: Register("ICACHECNF", 0, 0x101),
        0x548: Register("IHIT"),
        0x54C: Register("IMISS"),
    }


_OUT, _OUTSET, _OUTCLR, _DIR, _DIRSET, _DIRCLR = 0x504, 0x508, 0x50C, 0x514, 0x518, 0x51C
_PIN_CNF = 0x700


class NrfGpio(Peripheral):
    """`nrf_gpio`: port 0; pin settings are kept, levels are not modelled."""

    registers: ClassVar[RegisterMap] = {
        _OUT: Register("OUT"),
        _OUTSET: Register("OUTSET"),
        _OUTCLR: Register("OUTCLR"),
        0x510: Register("IN", 0, 0),
        _DIR: Register("DIR"),
        _DIRSET: Register("DIRSET"),
        _DIRCLR: Register("DIRCLR"),
        **{_PIN_CNF + 4 * pin: Register(f"PIN_CNF[{pin}]", 2, 0x3070F) for pin in range(32)},
    }

    def get(self, offset: int) -> int:
        """OUTSET and OUTCLR read as OUT, DIRSET and DIRCLR as DIR."""
        if offset in (_OUTSET, _OUTCLR):
            return self.values[_OUT]
        if offset in (_DIRSET, _DIRCLR):
            return self.values[_DIR]
        return super().get(offset)

    def set(self, offset: int, value: int) -> None:
        """Set and clear registers; PIN_CNF.DIR and DIR are one bit."""
        if offset in (_OUTSET, _DIRSET):
            super().set(offset - 4, self.values[offset - 4] | value)
        elif offset in (_OUTCLR, _DIRCLR):
            super().set(offset - 8, self.values[offset - 8] & ~value)
        else:
            super().set(offset, value)
            if offset >= _PIN_CNF:
                pin = 1 << (offset - _PIN_CNF) // 4
                old = self.values[_DIR] & ~pin
                self.values[_DIR] = old | (pin if value & 1 else 0)

    def check_output(self, pin: int, user: str) -> None:
        """Whether a pin is an output.

        Raises:
            PeripheralFault: it is not.
        """
        if not self.values[_DIR] >> pin & 1:
            raise PeripheralFault(f"{user} uses pin P0.{pin:02}, which is not an output")
