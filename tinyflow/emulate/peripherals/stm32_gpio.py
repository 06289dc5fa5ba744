# SPDX-License-Identifier: Apache-2.0
"""STM32 GPIO port: pin modes and alternate functions are kept, levels are not modelled.

Sources: RM0090 section 8.4, RM0385 section 6.4, RM0432 "GPIO registers".
"""

from __future__ import annotations

from typing import ClassVar

from tinyflow.emulate.peripherals.base import Peripheral, PeripheralFault, Register, RegisterMap

_MODER, _AFRL = 0x00, 0x20
_ALTERNATE = 2


class Gpio(Peripheral):
    """`stm32_gpio`."""

    registers: ClassVar[RegisterMap] = {
        _MODER: Register("GPIO_MODER"),
        0x04: Register("GPIO_OTYPER", 0, 0xFFFF),
        0x08: Register("GPIO_OSPEEDR"),
        0x0C: Register("GPIO_PUPDR"),
        0x10: Register("GPIO_IDR", 0, 0),
        0x14: Register("GPIO_ODR", 0, 0xFFFF),
        0x18: Register("GPIO_BSRR", 0, 0),
        0x1C: Register("GPIO_LCKR", 0, 0),
        _AFRL: Register("GPIO_AFRL"),
        0x24: Register("GPIO_AFRH"),
        0x28: Register("GPIO_BRR", 0, 0),
    }

    def check_pin(self, pin: int, function: int, user: str) -> None:
        """Whether a pin is given to a peripheral.

        Raises:
            PeripheralFault: it is not in alternate mode, or has another function.
        """
        port = self.name.removeprefix("gpio").upper()
        mode = self.bits(_MODER, 2 * pin, 2)
        chosen = self.bits(_AFRL + 4 * (pin // 8), 4 * (pin % 8), 4)
        if mode != _ALTERNATE or chosen != function:
            state = f"alternate function {chosen}" if mode == _ALTERNATE else f"mode {mode}"
            raise PeripheralFault(
                f"{user} uses pin P{port}{pin}, which is in {state}, "
                f"not in alternate function {function}"
            )
