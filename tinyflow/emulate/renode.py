# SPDX-License-Identifier: Apache-2.0
"""Firmware in Renode: a separate process, whose UART is reached over a pseudo terminal.

Renode is found in `TINYFLOW_RENODE`, a folder or the program itself, or on PATH.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

from tinyflow.boards import Board
from tinyflow.emulate.frames import Frame, FrameDecoder, encode
from tinyflow.emulate.renode_script import platform_description, render_script
from tinyflow.emulate.target import Target
from tinyflow.emulate.terminal_line import TerminalLine
from tinyflow.errors import DeviceError, RenodeMissingError
from tinyflow.progress import log_command
from tinyflow.toolchain.elf import Image, read_image

_log = logging.getLogger(__name__)

#: A folder that holds Renode, or the program itself.
VARIABLE = "TINYFLOW_RENODE"
_REMEDY = f"put it on PATH or name its folder in {VARIABLE}, see docs/renode.md"

#: Renode takes some seconds to start; on a busy machine many.
STARTUP_TIMEOUT_S = 90.0
#: Time limit for the firmware's first answer once Renode listens.
FIRMWARE_TIMEOUT_S = 20.0
#: Between looks at whether Renode listens, and for each attempt to reach the firmware.
_POLL_S, _ANSWER_S = 0.05, 0.5
#: Time limits for Renode to end by itself, and then after SIGTERM.
_QUIT_S, _TERMINATE_S = 5.0, 2.0
#: Module that `renode-test` imports, how to install it, and seconds to look for it.
_TEST_MODULES = ("robot", "psutil", "yaml")
TEST_REMEDY = "python3 -m pip install robotframework psutil pyyaml"
_PYTHON_S = 20.0
#: Lines of Renode's output that an error shows.
_OUTPUT_LINES = 12
#: The INFO request and the bit that marks its reply; a sequence number no client begins with.
_INFO, _INFO_REPLY, _PROBE_SEQUENCE = 1, 0x81, 0


def find_renode() -> Path:
    """The program `renode`.

    Raises:
        RenodeMissingError: it is not installed, or TINYFLOW_RENODE is wrong.
    """
    return _find("renode")


def find_renode_test() -> Path:
    """The program `renode-test`.

    Raises:
        RenodeMissingError: it is not installed, or TINYFLOW_RENODE is wrong.
    """
    return _find("renode-test")


def renode_test_problem() -> str | None:
    """Say why an installed `renode-test` cannot run, or None if it can.

    It is a shell script that runs the first `python3` on PATH, which must have Robot Framework
    and what else Renode's `tests/requirements.txt` names.
    """
    python = shutil.which("python3")
    if python is None:
        return "it runs `python3`, which is not on PATH"
    look = (
        "import sys, importlib.util as u\n"
        "print(*(name for name in sys.argv[1:] if u.find_spec(name) is None))"
    )
    try:
        result = subprocess.run(
            [python, "-c", look, *_TEST_MODULES],
            capture_output=True,
            text=True,
            timeout=_PYTHON_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"it runs {python}, which does not work: {error}"
    missing = result.stdout.split()
    return f"it runs {python}, which lacks {' and '.join(missing)}" if missing else None


def _find(program: str) -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        found = shutil.which(program)
        if found is None:
            raise RenodeMissingError(f"Renode is not installed: no `{program}` on PATH; {_REMEDY}")
        return Path(found)
    place = Path(named).expanduser()
    candidate = (place if place.is_dir() else place.parent) / program
    if place.exists() and candidate.is_file() and os.access(candidate, os.X_OK):
        return candidate.absolute()
    raise RenodeMissingError(f"{VARIABLE} is {named}: no `{program}` there; {_REMEDY}")


class Renode(Target):
    """Runs an image in Renode, on the project's own description of the board.

    It has started, and the firmware answers, when the constructor returns.

    Args:
        elf: The firmware image.
        board: Its board.
        cycles_per_instruction: What virtual time and CYCCNT follow.
        startup_timeout_s: Seconds Renode may take to start.

    Raises:
        RenodeMissingError: Renode is not installed.
        InputError: the image is not one.
        DeviceError: Renode does not start, or the firmware does not answer; the hint is Renode's
            last output.
    """

    name = "renode"

    def __init__(
        self,
        elf: Path | Image,
        board: Board,
        *,
        cycles_per_instruction: float = 1.0,
        startup_timeout_s: float = STARTUP_TIMEOUT_S,
    ) -> None:
        program = find_renode()
        image = read_image(elf) if isinstance(elf, Path) else elf
        deadline = time.monotonic() + startup_timeout_s
        self._folder = Path(tempfile.mkdtemp(prefix="tinyflow-renode-"))
        self._line: TerminalLine | None = None
        self._write_script(image.path, board, cycles_per_instruction)
        self._process = self._start(program)
        self._end = weakref.finalize(self, _end, self._process, self._folder)
        try:
            self._line = self._connect(deadline)
            self._wait_for_firmware(time.monotonic() + FIRMWARE_TIMEOUT_S)
        except BaseException:
            self.close()
            raise

    # ---- Target ----

    def write(self, data: bytes) -> None:
        """Send bytes; Renode hands them to the UART within some microseconds of virtual time."""
        try:
            self._open().write(data)
        except OSError as error:
            raise self._failure("the connection is lost") from error

    def read(self, count: int, timeout_s: float) -> bytes:
        """Receive up to `count` bytes, waiting for the first ones only."""
        try:
            data = self._open().read(count, timeout_s)
        except OSError as error:
            raise self._failure("the connection is lost") from error
        if data is None:
            if self._process.poll() is not None:
                raise self._failure(f"Renode ended with code {self._process.returncode}")
            return b""
        if not data and count:
            raise self._failure("Renode closed the connection")
        return data

    def close(self) -> None:
        """End Renode and every process it started, and remove its files."""
        if self._line is not None:
            self._line.close()
            self._line = None
        self._end()

    # ---- starting ----

    def _write_script(self, elf: Path, board: Board, ratio: float) -> None:
        script = render_script(
            board,
            name="tinyflow",
            elf="firmware.elf",
            cycles_per_instruction=ratio,
        )
        (self._folder / "tinyflow.resc").write_text(script, encoding="utf-8")
        (self._folder / board.renode.platform).write_bytes(platform_description(board))
        shutil.copyfile(elf, self._folder / "firmware.elf")

    def _start(self, program: Path) -> subprocess.Popen[bytes]:
        script = str(self._folder / "tinyflow.resc").replace(" ", "\\ ")
        command = [str(program), "--disable-xwt", "--console", "--plain"]
        command += ["--config", str(self._folder / "config")]  # not the user's
        command += ["-e", f"include @{script}", "-e", "start"]
        log_command(_log, command, self._folder)
        with self._log.open("wb") as log:
            try:
                return subprocess.Popen(
                    command,
                    cwd=self._folder,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                shutil.rmtree(self._folder, ignore_errors=True)
                raise DeviceError(f"{self.name}: {program} cannot be run: {error}") from error

    def _connect(self, deadline: float) -> TerminalLine:
        while True:
            with contextlib.suppress(OSError):
                return TerminalLine(self._folder / "tinyflow.uart")
            if self._process.poll() is not None:
                raise self._failure(f"Renode ended with code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise self._failure("Renode did not start in time")
            time.sleep(_POLL_S)

    def _wait_for_firmware(self, deadline: float) -> None:
        """Ask until there is an answer: what comes before the UART is set up is lost."""
        decoder = FrameDecoder()
        while True:
            self.write(encode(Frame(_INFO, _PROBE_SEQUENCE)))
            attempt = time.monotonic() + _ANSWER_S
            while (left := attempt - time.monotonic()) > 0:
                decoder.feed(self.read(4096, left))
                frame = decoder.next()
                if frame is not None and frame.command == _INFO_REPLY:
                    return
            if time.monotonic() > deadline:
                raise self._failure("the firmware does not answer")

    # ---- failing ----

    @property
    def _log(self) -> Path:
        return self._folder / "renode.log"

    def _open(self) -> TerminalLine:
        if self._line is None:
            raise DeviceError(f"{self.name}: closed")
        return self._line

    def _failure(self, what: str) -> DeviceError:
        try:
            text = self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        lines = [line.strip() for line in text.splitlines() if line.strip()][-_OUTPUT_LINES:]
        hint = "Renode's last output:\n" + "\n".join(f"  {line}" for line in lines)
        return DeviceError(f"{self.name}: {what}", hint=hint if lines else None)


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Ask Renode to quit; end its process group, which holds nothing else, if it does not."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.write(b"quit\n")
            process.stdin.close()
    for kind, patience in ((None, _QUIT_S), (signal.SIGTERM, _TERMINATE_S), (signal.SIGKILL, None)):
        if kind is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            break
    with contextlib.suppress(ProcessLookupError):  # children that outlived it
        os.killpg(process.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
