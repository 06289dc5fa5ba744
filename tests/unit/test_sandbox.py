# SPDX-License-Identifier: Apache-2.0
"""Limits of a confined process, tried from inside one, and what ends it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tinyflow.errors import ConversionError, InputError
from tinyflow.sandbox.landlock import landlock_version
from tinyflow.sandbox.seccomp import has_seccomp
from tinyflow.tools import doctor
from tinyflow.worker import read_result, run_worker

needs_landlock = pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(not has_seccomp(), reason="the kernel takes no filters")

_ATTEMPT = """
import os, socket, subprocess, sys, threading
from pathlib import Path

def main(job, folder):
    try:
        {body}
    except OSError as error:
        return {{"refused": type(error).__name__}}
    return {{"done": True}}
"""


def attempt(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, **job: Any) -> bool:
    """Whether a worker may do that."""
    modules, work = folder / "modules", folder / "work"
    modules.mkdir(exist_ok=True)
    work.mkdir(exist_ok=True)
    (modules / "attempt.py").write_text(_ATTEMPT.format(body=body))
    monkeypatch.setenv("PYTHONPATH", str(modules))
    reads = [Path(path) for path in job.pop("reads", [])]
    seconds = job.pop("seconds", 20)
    reply = run_worker("attempt", job, work, task="trying", reads=reads, timeout=seconds)
    return "done" in reply


@needs_landlock
@pytest.mark.parametrize(
    "body",
    [
        "Path(job['outside'], 'new').write_text('x')",
        "Path(job['outside'], 'secret').write_text('x')",
        "Path(job['outside'], 'secret').read_text()",
        "os.listdir(job['outside'])",
        "os.unlink(os.path.join(job['outside'], 'secret'))",
        "os.truncate(os.path.join(job['outside'], 'secret'), 0)",
        "os.rename(folder / 'job.json', os.path.join(job['outside'], 'moved'))",
        "os.link(os.path.join(job['outside'], 'secret'), folder / 'linked')",
        "os.symlink(os.path.join(job['outside'], 'secret'), folder / 'reply.json')",
        "os.mkfifo(folder / 'pipe')",
        "os.mkdir(os.path.join(job['outside'], 'folder'))",
        "threading.Thread(target=lambda: 0).start(); Path(job['outside'], 'new').write_text('x')",
        "Path.home().parent.joinpath('new').write_text('x')",
    ],
)
def test_no_file_outside_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    assert not attempt(tmp_path, monkeypatch, body, outside=str(outside))
    assert [file.name for file in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


@needs_landlock
def test_what_it_was_given_is_readable_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.keras"
    model.write_text("x")
    (tmp_path / "other.keras").write_text("x")
    given = {"reads": [str(model)], "file": str(model), "other": str(tmp_path / "other.keras")}
    assert attempt(tmp_path, monkeypatch, "open(job['file']).read()", **given)
    assert not attempt(tmp_path, monkeypatch, "open(job['file'], 'a')", **given)
    assert not attempt(tmp_path, monkeypatch, "open(job['other'])", **given)


@needs_seccomp
@pytest.mark.parametrize(
    "body",
    [
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_UNIX)",
        "os.fork()",
        "subprocess.run(['true'])",
        "os.execv(sys.executable, [sys.executable, '-c', '0'])",
        "os.kill(job['parent'], 0)",
        "os.chmod(folder, 0o777)",
        "os.utime(folder)",
    ],
)
def test_no_network_and_no_other_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    assert not attempt(tmp_path, monkeypatch, body, parent=os.getpid())


def test_ordinary_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        "import numpy, tempfile; numpy.ones((300, 300)) @ numpy.ones((300, 300)); "
        "tempfile.NamedTemporaryFile().write(b'x'); os.kill(os.getpid(), 0); "
        "thread = threading.Thread(target=print); thread.start(); thread.join()"
    )
    assert attempt(tmp_path, monkeypatch, body)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (
            "import tinyflow.sandbox.confine as c\n"
            "        with c.cpu_limit(0.5):\n            while True: pass",
            InputError,
            "more processor time",
        ),
        ("bytearray(1 << 45)", ConversionError, "out of memory"),
        ("import time; time.sleep(60)", ConversionError, "stopped after 2 s"),
        (
            "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
            "open(folder / 'big', 'wb').truncate(1 << 40)",
            None,
            "",
        ),
    ],
)
def test_time_memory_and_disk_are_bounded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    error: type[Exception] | None,
    words: str,
) -> None:
    if error is None:
        assert not attempt(tmp_path, monkeypatch, body)
        return
    with pytest.raises(error, match=words):
        attempt(tmp_path, monkeypatch, body, seconds=2 if "sleep" in body else 60)


def test_a_long_silence_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyflow.worker._HEARTBEAT", 0.2)
    (tmp_path / "slow.py").write_text(
        "import time\ndef main(job, folder):\n    print('counting')\n    time.sleep(1)\n"
        "    return {}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    lines: list[str] = []
    run_worker("slow", {}, tmp_path, task="waiting", on_line=lines.append)
    assert "counting" in lines
    assert "still counting" in lines


def test_results_are_plain_files(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"abc")
    assert read_result(tmp_path / "plain") == b"abc"
    assert read_result(tmp_path / "plain", last=2) == b"bc"
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "absent"):
        with pytest.raises(OSError):
            read_result(tmp_path / name)


@needs_seccomp
@pytest.mark.skipif(platform.machine() != "x86_64", reason="a system call of x86")
def test_the_other_calls_of_the_processor_are_closed() -> None:
    """The calls with 32-bit pointers would go past the numbers of the filter."""
    code = (
        "import ctypes\n"
        "from tinyflow.sandbox.seccomp import restrict_calls\n"
        "assert restrict_calls()\n"
        "library = ctypes.CDLL(None, use_errno=True)\n"
        "print(library.syscall(0x40000000 + 41, 2, 1, 0), ctypes.get_errno())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["-1", "1"]


def test_doctor_says_what_the_kernel_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def sandbox() -> doctor.Finding:
        return next(each for each in doctor.examine() if each.name == "sandbox")

    monkeypatch.setattr(doctor, "landlock_version", lambda: 7)
    monkeypatch.setattr(doctor, "has_seccomp", lambda: True)
    assert sandbox().present
    assert sandbox().version == "Landlock 7, seccomp"
    monkeypatch.setattr(doctor, "landlock_version", lambda: 0)
    assert not sandbox().present
    assert "could write files" in sandbox().problem
    monkeypatch.setattr(doctor, "has_seccomp", lambda: False)
    assert "could use the network" in sandbox().problem
