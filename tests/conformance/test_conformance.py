# SPDX-License-Identifier: Apache-2.0
"""All cases of all families."""

from __future__ import annotations

import os
import shutil
from math import ceil
from pathlib import Path

import pytest

from tests.conformance import (
    convolutions,
    detection,
    elementwise,
    floats,
    int4,
    int16,
    litert,
    logic,
    movement,
    quantize,
    signal,
    state,
    streams,
    sums,
    tables,
    windows,
)
from tests.conformance.driver import GROUP, VECTORS, Case, check, check_library, groups
from tests.support.cores import OTHER_CORES, board_with, cortex_m0plus
from tests.support.full_run import is_full_run, only_in_full_runs
from tinyflow.boards import Board, Core, load_board

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

FAMILIES: dict[str, dict[str, Case]] = {
    "convolutions": convolutions.CASES,
    "detection": detection.CASES,
    "elementwise": elementwise.CASES,
    "floats": floats.CASES,
    "int4": int4.CASES,
    "int16": int16.CASES,
    "litert": litert.CASES,
    "logic": logic.CASES,
    "movement": movement.CASES,
    "quantize": quantize.CASES,
    "signal": signal.CASES,
    "state": state.CASES,
    "streams": streams.CASES,
    "sums": sums.CASES,
    "tables": tables.CASES,
    "windows": windows.CASES,
}
GROUPS = {
    f"{family}-{index}": group
    for family, cases in FAMILIES.items()
    for index, group in enumerate(groups(cases))
}
#: Cases from all over each family, in one group.
SAMPLES = {
    family: dict(list(cases.items())[:: ceil(len(cases) / GROUP)])
    for family, cases in FAMILIES.items()
}


#: Families that are compiled with a firmware for a Cortex-M0+ by default.
IN_FIRMWARE_ON_M0PLUS = ("convolutions", "state", "tables")
#: One group of every other family.
FIRMWARE_GROUPS = [f"{family}-0" for family in FAMILIES][::2]
#: The families that are compiled with a firmware around them on every core.
STATEFUL = ("state", "streams")


def family_of(group: str) -> str:
    return group.rpartition("-")[0]


@pytest.mark.parametrize("group", GROUPS)
def test_operators_are_exact(group: str, tmp_path: Path) -> None:
    _check_on(load_board("stm32l4r5"), family_of(group), GROUPS[group], tmp_path)


@pytest.mark.parametrize("group", GROUPS)
def test_operators_are_exact_on_a_cortex_m0plus(group: str, tmp_path: Path) -> None:
    _check_on(cortex_m0plus(tmp_path), family_of(group), GROUPS[group], tmp_path, vectors=12)


@pytest.mark.parametrize("group", GROUPS)
def test_operators_are_exact_in_firmware(
    group: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Run one group of every other family by default: all are compiled as libraries above."""
    if group in FIRMWARE_GROUPS and not is_full_run(request):
        check(SAMPLES[family_of(group)], tmp_path, kernels="cmsis-nn")
        return
    only_in_full_runs(request)
    check(GROUPS[group], tmp_path, kernels="cmsis-nn")


@pytest.mark.parametrize("core", OTHER_CORES)
@pytest.mark.parametrize("family", SAMPLES)
def test_some_operators_are_exact_on_the_other_cores(
    family: str, core: Core, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Run each family on one of the cores by default, in turn."""
    if list(SAMPLES).index(family) % len(OTHER_CORES) != OTHER_CORES.index(core):
        only_in_full_runs(request)
    _check_on(board_with(core, tmp_path), family, SAMPLES[family], tmp_path, vectors=12)


def _check_on(
    board: Board, family: str, cases: dict[str, Case], folder: Path, *, vectors: int = VECTORS
) -> None:
    if family in STATEFUL:
        check(cases, folder, board=board, kernels="cmsis-nn")
    else:
        check_library(cases, board, "cmsis-nn", vectors=vectors)


@pytest.mark.parametrize("family", SAMPLES)
def test_some_operators_are_exact_in_firmware_for_a_cortex_m0plus(
    family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Run three families by default: as a library, all are exact on this core above."""
    if family not in IN_FIRMWARE_ON_M0PLUS:
        only_in_full_runs(request)
    check(SAMPLES[family], tmp_path, board=cortex_m0plus(tmp_path), kernels="cmsis-nn")


#: Families with operators that generated kernels support.
GENERATED = ("convolutions", "elementwise", "litert", "quantize", "tables", "windows")


@pytest.mark.parametrize("group", [name for name in GROUPS if family_of(name) in GENERATED])
def test_generated_kernels_are_exact(group: str) -> None:
    """Wherever one is legal; tests of each kernel try all of its variants."""
    check_library(GROUPS[group], load_board("stm32l4r5"), "generated")


@pytest.mark.parametrize("family", GENERATED)
def test_generated_kernels_are_exact_in_firmware(
    family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if family not in ("convolutions", "elementwise"):
        only_in_full_runs(request)
    check(SAMPLES[family], tmp_path, board="stm32f746", kernels="generated")


_OTHER = os.environ.get("TINYFLOW_TEST_CMSIS_NN")


@pytest.mark.skipif(_OTHER is None, reason="TINYFLOW_TEST_CMSIS_NN names no other copy")
@pytest.mark.parametrize("group", GROUPS)
def test_operators_are_exact_on_another_cmsis_nn(group: str, tmp_path: Path) -> None:
    check(GROUPS[group], tmp_path, cmsis_nn=_OTHER, kernels="cmsis-nn")
