# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.small_model import small_model


@pytest.fixture
def in_project(
    tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> CommandLine:
    """The `tinyflow` command in a folder that holds `small.tflite`."""
    monkeypatch.chdir(tmp_path)
    Path("small.tflite").write_bytes(small_model())
    return tinyflow
