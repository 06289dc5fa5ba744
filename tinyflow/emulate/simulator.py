# SPDX-License-Identifier: Apache-2.0
"""The embedded simulator: the very ELF that would be flashed, on the board's memory map.

It is stricter than most emulators: anything the board file does not declare faults when it is
touched, flash cannot be written, RAM has its true size and holds no zeros at start, and a
peripheral works only once the firmware has clocked, configured and enabled it.

Not modelled: interrupts, caches, the FPU's enable bits, and the alignment LDRD and LDM need.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tinyflow.boards import Board, MemoryRegion, PeripheralInstance
from tinyflow.emulate.engine import CpuFault, Engine
from tinyflow.emulate.measurement import Measurement, Recorder
from tinyflow.emulate.peripherals import Peripheral, PeripheralFault, create
from tinyflow.emulate.peripherals.base import Clocks, FixedClocks
from tinyflow.emulate.peripherals.core import Dwt, SystemControl
from tinyflow.emulate.peripherals.uart import Uart
from tinyflow.emulate.target import Target
from tinyflow.emulate.trace import Tracer, Watched
from tinyflow.errors import DeviceError, InputError
from tinyflow.toolchain.elf import Image, read_image

#: CPU time one exchange may take before the firmware is taken to hang: at several hundred
#: million instructions a second, more than ten times any inference in sight.
DEFAULT_LIMIT_S = 300.0

#: Content of RAM at power-up: anything but zeros, the same each time.
_RAM_FILL = b"\xa5"
#: Accesses this far below the stack are taken for its overflow, bytes.
_OVERFLOW_RANGE = 64 * 1024
#: Firmware that cannot go on calls this function, with the reason as its argument.
_HALT = "tinyflow_halt"
_HALT_REASONS = {
    1: "a CPU exception",
    2: "an oscillator, PLL or regulator never became ready",
    3: "main() returned",
}


class Simulator(Target):
    """Runs an image in process, at several hundred million instructions a second.

    The firmware runs inside `read`, until it waits for input. Cycles are modelled: executed
    instructions times `cycles_per_instruction`, and they are counted only inside `measure`;
    elsewhere CYCCNT and SysTick do not advance.

    Args:
        elf: The firmware image.
        board: Its board.
        cycles_per_instruction: For CYCCNT.
        limit_s: Seconds of CPU time one `read` may take.

    Raises:
        InputError: the image is not one, or not for this board.
    """

    name = "simulator"

    def __init__(
        self,
        elf: Path | Image,
        board: Board,
        *,
        cycles_per_instruction: float = 1.0,
        limit_s: float = DEFAULT_LIMIT_S,
    ) -> None:
        self.image = read_image(elf) if isinstance(elf, Path) else elf
        self.board = board
        self.clocks: Clocks = FixedClocks(board)
        self.peripherals: dict[str, Peripheral] = {}
        self._cycles_per_instruction = cycles_per_instruction
        self._limit_s = limit_s
        self._idle = False
        self._dead: DeviceError | None = None
        self._recorder: Recorder | None = None
        self._cycles_before = 0
        self._check_image()
        self._engine = Engine(board.core)
        try:
            self._uart = self._build()
        except BaseException:
            self._engine.close()
            raise
        self._halt = self._address_of(_HALT)
        self._engine.sp, self._engine.pc = struct.unpack(
            "<II", self._engine.memory(board.flash.origin, 8)
        )

    # ---- Target ----

    def write(self, data: bytes) -> None:
        """Queue bytes for the firmware; it sees them in the next `read`."""
        if self._dead:
            raise self._dead
        self._uart.deliver(data)
        self._idle = False

    def read(self, count: int, timeout_s: float) -> bytes:
        """Run the firmware until it waits for input, then give what it has sent.

        The time-out is not used: a firmware that neither answers nor waits ends in an error.

        Raises:
            DeviceError: a fault, with the PC and the function it is in, or a hang.
        """
        del timeout_s
        if self._dead:
            raise self._dead
        sent = self._uart.sent
        if len(sent) < count and not self._idle:
            self._run()
        data = bytes(sent[:count])
        del sent[:count]
        return data

    def close(self) -> None:
        """End the watchdog thread."""
        self._engine.close()

    # ---- measuring ----

    @contextmanager
    def measure(self, entry: str, layers: Sequence[str] = ()) -> Iterator[Measurement]:
        """Count the instructions of each call of `entry` made inside the block.

        Args:
            entry: Name of the function to measure.
            layers: Names of functions; each begins a section that lasts until the next begins.

        Raises:
            InputError: the image has no function of such a name.
        """
        if self._recorder is not None:
            raise RuntimeError("measurements do not nest")
        measurement = Measurement()
        recorder = self._recorder = Recorder(
            self._engine, self._function(entry), [self._function(layer) for layer in layers]
        )
        try:
            yield measurement
        finally:
            self._cycles_before = self.cycles()
            self._recorder = None
            recorder.detach()
            recorder.fill(measurement)

    @contextmanager
    def trace(self, entry: str, watched: Sequence[Watched] = ()) -> Iterator[Tracer]:
        """Record the blocks and loads of each call of `entry` made inside the block.

        Hooks on loads may change what the firmware does: compare outputs with a run without.

        Args:
            entry: Name of the function to trace.
            watched: Memory whose loads are recorded too.

        Raises:
            InputError: the image has no function of that name.
        """
        tracer = Tracer(self._engine, self._function(entry), watched)
        try:
            yield tracer
        finally:
            tracer.detach()

    @contextmanager
    def watch(self, functions: Sequence[str], on_enter: Callable[[int], None]) -> Iterator[None]:
        """Call `on_enter` with a function's position each time it is about to run.

        The callback may read memory; it must not raise.

        Raises:
            InputError: the image has no function of such a name.
        """
        positions = {self._function(name): index for index, name in enumerate(functions)}

        def on_block(_uc: int, address: int, _size: int, _data: int) -> None:
            if address in positions:
                on_enter(positions[address])

        remove = self._engine.hook_blocks(on_block)
        try:
            yield
        finally:
            remove()

    def read_memory(self, address: int, size: int) -> bytes:
        """The bytes at an address of flash or RAM, as a debugger would read them."""
        return self._engine.memory(address, size)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write to flash or RAM, as a debugger would."""
        self._engine.load(address, data)

    def cycles(self) -> int:
        """Modelled cycles of all measured code so far; of the running block, all of it."""
        counted = self._recorder.instructions() if self._recorder else 0
        return self._cycles_before + round(counted * self._cycles_per_instruction)

    def wait_for_input(self) -> None:
        """The UART's model calls this when the firmware polls for a byte in vain."""
        self._idle = True
        self._engine.stop()

    # ---- building the machine ----

    def _check_image(self) -> None:
        flash = self.board.flash
        for segment in self.image.segments:
            end = segment.address + len(segment.data)
            if segment.address < flash.origin or end > flash.origin + flash.size:
                raise InputError(
                    f"{self.image.path}: {len(segment.data)} bytes at {segment.address:#010x} "
                    f"are not in the flash of {self.board.id}",
                    hint="Was this image built for another board?",
                )
        code, part = self.image.ram_code, self.board.code_ram
        if code and (
            part is None
            or code.start < part.fetched_from
            or code.stop > part.fetched_from + part.size
        ):
            raise InputError(
                f"{self.image.path}: code at {code.start:#010x} is not in a RAM for code of "
                f"{self.board.id}",
                hint="Was this image built for another board?",
            )

    def _build(self) -> Uart:
        self._map_memories()
        for segment in self.image.segments:
            self._engine.load(segment.address, segment.data)
        for instance in self.board.peripherals:
            self._add(create(instance, self))
        system = SystemControl(_core_instance("scs", 0xE000E000), self)
        self._add(system)
        if self.board.core != "cortex-m0plus":  # whose DWT has no cycle counter
            self._add(Dwt(_core_instance("dwt", 0xE0001000), self, system))
        uart = self.peripherals.get(self.board.uart.peripheral)
        if not isinstance(uart, Uart):
            raise InputError(
                f"board {self.board.id}: uart.peripheral {self.board.uart.peripheral!r} "
                "is not one of its UARTs"
            )
        return uart

    def _map_memories(self) -> None:
        """Flash and RAM; RAM for code only where the image has put some there.

        An ITCM RAM lies at address 0, where otherwise a null pointer would be found out.
        """
        part = self.board.code_ram if self.image.ram_code else None
        for region in self.board.memory:
            if region.kind == "ram" and part is not None and part.code_origin is not None:
                inside = MemoryRegion(
                    name=part.name, kind="ram", origin=part.origin, size=part.size
                )
                self._engine.map_with_alias(region, inside, part.code_origin)
            else:
                self._engine.map_memory(region)
            if region.kind == "ram":
                self._engine.load(region.origin, _RAM_FILL * region.size)
        if part is not None and part.code_origin is None:
            alone = MemoryRegion(name=part.name, kind="ram", origin=part.origin, size=part.size)
            self._engine.map_memory(alone)
            self._engine.load(alone.origin, _RAM_FILL * alone.size)

    def _add(self, peripheral: Peripheral) -> None:
        self.peripherals[peripheral.name] = peripheral
        self._engine.map_io(peripheral.base, peripheral.size, peripheral.read, peripheral.write)

    def _address_of(self, name: str) -> int | None:
        try:
            return self.image.symbol(name).address & ~1
        except KeyError:
            return None

    def _function(self, name: str) -> int:
        address = self._address_of(name)
        if address is None:
            raise InputError(
                f"{self.image.path}: the image has no function {name}",
                hint="The compiler may have inlined it.",
            )
        return address

    # ---- running ----

    def _run(self) -> None:
        try:
            if self._halt is None:
                self._engine.run(self._limit_s)
            else:
                self._engine.run(self._limit_s, until=self._halt)
        except (CpuFault, PeripheralFault) as error:
            self._fail(error)
        except KeyboardInterrupt:
            self._dead = DeviceError(f"{self.name}: interrupted")
            raise
        finally:
            if self._recorder:
                self._recorder.interrupted(self._engine.pc)
        if self._idle:
            return
        if self._engine.pc == self._halt:
            reason = _HALT_REASONS.get(self._engine.r0, f"reason {self._engine.r0}")
            caller = (self._engine.lr & ~1) - 4  # its BL
            self._die(f"the firmware halted: {reason}; called at", caller)
        self._die("emulation ended", self._engine.pc)

    def _fail(self, error: CpuFault | PeripheralFault) -> None:
        hint = None
        if isinstance(error, CpuFault) and error.address is not None:
            hint = self._explain(error.address)
        self._die(f"{error}, at", self._engine.pc, hint, error)

    def _die(
        self, what: str, pc: int, hint: str | None = None, cause: Exception | None = None
    ) -> None:
        self._dead = DeviceError(f"{self.name}: {what} {self._place(pc)}", hint=hint)
        raise self._dead from cause

    def _place(self, pc: int) -> str:
        symbol = self.image.symbol_at(pc)
        where = f" ({symbol.name}+{pc - symbol.address:#x})" if symbol else ""
        return f"PC {pc:#010x}{where}"

    def _explain(self, address: int) -> str | None:
        """Explain what a bad address most likely means."""
        bottom = self._address_of("_stack_start") or self.board.ram.origin
        if bottom - _OVERFLOW_RANGE <= address < bottom:
            return (
                f"{address:#010x} lies just below the stack, which begins at {bottom:#010x}: "
                f"a stack overflow. The board's stack_size is {self.board.stack_size} bytes."
            )
        flash = self.board.flash
        if flash.origin <= address < flash.origin + flash.size:
            return "Flash cannot be written by a store."
        if address < 0x1000 and flash.origin:
            return "Probably a null pointer."
        return None


def _core_instance(name: str, base: int) -> PeripheralInstance:
    return PeripheralInstance(name=name, model="core", base=base, size=0x1000)
