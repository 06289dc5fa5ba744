# SPDX-License-Identifier: Apache-2.0
"""The library's logger, and `-v`."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tests.support.command_line import CommandLine
from tests.support.rewritten import optimised
from tests.support.small_model import small_model
from tinyflow.cli.app import app
from tinyflow.cli.console import ConsoleProgress
from tinyflow.cli.verbosity import ConsoleLog, show_log
from tinyflow.progress import LoggedProgress, Progress, log_command
from tinyflow.storage.cache import Cache

LOG = logging.getLogger("tinyflow")


@pytest.fixture(autouse=True)
def _silent_again() -> Iterator[None]:
    yield
    show_log(0)


def test_the_library_prints_nothing_by_itself() -> None:
    code = (
        "import tinyflow, logging\n"
        "from tinyflow.progress import LoggedProgress, Progress\n"
        "LoggedProgress(Progress()).warn('heard')\n"
        "logging.getLogger('other').warning('control')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == "control\n"
    assert ran.stdout == ""


class Shown(Progress):
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def stage(self, name: str) -> None:
        self.calls.append(("stage", name))

    def line(self, text: str) -> None:
        self.calls.append(("line", text))

    def skipped(self, name: str) -> None:
        self.calls.append(("skipped", name))

    def warn(self, text: str) -> None:
        self.calls.append(("warn", text))


def test_progress_is_logged_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    shown = Shown()
    progress = LoggedProgress(shown)
    with caplog.at_level(logging.DEBUG, "tinyflow"):
        progress.stage("emulate 100%")
        progress.line("1/2 %s")
        progress.skipped("build")
        progress.warn("slow")
    assert shown.calls == [
        ("stage", "emulate 100%"),
        ("line", "1/2 %s"),
        ("skipped", "build"),
        ("warn", "slow"),
    ]
    assert caplog.record_tuples == [
        ("tinyflow.progress", logging.INFO, "emulate 100%"),
        ("tinyflow.progress", logging.DEBUG, "1/2 %s"),
        ("tinyflow.progress", logging.INFO, "build (unchanged)"),
        ("tinyflow.progress", logging.WARNING, "slow"),
    ]


def test_a_program_is_logged_as_a_shell_takes_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tinyflow"):
        log_command(LOG, ["gcc", "a file.c", Path("-o"), "$x"], Path("/build folder"))
    assert caplog.messages == ["run: gcc 'a file.c' -o '$x' (in /build folder)"]


def test_what_the_cache_has_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tinyflow"):
        for _ in range(2):
            Cache(tmp_path).fetch("ab" * 32, lambda folder: None, "the timing")
    lacking, having = caplog.messages
    assert "the timing: not there yet" in lacking
    assert "the timing: found in" in having and "ab" * 32 in having


def test_passes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "tinyflow.passes"):
        graph = optimised(small_model())
    assert "drop_unread, round 2: 7 operators, then 6" in caplog.messages
    assert caplog.messages[-1] == f"7 operators became {len(graph.operators)} in 3 rounds"


# ------------------------------------------------------------------------ the command line


def test_every_command_takes_it() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands) > 10
    for name, command in commands.items():
        assert "-v" in {flag for param in command.params for flag in param.opts}, name


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        (["boards"], None),
        (["-v", "boards"], logging.INFO),
        (["boards", "-v"], logging.INFO),
        (["-v", "boards", "-v"], logging.DEBUG),
        (["boards", "-vv", "--json"], logging.DEBUG),
        (["-vvv", "boards"], logging.DEBUG),
    ],
)
def test_its_count_is_the_level(
    tinyflow: CommandLine, arguments: list[str], level: int | None
) -> None:
    assert tinyflow(*arguments).code == 0
    handlers = [each for each in LOG.handlers if isinstance(each, ConsoleLog)]
    assert len(handlers) == (level is not None)
    if level is not None:
        assert LOG.level == level


def test_it_leaves_standard_output_alone(tinyflow: CommandLine) -> None:
    quiet, logged = tinyflow("doctor", "--json"), tinyflow("doctor", "--json", "-v")
    assert json.loads(quiet.out) == json.loads(logged.out)
    assert "run: " not in quiet.err
    assert "info: tools.doctor: run: " in logged.err


def test_stages_are_not_shown_twice(capsys: pytest.CaptureFixture[str]) -> None:
    show_log(2)
    with ConsoleProgress() as console:
        progress = LoggedProgress(console)
        progress.stage("emulate")
        progress.line("compiling main.c")
        progress.warn("slow")
    shown = capsys.readouterr().err
    assert shown.count("... emulate") == shown.count("slow") == 1
    assert shown.count("emulate") == 2  # when it begins, and when it is done
    assert "debug: progress: compiling main.c" in shown


def test_records_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_log(1)
    long = "x" * 300
    LOG.getChild("tflite").info("layer %s", f"\x1b[2J[red]bold[/red]\r {long}")
    captured = capsys.readouterr()
    assert captured.err == f"info: tflite: layer \\x1b[2J[red]bold[/red]\\r {long}\n"
    assert captured.out == ""
