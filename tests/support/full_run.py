# SPDX-License-Identifier: Apache-2.0
"""What runs with `--conformance=full` only."""

from __future__ import annotations

import pytest


def is_full_run(request: pytest.FixtureRequest) -> bool:
    """Whether `--conformance=full` was given."""
    return bool(request.config.getoption("conformance") == "full")


def only_in_full_runs(request: pytest.FixtureRequest) -> None:
    """Skip the test in a default run."""
    if not is_full_run(request):
        pytest.skip("with --conformance=full")
