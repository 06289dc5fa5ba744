# SPDX-License-Identifier: Apache-2.0
"""The elementary functions in C against the host's, which the oracle calls.

Every 4099th float is compared. All of them were once, with no difference, on glibc 2.36 and a
processor with fused multiply-add; other C libraries may round some results differently.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tinyflow.resources import FIRMWARE

_COMPILER = shutil.which("cc") or shutil.which("gcc")
_LIBC, _VERSION = platform.libc_ver()

pytestmark = [
    pytest.mark.skipif(_COMPILER is None, reason="no C compiler on PATH"),
    pytest.mark.skipif(
        _LIBC != "glibc" or not (2, 28) <= tuple(map(int, _VERSION.split("."))) <= (2, 40),
        reason="another C library than glibc 2.28 to 2.40",
    ),
]

_PROGRAM = """
#include "tinyflow_math.h"
#include <math.h>
#include <stdio.h>

int main(void)
{
    unsigned long differing = 0, compared = 0;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 4099) {
        const float x = tinyflow_float_of((uint32_t)bits);
        const float due = FUNCTION(x), found = tinyflow_FUNCTION(x);
        if (x == x) {
            ++compared;
            const int is_undefined = due != due && found != found;
            differing += !is_undefined && tinyflow_bits_of(due) != tinyflow_bits_of(found);
        } else {
            differing += found == found;
        }
    }
    printf("%lu %d", differing, compared > 1000000);
    return 0;
}
"""


@pytest.mark.parametrize("function", ["cosf", "expf", "expm1f", "logf", "sinf", "tanhf"])
def test_a_function_has_the_bits_of_glibc(function: str, tmp_path: Path) -> None:
    program = _PROGRAM.replace("FUNCTION", function)
    (tmp_path / "compare.c").write_text(program)
    kernels = FIRMWARE / "kernels"
    sources = [
        str(kernels / f"tinyflow_{name}.c")
        for name in ("expf", "expm1f", "logf", "sincosf", "tanhf")
    ]
    assert _COMPILER is not None
    subprocess.run(
        [_COMPILER, "-O2", "-fno-builtin", f"-I{kernels}", "compare.c", *sources, "-lm"],
        cwd=tmp_path,
        check=True,
    )
    result = subprocess.run([tmp_path / "a.out"], capture_output=True, text=True, check=True)
    assert result.stdout == "0 1"
