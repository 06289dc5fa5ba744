# SPDX-License-Identifier: Apache-2.0
"""A program whose servers no other machine can reach."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tinyflow.sandbox import loopback

RUN = [sys.executable, "-P", "-m", "tinyflow.sandbox.loopback"]
SERVER = """
import os, socket, sys
server = socket.create_server(("", 0))
port = server.getsockname()[1]
with socket.create_connection(("127.0.0.1", port), timeout=5):
    print(port, os.getpid(), os.geteuid(), os.getegid(), flush=True)
sys.stdin.read()
"""

needs_namespaces = pytest.mark.skipif(
    not loopback.can_enter_loopback(), reason="the kernel makes no network namespaces here"
)


@needs_namespaces
def test_a_server_is_reached_from_inside_only() -> None:
    with subprocess.Popen(
        [*RUN, sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        port, pid, user, group = map(int, process.stdout.readline().split())
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        assert (pid, user, group) == (process.pid, os.geteuid(), os.getegid())
        process.communicate("")
    assert process.returncode == 0


@needs_namespaces
def test_this_process_keeps_its_network() -> None:
    before = Path("/proc/self/ns/net").stat().st_ino
    assert loopback.can_enter_loopback()
    assert Path("/proc/self/ns/net").stat().st_ino == before


def test_a_kernel_that_refuses_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(flags: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(loopback, "unshare", refuse)
    monkeypatch.setattr(sys, "argv", ["loopback", str(tmp_path / "none"), "-r"])
    assert loopback.main() == 127
    said = capsys.readouterr().out.splitlines()
    assert said[0] == loopback.SHARED
    assert said[1].startswith(f"{tmp_path / 'none'} cannot be run: ")


def test_exit_code_and_arguments_are_the_programs() -> None:
    result = subprocess.run(
        [*RUN, "/bin/sh", "-c", 'echo "$1"; exit 3', "sh", "a b"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 3
    assert result.stdout.splitlines()[-1] == "a b"
