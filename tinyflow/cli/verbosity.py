# SPDX-License-Identifier: Apache-2.0
"""`-v`: the library's log on standard error, beside the progress of the commands."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.text import Text

from tinyflow import progress
from tinyflow.cli.console import err, printable

_LOG = logging.getLogger("tinyflow")
_LEVELS = {0: logging.NOTSET, 1: logging.INFO}
_STYLES = {logging.DEBUG: "dim", logging.INFO: "cyan"}

#: How often `-v` was given; before the command, and after it.
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        metavar="",
        help="Log to standard error what is done: stages, cache, programs started; -vv in detail.",
    ),
]


class ConsoleLog(logging.Handler):
    """Prints records above the running stage's line, each on one line however long it is."""

    def __init__(self, verbose: int) -> None:
        super().__init__()
        self.verbose = verbose

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record; what the display of progress shows already is left out."""
        if record.name == progress.__name__ and record.levelno >= logging.INFO:
            return
        try:
            label = f"{record.levelname.lower()}: "
            name = f"{record.name.removeprefix('tinyflow.')}: "
            style = _STYLES.get(record.levelno, "yellow")
            text = Text.assemble((label, style), (name, "dim"), printable(self.format(record)))
            err.print(text, soft_wrap=True)
        except Exception:
            self.handleError(record)


def show_log(verbose: int) -> None:
    """Show the log from now on.

    Args:
        verbose: 0 shows nothing, 1 (`-v`) INFO and above, and more (`-vv`) DEBUG too.
    """
    for handler in _handlers():
        _LOG.removeHandler(handler)
    _LOG.setLevel(_LEVELS.get(verbose, logging.DEBUG))
    if verbose:
        _LOG.addHandler(ConsoleLog(verbose))


def _shown() -> int:
    return sum(handler.verbose for handler in _handlers())


def _handlers() -> list[ConsoleLog]:
    return [handler for handler in _LOG.handlers if isinstance(handler, ConsoleLog)]


def with_verbose(command: Callable[..., None]) -> Callable[..., None]:
    """The command with `-v` as its last option, which adds to one before the command."""
    signature = inspect.signature(command, eval_str=True)
    name = "verbose"

    @functools.wraps(command)
    def logged(*arguments: Any, verbose: int, **options: Any) -> None:
        if verbose:
            show_log(verbose + _shown())
        command(*arguments, **options)

    option = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=0, annotation=Verbose)
    parameters = [*signature.parameters.values(), option]
    logged.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    logged.__annotations__ = {each.name: each.annotation for each in parameters}
    del logged.__wrapped__
    return logged
