# SPDX-License-Identifier: Apache-2.0
"""Base of all peripheral models: registers, strict access, the machine around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from tinyflow.boards import Board, PeripheralInstance

_WORD = 0xFFFFFFFF


class PeripheralFault(Exception):  # noqa: N818 - the device's fault, not the program's
    """The firmware did to a peripheral what would not work on the real part."""


@dataclass(frozen=True)
class Register:
    """A 32-bit register: its name in the manual, reset value and the bits that can be written."""

    name: str
    reset: int = 0
    writable: int = _WORD


#: Registers by their offset.
RegisterMap = Mapping[int, Register]


class Clocks(Protocol):
    """The clock tree, as other peripherals see it."""

    def core_hz(self) -> int:
        """The core's clock as programmed."""

    def bus_hz(self, peripheral: str) -> int:
        """The clock that reaches a peripheral."""

    def is_enabled(self, peripheral: str) -> bool:
        """Whether the peripheral's bus clock is on."""


class FixedClocks:
    """A part whose clocks need no setting to use a peripheral."""

    def __init__(self, board: Board) -> None:
        self._hz = board.clock_hz

    def core_hz(self) -> int:
        """The core's clock."""
        return self._hz

    def bus_hz(self, peripheral: str) -> int:
        """The same for every peripheral."""
        del peripheral
        return self._hz

    def is_enabled(self, peripheral: str) -> bool:
        """Always."""
        del peripheral
        return True


class Machine(Protocol):
    """Services of the machine that a peripheral may use."""

    board: Board
    clocks: Clocks
    peripherals: dict[str, Peripheral]

    def cycles(self) -> int:
        """The core's cycles so far, as far as they are counted."""

    def wait_for_input(self) -> None:
        """The firmware polls for input, and there is none: stop until there is."""


class Peripheral:
    """A bank of 32-bit registers at `base`. Only declared registers can be touched."""

    #: Registers by offset; a model fills in those its part has.
    registers: ClassVar[RegisterMap] = {}

    def __init__(self, instance: PeripheralInstance, machine: Machine) -> None:
        self.name = instance.name
        self.base = instance.base
        self.size = instance.size
        self.options = instance.options
        self.machine = machine
        self.layout: RegisterMap = self.choose_registers()
        self.values = {offset: register.reset for offset, register in self.layout.items()}

    def choose_registers(self) -> RegisterMap:
        """The registers of this instance; a model of several parts picks by its options."""
        return self.registers

    def read(self, offset: int, size: int) -> int:
        """A load of `size` bytes, as the bus delivers it.

        Raises:
            PeripheralFault: the register does not exist, or the peripheral has no clock.
        """
        word = offset & ~3
        self.check_access("read", word)
        shift = 8 * (offset & 3)
        return (self.get(word) >> shift) & ((1 << 8 * size) - 1)

    def write(self, offset: int, size: int, value: int) -> None:
        """A store of `size` bytes.

        Raises:
            PeripheralFault: the register does not exist or cannot be written in this state.
        """
        word = offset & ~3
        self.check_access("write", word)
        if size != 4:
            shift = 8 * (offset & 3)
            mask = ((1 << 8 * size) - 1) << shift
            value = (self.values[word] & ~mask) | ((value << shift) & mask)
        self.set(word, value)

    def get(self, offset: int) -> int:
        """The value of a declared register; a model overrides it where reading does something."""
        return self.values[offset]

    def set(self, offset: int, value: int) -> None:
        """Write a declared register; a model overrides it where writing does something."""
        writable = self.layout[offset].writable
        self.values[offset] = (self.values[offset] & ~writable) | (value & writable)

    def check_access(self, access: str, offset: int) -> None:
        """Refuse undeclared registers and, where clocks are gated, a stopped peripheral."""
        if offset not in self.layout:
            raise PeripheralFault(
                f"{access} of {self.name} at offset {offset:#x} "
                f"({self.base + offset:#010x}): no such register is modelled"
            )
        if not self.machine.clocks.is_enabled(self.name):
            raise PeripheralFault(
                f"{access} of {self.name}.{self.layout[offset].name} "
                f"({self.base + offset:#010x}) while its clock is off"
            )

    def bits(self, offset: int, low: int, width: int = 1) -> int:
        """A bit field of a register's stored value."""
        return (self.values[offset] >> low) & ((1 << width) - 1)
