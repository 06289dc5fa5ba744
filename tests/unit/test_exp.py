# SPDX-License-Identifier: Apache-2.0
"""exp in double precision: so exact that products of it, rounded to float, are the reference's.

The reference calls the host's exp, which is off by 0.511 units in the last place at most. The two
differ by one unit now and then; a product rounded to float shows that once in 2^29 times.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from tinyflow.numerics.exp_table import EXP_ENTRIES, exp_table
from tinyflow.resources import FIRMWARE

_COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = [
    pytest.mark.skipif(_COMPILER is None, reason="no C compiler on PATH"),
    pytest.mark.skipif(
        platform.machine() != "x86_64", reason="no long double of 64 bits to compare with"
    ),
]

_PROGRAM = """
#include "tinyflow_math.h"
#include <math.h>
#include <stdio.h>

static const int64_t table[] = {TABLE};

int main(void)
{
    long double worst = 0;
    unsigned long compared = 0, floats = 0;
    uint64_t random = 1;
    for (int i = 0; i < 3000000; ++i) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const double share = (double)(random >> 11) / 9007199254740992.0 - 0.5;
        const double x = i % 3 == 0 ? share * 1400.0 : i % 3 == 1 ? share * 20.0 : share * 1e-3;
        const long double due = expl((long double)x);
        const double found = tinyflow_exp(x, table);
        const double unit = nextafter((double)due, INFINITY) - (double)due;
        const long double error = fabsl((long double)found - due) / unit;
        worst = error > worst ? error : worst;
        ++compared;
        floats += (float)(0.5 * found * 0.37) != (float)(0.5 * exp(x) * 0.37);
    }
    const int edges = tinyflow_exp(0.0, table) == 1.0 && tinyflow_exp(800.0, table) == INFINITY
                      && tinyflow_exp(-800.0, table) == 0.0 && tinyflow_exp(NAN, table) !=
                      tinyflow_exp(NAN, table) && tinyflow_exp(INFINITY, table) == INFINITY &&
                      tinyflow_exp(-INFINITY, table) == 0.0;
    printf("%d %d %lu %d", worst < 0.54L, compared == 3000000, floats, edges);
    return 0;
}
"""


def test_exp_is_within_its_bound_and_gives_the_same_floats(tmp_path: Path) -> None:
    table = ", ".join(f"INT64_C({value})" for value in exp_table().ravel().tolist())
    (tmp_path / "compare.c").write_text(_PROGRAM.replace("TABLE", table))
    kernels = FIRMWARE / "kernels"
    assert _COMPILER is not None
    subprocess.run(
        [_COMPILER, "-O2", f"-I{kernels}", "compare.c", str(kernels / "tinyflow_exp.c"), "-lm"],
        cwd=tmp_path,
        check=True,
    )
    result = subprocess.run([tmp_path / "a.out"], capture_output=True, text=True, check=True)
    assert result.stdout == "1 1 0 1"


def test_the_table_has_powers_of_two_and_what_doubles_of_them_lack() -> None:
    table = exp_table().view("float64")
    assert table.shape == (EXP_ENTRIES, 2)
    assert table[0].tolist() == [1.0, 0.0]
    assert table[16, 0] == 2**0.5
    assert abs(table[:, 1]).max() < 2**-53
