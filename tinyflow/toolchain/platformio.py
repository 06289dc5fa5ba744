# SPDX-License-Identifier: Apache-2.0
"""Drives PlatformIO, as a subprocess of the same Python, on a generated project."""

from __future__ import annotations

import configparser
import contextlib
import importlib.util
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tinyflow.distribution import install_hint
from tinyflow.errors import BuildError, DeviceError, FitError, ToolMissingError
from tinyflow.progress import log_command
from tinyflow.toolchain.compiler import check_disk

_log = logging.getLogger(__name__)

OnLine = Callable[[str], None]

#: PlatformIO must not look for its own updates: without a network that costs a minute.
_SETTINGS = {
    "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
    "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "36500",
    "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
}
#: Variables kept of the user's PlatformIO environment: where its packages are. The rest (build
#: folders, flags, environments) would change what a project builds or where.
_KEPT = {"PLATFORMIO_CORE_DIR", "PLATFORMIO_PACKAGES_DIR", "PLATFORMIO_CACHE_DIR"}

_MISSING_TOOL = re.compile(r"Missing tool: (?P<problem>.*?)(?:\. Install it: (?P<command>.*))?$")
_OVERFLOW = re.compile(r"region `(?P<memory>\w+)' overflowed by (?P<bytes>\d+) bytes")
_ERROR_LINE = re.compile(r"\berror:|undefined reference|multiple definition|^Error:|Exception:")
_SHOWN_ERRORS = 5
#: Time limit for killed processes to end, seconds.
_KILL_TIMEOUT_S = 5.0


def require_platformio() -> None:
    """Check that PlatformIO is installed, without importing it.

    Raises:
        ToolMissingError: it is not.
    """
    if importlib.util.find_spec("platformio") is None:
        raise ToolMissingError(
            "PlatformIO is not installed",
            hint=f"Install it: {sys.executable} -m pip install platformio scons",
        )


def build_project(directory: Path, *, on_line: OnLine | None = None) -> Path:
    """Build the project with `pio run`; returns the ELF.

    Args:
        directory: The folder that holds `platformio.ini`.
        on_line: Called with each line of PlatformIO's output as it comes.

    Raises:
        ToolMissingError: PlatformIO, SCons, the compiler or a library is missing and not to be
            had.
        FitError: the image is larger than the board's flash or RAM.
        BuildError: PlatformIO, the compiler or the linker failed.
        InputError: the disk is full.
    """
    lines, status = _run_platformio(directory, [], on_line)
    if status:
        raise _build_failure(lines, directory)
    elf = elf_path(directory)
    if not elf.is_file():
        raise BuildError(f"PlatformIO ended well but made no {elf}")
    return elf


def upload(directory: Path, *, built: bool = False, on_line: OnLine | None = None) -> None:
    """Program the board with `pio run -t upload`.

    Args:
        directory: The folder that holds `platformio.ini`.
        built: whether to take the existing image as it is; else it is built if out of date.
        on_line: Called with each line of PlatformIO's output as it comes.

    Raises:
        ToolMissingError: PlatformIO, the compiler or the programmer is missing.
        BuildError: the project does not build.
        DeviceError: the board or its probe was not found, or did not verify.
    """
    # PlatformIO would clear a folder of images that it did not build itself
    taken = ["--disable-auto-clean", "--target", "nobuild"] if built else []
    lines, status = _run_platformio(directory, [*taken, "--target", "upload"], on_line)
    if not status:
        return
    if any("*** [upload]" in line for line in lines):
        causes = [line for line in lines if line.startswith(("Error:", "Error "))] or lines[-3:]
        raise DeviceError(
            "the board could not be programmed: " + "; ".join(causes[:_SHOWN_ERRORS]),
            hint="Is the board connected, and may this user open its probe (udev rules)?",
        )
    raise _build_failure(lines, directory)


def elf_path(directory: Path) -> Path:
    """Return the path of PlatformIO's ELF of the project."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(directory / "platformio.ini", encoding="utf-8")
    environment = config["platformio"]["default_envs"]
    return directory / ".pio" / "build" / environment / "firmware.elf"


def _run_platformio(
    directory: Path, arguments: list[str], on_line: OnLine | None
) -> tuple[list[str], int]:
    """The output and exit status of `pio run`."""
    require_platformio()
    python = [sys.executable, "-P"]  # modules in the folder the user is in are not PlatformIO's
    command = [*python, "-m", "platformio", "run", "--project-dir", str(directory), *arguments]
    log_command(_log, command)
    lines: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(),
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                line = text.rstrip()
                lines.append(line)
                if on_line is not None:
                    on_line(line)
        except BaseException:
            _kill_group(process)
            raise
    return lines, process.returncode


def _kill_group(process: subprocess.Popen[str]) -> None:
    """End PlatformIO, SCons and the compilers, and wait until none can write any more."""
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PLATFORMIO_")
        or name in _KEPT
        or name.startswith("PLATFORMIO_SETTING_")
    }
    return {**kept, **_SETTINGS, "PLATFORMIO_NO_ANSI": "true"}


def _build_failure(lines: list[str], directory: Path) -> BuildError | FitError | ToolMissingError:
    """The error in PlatformIO's output.

    Raises:
        InputError: the disk is full.
    """
    check_disk("\n".join(lines), directory)
    for line in lines:
        missing = _MISSING_TOOL.search(line)
        if missing:
            command = missing["command"]
            return ToolMissingError(
                missing["problem"], hint=f"Install it: {command}" if command else None
            )
    fetch = [line for line in lines if line.startswith("fatal:")]
    if fetch and any("VCSBaseException" in line for line in lines):
        return ToolMissingError(
            f"a library of the project's lib_deps could not be fetched: {fetch[0]}",
            hint="Go online, or give the build a local copy of CMSIS-NN: "
            + install_hint("cmsis-nn"),
        )
    overflows = [match for line in lines if (match := _OVERFLOW.search(line))]
    if overflows:
        return FitError(
            "the image does not fit the board: "
            + ", ".join(
                f"{match['memory']} is {match['bytes']} bytes short" for match in overflows
            ),
            hint="Prune the model, shrink its input, or choose a larger board (`tinyflow boards`).",
        )
    errors = [line for line in lines if _ERROR_LINE.search(line)] or lines[-_SHOWN_ERRORS:]
    return BuildError(
        "the project does not build:\n" + "\n".join(errors[:_SHOWN_ERRORS]),
        hint="`pio run -v` in the project's folder shows every command.",
    )
