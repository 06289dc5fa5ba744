# SPDX-License-Identifier: Apache-2.0
"""STM32 reset and clock control: the clock tree as the firmware programs it.

Registers and bits: RM0090 section 7.3 (F4), RM0385 section 5.3 (F7), RM0432 section 6.4 (L4+).
Oscillators and PLLs are ready as soon as they are switched on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from tinyflow.boards import PeripheralInstance
from tinyflow.emulate.peripherals.base import (
    Machine,
    Peripheral,
    PeripheralFault,
    Register,
    RegisterMap,
)

_CR = 0x00
_HSI_HZ = 16_000_000
_AHB_DIVIDERS = {8: 2, 9: 4, 10: 8, 11: 16, 12: 64, 13: 128, 14: 256, 15: 512}
#: L4+, CR.MSIRANGE, in Hz (RM0432 6.4.1).
_MSI_RANGES_HZ = (
    100_000, 200_000, 400_000, 800_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000,
    16_000_000, 24_000_000, 32_000_000, 48_000_000,
)  # fmt: skip


@dataclass(frozen=True)
class _RegisterLayout:
    """Register layout of a family. Bits of CR are pairs of (enable, ready)."""

    registers: RegisterMap
    cfgr: int
    pllcfgr: int
    ready: tuple[tuple[int, int], ...]
    sources: tuple[str, ...]  # by the value of CFGR.SW
    ppre: tuple[int, int]  # lowest bits of the dividers of APB1 and APB2 in CFGR
    enables: Mapping[str, tuple[int, int]]  # peripheral -> register and bit
    apb2: frozenset[str]
    apb_limits_mhz: tuple[int, int]


def _gpio(register: int, ports: str) -> dict[str, tuple[int, int]]:
    return {f"gpio{port}": (register, bit) for bit, port in enumerate(ports)}


def _f4_or_f7(extra: RegisterMap, apb_limits_mhz: tuple[int, int]) -> _RegisterLayout:
    return _RegisterLayout(
        registers={
            _CR: Register("RCC_CR", 0x83, 0x0FFDFFF9),
            0x04: Register("RCC_PLLCFGR", 0x24003010),
            0x08: Register("RCC_CFGR"),
            0x0C: Register("RCC_CIR"),
            0x10: Register("RCC_AHB1RSTR"),
            0x14: Register("RCC_AHB2RSTR"),
            0x20: Register("RCC_APB1RSTR"),
            0x24: Register("RCC_APB2RSTR"),
            0x30: Register("RCC_AHB1ENR", 0x00100000),
            0x34: Register("RCC_AHB2ENR"),
            0x38: Register("RCC_AHB3ENR"),
            0x40: Register("RCC_APB1ENR"),
            0x44: Register("RCC_APB2ENR"),
            0x70: Register("RCC_BDCR"),
            0x74: Register("RCC_CSR", 0x0E000000),
            **extra,
        },
        cfgr=0x08,
        pllcfgr=0x04,
        ready=((0, 1), (16, 17), (24, 25), (26, 27)),
        sources=("hsi", "hse", "pll"),
        ppre=(10, 13),
        enables={
            **_gpio(0x30, "abcdefghijk"),
            "pwr": (0x40, 28),
            "usart1": (0x44, 4),
            "usart2": (0x40, 17),
            "usart3": (0x40, 18),
            "uart4": (0x40, 19),
            "uart5": (0x40, 20),
            "usart6": (0x44, 5),
        },
        apb2=frozenset({"usart1", "usart6"}),
        apb_limits_mhz=apb_limits_mhz,
    )


_LAYOUTS = {
    "f4": _f4_or_f7({}, (42, 84)),
    "f7": _f4_or_f7(
        # Kernel clock selection: only the reset values, the bus clocks, are modelled.
        {0x8C: Register("RCC_DCKCFGR1", 0, 0), 0x90: Register("RCC_DCKCFGR2", 0, 0)},
        (54, 108),
    ),
    "l4": _RegisterLayout(
        registers={
            _CR: Register("RCC_CR", 0x63, 0x3F0F0FFD),
            0x04: Register("RCC_ICSCR", 0x40000000),
            0x08: Register("RCC_CFGR"),
            0x0C: Register("RCC_PLLCFGR", 0x1000),
            0x18: Register("RCC_CIER"),
            0x1C: Register("RCC_CIFR", 0, 0),
            0x20: Register("RCC_CICR"),
            0x48: Register("RCC_AHB1ENR", 0x100),
            0x4C: Register("RCC_AHB2ENR"),
            0x50: Register("RCC_AHB3ENR"),
            0x58: Register("RCC_APB1ENR1", 0x400),
            0x5C: Register("RCC_APB1ENR2"),
            0x60: Register("RCC_APB2ENR"),
            0x88: Register("RCC_CCIPR", 0, 0),
            0x90: Register("RCC_BDCR"),
            0x94: Register("RCC_CSR", 0x0C000600),
        },
        cfgr=0x08,
        pllcfgr=0x0C,
        ready=((0, 1), (8, 10), (16, 17), (24, 25), (26, 27), (28, 29)),
        sources=("msi", "hsi", "hse", "pll"),
        ppre=(8, 11),
        enables={
            **_gpio(0x4C, "abcdefghi"),
            "pwr": (0x58, 28),
            "lpuart1": (0x5C, 0),
            "usart1": (0x60, 14),
            "usart2": (0x58, 17),
            "usart3": (0x58, 18),
            "uart4": (0x58, 19),
            "uart5": (0x58, 20),
        },
        apb2=frozenset({"usart1"}),
        apb_limits_mhz=(120, 120),
    ),
}


class Rcc(Peripheral):
    """`stm32_rcc`, `layout` f4, f7 or l4. `TINYFLOW_HSE_HZ` in a board's defines is HSE."""

    def __init__(self, instance: PeripheralInstance, machine: Machine) -> None:
        self._family = str(instance.options["layout"])
        self._layout = _LAYOUTS[self._family]
        super().__init__(instance, machine)
        machine.clocks = self

    def choose_registers(self) -> RegisterMap:
        """Return the family's registers."""
        return self._layout.registers

    def set(self, offset: int, value: int) -> None:
        """Ready bits follow enable bits, SWS follows SW; what cannot work is refused."""
        if offset == self._layout.pllcfgr and self.pll_on:
            raise PeripheralFault("RCC_PLLCFGR is written while the PLL is on")
        super().set(offset, value)
        if offset == _CR:
            for enable, ready in self._layout.ready:
                self._put(_CR, ready, 1, self.bits(_CR, enable))
        if offset == self._layout.cfgr:
            self._put(offset, 2, 2, value & 3)
        if offset in (_CR, self._layout.cfgr):
            self.check()

    def _put(self, offset: int, low: int, width: int, value: int) -> None:
        mask = ((1 << width) - 1) << low
        self.values[offset] = (self.values[offset] & ~mask) | (value << low & mask)

    # ---- the clock tree ----

    def is_enabled(self, peripheral: str) -> bool:
        """Return whether a peripheral's clock is enabled; one without an enable bit always runs."""
        place = self._layout.enables.get(peripheral)
        return place is None or bool(self.values[place[0]] >> place[1] & 1)

    def core_hz(self) -> int:
        """HCLK, as programmed."""
        divider = _AHB_DIVIDERS.get(self.bits(self._layout.cfgr, 4, 4), 1)
        return self._source_hz(self._source) // divider

    def bus_hz(self, peripheral: str) -> int:
        """PCLK1 or PCLK2."""
        return self._apb_hz(1 if peripheral in self._layout.apb2 else 0)

    def _apb_hz(self, bus: int) -> int:
        code = self.bits(self._layout.cfgr, self._layout.ppre[bus], 3)
        return self.core_hz() >> (code - 3 if code >= 4 else 0)

    @property
    def pll_on(self) -> bool:
        """PLLON."""
        return bool(self.bits(_CR, 24))

    @property
    def _source(self) -> str:
        choice = self.bits(self._layout.cfgr, 0, 2)
        if choice >= len(self._layout.sources):
            raise PeripheralFault("RCC_CFGR.SW selects a clock that does not exist")
        return self._layout.sources[choice]

    def _source_hz(self, source: str) -> int:
        if source == "hsi":
            self._need("HSI", 8 if self._family == "l4" else 0)
            return _HSI_HZ
        if source == "msi":
            self._need("MSI", 0)
            # CR.MSIRGSEL: the range of CR.MSIRANGE, or the one after reset, 4 MHz.
            code = self.bits(_CR, 4, 4) if self.bits(_CR, 3) else 6
            if code >= len(_MSI_RANGES_HZ):
                raise PeripheralFault("RCC_CR.MSIRANGE is not a range")
            return _MSI_RANGES_HZ[code]
        if source == "hse":
            self._need("HSE", 16)
            hse = self.machine.board.defines.get("TINYFLOW_HSE_HZ")
            if not isinstance(hse, int):
                raise PeripheralFault(
                    "HSE is used, but the board's defines have no TINYFLOW_HSE_HZ"
                )
            return hse
        self._need("PLL", 24)
        return self._pll_hz()

    def _need(self, name: str, bit: int) -> None:
        if not self.bits(_CR, bit):
            raise PeripheralFault(f"the core is to run from {name}, which is off")

    def _pll_hz(self) -> int:
        register = self._layout.pllcfgr
        if self._family == "l4":  # RM0432 6.4.4
            source = {1: "msi", 2: "hsi", 3: "hse"}.get(self.bits(register, 0, 2))
            m, n = self.bits(register, 4, 4) + 1, self.bits(register, 8, 7)
            output = 2 * (self.bits(register, 25, 2) + 1)
            if not self.bits(register, 24):
                raise PeripheralFault("RCC_PLLCFGR.PLLREN is clear: the PLL feeds no core")
            input_mhz, vco_mhz, n_range = (2.66, 16.0), (64.0, 344.0), (8, 127)
        else:  # RM0090 7.3.2, RM0385 5.3.2
            source = "hse" if self.bits(register, 22) else "hsi"
            m, n = self.bits(register, 0, 6), self.bits(register, 6, 9)
            output = 2 * (self.bits(register, 16, 2) + 1)
            input_mhz, vco_mhz, n_range = (0.95, 2.1), (100.0, 432.0), (50, 432)
        if source is None or m < 1 or not n_range[0] <= n <= n_range[1]:
            raise PeripheralFault(f"RCC_PLLCFGR: no source, or M = {m} or N = {n} out of range")
        into = self._source_hz(source) / m
        for name, hz, limits in (("input", into, input_mhz), ("VCO", into * n, vco_mhz)):
            if not limits[0] <= hz / 1e6 <= limits[1]:
                raise PeripheralFault(
                    f"the PLL's {name} of {hz / 1e6:g} MHz is outside {limits[0]}-{limits[1]} MHz"
                )
        return int(into * n / output)

    def check(self) -> None:
        """Whether buses, flash and regulator keep up with the clock that is set now."""
        hz = self.core_hz()
        for bus, limit in enumerate(self._layout.apb_limits_mhz):
            if self._apb_hz(bus) > limit * 1_000_000:
                raise PeripheralFault(
                    f"APB{bus + 1} is set to {self._apb_hz(bus) / 1e6:g} MHz; its limit is {limit}"
                )
        for other in self.machine.peripherals.values():
            if isinstance(other, ClockLimited):
                other.check_clock(hz, self)


class ClockLimited(Peripheral, ABC):
    """A peripheral whose setting bounds the core clock: flash wait states, the regulator."""

    @abstractmethod
    def check_clock(self, core_hz: int, rcc: Rcc) -> None:
        """Refuse a core clock too high for this setting.

        Raises:
            PeripheralFault: naming the manual's table.
        """
