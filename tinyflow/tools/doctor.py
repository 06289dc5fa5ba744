# SPDX-License-Identifier: Apache-2.0
"""Checks the installed tools."""

from __future__ import annotations

import importlib.metadata
import logging
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from tinyflow.distribution import install_hint
from tinyflow.emulate.renode import TEST_REMEDY, find_renode_test, renode_test_problem
from tinyflow.errors import InputError, RenodeMissingError
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.progress import log_command
from tinyflow.sandbox.landlock import landlock_version
from tinyflow.sandbox.seccomp import has_seccomp
from tinyflow.toolchain.compiler import COMPILER

_log = logging.getLogger(__name__)

_TIMEOUT_S = 10


@dataclass(frozen=True)
class Finding:
    """One program or package; `required` where no build works without it.

    `problem` says what is wrong with one that was found and does not work; it is not `present`.
    """

    name: str
    purpose: str
    required: bool
    present: bool
    version: str
    install: str
    problem: str = ""


def examine() -> list[Finding]:
    """Look for everything; starts no build and needs no network."""
    return [
        _finding(
            COMPILER,
            "compiling the firmware",
            _program(COMPILER, "-dumpfullversion"),
            "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
            required=True,
        ),
        _finding(
            "PlatformIO",
            "building",
            _package("platformio"),
            "pip install platformio",
            required=True,
        ),
        _finding("SCons", "building with no network", _package("scons"), "pip install scons"),
        _finding(
            "unicorn", "the simulator", _package("unicorn"), "pip install unicorn", required=True
        ),
        _finding(
            "tflite-micro",
            "the oracle",
            _package("tflite-micro"),
            "pip install tflite-micro",
            required=True,
        ),
        _finding("CMSIS-NN", "the kernels", _cmsis_nn(), install_hint("cmsis-nn")),
        _finding(
            "TensorFlow",
            "Keras models",
            _package("tensorflow-cpu") or _package("tensorflow"),
            install_hint("keras"),
        ),
        _finding("Keras", "Keras models", _package("keras"), install_hint("keras")),
        _finding(
            "OpenOCD", "tinyflow flash", _program("openocd", "--version"), "apt-get install openocd"
        ),
        _finding(
            "pyOCD",
            "tinyflow flash, where the board names it",
            _package("pyocd"),
            install_hint("pyocd"),
        ),
        _renode(),
        _confinement(),
    ]


def _finding(
    name: str, purpose: str, version: str | None, install: str, *, required: bool = False
) -> Finding:
    return Finding(name, purpose, required, version is not None, version or "", install)


def _package(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _program(name: str, option: str) -> str | None:
    path = shutil.which(name)
    if path is None:
        return None
    log_command(_log, [path, option])
    try:
        result = subprocess.run(
            [path, option], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[0] if lines else path


def _guarded(look: Callable[[], str]) -> str | None:
    try:
        return look()
    except (InputError, RenodeMissingError):
        return None


def _cmsis_nn() -> str | None:
    def look() -> str:
        cmsis = find_cmsis_nn()
        if cmsis.root is None:
            raise InputError("no copy on this machine")
        return cmsis.description

    return _guarded(look)


def _confinement() -> Finding:
    """Whether the kernel keeps a process that reads a model from files and network."""
    files, network = landlock_version(), has_seccomp()
    missing = [
        f"no {name}: {what}"
        for name, there, what in (
            ("Landlock", files, "a hostile model could write files"),
            ("seccomp", network, "a hostile model could use the network"),
        )
        if not there
    ]
    purpose, remedy = "models from strangers", "a Linux kernel of 5.13 or later with both"
    if missing:
        return Finding("sandbox", purpose, False, False, "", remedy, "; ".join(missing))
    return _finding("sandbox", purpose, f"Landlock {files}, seccomp", remedy)


def _renode() -> Finding:
    path = _guarded(lambda: str(find_renode_test()))
    problem = None if path is None else renode_test_problem()
    if problem is None:
        return _finding("Renode", "tinyflow test", path, "see docs/renode.md")
    text = f"{path} cannot run: {problem}"
    return Finding("Renode", "tinyflow test", False, False, "", TEST_REMEDY, text)
