# SPDX-License-Identifier: Apache-2.0
"""Drawn cases of all families: a few by default, thousands with `--conformance=full`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st

from tests.conformance.drawn import STRATEGIES
from tests.conformance.drawn.values import Drawn
from tests.conformance.driver import GROUP, check, check_library
from tests.conformance.test_conformance import GENERATED, STATEFUL
from tests.support.cores import cortex_m0plus
from tinyflow.boards import load_board

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

#: Images of sixteen cases for each family and core.
IMAGES = {"default": 1, "full": 60}


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
@pytest.mark.parametrize("family", STRATEGIES)
def test_drawn_cases_are_exact(
    family: str, core: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    board = load_board("stm32l4r5") if core == "cortex-m4" else cortex_m0plus(tmp_path)
    operators = st.one_of(*STRATEGIES[family].values())
    images = IMAGES[request.config.getoption("conformance")]

    # A failing case is found by building each alone, and its name says all: nothing to shrink.
    @settings(
        max_examples=images,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(operators, min_size=GROUP, max_size=GROUP, unique_by=lambda drawn: drawn[0]))
    def image(cases: list[Drawn]) -> None:
        if family in STATEFUL:
            check(dict(cases), tmp_path, board=board, kernels="cmsis-nn")
            return
        check_library(dict(cases), board, "cmsis-nn")
        if family in GENERATED:
            check_library(dict(cases), board, "generated")

    image()
