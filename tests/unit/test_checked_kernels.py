# SPDX-License-Identifier: Apache-2.0
"""Kernels that check what they are given: the value that ends an inference with an error."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tinyflow.resources import FIRMWARE

_COMPILER = shutil.which("cc") or shutil.which("gcc")
_SOURCES = ("tinyflow_broadcast_args", "tinyflow_floor_f32", "tinyflow_gather_nd")
_PROGRAM = """
#include "tinyflow_movement.h"
#include "tinyflow_unquantised.h"

#include <stdio.h>

int main(void)
{
    const float numbers[] = {1.0f, -7.5f, 3.0f}, divisors[] = {2.0f, 2.0f, DIVISOR};
    const tinyflow_broadcast loops = {
        .extent = {1, 1, 1, 1, 3}, .left = {0, 0, 0, 0, 1}, .right = {0, 0, 0, 0, 1}};
    const tinyflow_gather_nd_params places = {
        .slices = 1, .depth = 2, .step = {4, 1}, .run = 1, .total = 12, .size = 1};
    const int8_t values[12] = {0};
    const int32_t index[] = {ROW, COLUMN}, left[] = {3, LEFT}, right[] = {RIGHT};
    float quotient[3];
    int8_t found;
    int32_t shape[2];
    printf("%d %d %d", tinyflow_floor_div_f32(&loops, numbers, divisors, quotient),
           tinyflow_gather_nd(&places, index, values, &found),
           tinyflow_broadcast_args_s32(left, 2, right, 1, shape));
    return 0;
}
"""


@pytest.mark.skipif(_COMPILER is None, reason="no C compiler on PATH")
@pytest.mark.parametrize(
    ("values", "due"),
    [
        # A place counts by the sum of its steps, as in the reference: (2, 3) is the last one, and
        # so is (3, -1).
        ({"DIVISOR": "-1.0f", "ROW": 2, "COLUMN": 3, "LEFT": 5, "RIGHT": 5}, "0 0 0"),
        ({"DIVISOR": "1.0f", "ROW": 3, "COLUMN": -1, "LEFT": 1, "RIGHT": 5}, "0 0 0"),
        ({"DIVISOR": "0.0f", "ROW": 3, "COLUMN": 0, "LEFT": 5, "RIGHT": 4}, "1 1 1"),
        ({"DIVISOR": "-0.0f", "ROW": -1, "COLUMN": 3, "LEFT": 0, "RIGHT": 2}, "1 1 1"),
    ],
)
def test_what_is_checked(values: dict[str, object], due: str, tmp_path: Path) -> None:
    assert _COMPILER is not None
    (tmp_path / "check.c").write_text(_PROGRAM)
    kernels = FIRMWARE / "kernels"
    defined = [f"-D{name}={value}" for name, value in values.items()]
    sources = [str(kernels / f"{name}.c") for name in _SOURCES]
    subprocess.run(
        [_COMPILER, "-O1", f"-I{kernels}", *defined, "check.c", *sources, "-lm"],
        cwd=tmp_path,
        check=True,
    )
    result = subprocess.run([tmp_path / "a.out"], capture_output=True, text=True, check=True)
    assert result.stdout == due
