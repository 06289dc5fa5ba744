# SPDX-License-Identifier: Apache-2.0
"""STM32 flash interface: wait states must suit the core clock.

Sources: RM0090 3.5.1 table 10 and 3.9.1 (F4), RM0385 3.3.2 table 5 and 3.7.1 (F7), RM0432 3.3.3
and 3.7.1 (L4+), each at 2.7 to 3.6 V.
"""

from __future__ import annotations

from tinyflow.emulate.peripherals.base import PeripheralFault, Register, RegisterMap
from tinyflow.emulate.peripherals.stm32_rcc import ClockLimited, Rcc

_ACR = 0x00
#: Family -> MHz per wait state, the table, and ACR's reset value and writable bits.
_FAMILIES = {
    "f4": (30, "RM0090 table 10", Register("FLASH_ACR", 0, 0x1F07)),
    "f7": (30, "RM0385 table 5", Register("FLASH_ACR", 0, 0x0B0F)),
    "l4": (20, "RM0432 section 3.3.3", Register("FLASH_ACR", 0x600, 0x7F0F)),
}


class Flash(ClockLimited):
    """`stm32_flash`, option `layout`: f4, f7 or l4. Programming flash is not modelled."""

    def choose_registers(self) -> RegisterMap:
        """The access control register alone."""
        return {_ACR: _FAMILIES[str(self.options["layout"])][2]}

    def set(self, offset: int, value: int) -> None:
        """New wait states must suit the clock at once."""
        super().set(offset, value)
        if isinstance(self.machine.clocks, Rcc):
            self.machine.clocks.check()

    def check_clock(self, core_hz: int, rcc: Rcc) -> None:
        """One wait state more for each further 30 (L4+: 20) MHz."""
        del rcc
        step_mhz, table, _ = _FAMILIES[str(self.options["layout"])]
        states = self.bits(_ACR, 0, 4)
        needed = -(-core_hz // (step_mhz * 1_000_000)) - 1
        if states < needed:
            raise PeripheralFault(
                f"flash has {states} wait states at {core_hz / 1e6:g} MHz; "
                f"it needs {needed} ({table})"
            )
