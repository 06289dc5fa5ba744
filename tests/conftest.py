# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests: none of them uses or changes the user's own folders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.command_line import CommandLine


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--conformance",
        choices=("default", "full"),
        default="default",
        help="how much is tried: some cases, boards and cores, or all, with thousands drawn",
    )
    parser.addoption(
        "--networks",
        type=int,
        default=2,
        help="how many drawn networks the choice of kernels is tried on (the full run: 300)",
    )


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the session's own: results come from this run, and the user's cache stays.

    Nor does a board that the user has measured change any figure.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYFLOW_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TINYFLOW_CONFIG", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture
def tinyflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The `tinyflow` command."""
    return CommandLine(monkeypatch, capsys)
