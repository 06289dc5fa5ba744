# SPDX-License-Identifier: Apache-2.0
"""The `tinyflow` command: its subcommands, its exit codes, and how errors are shown."""

from __future__ import annotations

import inspect
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from rich.text import Text
from typer.exceptions import TyperException

from tinyflow.cli import (
    bisect,
    boards,
    build,
    calibrate,
    compare,
    doctor,
    flash,
    init,
    operators,
    profile,
    run,
    test,
)
from tinyflow.cli.console import err, print_error, print_json_error
from tinyflow.cli.verbosity import Verbose, show_log, with_verbose
from tinyflow.distribution import VERSION
from tinyflow.errors import InputError, TinyflowError, exit_codes
from tinyflow.storage.files import is_full, unwritable

_EPILOG = (
    "Exit codes: 0 success, 2 wrong usage, "
    + ", ".join(f"{code} {error.label}" for code, error in exit_codes().items())
    + ". Progress and errors go to standard error, results to standard output."
)


def _unwrapped(command: Callable[..., None]) -> str:
    """Give a command's help with each paragraph on one line: the terminal breaks it anew.

    Paragraphs that begin with a backspace are examples, and stay as they are.
    """
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(
        each if each.startswith("\b") else " ".join(each.split()) for each in paragraphs
    )


_SHELLS = ("bash", "zsh", "fish")

app = typer.Typer(
    help="From a trained Keras model to verified INT8 firmware on a Cortex-M board.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    build,
    compare,
    profile,
    init,
    boards,
    operators,
    run,
    test,
    bisect,
    flash,
    calibrate,
    doctor,
):
    app.command(help=_unwrapped(module.command), epilog=_EPILOG)(with_verbose(module.command))


def _version(value: bool) -> None:
    if value:
        typer.echo(f"tinyflow {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
    verbose: Verbose = 0,
) -> None:
    """Options before the subcommand; its own `-v` adds to `verbose`."""
    del version
    show_log(verbose)


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name may not fit the terminal's encoding
            stream.reconfigure(errors="replace")
    _let_the_shell_be_named()
    # So that a build that is asked to end puts the former one back.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        _run_as_json() if "--json" in sys.argv else app()
    except TinyflowError as error:
        _fail(error)
    except OSError as error:
        if is_full(error):
            _fail(unwritable(error.filename or "a temporary file", error))
        if error.filename is None:
            _fail_unexpectedly(error)
        _fail(InputError(f"{error.filename}: {error.strerror}"))
    except Exception as error:
        _fail_unexpectedly(error)


def _let_the_shell_be_named() -> None:
    """Take `--show-completion zsh`, too, where Typer would look which shell has called."""
    option, shell = [*sys.argv[1:], "", ""][:2]
    if option in ("--install-completion", "--show-completion") and shell in _SHELLS:
        os.environ["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"


def _run_as_json() -> NoReturn:
    """Run the command; wrong usage, too, is one JSON document on standard output."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        message = error.format_message()
        hint = "`tinyflow --help` lists the commands, `tinyflow COMMAND --help` their options."
        print_json_error("UsageError", message, hint, error.exit_code)
        err.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
        err.print(Text(f"  {hint}"), soft_wrap=True)
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _fail_unexpectedly(error: Exception) -> NoReturn:
    traceback.print_exception(error)
    _fail(
        TinyflowError(
            f"unexpected failure: {type(error).__name__}: {error}",
            hint="This is a bug in tinyflow; please report it with the lines above.",
        )
    )


def _fail(error: TinyflowError) -> NoReturn:
    print_error(error, as_json="--json" in sys.argv)
    sys.exit(error.exit_code)


def _terminated(number: int, frame: Any) -> NoReturn:
    del frame
    sys.exit(128 + number)
