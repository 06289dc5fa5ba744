# SPDX-License-Identifier: Apache-2.0
"""Every way a command can fail, one class and one exit code each.

An error is raised once, where its cause is known. Its message names the file, the operator
or the field, and its `hint` says what to do next.
"""

from __future__ import annotations


class TinyflowError(Exception):
    """Base of all errors a user can cause or meet; `exit_code` is the command's.

    `label` names the exit code in a word or two, `meaning` says it whole.
    """

    exit_code = 1
    label = "unexpected failure"
    meaning = "unexpected failure: a bug in tinyflow"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


class InputError(TinyflowError):
    """A file, a value or a name the user gave is missing, damaged or of the wrong form."""

    exit_code = 3
    label = "bad input"
    meaning = "bad input: a file, a value or a name is missing, damaged or of the wrong form"


class UnsupportedError(TinyflowError):
    """The model uses an operator, a type or an attribute that tinyflow does not compile."""

    exit_code = 4
    label = "unsupported operator"
    meaning = "unsupported: the model uses an operator, a type or an attribute not compiled yet"


class ToolMissingError(TinyflowError):
    """A program or package that this command needs is not installed."""

    exit_code = 5
    label = "a tool is missing"
    meaning = "a needed program or package is not installed"


class FitError(TinyflowError):
    """The model does not fit the board's flash or RAM."""

    exit_code = 6
    label = "does not fit"
    meaning = "the model does not fit the board's memory"


class BudgetError(TinyflowError):
    """The build is complete, but breaks a limit of the project's [budget] table."""

    exit_code = 7
    label = "budget broken"
    meaning = "a limit of the [budget] table is broken; the build is complete"


class ExactnessError(TinyflowError):
    """The firmware's output differs from the oracle's."""

    exit_code = 8
    label = "not exact"
    meaning = "the firmware's output differs from the oracle's"


class DeviceError(TinyflowError):
    """The emulated or real device faulted, went silent or answered with an error."""

    exit_code = 9
    label = "device error"
    meaning = "the emulated or real device faulted, went silent or answered with an error"


class ConversionError(TinyflowError):
    """Pruning or the TFLite converter failed or crashed."""

    exit_code = 10
    label = "conversion failed"
    meaning = "pruning or the TFLite converter failed or crashed"


class BuildError(TinyflowError):
    """PlatformIO or the compiler failed on the generated project."""

    exit_code = 11
    label = "build failed"
    meaning = "PlatformIO or the compiler failed on the generated project"


class RenodeMissingError(ToolMissingError):
    """Renode is not installed; everything but the Renode target works without it."""

    exit_code = 12
    label = "no Renode"
    meaning = "Renode is not installed"


class HilTestError(TinyflowError):
    """An emulated hardware-in-the-loop test failed."""

    exit_code = 13
    label = "tests failed"
    meaning = "an emulated hardware-in-the-loop test failed"


def exit_codes() -> dict[int, type[TinyflowError]]:
    """The error of each exit code, ordered: the source of the documented table."""
    found: dict[int, type[TinyflowError]] = {}
    pending: list[type[TinyflowError]] = [TinyflowError]
    while pending:
        error = pending.pop()
        if "exit_code" in vars(error):
            found[error.exit_code] = error
        pending.extend(error.__subclasses__())
    return dict(sorted(found.items()))
