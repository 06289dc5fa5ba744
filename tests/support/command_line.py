# SPDX-License-Identifier: Apache-2.0
"""The command line, run in this process: what it prints, and the code it exits with."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tinyflow.cli.app import main


@dataclass(frozen=True)
class Outcome:
    """Result of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


class CommandLine:
    """Calls `tinyflow` with arguments as a shell would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setattr(signal, "signal", lambda *_: None)

    def __call__(self, *arguments: object) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["tinyflow", *map(str, arguments)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = self._capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    def refused(self, code: int, *arguments: object, says: tuple[str, ...]) -> dict[str, Any]:
        """Run with `--json` a command that must fail; returns the error it prints.

        Each text of `says` must be in the message or the hint, as JSON and for people.
        """
        outcome = self(*arguments, "--json")
        error: dict[str, Any] = outcome.json["error"]
        assert outcome.code == code == error["exit_code"], outcome
        output = f"{error['message']}\n{error['hint']}"
        for text in says:
            assert text in output
            assert text in outcome.err
        assert "error: " in outcome.err
        assert "Traceback" not in outcome.err
        return error


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its content, and every folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }
