# SPDX-License-Identifier: Apache-2.0
"""The CPU and the address space: all that is peculiar to Unicorn is in this file.

What was found of Unicorn 2.1.4, and is relied on or worked around here:

- A stop asked for in an I/O callback takes effect at once: the load or store is abandoned and
  the program counter stays on it, so that it runs again when emulation goes on. Inside an IT
  block the rest of the translated block still runs. Either way the state is sound, provided
  that the abandoned access has had no side effect. A stop from another thread can hit any
  access, so only one that ends emulation for good comes from there.
- I/O callbacks (`uc_mmio_map`) leave the IT state alone. A UC_HOOK_MEM_* hook on valid accesses
  does not: it leaves stale IT bits behind a predicated load or store, and the next block runs
  under that condition. `hook_accesses` is for runs whose results are checked against another,
  and its callback must call `clear_it_state` where an IT block may have been the cause.
- A block hook is called before a pending stop is looked at, so the block a stop falls on may
  have been counted although it, or its end, has not run (`Recorder.interrupted`).
- A hook is compiled into blocks as they are translated: adding or removing one calls for a
  flush of the translations.
- Callbacks registered through ctypes directly cost a third of those through the Python binding.
"""

from __future__ import annotations

import ctypes
import mmap
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import unicorn
from unicorn import arm_const as arm
from unicorn.unicorn_py3.unicorn import uclib

from tinyflow.boards import Core, MemoryRegion

#: Reads and writes of a peripheral: (offset, size) -> value, and (offset, size, value).
IoRead = Callable[[int, int], int]
IoWrite = Callable[[int, int, int], None]
#: Unicorn's callback before a block or an instruction: engine, address, size, unused.
RawCallback = Callable[[int, int, int, int], None]
#: Unicorn's callback for a load or store: engine, kind, address, size, value, unused.
AccessCallback = Callable[[int, int, int, int, int, int], None]

#: Unicorn's page size, bytes.
_PAGE = 4096
_MODELS: dict[Core, int] = {
    "cortex-m0plus": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
}

_ACCESS = {
    unicorn.UC_MEM_READ_UNMAPPED: "read",
    unicorn.UC_MEM_WRITE_UNMAPPED: "write",
    unicorn.UC_MEM_FETCH_UNMAPPED: "fetch",
    unicorn.UC_MEM_READ_PROT: "read",
    unicorn.UC_MEM_WRITE_PROT: "write",
    unicorn.UC_MEM_FETCH_PROT: "fetch",
}

_EXCEPTIONS = {
    1: "undefined instruction",
    2: "SVC, and no handler is modelled",
    3: "instruction fetch abort",
    4: "data access abort",
    7: "breakpoint instruction",
    8: "return from an exception that was never taken",
    17: "coprocessor or FPU instruction while it is disabled",
    18: "jump to an address with bit 0 clear (not Thumb code)",
    19: "stack limit violated",
    22: "unaligned access",
}

_READ_TYPE = ctypes.CFUNCTYPE(
    ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_void_p
)
_WRITE_TYPE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint64, ctypes.c_void_p
)
_BLOCK_TYPE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
)
_ACCESS_TYPE = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_uint64,
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_void_p,
)
#: Bits of XPSR with the state of an IT block.
_IT_BITS = 0x0600FC00

#: Interval of the watchdog, seconds.
_WATCHDOG_PERIOD_S = 0.25
#: An address where no code can be, given where emulation needs one to end at.
_NOWHERE = 0xFFFFFFFE


def _rights(region: MemoryRegion) -> int:
    rights: int = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
    return rights | unicorn.UC_PROT_WRITE if region.kind == "ram" else rights


