# SPDX-License-Identifier: Apache-2.0
"""A page in headless Chromium, driven over its debugging pipe."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FOUND = [path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))]
needs_chromium = pytest.mark.skipif(not _FOUND, reason="chromium is not installed")

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --remote-debugging-pipe "
    "--window-size=1200,900"
).split()
_LIMIT_S = 120.0
#: It talks at the file descriptors 3 and 4.
_EXECUTE = (
    "import os, sys, fcntl; "
    "high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 30) for fd in sys.argv[1:3]]; "
    "os.dup2(high[0], 3); os.dup2(high[1], 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


class Page:
    """One page. `problems` are the console's errors, exceptions, and what its policy refused."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.problems: list[str] = []
        self._to, self._from = to_browser, from_browser
        self._received = b""
        self._number = 0
        self._session: str | None = None
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self._send(f"{domain}.enable")

    def open(self, path: Path) -> None:
        """Load a file and wait until it has."""
        self._send("Page.navigate", url=path.as_uri())
        limit = time.monotonic() + _LIMIT_S
        while self.evaluate("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < limit, "the page does not load"
            time.sleep(0.05)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, as JSON."""
        found = self._send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, and let it go."""
        text = {"text": "\r"} if key == "Enter" else {}
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40,
                 "ArrowLeft": 37, "ArrowRight": 39}  # fmt: skip
        common = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        self._send("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self._send("Input.dispatchKeyEvent", type="keyUp", **common)

    def _send(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready = select.select([self._from], [], [], _LIMIT_S)[0]
            data = os.read(self._from, 65536) if ready else b""
            assert data, "chromium ended, or says nothing"
            self._received += data
        text, _, self._received = self._received.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if (
            method == "Runtime.exceptionThrown"
            or (method == "Log.entryAdded" and parameters["entry"]["level"] == "error")
            or (method == "Runtime.consoleAPICalled" and parameters["type"] == "error")
        ):
            self.problems.append(json.dumps(parameters))


@contextmanager
def chromium_page() -> Iterator[Page]:
    """A page in a new browser."""
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [sys.executable, "-c", _EXECUTE, str(their_in), str(their_out),
             _FOUND[0], *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(their_in, their_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for theirs in (their_in, their_out):
            os.close(theirs)
        try:
            yield Page(our_out, our_in)
        finally:
            process.terminate()
            process.wait(30)
            for ours in (our_in, our_out):
                os.close(ours)
