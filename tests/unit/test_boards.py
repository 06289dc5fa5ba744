# SPDX-License-Identifier: Apache-2.0
"""The board files, and the errors of a wrong one."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tinyflow.boards import Board, board_ids, load_board, read_board_file
from tinyflow.errors import InputError
from tinyflow.resources import BOARDS, FIRMWARE

MODELS = {
    "stm32_rcc",
    "stm32_pwr",
    "stm32_flash",
    "stm32_gpio",
    "stm32_usart_v1",
    "stm32_usart_v2",
    "nrf_clock",
    "nrf_uart",
    "nrf_nvmc",
    "nrf_gpio",
}


@pytest.fixture(params=["nrf52840", "stm32f407", "stm32f746", "stm32l4r5"])
def board(request: pytest.FixtureRequest) -> Board:
    return load_board(request.param)


def manifest(board_id: str = "stm32f746") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((BOARDS / f"{board_id}.json").read_text())
    return loaded


def write(folder: Path, content: object) -> Path:
    path = folder / "mine.json"
    path.write_text(json.dumps(content))
    return path


def test_the_boards_are_there() -> None:
    assert set(board_ids()) >= {"stm32f746", "stm32f407", "stm32l4r5", "nrf52840"}


@pytest.mark.parametrize(
    ("board_id", "core", "mhz", "flash_kib", "ram_kib"),
    [
        ("stm32f746", "cortex-m7", 216, 1024, 320),
        ("stm32f407", "cortex-m4", 168, 1024, 128),
        ("stm32l4r5", "cortex-m4", 120, 2048, 640),
        ("nrf52840", "cortex-m4", 64, 1024, 256),
    ],
)
def test_core_clock_and_memory(
    board_id: str, core: str, mhz: int, flash_kib: int, ram_kib: int
) -> None:
    board = load_board(board_id)
    assert board.core == core
    assert board.clock_hz == mhz * 1_000_000
    assert board.flash.size == flash_kib * 1024
    assert (board.ram.origin, board.ram.size) == (0x20000000, ram_kib * 1024)


def test_ram_parts_make_up_the_ram(board: Board) -> None:
    parts = [part for part in board.ram_parts if "data" in part.uses]
    assert not parts or parts[0].origin == board.ram.origin
    assert sum(part.size for part in parts) in (0, board.ram.size)
    for one, following in pairwise(parts):
        assert one.origin + one.size == following.origin


@pytest.mark.parametrize(
    ("board_id", "name", "address", "data"),
    [
        ("stm32f746", "ITCM", 0x00000000, 320),
        ("stm32l4r5", "SRAM2", 0x10000000, 192),
        ("stm32f407", None, None, None),  # SRAM shares its bus with data, CCM cannot be executed
        ("nrf52840", None, None, None),
    ],
)
def test_the_ram_that_code_runs_from(
    board_id: str, name: str | None, address: int | None, data: int | None
) -> None:
    board = load_board(board_id)
    part = board.code_ram
    assert (part and part.name) == name
    if part is not None and data is not None:
        assert part.fetched_from == address
        assert board.data_below(part) == data * 1024
        regions = [(region.origin, region.size) for region in board.memory]
        assert not any(
            origin < part.fetched_from + part.size and part.fetched_from < origin + size
            for origin, size in regions
        )


def test_where_bytes_of_ram_lie() -> None:
    board = load_board("stm32f746")
    assert board.ram_names(0x20000000, 65536) == ("DTCM",)
    assert board.ram_names(0x2000FFFF, 2) == ("DTCM", "SRAM1")
    assert load_board("nrf52840").ram_names(0x20000000, 4) == ("RAM",)


def test_the_platformio_manifest_tells_the_same_sizes(board: Board) -> None:
    upload = manifest(board.id)["upload"]
    assert upload["maximum_size"] == board.flash.size
    assert upload["maximum_ram_size"] == board.ram.size
    assert upload["protocol"] in upload["protocols"]


def test_the_family_has_a_file(board: Board) -> None:
    assert (FIRMWARE / "mcu" / f"{board.family}.c").is_file()


def test_the_uart_is_a_listed_peripheral(board: Board) -> None:
    assert board.uart.peripheral in {peripheral.name for peripheral in board.peripherals}


def test_peripherals_do_not_overlap_and_have_known_models(board: Board) -> None:
    ordered = sorted(board.peripherals, key=lambda peripheral: peripheral.base)
    for one, next_one in pairwise(ordered):
        assert one.base + one.size <= next_one.base
    assert {peripheral.model for peripheral in ordered} <= MODELS


def test_uploads_name_a_target(board: Board) -> None:
    assert board.upload.openocd_target


def test_an_unknown_board_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'stm32f746'"):
        load_board("stm32f764")


def test_a_file_that_is_not_json(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text("{")
    with pytest.raises(InputError, match="not a board description"):
        read_board_file(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a board description"):
        read_board_file(tmp_path / "none.json")


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    content = manifest()
    del content["build"]["cpu"]
    with pytest.raises(InputError, match="'cpu' is missing"):
        read_board_file(write(tmp_path, content))


def test_a_wrong_field_is_named(tmp_path: Path) -> None:
    content = manifest()
    content["tinyflow"]["memory"][0]["size"] = -1
    with pytest.raises(InputError, match=r"field memory\.0\.size"):
        read_board_file(write(tmp_path, content))


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    content = manifest()
    content["tinyflow"]["colour"] = "green"
    with pytest.raises(InputError, match="field colour"):
        read_board_file(write(tmp_path, content))


def test_ram_parts_that_overlap(tmp_path: Path) -> None:
    content = manifest()
    content["tinyflow"]["ram_parts"][0]["size"] += 4
    with pytest.raises(InputError, match="DTCM and SRAM1 overlap"):
        read_board_file(write(tmp_path, content))


def test_ram_parts_for_data_are_in_the_ram(tmp_path: Path) -> None:
    content = manifest()
    content["tinyflow"]["ram_parts"][3]["uses"] = ["data"]
    with pytest.raises(InputError, match="ITCM holds data and is not in RAM"):
        read_board_file(write(tmp_path, content))


def test_an_upload_protocol_needs_its_target(tmp_path: Path) -> None:
    content = manifest()
    content["upload"]["protocol"] = "pyocd"
    with pytest.raises(InputError, match=r"needs debug\.pyocd_target"):
        read_board_file(write(tmp_path, content))
