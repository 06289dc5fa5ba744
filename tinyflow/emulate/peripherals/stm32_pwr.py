# SPDX-License-Identifier: Apache-2.0
"""STM32 power control: voltage scaling, over-drive, the supply of port G.

Sources: RM0090 section 5.4 (F4), RM0385 sections 4.1.4 and 4.4 (F7), RM0432 sections 5.1.8 and
5.4 (L4+).
"""

from __future__ import annotations

from tinyflow.emulate.peripherals.base import PeripheralFault, Register, RegisterMap
from tinyflow.emulate.peripherals.stm32_rcc import ClockLimited, Rcc

_F_CR, _F_CSR = 0x00, 0x04
_L4_CR2, _L4_SR2, _L4_CR5 = 0x04, 0x14, 0x80
_F4_VOS, _F7_VOS = (14, 1), (14, 2)

_LAYOUTS: dict[str, RegisterMap] = {
    "f4": {
        _F_CR: Register("PWR_CR", 0x4000, 0x43F3),
        _F_CSR: Register("PWR_CSR", 0, 0x300),
    },
    "f7": {
        _F_CR: Register("PWR_CR1", 0xC000, 0xFEFFB),
        _F_CSR: Register("PWR_CSR1", 0, 0x300),
        0x08: Register("PWR_CR2"),
        0x0C: Register("PWR_CSR2"),
    },
    "l4": {
        0x00: Register("PWR_CR1", 0x200, 0x471F),
        _L4_CR2: Register("PWR_CR2", 0, 0x6FF),
        0x08: Register("PWR_CR3", 0x8000),
        0x0C: Register("PWR_CR4"),
        0x10: Register("PWR_SR1", 0, 0),
        _L4_SR2: Register("PWR_SR2", 0x100, 0),
        0x18: Register("PWR_SCR"),
        _L4_CR5: Register("PWR_CR5", 0x100, 0x100),
    },
}


class Pwr(ClockLimited):
    """`stm32_pwr`, option `layout`: f4, f7 or l4. The supply is taken to be 2.7 to 3.6 V."""

    def choose_registers(self) -> RegisterMap:
        """Return the family's registers."""
        return _LAYOUTS[str(self.options["layout"])]

    @property
    def _family(self) -> str:
        return str(self.options["layout"])

    def get(self, offset: int) -> int:
        """Ready bits: of the regulator once the PLL runs (F4, F7), of over-drive at once."""
        value = super().get(offset)
        if offset == _F_CSR and self._family in ("f4", "f7"):
            clocks = self.machine.clocks
            if isinstance(clocks, Rcc) and clocks.pll_on:
                value |= 1 << 14  # VOSRDY
            if self._family == "f7":
                value |= self.values[_F_CR] & (3 << 16)  # ODRDY, ODSWRDY
        return value

    def set(self, offset: int, value: int) -> None:
        """Over-drive is entered in two steps; a changed setting must suit the clock at once."""
        if self._family == "f7" and offset == _F_CR:
            self._check_overdrive(value)
        super().set(offset, value)
        if isinstance(self.machine.clocks, Rcc):
            self.machine.clocks.check()

    def _check_overdrive(self, value: int) -> None:
        old = self.values[_F_CR]
        clocks = self.machine.clocks
        if (value ^ old) & (3 << 14) and isinstance(clocks, Rcc) and clocks.pll_on:
            raise PeripheralFault("PWR_CR1.VOS is changed while the PLL is on (RM0385 4.4.1)")
        if value & (1 << 17) and not old & (1 << 16):
            raise PeripheralFault("PWR_CR1.ODSWEN is set before ODEN is ready (RM0385 4.1.4)")

    @property
    def vddio2_valid(self) -> bool:
        """L4+: PWR_CR2.IOSV, without which the pins PG2 to PG15 stay isolated."""
        return self._family != "l4" or bool(self.bits(_L4_CR2, 9))

    def check_clock(self, core_hz: int, rcc: Rcc) -> None:
        """The highest clock of the voltage scale in use."""
        del rcc
        if self._family == "f4":
            limit = 168 if self.bits(_F_CR, *_F4_VOS) else 144
        elif self._family == "f7":
            overdrive = self.bits(_F_CR, 16, 2) == 3
            limit = {3: 216 if overdrive else 180, 2: 180 if overdrive else 168}.get(
                self.bits(_F_CR, *_F7_VOS), 144
            )
        elif self.bits(0x00, 9, 2) == 2:
            limit = 26
        else:  # range 1: CR5.R1MODE clear is boost
            limit = 80 if self.bits(_L4_CR5, 8) else 120
        if core_hz > limit * 1_000_000:
            raise PeripheralFault(
                f"the core clock is set to {core_hz / 1e6:g} MHz; "
                f"{limit} MHz is the limit at this voltage scaling"
            )
