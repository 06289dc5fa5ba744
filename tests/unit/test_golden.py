# SPDX-License-Identifier: Apache-2.0
"""Generated code is what `tests/golden` says it is."""

from __future__ import annotations

import pytest

from tests.support.golden import GOLDEN, golden_files


def test_generated_code_is_the_golden_code() -> None:
    pytest.importorskip("bakenn", reason="the kernels that are compared need a copy of CMSIS-NN")
    expected = golden_files()
    found = {
        path.relative_to(GOLDEN).as_posix(): path.read_text(encoding="utf-8")
        for path in GOLDEN.rglob("*")
        if path.is_file()
    }
    changed = sorted(
        name for name in expected.keys() | found if expected.get(name) != found.get(name)
    )
    assert not changed, "look at the change, then: python -m tests.support.golden"
