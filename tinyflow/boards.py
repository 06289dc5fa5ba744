# SPDX-License-Identifier: Apache-2.0
"""Boards: one JSON file each, PlatformIO's board manifest plus a `tinyflow` section.

`docs/adding-a-board.md` explains every field.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from tinyflow.errors import InputError
from tinyflow.resources import BOARDS

Address = Annotated[
    int, BeforeValidator(lambda value: int(value, 0) if isinstance(value, str) else value)
]
Core = Literal["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"]

#: Cores with the DSP extension (Armv7E-M, Armv8-M with DSP).
DSP_CORES: frozenset[Core] = frozenset({"cortex-m4", "cortex-m7", "cortex-m33"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MemoryRegion(_Strict):
    """A contiguous range of the address space, in bytes."""

    name: str
    kind: Literal["flash", "ram"]
    origin: Address
    size: int = Field(gt=0)


class RamPart(_Strict):
    """One RAM of the microcontroller, and what it may hold.

    `uses` has `data` for stack, data and arena, and `code` for functions that are copied there at
    reset: fetches neither wait nor hinder reads of the RAM that holds the data. `code_origin` is
    the address to execute at, where that is another one of the same memory.
    """

    name: str
    origin: Address
    size: int = Field(gt=0)
    uses: tuple[Literal["data", "code"], ...]
    code_origin: Address | None = None
    source: str

    @property
    def fetched_from(self) -> int:
        """The address where code lies."""
        return self.origin if self.code_origin is None else self.code_origin

    @property
    def borders(self) -> tuple[int, int]:
        """The first address, and that behind the last, as data is reached."""
        return self.origin, self.origin + self.size

    def holds(self, address: int) -> bool:
        """The address is the part's, as data is reached."""
        return self.origin <= address < self.origin + self.size


class PeripheralInstance(_Strict):
    """A peripheral the firmware touches, and the simulator's model of it."""

    name: str
    model: str
    base: Address
    size: int = Field(default=0x400, gt=0)
    options: dict[str, Any] = Field(default_factory=dict)


class HarnessUart(_Strict):
    """The UART that carries the harness protocol."""

    peripheral: str
    baud: int = Field(gt=0)
    description: str = ""


class CacheGeometry(_Strict):
    """A cache or buffer with least-recently-used replacement; one set if `ways` is `lines`."""

    line_bytes: int = Field(gt=0)
    lines: int = Field(gt=0)
    ways: int = Field(gt=0)

    @property
    def sets(self) -> int:
        """Lines divided by ways."""
        return self.lines // self.ways

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.lines % self.ways:
            raise ValueError(
                f"lines must be a multiple of ways: {self.lines} lines, {self.ways} ways"
            )
        return self


class AccessTiming(_Strict):
    """Cost of one path to the flash: of each miss of its cache, or of each access.

    `cycles` is beyond the cycle of the access itself; the flash's wait states unless given.
    """

    cache: CacheGeometry | None = None
    cycles: Decimal | None = Field(default=None, ge=0)
    source: str


class RamBank(_Strict):
    """A part of the RAM that is not as fast as the core.

    `burst_cycles` are added to each run of loads that reads the bank. A `cached` bank is
    reached through the data cache, where a miss costs `miss_cycles`.
    """

    name: str
    origin: Address
    size: int = Field(gt=0)
    burst_cycles: Decimal = Field(default=Decimal(0), ge=0)
    cached: bool = False
    miss_cycles: Decimal = Field(default=Decimal(0), ge=0)
    source: str

    @property
    def borders(self) -> tuple[int, int]:
        """The first address, and that behind the last."""
        return self.origin, self.origin + self.size


@dataclass(frozen=True)
class DataRam:
    """A piece of the RAM for data that is of one speed throughout.

    `burst_cycles` and `miss_cycles` are a `RamBank`'s, 0 where reads wait for nothing.
    """

    origin: int
    size: int
    burst_cycles: Decimal = Decimal(0)
    miss_cycles: Decimal = Decimal(0)

    def behind(self, address: int) -> DataRam:
        """The part at or above `address`; empty if there is none."""
        origin = max(self.origin, address)
        return replace(self, origin=origin, size=max(0, self.origin + self.size - origin))


class RunCurrent(_Strict):
    """The typical supply current while the core runs from flash at the board's clock."""

    ma: Decimal = Field(gt=0)
    volts: Decimal = Field(gt=0)
    source: str


class MemoryTiming(_Strict):
    """Wait states of the memories at the board's clock."""

    wait_states: int = Field(ge=0)
    source: str
    fetch: AccessTiming
    flash_data: AccessTiming
    ram: tuple[RamBank, ...] = ()
    #: Cycles of a Cortex-M0+'s MULS: 1, or 32 with the small multiplier.
    multiply_cycles: Literal[1, 32] = 1

    def cycles(self, access: AccessTiming) -> Decimal:
        """Return the cost in cycles of a miss, or of an uncached access."""
        return Decimal(self.wait_states) if access.cycles is None else access.cycles

    @model_validator(mode="after")
    def _fetches_lines(self) -> Self:
        if self.fetch.cache is None:
            raise ValueError("fetch.cache is missing: model a prefetch buffer as a one-line cache")
        if self.flash_data.cache is None and any(bank.cached for bank in self.ram):
            raise ValueError("a cached RAM bank needs flash_data.cache")
        return self


class RenodePlatform(_Strict):
    """Settings for Renode: the platform description under `renode/` and its UART's name."""

    platform: str
    uart: str


