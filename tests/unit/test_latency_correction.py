# SPDX-License-Identifier: Apache-2.0
"""Measurements on a board: how they are kept, what they say together, and what follows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tinyflow.boards import load_board
from tinyflow.errors import InputError
from tinyflow.timing.cycle_model import CycleSplit, SectionTiming, timing_of
from tinyflow.timing.latency_correction import (
    BoardMeasurement,
    LatencyCorrection,
    basis_of,
    correction_of,
    forget,
    measurements,
    measurements_file,
    remember,
)
from tinyflow.timing.validation import ErrorBar, error_bar

BOARD, OTHER = load_board("stm32l4r5"), load_board("stm32f746")


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYFLOW_CONFIG", str(tmp_path / "config"))


def measurement(model: str, measured: int, board: str = BOARD.id) -> BoardMeasurement:
    return BoardMeasurement(
        board=board,
        model=model,
        sha256=model * 8,
        modelled=1000,
        measured=measured,
        runs=3,
        basis=basis_of(load_board(board)),
        date="2026-01-01T00:00:00+00:00",
    )


def corrected() -> LatencyCorrection:
    found = correction_of(BOARD)
    assert found is not None
    return found


def test_no_file_is_no_correction() -> None:
    assert correction_of(BOARD) is None
    assert measurements() == ()


def test_the_factor_is_the_geometric_mean_and_the_spread_the_farthest_from_it() -> None:
    for model, measured in (("a", 1020), ("b", 1040), ("c", 1060)):
        remember(measurement(model, measured))
    remember(measurement("a", 1500, OTHER.id))
    found = corrected()
    assert found.measurements == 3
    assert found.factor == pytest.approx((1.02 * 1.04 * 1.06) ** (1 / 3))
    assert found.spread_percent == pytest.approx(100 * (found.factor / 1.02 - 1))


def test_a_model_measured_again_counts_once() -> None:
    remember(measurement("a", 1500))
    remember(measurement("a", 1040))
    assert (corrected().measurements, corrected().factor) == (1, pytest.approx(1.04))


def test_what_another_board_file_or_version_modelled_is_kept_but_not_used() -> None:
    remember(measurement("a", 1040).model_copy(update={"basis": "of before"}))
    assert correction_of(BOARD) is None
    assert len(measurements(BOARD.id)) == 1
    slower = BOARD.model_copy(update={"clock_hz": BOARD.clock_hz // 2})
    remember(measurement("b", 1040))
    assert corrected().measurements == 1
    assert correction_of(slower) is None


def test_forgetting_leaves_other_boards() -> None:
    for board in (BOARD, OTHER):
        remember(measurement("a", 1040, board.id))
    assert forget(BOARD.id) == 1
    assert correction_of(BOARD) is None
    assert correction_of(OTHER) is not None
    assert forget(BOARD.id) == 0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 2}', '{"measurements": [{"board": "x"}]}', "\xff"]
)
def test_a_damaged_file_is_named_and_left_alone(text: str) -> None:
    path = measurements_file()
    path.parent.mkdir()
    path.write_bytes(text.encode("latin-1"))
    actions: list[Callable[[], object]] = [
        lambda: correction_of(BOARD),
        lambda: remember(measurement("a", 1)),
    ]
    for action in actions:
        with pytest.raises(InputError, match=r"calibration\.json: damaged"):
            action()
    assert path.read_bytes() == text.encode("latin-1")


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TINYFLOW_CONFIG", str(tmp_path / "file" / "config"))
    with pytest.raises(InputError, match="cannot be"):
        remember(measurement("a", 1040))


def test_nothing_but_the_file_and_its_lock_remains() -> None:
    remember(measurement("a", 1040))
    names = {path.name for path in measurements_file().parent.iterdir()}
    assert names == {"calibration.json", ".calibration.json.lock"}


@pytest.mark.parametrize(
    ("count", "spread", "percent"),
    [(1, 0.0, 8), (2, 0.0, 5), (3, 0.5, 4), (9, 1.2, 2), (9, 3.1, 4), (9, 40.2, 41)],
)
def test_the_bar_follows_number_and_spread(count: int, spread: float, percent: int) -> None:
    bar = LatencyCorrection(1.04, count, spread).error_bar(ErrorBar(15, "published"))
    assert bar.percent == percent
    assert f"{spread:.1f} %" in bar.basis


def test_a_corrected_timing_still_adds_up() -> None:
    timing = timing_of(
        [SectionTiming(10, CycleSplit(core=11)), SectionTiming(20, CycleSplit(33, 5, 7, 9, 3))],
        BOARD,
    )
    timing = replace(timing, power_mw=Decimal(30))
    found = timing.corrected(LatencyCorrection(1.5, 2, 1.0))
    assert found.overhead.split == CycleSplit(core=17)
    assert found.layers[0].split == CycleSplit(50, 8, 11, 14, 5)
    assert found.cycles == 17 + 88
    assert found.instructions == timing.instructions
    assert math.isclose(found.milliseconds(found.cycles), 1e3 * 105 / BOARD.clock_hz)
    assert timing.corrected(None) is timing


# ---- the command ----


def test_show_and_forget(tinyflow: CommandLine) -> None:
    assert "nothing was measured" in tinyflow("calibrate", "--show").out
    remember(measurement("a", 1040))
    remember(measurement("b", 1040).model_copy(update={"basis": "of before"}))
    shown = tinyflow("calibrate", "--show").out
    assert "later reports are multiplied by 1.040" in shown
    assert "not used" in shown
    data = tinyflow("calibrate", "--show", "--json").json
    assert [each["used"] for each in data["measurements"]] == [True, False]
    assert data["calibrations"][BOARD.id]["factor"] == pytest.approx(1.04)
    assert data["calibrations"][BOARD.id]["error_percent"] == math.ceil(
        error_bar(BOARD).percent / 2
    )
    outcome = tinyflow("calibrate", "--forget", BOARD.id, "--json")
    assert outcome.json == {"board": BOARD.id, "forgotten": 2}
    assert tinyflow("calibrate", "--show", "--json").json["calibrations"] == {}


def test_one_thing_at_a_time(tinyflow: CommandLine) -> None:
    tinyflow.refused(3, "calibrate", says=("one of BUILD, --show and --forget",))
    tinyflow.refused(3, "calibrate", "build", "--show", says=("one of BUILD",))
    tinyflow.refused(3, "calibrate", "--forget", "nosuch", says=("unknown board 'nosuch'",))
