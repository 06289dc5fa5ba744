# SPDX-License-Identifier: Apache-2.0
"""Progress reporting: the stages of long work, for people and for the log."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Sequence

_log = logging.getLogger(__name__)


class Progress:
    """Told what is going on; this one keeps silent."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def line(self, text: str) -> None:
        """One line of the running stage's own output."""

    def skipped(self, name: str) -> None:
        """A stage's result was there already."""

    def warn(self, text: str) -> None:
        """Something the user should know, though the work goes on."""


class LoggedProgress(Progress):
    """Passes on what another progress is given, and logs it.

    Stages are logged at INFO, warnings at WARNING, and a stage's own output at DEBUG.
    """

    def __init__(self, shown: Progress) -> None:
        self._shown = shown

    def stage(self, name: str) -> None:
        """Log that a stage begins."""
        _log.info("%s", name)
        self._shown.stage(name)

    def line(self, text: str) -> None:
        """Log a line of the running stage's own output."""
        _log.debug("%s", text)
        self._shown.line(text)

    def skipped(self, name: str) -> None:
        """Log that a stage's result was there already."""
        _log.info("%s (unchanged)", name)
        self._shown.skipped(name)

    def warn(self, text: str) -> None:
        """Log a warning."""
        _log.warning("%s", text)
        self._shown.warn(text)


def log_command(
    log: logging.Logger,
    command: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str] | None = None,
) -> None:
    """Log, at INFO, a program that is about to be started, as a shell would take it.

    Args:
        log: the logger of the module that starts it.
        command: the program and its arguments.
        folder: where it runs, if not in the current folder.
    """
    if log.isEnabledFor(logging.INFO):
        where = "" if folder is None else f" (in {os.fspath(folder)})"
        log.info("run: %s%s", shlex.join(os.fspath(each) for each in command), where)