class Upload(_Strict):
    """Settings for `tinyflow flash`: OpenOCD through a probe, or pyOCD."""

    protocol: Literal["stlink", "cmsis-dap", "jlink", "pyocd"]
    openocd_target: str | None = None
    pyocd_target: str | None = None

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        field = "pyocd_target" if self.protocol == "pyocd" else "openocd_target"
        if getattr(self, field) is None:
            raise ValueError(f"the protocol {self.protocol!r} needs debug.{field}")
        return self


class Board(_Strict):
    """A board as tinyflow sees it. Sizes are bytes, frequencies Hz."""

    id: str
    name: str
    vendor: str
    url: str
    mcu: str
    core: Core
    fpu: str | None
    float_abi: Literal["soft", "softfp", "hard"]
    family: str
    clock_hz: int = Field(gt=0)
    memory: tuple[MemoryRegion, ...]
    ram_parts: tuple[RamPart, ...] = ()
    uart: HarnessUart
    peripherals: tuple[PeripheralInstance, ...]
    defines: dict[str, int | str] = Field(default_factory=dict)
    stack_size: int = Field(default=4096, gt=0)
    timing: MemoryTiming | None = None
    run_current: RunCurrent | None = None
    renode: RenodePlatform
    upload: Upload
    manual: str
    path: Path

    @property
    def flash(self) -> MemoryRegion:
        """The flash the image is linked to."""
        return self._region("flash")

    @property
    def ram(self) -> MemoryRegion:
        """The RAM that holds stack, data and arena."""
        return self._region("ram")

    @property
    def code_ram(self) -> RamPart | None:
        """The RAM that code may run from; None if no RAM can run code profitably."""
        return next((part for part in self.ram_parts if "code" in part.uses), None)

    def data_below(self, part: RamPart) -> int:
        """Bytes of `ram` that are left for data when a part holds code."""
        inside = self.ram.origin <= part.origin < self.ram.origin + self.ram.size
        return part.origin - self.ram.origin if inside else self.ram.size

    def data_rams(self, *, without: RamPart | None = None) -> tuple[DataRam, ...]:
        """The RAM for data, cut where its speed changes, by address.

        Args:
            without: a part that data may not use.
        """
        banks = () if self.timing is None else self.timing.ram
        end = self.ram.origin + self.ram.size
        borders = {self.ram.origin, end}
        borders |= {border for bank in banks for border in bank.borders}
        if without is not None:
            borders |= set(without.borders)
        inside = sorted(border for border in borders if self.ram.origin <= border <= end)
        return tuple(
            _data_ram(begin, behind - begin, banks)
            for begin, behind in pairwise(inside)
            if without is None or not without.holds(begin)
        )

    def ram_names(self, address: int, size: int) -> tuple[str, ...]:
        """The parts that some bytes of `ram` lie in, in order; of `ram` itself if there are none.

        Args:
            address: of the first byte.
            size: how many, at least one.
        """
        names = tuple(
            part.name
            for part in self.ram_parts
            if "data" in part.uses
            and part.origin < address + size
            and address < part.origin + part.size
        )
        return names or (self.ram.name,)

    def _region(self, kind: str) -> MemoryRegion:
        return next(region for region in self.memory if region.kind == kind)

    @model_validator(mode="after")
    def _parts_are_apart(self) -> Self:
        spans = sorted((part.origin, part.size, part.name) for part in self.ram_parts)
        for (origin, size, name), (following, _, other) in pairwise(spans):
            if origin + size > following:
                raise ValueError(f"ram_parts: {name} and {other} overlap")
        ram = self.ram
        for part in self.ram_parts:
            inside = ram.origin <= part.origin and part.origin + part.size <= ram.origin + ram.size
            if "data" in part.uses and not inside:
                raise ValueError(f"ram_parts: {part.name} holds data and is not in {ram.name}")
        return self


def _data_ram(origin: int, size: int, banks: Sequence[RamBank]) -> DataRam:
    for bank in banks:
        begin, behind = bank.borders
        if begin <= origin < behind:
            miss = bank.miss_cycles if bank.cached else Decimal(0)
            return DataRam(origin, size, bank.burst_cycles, miss)
    return DataRam(origin, size)


def board_ids() -> list[str]:
    """The names of all boards, sorted."""
    return sorted(path.stem for path in BOARDS.glob("*.json"))


@cache
def load_board(board_id: str) -> Board:
    """The board of that name.

    Raises:
        InputError: there is no such board (the message suggests the nearest), or its file
            is not a valid board description (the message names the field).
    """
    if board_id not in board_ids():
        near = difflib.get_close_matches(board_id, board_ids(), n=1, cutoff=0.5)
        raise InputError(
            f"unknown board {board_id!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
            hint="`tinyflow boards` lists the boards; docs/adding-a-board.md says how to add one.",
        )
    return read_board_file(BOARDS / f"{board_id}.json")


def read_board_file(path: Path) -> Board:
    """Read and check one board file.

    Raises:
        InputError: the file is not JSON or a field is missing or wrong.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        build, section = manifest["build"], manifest["tinyflow"]
        return Board(
            id=path.stem,
            path=path,
            name=manifest["name"],
            vendor=manifest["vendor"],
            url=manifest["url"],
            mcu=build["mcu"],
            core=build["cpu"],
            fpu=build.get("fpu"),
            float_abi=build.get("float_abi", "soft"),
            clock_hz=int(str(build["f_cpu"]).rstrip("LU")),
            upload=Upload(
                protocol=manifest["upload"]["protocol"],
                openocd_target=manifest["debug"].get("openocd_target"),
                pyocd_target=manifest["debug"].get("pyocd_target"),
            ),
            **section,
        )
    except KeyError as error:
        raise InputError(f"{path}: the field {error} is missing") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: field {field}: {first['msg']}") from error
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a board description: {error}") from error