class CpuFault(Exception):  # noqa: N818 - it is what Arm calls it
    """The CPU cannot go on; `address` is that of a memory access, where it was one."""

    def __init__(self, message: str, address: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.address = address


class HangFault(CpuFault):
    """The run took more CPU time than it was given."""


class _Watchdog:
    """Ends emulation from outside: when it exceeds its limit, and at Ctrl-C.

    Code that runs without hooks cannot count its instructions, and does not let Python handle
    signals; their numbers arrive at a socket instead (`signal.set_wakeup_fd`).
    """

    def __init__(self, end: Callable[[BaseException], None]) -> None:
        self._end = end
        self._limit_s = self._deadline = 0.0
        self._armed = False
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def guard(self, limit_s: float) -> Iterator[None]:
        """End emulation in this block after so much CPU time, or at Ctrl-C."""
        self._limit_s, self._deadline = limit_s, time.process_time() + limit_s
        self._armed = True
        try:
            with self._interrupts():
                yield
        finally:
            self._armed = False

    @contextmanager
    def _interrupts(self) -> Iterator[None]:
        handler = signal.getsignal(signal.SIGINT)
        if (
            threading.current_thread() is not threading.main_thread()
            or handler is not signal.default_int_handler
        ):
            yield
            return
        # Python's own handler would raise inside a callback, where the exception is lost.
        signal.signal(signal.SIGINT, lambda _number, _frame: self._end(KeyboardInterrupt()))
        wakeup = signal.set_wakeup_fd(self._near.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            signal.signal(signal.SIGINT, handler)

    def _watch(self) -> None:
        while True:
            if select.select([self._far], [], [], _WATCHDOG_PERIOD_S)[0]:
                arrived = self._far.recv(64)
                if not arrived:
                    return
                if self._armed and signal.SIGINT in arrived:
                    self._end(KeyboardInterrupt())
            if self._armed and time.process_time() > self._deadline:
                self._end(HangFault(f"no end after {self._limit_s:g} s of CPU time"))

    def close(self) -> None:
        """End the thread."""
        self._near.close()
        self._thread.join()
        self._far.close()


class Engine:
    """One Cortex-M core with its memory map. Anything unmapped faults when touched."""

    def __init__(self, core: Core) -> None:
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(_MODELS[core])
        self._kept: list[object] = []  # callbacks and memory that Unicorn uses
        self._raised: BaseException | None = None
        self._uc.hook_add(
            unicorn.UC_HOOK_MEM_UNMAPPED | unicorn.UC_HOOK_MEM_PROT, self._on_memory_fault
        )
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._watchdog = _Watchdog(self._abort)

    def close(self) -> None:
        """Stop the watchdog."""
        self._watchdog.close()

    # ---- memory ----

    def map_memory(self, region: MemoryRegion) -> None:
        """Map flash (stores fault) or RAM, in whole pages."""
        size = -(-region.size // _PAGE) * _PAGE
        self._uc.mem_map(region.origin, size, _rights(region))

    def map_with_alias(self, region: MemoryRegion, part: MemoryRegion, origin: int) -> None:
        """Map RAM, and a part of it at a second address: the same bytes.

        What runs must not have been fetched before it is written through the other address.
        """
        memory = mmap.mmap(-1, region.size)
        self._kept.append(memory)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self._uc.mem_map_ptr(region.origin, region.size, _rights(region), address)
        offset = part.origin - region.origin
        self._uc.mem_map_ptr(origin, part.size, _rights(region), address + offset)

    def map_io(self, base: int, size: int, read: IoRead, write: IoWrite) -> None:
        """Map a peripheral's registers; what its functions raise ends `run`."""

        def on_read(_uc: int, offset: int, width: int, _data: int) -> int:
            try:
                return read(offset, width)
            except BaseException as error:  # it must not cross the C code
                self._abort(error)
                return 0

        def on_write(_uc: int, offset: int, width: int, value: int, _data: int) -> None:
            try:
                write(offset, width, value)
            except BaseException as error:
                self._abort(error)

        read_pointer, write_pointer = _READ_TYPE(on_read), _WRITE_TYPE(on_write)
        self._kept += (read_pointer, write_pointer)
        status = uclib.uc_mmio_map(self._uc._uch, base, size, read_pointer, 0, write_pointer, 0)
        if status != unicorn.UC_ERR_OK:
            raise unicorn.UcError(status)

    def load(self, address: int, data: bytes) -> None:
        """Put bytes into mapped memory, flash included."""
        self._uc.mem_write(address, data)

    def memory(self, address: int, size: int) -> bytes:
        """Bytes of mapped memory."""
        return bytes(self._uc.mem_read(address, size))

    # ---- registers ----

    @property
    def pc(self) -> int:
        """The program counter, without the Thumb bit."""
        return int(self._uc.reg_read(arm.UC_ARM_REG_PC)) & ~1

    @pc.setter
    def pc(self, address: int) -> None:
        self._uc.reg_write(arm.UC_ARM_REG_PC, address | 1)

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return int(self._uc.reg_read(arm.UC_ARM_REG_SP))

    @sp.setter
    def sp(self, address: int) -> None:
        self._uc.reg_write(arm.UC_ARM_REG_SP, address)

    @property
    def lr(self) -> int:
        """The link register, as it is."""
        return int(self._uc.reg_read(arm.UC_ARM_REG_LR))

    @lr.setter
    def lr(self, address: int) -> None:
        self._uc.reg_write(arm.UC_ARM_REG_LR, address)

    @property
    def r0(self) -> int:
        """The first argument of a function, at its entry; its result, behind it."""
        return int(self._uc.reg_read(arm.UC_ARM_REG_R0))

    def set_arguments(self, values: Sequence[int]) -> None:
        """Put up to four words into r0 to r3."""
        names = (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3)
        for name, value in zip(names[: len(values)], values, strict=True):
            self._uc.reg_write(name, value & 0xFFFFFFFF)

    # ---- running ----

    def run(self, limit_s: float, until: int = _NOWHERE) -> None:
        """Run from the current PC until `stop` is called or `until` is reached.

        Raises:
            CpuFault: a memory or CPU fault, or more than `limit_s` seconds of CPU time.
            KeyboardInterrupt: after it, and after a hang, emulation cannot go on.
            Exception: whatever a peripheral raised.
        """
        self._raised = None
        try:
            with self._watchdog.guard(limit_s):
                self._uc.emu_start(self.pc | 1, until)
        except unicorn.UcError as error:
            if self._raised is None:
                undefined = error.errno == unicorn.UC_ERR_INSN_INVALID
                self._raised = CpuFault("undefined instruction" if undefined else str(error))
        if self._raised is not None:
            raise self._raised

    def stop(self) -> None:
        """Leave `run`; for callbacks."""
        self._uc.emu_stop()

    def hook_blocks(self, callback: RawCallback) -> Callable[[], None]:
        """Call `callback`, which must not raise, before every block.

        Returns the function that ends it.
        """
        return self._hook(unicorn.UC_HOOK_BLOCK, callback)

    def hook_instructions(self, callback: RawCallback) -> Callable[[], None]:
        """Call back before every single instruction, as `hook_blocks` does before blocks: slow, a
        check on the counts.

        Unicorn leaves out the instructions of an IT block whose condition is false.
        """
        return self._hook(unicorn.UC_HOOK_CODE, callback)

    def hook_accesses(
        self, first: int, last: int, callback: AccessCallback, *, writes: bool
    ) -> Callable[[], None]:
        """Call `callback`, which must not raise, at loads (and stores) of [first, last].

        Returns the function that ends it. See the head of this file for what it may break.
        """
        kind = unicorn.UC_HOOK_MEM_READ | (unicorn.UC_HOOK_MEM_WRITE if writes else 0)
        return self._add_hook(kind, _ACCESS_TYPE(callback), first, last)

    def clear_it_state(self) -> None:
        """Drop the IT state that Unicorn left behind; for callbacks of `hook_accesses`."""
        handle, value = self._uc._uch, ctypes.c_uint32()
        uclib.uc_reg_read(handle, arm.UC_ARM_REG_XPSR, ctypes.byref(value))
        if value.value & _IT_BITS:
            value.value &= ~_IT_BITS
            uclib.uc_reg_write(handle, arm.UC_ARM_REG_XPSR, ctypes.byref(value))

    def _hook(self, kind: int, callback: RawCallback) -> Callable[[], None]:
        return self._add_hook(kind, _BLOCK_TYPE(callback), 1, 0)  # an empty range: everywhere

    def _add_hook(
        self, kind: int, pointer: ctypes._CFunctionType, first: int, last: int
    ) -> Callable[[], None]:
        self._kept.append(pointer)
        handle = ctypes.c_size_t()
        status = uclib.uc_hook_add(
            self._uc._uch,
            ctypes.byref(handle),
            kind,
            ctypes.cast(pointer, ctypes.c_void_p),
            None,
            ctypes.c_uint64(first),
            ctypes.c_uint64(last),
        )
        if status != unicorn.UC_ERR_OK:
            raise unicorn.UcError(status)
        self._uc.ctl_flush_tb()

        def remove() -> None:
            uclib.uc_hook_del(self._uc._uch, handle)
            self._uc.ctl_flush_tb()

        return remove

    # ---- callbacks ----

    def _abort(self, error: BaseException) -> None:
        """Leave `run` with an error, from where raising it would cross the C code."""
        if self._raised is None:
            self._raised = error
        self._uc.emu_stop()

    def _on_memory_fault(
        self, _uc: object, access: int, address: int, size: int, _value: int, _data: object
    ) -> bool:
        kind = _ACCESS.get(access, "access")
        if self._raised is None:
            what = f"memory {kind} fault, {size} byte(s) at {address:#010x}"
            self._raised = CpuFault(what, address)
        return False

    def _on_exception(self, _uc: object, number: int, _data: object) -> None:
        kind = _EXCEPTIONS.get(number, f"CPU exception {number}")
        self._abort(CpuFault(kind))
