# SPDX-License-Identifier: Apache-2.0
"""Peripheral models, strict where real parts are: what would not work there faults here."""

from __future__ import annotations

from tinyflow.boards import PeripheralInstance
from tinyflow.emulate.peripherals.base import (
    Machine,
    Peripheral,
    PeripheralFault,
)
from tinyflow.emulate.peripherals.nrf52 import NrfClock, NrfGpio, NrfNvmc, NrfUart
from tinyflow.emulate.peripherals.stm32_flash import Flash
from tinyflow.emulate.peripherals.stm32_gpio import Gpio
from tinyflow.emulate.peripherals.stm32_pwr import Pwr
from tinyflow.emulate.peripherals.stm32_rcc import Rcc
from tinyflow.emulate.peripherals.stm32_usart import UsartV1, UsartV2
from tinyflow.errors import InputError

__all__ = ["MODELS", "Machine", "Peripheral", "PeripheralFault", "create"]

#: The models a board file can name.
MODELS: dict[str, type[Peripheral]] = {
    "stm32_rcc": Rcc,
    "stm32_pwr": Pwr,
    "stm32_flash": Flash,
    "stm32_gpio": Gpio,
    "stm32_usart_v1": UsartV1,
    "stm32_usart_v2": UsartV2,
    "nrf_clock": NrfClock,
    "nrf_uart": NrfUart,
    "nrf_nvmc": NrfNvmc,
    "nrf_gpio": NrfGpio,
}


def create(instance: PeripheralInstance, machine: Machine) -> Peripheral:
    """The model a board file names.

    Raises:
        InputError: there is no such model.
    """
    model = MODELS.get(instance.model)
    if model is None:
        raise InputError(
            f"board {machine.board.id}: peripheral {instance.name} has the model "
            f"{instance.model!r}, which does not exist",
            hint=f"The models are {', '.join(sorted(MODELS))}.",
        )
    return model(instance, machine)
