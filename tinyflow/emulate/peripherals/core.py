# SPDX-License-Identifier: Apache-2.0
"""The core's own registers: system control, SysTick, and the cycle counter of the DWT.

Sources: Armv7-M Architecture Reference Manual (Arm DDI 0403E), B3.2.2 system control registers,
B3.3 SysTick, C1.8 DWT; Cortex-M7 TRM (Arm DDI 0489) for its caches and the DWT's lock.
"""

from __future__ import annotations

from typing import ClassVar

from tinyflow.boards import Core, PeripheralInstance
from tinyflow.emulate.peripherals.base import (
    Machine,
    Peripheral,
    PeripheralFault,
    Register,
    RegisterMap,
)

_WORD = 0xFFFFFFFF

CPUID: dict[Core, int] = {
    "cortex-m0plus": 0x410CC601,
    "cortex-m3": 0x412FC231,
    "cortex-m4": 0x410FC241,
    "cortex-m7": 0x410FC271,
    "cortex-m33": 0x410FD213,
}

_SYST_CSR, _SYST_RVR, _SYST_CVR = 0x010, 0x014, 0x018
_AIRCR, _CCR = 0xD0C, 0xD14
_DEMCR = 0xDFC
_TRCENA = 1 << 24
_CCSIDR, _CSSELR = 0xD80, 0xD84
#: Caches of 4 KB, lines of 32 bytes: data with 4 ways of 32 sets, code with 2 of 64 (RM0385, 2.1).
_DATA_CACHE, _CODE_CACHE = 0xF003E019, 0xF007E009


class SystemControl(Peripheral):
    """0xE000E000: the system control space. No interrupt is modelled, so none can be enabled."""

    def choose_registers(self) -> RegisterMap:
        """The registers of the board's core."""
        core = self.machine.board.core
        registers: dict[int, Register] = {
            _SYST_CSR: Register("SYST_CSR", 0x4, 0x7),
            _SYST_RVR: Register("SYST_RVR", 0, 0xFFFFFF),
            _SYST_CVR: Register("SYST_CVR"),
            0x01C: Register("SYST_CALIB", 0, 0),
            0xD00: Register("CPUID", CPUID[core], 0),
            0xD04: Register("ICSR", 0, 0),
            0xD08: Register("VTOR", self.machine.board.flash.origin, 0xFFFFFF80),
            _AIRCR: Register("AIRCR", 0xFA050000, 0),
            0xD10: Register("SCR", 0, 0x16),
            _CCR: Register("CCR", 0x200, 0x31B),
            0xD18: Register("SHPR1"),
            0xD1C: Register("SHPR2"),
            0xD20: Register("SHPR3"),
            0xD24: Register("SHCSR", 0, 0x70000),
            0xD28: Register("CFSR", 0, 0),
            0xD2C: Register("HFSR", 0, 0),
            0xD34: Register("MMFAR"),
            0xD38: Register("BFAR"),
            0xD88: Register("CPACR", 0, 0xF00000 if self.machine.board.fpu else 0),
            _DEMCR: Register("DEMCR", 0, 0x010F07F1),
            0xF34: Register("FPCCR", 0xC0000000, 0xC0000000),
        }
        if core == "cortex-m7":
            registers |= {
                _CCR: Register("CCR", 0x40200, 0x3031B),
                0xD78: Register("CLIDR", 0x09000003, 0),
                0xD7C: Register("CTR", 0x8303C003, 0),
                _CCSIDR: Register("CCSIDR", 0, 0),
                _CSSELR: Register("CSSELR", 0, 0xF),
                0xF50: Register("ICIALLU"),
                0xF58: Register("ICIMVAU"),
                0xF5C: Register("DCIMVAC"),
                0xF60: Register("DCISW"),
                0xF64: Register("DCCMVAU"),
                0xF68: Register("DCCMVAC"),
                0xF6C: Register("DCCSW"),
                0xF70: Register("DCCIMVAC"),
                0xF74: Register("DCCISW"),
                0xF78: Register("BPIALL"),
            }
        return registers

    def get(self, offset: int) -> int:
        """SysTick counts the core's cycles; CCSIDR describes the cache CSSELR selects."""
        if offset == _SYST_CVR:
            if not self.bits(_SYST_CSR, 0):
                return self.values[_SYST_CVR]
            period = self.values[_SYST_RVR] + 1
            return self.values[_SYST_RVR] - self.machine.cycles() % period
        if offset == _CCSIDR:
            return _CODE_CACHE if self.bits(_CSSELR, 0) else _DATA_CACHE
        return super().get(offset)

    def set(self, offset: int, value: int) -> None:
        """A reset or an interrupt asked for here would not happen, so it is refused."""
        if offset == _AIRCR and value >> 16 == 0x05FA and value & 0x5:
            raise PeripheralFault("the firmware resets itself (AIRCR.SYSRESETREQ)")
        if offset == _SYST_CSR and value & 0x2:
            raise PeripheralFault("SysTick's interrupt is enabled, but interrupts are not modelled")
        super().set(offset, 0 if offset == _SYST_CVR else value)

    @property
    def trace_enabled(self) -> bool:
        """DEMCR.TRCENA: without it the DWT does nothing."""
        return bool(self.values[_DEMCR] & _TRCENA)


_CTRL, _CYCCNT, _LAR, _LSR = 0x000, 0x004, 0xFB0, 0xFB4
_UNLOCK = 0xC5ACCE55


class Dwt(Peripheral):
    """0xE0001000: CYCCNT counts once TRCENA and CYCCNTENA are set and, on M7, it is unlocked."""

    registers: ClassVar[RegisterMap] = {
        _CTRL: Register("DWT_CTRL", 0x40000000, 0x1),
        _CYCCNT: Register("DWT_CYCCNT"),
        0x008: Register("DWT_CPICNT", 0, 0xFF),
        0x00C: Register("DWT_EXCCNT", 0, 0xFF),
        0x010: Register("DWT_SLEEPCNT", 0, 0xFF),
        0x014: Register("DWT_LSUCNT", 0, 0xFF),
        0x018: Register("DWT_FOLDCNT", 0, 0xFF),
        _LAR: Register("DWT_LAR"),
        _LSR: Register("DWT_LSR", 0, 0),
    }

    def __init__(
        self, instance: PeripheralInstance, machine: Machine, system: SystemControl
    ) -> None:
        super().__init__(instance, machine)
        self._system = system
        self._locked = machine.board.core == "cortex-m7"
        self._since: int | None = None  # the machine's cycles when counting began

    def get(self, offset: int) -> int:
        """CYCCNT now; LSR shows whether it is locked."""
        if offset == _CYCCNT:
            counted = 0 if self._since is None else self.machine.cycles() - self._since
            return (self.values[_CYCCNT] + counted) & _WORD
        if offset == _LSR:
            return 0x1 | (0x2 if self._locked else 0)
        return super().get(offset)

    def set(self, offset: int, value: int) -> None:
        """Ignored, as on the part, while the unit is locked or not enabled."""
        if offset == _LAR:
            if self.machine.board.core == "cortex-m7":
                self._locked = value != _UNLOCK
            return
        if self._locked or not self._system.trace_enabled:
            return
        if offset == _CYCCNT:
            self.values[_CYCCNT] = value
            if self._since is not None:
                self._since = self.machine.cycles()
            return
        count = self.get(_CYCCNT)
        super().set(offset, value)
        if offset == _CTRL:
            self.values[_CYCCNT] = count
            self._since = self.machine.cycles() if value & 1 else None
