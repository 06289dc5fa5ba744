"""The `tinyflow` command: its subcommands, its exit codes, and how errors are shown."""

from __future__ import annotations

import sys

import typer

from tinyflow import __version__
from tinyflow.cli import boards, build, doctor, flash, init, run, test
from tinyflow.cli.console import print_error
from tinyflow.errors import TinyflowError, exit_codes

_EPILOG = (
    "Exit codes: 0 success, 2 wrong usage, "
    + ", ".join(f"{code} {error.label}" for code, error in exit_codes().items())
    + ". Progress and errors go to standard error, results to standard output."
)

app = typer.Typer(
    help="From a trained Keras model to verified INT8 firmware on a Cortex-M board.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (build, init, boards, run, test, flash, doctor):
    app.command(epilog=_EPILOG)(module.command)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"tinyflow {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Options before the subcommand."""


def main() -> None:
    """Run the command line and exit with its code."""
    as_json = "--json" in sys.argv
    try:
        app()
    except TinyflowError as error:
        print_error(error, as_json=as_json)
        sys.exit(error.exit_code)
