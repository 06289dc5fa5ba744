# SPDX-License-Identifier: Apache-2.0
"""Peripheral models, register by register: the firmware's sequence works, and no lesser one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tinyflow.boards import Board, PeripheralInstance, board_ids, load_board
from tinyflow.emulate.peripherals import MODELS, Peripheral, PeripheralFault, create
from tinyflow.emulate.peripherals.base import Clocks, FixedClocks
from tinyflow.emulate.peripherals.core import Dwt, SystemControl
from tinyflow.emulate.peripherals.stm32_rcc import Rcc
from tinyflow.emulate.peripherals.uart import Uart
from tinyflow.errors import InputError

Step = tuple[str, int, int]  # peripheral, offset, value


@dataclass
class Bench:
    """The peripherals of a board with nothing around them."""

    board: Board
    clocks: Clocks = field(init=False)
    peripherals: dict[str, Peripheral] = field(default_factory=dict)
    now: int = 0
    waits: int = 0

    def __post_init__(self) -> None:
        self.clocks = FixedClocks(self.board)
        for instance in self.board.peripherals:
            self.peripherals[instance.name] = create(instance, self)
        core = PeripheralInstance(name="scs", model="core", base=0xE000E000, size=0x1000)
        system = SystemControl(core, self)
        dwt = PeripheralInstance(name="dwt", model="core", base=0xE0001000, size=0x1000)
        self.peripherals |= {"scs": system, "dwt": Dwt(dwt, self, system)}

    def cycles(self) -> int:
        return self.now

    def wait_for_input(self) -> None:
        self.waits += 1

    def read(self, name: str, offset: int) -> int:
        return self.peripherals[name].read(offset, 4)

    def write(self, name: str, offset: int, value: int) -> None:
        self.peripherals[name].write(offset, 4, value)

    def do(self, *steps: Step) -> None:
        for step in steps:
            self.write(*step)

    @property
    def uart(self) -> Uart:
        uart = self.peripherals[self.board.uart.peripheral]
        assert isinstance(uart, Uart)
        return uart


START: dict[str, list[Step]] = {
    "stm32f746": [
        ("rcc", 0x40, 1 << 28),  # PWREN
        ("pwr", 0x00, 0xC000),  # scale 1
        ("rcc", 0x00, 0x10083),  # HSEON
        ("rcc", 0x04, 25 | 432 << 6 | 1 << 22 | 9 << 24),
        ("rcc", 0x00, 0x1010083),  # PLLON
        ("pwr", 0x00, 0x1C000),  # ODEN
        ("pwr", 0x00, 0x3C000),  # ODSWEN
        ("flash", 0x00, 0x107),
        ("rcc", 0x08, 5 << 10 | 4 << 13),
        ("rcc", 0x08, 5 << 10 | 4 << 13 | 2),
        ("rcc", 0x30, 0x3),
        ("rcc", 0x44, 1 << 4),
        ("usart1", 0x0C, 938),
        ("usart1", 0x00, 0xD),
        ("gpioa", 0x24, 7 << 4),
        ("gpioa", 0x00, 2 << 18),
        ("gpiob", 0x20, 7 << 28),
        ("gpiob", 0x00, 2 << 14),
    ],
    "stm32f407": [
        ("rcc", 0x40, 1 << 28),
        ("pwr", 0x00, 0x4000),
        ("rcc", 0x00, 0x10083),
        ("rcc", 0x04, 8 | 336 << 6 | 1 << 22 | 7 << 24),
        ("rcc", 0x00, 0x1010083),
        ("flash", 0x00, 0x705),
        ("rcc", 0x08, 5 << 10 | 4 << 13),
        ("rcc", 0x08, 5 << 10 | 4 << 13 | 2),
        ("rcc", 0x30, 0x1),
        ("rcc", 0x40, 1 << 28 | 1 << 17),
        ("usart2", 0x08, 365),
        ("usart2", 0x0C, 0x200C),
        ("gpioa", 0x20, 7 << 8 | 7 << 12),
        ("gpioa", 0x00, 2 << 4 | 2 << 6),
    ],
    "stm32l4r5": [
        ("rcc", 0x58, 1 << 28),
        ("rcc", 0x0C, 1 | 60 << 8 | 1 << 24),
        ("rcc", 0x00, 0x1000063),
        ("rcc", 0x08, 8 << 4),
        ("pwr", 0x80, 0),
        ("flash", 0x00, 0x705),
        ("rcc", 0x08, 8 << 4 | 3),
        ("rcc", 0x08, 3),
        ("pwr", 0x04, 1 << 9),
        ("rcc", 0x4C, 1 << 6),
        ("rcc", 0x5C, 1),
        ("lpuart1", 0x0C, 266667),
        ("lpuart1", 0x00, 0xD),
        ("gpiog", 0x20, 8 << 28),
        ("gpiog", 0x24, 8),
        ("gpiog", 0x00, 2 << 14 | 2 << 16),
    ],
}
STM32 = list(START)
BUS_HZ = {"stm32f746": 108_000_000, "stm32f407": 42_000_000, "stm32l4r5": 120_000_000}
#: Status, receive and transmit registers of each board's UART.
UART_REGISTERS = {
    "stm32f746": (0x1C, 0x24, 0x28),
    "stm32f407": (0x00, 0x04, 0x04),
    "stm32l4r5": (0x1C, 0x24, 0x28),
}


def started(board: str, *, but: Callable[[Step], Step | None] = lambda step: step) -> Bench:
    """A board after its start sequence, each step changed or dropped by `but`."""
    bench = Bench(load_board(board))
    for step in START[board]:
        changed = but(step)
        if changed is not None:
            bench.write(*changed)
    return bench


def exchange(bench: Bench) -> None:
    status, receive, transmit = UART_REGISTERS[bench.board.id]
    name = bench.board.uart.peripheral
    bench.write(name, transmit, ord("x"))
    bench.uart.deliver(b"y")
    assert bench.read(name, status) & 0x20
    assert bench.read(name, receive) == ord("y")
    assert bench.uart.sent == b"x"


@pytest.mark.parametrize("board", STM32)
def test_the_start_sequence_of_the_firmware_works(board: str) -> None:
    bench = started(board)
    assert bench.clocks.core_hz() == bench.board.clock_hz
    assert bench.clocks.bus_hz(bench.board.uart.peripheral) == BUS_HZ[board]
    source = bench.read("rcc", 0x08) & 3
    assert bench.read("rcc", 0x08) >> 2 & 3 == source == (3 if board == "stm32l4r5" else 2)
    assert bench.read("rcc", 0x00) >> 24 & 3 == 3  # PLLON, PLLRDY
    exchange(bench)


def without(name: str, offset: int, value: int) -> Callable[[Step], Step | None]:
    """Drop the step that writes that."""
    return lambda step: None if step == (name, offset, value) else step


def instead(old: Step, value: int) -> Callable[[Step], Step | None]:
    """Write another value in that step."""
    return lambda step: (*old[:2], value) if step == old else step


F7_PLL: Step = ("rcc", 0x04, 25 | 432 << 6 | 1 << 22 | 9 << 24)
FAULTS: list[tuple[str, Callable[[Step], Step | None], str]] = [
    # clock tree
    ("stm32f746", instead(("rcc", 0x00, 0x1010083), 0x1000083), "to run from HSE, which is off"),
    ("stm32f746", instead(("rcc", 0x00, 0x1010083), 0x10083), "to run from PLL, which is off"),
    ("stm32f746", without("flash", 0x00, 0x107), "0 wait states at 216 MHz; it needs 7"),
    ("stm32f746", instead(("flash", 0x00, 0x107), 0x106), "6 wait states at 216 MHz; it needs 7"),
    ("stm32f746", without("pwr", 0x00, 0x3C000), "216 MHz; 180 MHz is the limit"),
    ("stm32f746", without("pwr", 0x00, 0x1C000), "ODSWEN is set before ODEN"),
    ("stm32f746", instead(F7_PLL, F7_PLL[2] ^ 25 ^ 8), "PLL's input of 3.125 MHz"),
    ("stm32f746", instead(F7_PLL, F7_PLL[2] ^ 432 << 6 ^ 500 << 6), "M = 25 or N = 500|VCO"),
    (
        "stm32f746",
        instead(F7_PLL, F7_PLL[2] ^ 432 << 6 ^ 400 << 6),
        "core clock of 200 MHz; the board's is 216 MHz",
    ),
    (
        "stm32f746",
        instead(("rcc", 0x08, 5 << 10 | 4 << 13 | 2), 4 << 10 | 4 << 13 | 2),
        "APB1 is set to 108 MHz; its limit is 54",
    ),
    ("stm32f407", without("flash", 0x00, 0x705), "0 wait states at 168 MHz; it needs 5"),
    ("stm32f407", instead(("pwr", 0x00, 0x4000), 0), "168 MHz; 144 MHz is the limit"),
    ("stm32l4r5", without("flash", 0x00, 0x705), "wait states at 60 MHz; it needs 2"),
    ("stm32l4r5", without("pwr", 0x80, 0), "120 MHz; 80 MHz is the limit"),
    # clock gates
    (
        "stm32f746",
        without("rcc", 0x40, 1 << 28),
        "write of pwr.PWR_CR1 (0x40007000) while its clock",
    ),
    ("stm32f746", without("rcc", 0x44, 1 << 4), "write of usart1.USART_BRR (0x4001100c) while"),
    ("stm32f746", without("rcc", 0x30, 0x3), "write of gpioa.GPIO_AFRH (0x40020024) while"),
    ("stm32f407", instead(("rcc", 0x40, 1 << 28 | 1 << 17), 1 << 28), "write of usart2.USART_BRR"),
    ("stm32l4r5", without("rcc", 0x5C, 1), "write of lpuart1.USART_BRR"),
    # the UART
    ("stm32f746", without("usart1", 0x0C, 938), "baud rate divider of 0"),
    ("stm32f746", instead(("usart1", 0x0C, 938), 469), "230277 baud; the board's speed is 115200"),
    ("stm32f746", without("usart1", 0x00, 0xD), "transmits while it is not enabled"),
    ("stm32f746", instead(("usart1", 0x00, 0xD), 0x5), "transmits while it is not enabled"),
    ("stm32f746", instead(("usart1", 0x00, 0xD), 0x9), "receives while it is not enabled"),
    ("stm32f746", without("gpioa", 0x00, 2 << 18), "TX uses pin PA9, which is in mode 0"),
    (
        "stm32f746",
        without("gpiob", 0x20, 7 << 28),
        "RX uses pin PB7, which is in alternate function 0",
    ),
    ("stm32l4r5", without("pwr", 0x04, 1 << 9), "port G while its supply is isolated"),
]


@pytest.mark.parametrize(("board", "but", "message"), FAULTS)
def test_a_step_left_out_or_wrong_faults(
    board: str, but: Callable[[Step], Step | None], message: str
) -> None:
    pattern = "|".join(map(re.escape, message.split("|")))
    with pytest.raises(PeripheralFault, match=pattern):
        exchange(started(board, but=but))


def test_the_pll_is_not_set_while_it_runs() -> None:
    with pytest.raises(PeripheralFault, match="PLLCFGR is written while the PLL is on"):
        started("stm32f746").write("rcc", 0x04, 0x24003010)


def test_wait_states_are_not_taken_away_at_full_clock() -> None:
    with pytest.raises(PeripheralFault, match="5 wait states at 216 MHz"):
        started("stm32f746").write("flash", 0x00, 5)


@pytest.mark.parametrize("board", STM32)
def test_a_uart_that_is_off_is_not_polled(board: str) -> None:
    bench = started(board)
    name = bench.board.uart.peripheral
    bench.write(name, 0x0C if board == "stm32f407" else 0x00, 0)
    with pytest.raises(PeripheralFault, match="polled while it is not enabled"):
        bench.read(name, UART_REGISTERS[board][0])


@pytest.mark.parametrize("board", STM32)
def test_waiting_for_a_byte_is_noticed_and_sending_is_not_waiting(board: str) -> None:
    bench = started(board)
    name, (status, receive, transmit) = bench.board.uart.peripheral, UART_REGISTERS[board]
    for value in b"a reply":
        assert bench.read(name, status) & 0x80
        bench.write(name, transmit, value)
    assert bench.read(name, status) & 0x40
    assert bench.waits == 0
    bench.read(name, status)
    bench.read(name, status)
    assert bench.waits == 1
    bench.uart.deliver(b"z")
    assert bench.read(name, status) & 0x20
    assert bench.read(name, receive) == ord("z")
    assert not bench.read(name, status) & 0x20


@pytest.mark.parametrize("board", board_ids())
def test_undeclared_registers_fault(board: str) -> None:
    bench = started(board) if board in STM32 else Bench(load_board(board))
    for name, peripheral in bench.peripherals.items():
        last = peripheral.size - 4
        with pytest.raises(PeripheralFault, match=f"read of {name} at offset {last:#x}"):
            peripheral.read(last, 4)
        with pytest.raises(PeripheralFault, match=f"write of {name} at offset {last:#x}"):
            peripheral.write(last, 4, 0)


def test_bytes_and_halfwords_reach_their_part_of_a_register() -> None:
    bench = started("stm32f746")
    gpio = bench.peripherals["gpioa"]
    gpio.write(0x08, 4, 0x11223344)
    gpio.write(0x09, 1, 0xAB)
    gpio.write(0x0A, 2, 0xCDEF)
    assert gpio.read(0x08, 4) == 0xCDEFAB44
    assert (gpio.read(0x0A, 2), gpio.read(0x09, 1)) == (0xCDEF, 0xAB)


# ---- nRF52 ----


def nrf(*left_out: int) -> Bench:
    bench = Bench(load_board("nrf52840"))
    steps: list[Step] = [
        ("clock", 0x000, 1),
        ("gpio0", 0x508, 1 << 6),
        ("gpio0", 0x718, 3),
        ("uart0", 0x50C, 6),
        ("uart0", 0x514, 8),
        ("uart0", 0x524, 0x01D7E000),
        ("uart0", 0x500, 4),
        ("uart0", 0x000, 1),
        ("uart0", 0x008, 1),
    ]
    bench.do(*(step for index, step in enumerate(steps) if index not in left_out))
    return bench


def test_the_nrf_uart_raises_its_event_for_each_byte() -> None:
    bench = nrf()
    bench.uart.deliver(b"ab")
    for value in b"ab":
        assert bench.read("uart0", 0x108) == 1
        bench.write("uart0", 0x108, 0)
        assert bench.read("uart0", 0x108) == 0  # again only after RXD is read
        assert bench.read("uart0", 0x518) == value
    assert bench.read("uart0", 0x108) == 0
    bench.write("uart0", 0x51C, ord("c"))
    assert bench.read("uart0", 0x11C) == 1
    assert bench.uart.sent == b"c"


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (0, "started on the RC oscillator"),
        (2, "P0.06, which is not an output"),
        (4, "PSEL.RXD at 0xffffffff"),
        (6, "ENABLE is not 4"),
        (7, "receives, but it was not started"),
        (8, "transmits, but it was not started"),
    ],
)
def test_the_nrf_uart_needs_every_step(left_out: int, message: str) -> None:
    def use() -> None:
        bench = nrf(left_out)
        bench.write("uart0", 0x51C, 0)
        bench.read("uart0", 0x518)

    with pytest.raises(PeripheralFault, match=re.escape(message)):
        use()


def test_the_nrf_uart_is_not_reconfigured_while_enabled() -> None:
    with pytest.raises(PeripheralFault, match=r"uart0.BAUDRATE is written while it is enabled"):
        nrf().write("uart0", 0x524, 0x04000000)


# ---- the core ----

DEMCR, TRCENA = 0xDFC, 1 << 24
CTRL, CYCCNT, LAR = 0x000, 0x004, 0xFB0


@pytest.mark.parametrize(
    ("board", "steps", "counts"),
    [
        ("stm32f407", ["trace", "enable"], True),
        ("stm32f407", ["enable"], False),
        ("stm32f407", ["trace"], False),
        ("stm32f407", ["enable", "trace"], False),
        ("stm32f746", ["trace", "unlock", "enable"], True),
        ("stm32f746", ["trace", "enable"], False),
    ],
)
def test_cyccnt_counts_once_it_is_enabled(board: str, steps: list[str], counts: bool) -> None:
    bench = Bench(load_board(board))
    actions: dict[str, Step] = {
        "trace": ("scs", DEMCR, TRCENA),
        "enable": ("dwt", CTRL, 1),
        "unlock": ("dwt", LAR, 0xC5ACCE55),
    }
    bench.now = 1000
    bench.do(*(actions[step] for step in steps))
    bench.now += 500
    assert bench.read("dwt", CYCCNT) == (500 if counts else 0)
    if counts:
        bench.write("dwt", CYCCNT, 7)
        bench.now += 3
        assert bench.read("dwt", CYCCNT) == 10
        bench.write("dwt", CTRL, 0)
        bench.now += 100
        assert bench.read("dwt", CYCCNT) == 10
        bench.write("dwt", CYCCNT, 0xFFFFFFFF)
        bench.write("dwt", CTRL, 1)
        bench.now += 2
        assert bench.read("dwt", CYCCNT) == 1


@pytest.mark.parametrize(("board", "cpuid"), [("stm32f746", 0x410FC271), ("stm32f407", 0x410FC241)])
def test_cpuid_is_the_cores(board: str, cpuid: int) -> None:
    assert Bench(load_board(board)).read("scs", 0xD00) == cpuid


def test_the_caches_of_the_m7_are_described_and_switched_on() -> None:
    bench = Bench(load_board("stm32f746"))
    bench.write("scs", 0xD84, 0)
    geometry = bench.read("scs", 0xD80)
    sets, ways = (geometry >> 13 & 0x7FFF) + 1, (geometry >> 3 & 0x3FF) + 1
    assert sets * ways * 32 == 4096
    bench.do(("scs", 0xF50, 0), ("scs", 0xF60, 3 << 30), ("scs", 0xD14, 0x70200))
    assert bench.read("scs", 0xD14) >> 16 & 3 == 3
    assert Bench(load_board("stm32f407")).read("scs", 0xD14) == 0x200


def test_systick_counts_down_and_cannot_interrupt() -> None:
    bench = Bench(load_board("nrf52840"))
    bench.do(("scs", 0x14, 99), ("scs", 0x10, 5))
    bench.now += 30
    assert bench.read("scs", 0x18) == 69
    with pytest.raises(PeripheralFault, match="interrupts are not modelled"):
        bench.write("scs", 0x10, 7)


# ---- the registry ----


def test_every_model_that_a_board_names_exists() -> None:
    for board in board_ids():
        for instance in load_board(board).peripherals:
            assert instance.model in MODELS


def test_an_unknown_model_is_named() -> None:
    bench = Bench(load_board("nrf52840"))
    instance = PeripheralInstance(name="dma", model="nrf_dma", base=0)
    with pytest.raises(InputError, match="dma has the model 'nrf_dma', which does not exist"):
        create(instance, bench)


def test_rcc_leaves_peripherals_without_a_gate_alone() -> None:
    clocks = Bench(load_board("stm32f407")).clocks
    assert isinstance(clocks, Rcc)
    assert clocks.is_enabled("flash") and not clocks.is_enabled("usart2")
