# SPDX-License-Identifier: Apache-2.0
"""The emulated hardware-in-the-loop tests: a build's Robot suite, run by the real `renode-test`."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from tinyflow.emulate.renode import TEST_REMEDY, find_renode_test, renode_test_problem
from tinyflow.errors import HilTestError, InputError, ToolMissingError
from tinyflow.progress import log_command

_log = logging.getLogger(__name__)

#: Seconds a whole suite may take; one of 20 vectors takes well under a minute.
DEFAULT_TIMEOUT_S = 900.0
_RESULTS = "robot_output.xml"
#: Renode's server for Robot Framework listens on every address, and runs what it receives.
_LOOPBACK = [sys.executable, "-P", "-m", "tinyflow.sandbox.loopback"]
#: Robot Framework gives this message to every test of a suite that could not be set up.
_SETUP_FAILED = "Parent suite setup failed:"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_OUTPUT_LINES = 12


@dataclass(frozen=True)
class HilTest:
    """One test: `status` is PASS, FAIL or SKIP, `message` says why it failed."""

    name: str
    status: str
    message: str
    seconds: float


@dataclass(frozen=True)
class HilResult:
    """All tests of a suite that passed, in order; `seconds` is the sum of theirs."""

    suite: str
    tests: tuple[HilTest, ...]
    seconds: float


def run_hil_tests(
    folder: Path,
    *,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> HilResult:
    """Run a build's suite, `renode/<model>.robot`.

    Args:
        folder: The build's folder.
        on_line: Told every line that renode-test prints.
        timeout_s: Seconds until renode-test is ended.

    Raises:
        RenodeMissingError: renode-test is not installed.
        ToolMissingError: it is, but the Python that it runs lacks what it needs.
        InputError: the folder has no suite.
        HilTestError: tests failed, named with their messages, or none ran.
    """
    program = find_renode_test()
    suite = _suite(folder)
    with tempfile.TemporaryDirectory(prefix="tinyflow-hil-") as results:
        command = [*_LOOPBACK, str(program), "-r", results, str(suite)]
        lines = _run(command, Path(results), on_line or (lambda line: None), timeout_s)
        tests = _read_results(Path(results) / _RESULTS, lines)
    failed = [test for test in tests if test.status == "FAIL"]
    if failed:
        raise HilTestError(_describe(suite.name, failed, len(tests)))
    return HilResult(suite.stem, tests, sum(test.seconds for test in tests))


def _describe(suite: str, failed: list[HilTest], total: int) -> str:
    if failed[0].message.startswith(_SETUP_FAILED):
        return f"{suite} could not start: {failed[0].message.removeprefix(_SETUP_FAILED).strip()}"
    lines = [f"{len(failed)} of {total} tests of {suite} failed:"]
    lines += [f"  {test.name}: {test.message}" for test in failed]
    return "\n".join(lines)


def _suite(folder: Path) -> Path:
    found = sorted((folder / "renode").glob("*.robot"))
    if len(found) != 1:
        raise InputError(
            f"{folder / 'renode'}: {len(found)} Robot suites instead of one",
            hint="Build it again: tinyflow build writes the suite.",
        )
    return found[0].resolve()


def _run(
    command: list[str], folder: Path, on_line: Callable[[str], None], timeout_s: float
) -> list[str]:
    """Run to the end; returns the last lines printed."""
    last: deque[str] = deque(maxlen=_OUTPUT_LINES)
    log_command(_log, command, folder)
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise HilTestError(f"renode-test cannot be run: {error}") from error
    timer = threading.Timer(timeout_s, _end_group, (process,))
    timer.start()
    try:
        assert process.stdout is not None
        for raw in process.stdout:
            line = _COLOURS.sub("", raw).rstrip()
            if line:
                last.append(line)
                on_line(line)
        process.wait()
    finally:
        timer.cancel()
        _end_group(process)
    if process.returncode == -signal.SIGKILL:
        raise HilTestError(f"renode-test took more than {timeout_s:g} s", hint="\n".join(last))
    return list(last)


def _end_group(process: subprocess.Popen[str]) -> None:
    """End renode-test and the Renode it started: its process group holds nothing else."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_results(path: Path, lines: list[str]) -> tuple[HilTest, ...]:
    try:
        tree = ElementTree.parse(path)
    except (OSError, ElementTree.ParseError) as error:
        problem = renode_test_problem()
        if problem is not None:
            raise ToolMissingError(
                f"renode-test cannot run: {problem}", hint=f"Install it: {TEST_REMEDY}"
            ) from error
        raise HilTestError(
            "renode-test ended before it ran the tests", hint="\n".join(lines)
        ) from error
    tests = tuple(_test(element) for element in tree.iter("test"))
    if not tests:
        raise HilTestError("renode-test ran no tests", hint="\n".join(lines))
    return tests


def _test(element: ElementTree.Element) -> HilTest:
    status = element.find("status")
    if status is None:
        return HilTest(element.get("name", ""), "FAIL", "no result", 0.0)
    return HilTest(
        name=element.get("name", ""),
        status=status.get("status", "FAIL"),
        message=(status.text or "").strip(),
        seconds=_elapsed(status),
    )


def _elapsed(status: ElementTree.Element) -> float:
    """Robot Framework 7 writes the seconds; 6 writes start and end."""
    if "elapsed" in status.attrib:
        return float(status.attrib["elapsed"])
    try:
        start, end = (
            datetime.strptime(status.attrib[name], "%Y%m%d %H:%M:%S.%f")
            for name in ("starttime", "endtime")
        )
    except (KeyError, ValueError):
        return 0.0
    return (end - start).total_seconds()
